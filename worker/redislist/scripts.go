package redislist

// Each script is one atomic step: a reader never misses a task in motion, and a crash in between moves all or
// none. An error in the middle takes nothing back, so that a task is put where it goes before it is taken from where it
// was: should Redis refuse the first, for the user's rights or for want of memory, the second does not happen. All keys of a script are of one queue, and so in one slot of a Redis Cluster.

// ReclaimScript gives what a dead pod's processing list holds back to the head of the queue, the end that workers take
// from, the oldest first. It moves no more once that was ARGV[1] bytes; each task counts as 100 more, for it takes its
// time, too. It answers how many tasks it moved, and how many are left.
//
// KEYS[1] is the processing list, KEYS[2] the queue. The first command is as in fullLua; who may do all but that is
// refused by a Redis whose memory is full, and by no other.
const ReclaimScript = `redis.pcall('RPOP', KEYS[1], 0)
local moved, bytes = 0, 0
while bytes < tonumber(ARGV[1]) do
  local e = redis.call('LMOVE', KEYS[1], KEYS[2], 'LEFT', 'RIGHT')
  if not e then break end
  moved, bytes = moved + 1, bytes + #e + 100
end
return {moved, redis.call('LLEN', KEYS[1])}`

// stampLua is the function stamp(element, reservation, now, ahead, own): the element as it is reserved, and
// whether an earlier reservation of it has an end that nobody knows. What is no envelope gets one. The grammar is
// Parse's, to the letter; it names no character classes, which depend on Redis' locale.
//
// What a reservation that nobody has ended says of its task is in its first character; see Ahead and Unbegun.
// Of one that begins with own the end is known: it was never begun.
const stampLua = `local function stamp(e, reservation, now, ahead, own)
  local id, failed, lost, first, before, length, rest =
    string.match(e, '^qscaler:1:([A-Za-z0-9._-]+):([0-9]+):([0-9]+):([0-9]+):([A-Za-z0-9._-]*):([0-9]+):(.*)$')
  if not id or #id > 128 or #failed > 9 or #lost > 9 or #first > 15 or #length > 9 or tonumber(length) > #rest then
    return 'qscaler:1:' .. reservation .. ':0:0:' .. now .. ':' .. ahead .. reservation .. ':0:' .. e, false
  end
  if tonumber(first) > 253402300799999 then first = '253402300799999' end
  local mark, name = string.match(before, '^(_?-*)(.*)$')
  local left = before ~= '' and not (own and string.sub(name, 1, #own) == own)
  if left and mark == '' then lost = string.format('%d', math.min(lost + 1, 999999999)) end
  local unbegun = string.sub(mark, 1, 1) == '-'
  local suspect = left or unbegun or tonumber(lost) > 0
  if suspect then ahead = unbegun and mark or '-' end
  return 'qscaler:1:' .. id .. ':' .. failed .. ':' .. lost .. ':' .. first .. ':' .. ahead .. reservation .. ':' .. length .. ':' .. rest, suspect
end
local t = redis.call('TIME')
local now = string.format('%d', t[1] * 1000 + math.floor(t[2] / 1000))
`

// fullLua has what follows be done also by a Redis whose memory is full. It refuses each command that may need some,
// those of a script until the first that writes; this one writes nothing. What moves a task frees about as much as it
// needs, and the workers are those who make room.
const fullLua = `redis.call('RPOP', KEYS[1], 0)
`

// ReserveScript moves up to ARGV[1] tasks from the head of the queue, KEYS[1], to the processing list,
// KEYS[2], each stamped with a reservation of ARGV[2] and a number, after ARGV[3], which is Ahead or nothing, and
// answers them, the oldest first. It takes no more once they are ARGV[4] bytes. A task that may have ended a worker
// before is reserved alone, so that it cannot make others suspect.
const ReserveScript = fullLua + stampLua + `local taken, bytes = {}, 0
for i = 1, tonumber(ARGV[1]) do
  local e = redis.call('LMOVE', KEYS[1], KEYS[2], 'RIGHT', 'LEFT')
  if not e then break end
  local stamped, suspect = stamp(e, ARGV[2] .. '.' .. i, now, ARGV[3])
  if suspect and i > 1 then redis.call('LMOVE', KEYS[2], KEYS[1], 'LEFT', 'RIGHT'); break end
  redis.call('LSET', KEYS[2], 0, stamped)
  taken[i], bytes = stamped, bytes + #stamped
  if suspect or bytes >= tonumber(ARGV[4]) then break end
end
return taken`

// headSize is how much of an element tells it from every other that has a reservation.
const headSize = 512

// Head is the beginning of an element, by which a worker knows what its list holds without the payloads.
func Head(element string) string { return element[:min(len(element), headSize)] }

// HeldScript lists the elements of the processing list, KEYS[1], by their heads, the oldest first, from the one
// after the first ARGV[1], until they are ARGV[3] bytes; each counts as 4 KiB more, for it takes its time, too. ARGV[2]
// is how long the list was when those first were listed: since each that has left it may have moved the others, it
// begins as many earlier, and leaves none out. It answers how many are listed now, the list's length, how many are
// older than the first head, and the heads.
const HeldScript = `local length = redis.call('LLEN', KEYS[1])
local older = math.max(ARGV[1] - math.max(ARGV[2] - length, 0), 0)
local next, bytes, answer = older, 0, {0, length, older}
while next < length and bytes < tonumber(ARGV[3]) do
  next = next + 1
  local e = redis.call('LRANGE', KEYS[1], -next, -next)[1]
  bytes = bytes + #e + 4096
  answer[#answer + 1] = string.sub(e, 1, 512)
end
answer[1] = next
return answer`

// findLua is the function find(head, older): the element of the processing list, KEYS[1], that has this head, and its
// place, counted from the oldest, which is 1. At most so many are older.
const findLua = `local function find(head, older)
  for i = math.min(older + 1, redis.call('LLEN', KEYS[1])), 1, -1 do
    local e = redis.call('LRANGE', KEYS[1], -i, -i)[1]
    if string.sub(e, 1, 512) == head then return e, i end
  end
end
`

// AdoptScript stamps one task that the processing list, KEYS[1], holds and nobody has in hand, where it is: ARGV[1]
// and ARGV[4] are its head and how many are older at most, ARGV[2] is the new reservation, ARGV[3] what the
// reservations of this process begin with: what one of them holds and nobody has in hand was reserved by a command
// whose answer was lost, and never begun. It answers the stamped element, and nothing when it is not there.
const AdoptScript = fullLua + stampLua + findLua + `local e, i = find(ARGV[1], ARGV[4])
if not e then return false end
local stamped = stamp(e, ARGV[2], now, '', ARGV[3])
redis.call('LSET', KEYS[1], -i, stamped)
return stamped`

// BeginScript has the element ARGV[1] of the processing list, KEYS[1], be ARGV[2]. It answers 0 when the element
// was not there any more.
const BeginScript = fullLua + `redis.call('LPUSH', KEYS[1], ARGV[2])
if redis.call('LREM', KEYS[1], -1, ARGV[1]) > 0 then return 1 end
redis.call('LREM', KEYS[1], 1, ARGV[2])
return 0`

// DoneScript acknowledges elements of the processing list, KEYS[1], and answers for each 0 when it was not there
// any more. The other KEYS are the uniqueness of as many elements, the first ones: it ends where it is still the
// task's. ARGV has the elements, and then the identifiers of the tasks that have a uniqueness. Many in one step
// cost a Redis that writes each step to its disk as much as one.
const DoneScript = `local unique = #KEYS - 1
local count = #ARGV - unique
local was = {}
for i = 1, count do
  was[i] = redis.call('LREM', KEYS[1], -1, ARGV[i])
  if i <= unique and was[i] > 0 and redis.call('GET', KEYS[i + 1]) == ARGV[count + i] then redis.call('DEL', KEYS[i + 1]) end
end
return was`

// RetryScript takes the element ARGV[1] out of the processing list, KEYS[1], and has ARGV[2] wait in KEYS[2]
// for ARGV[3] milliseconds. It answers 0 when the element was not there any more.
//
// A member of the sorted set is the reservation, a bar and the element: two tasks alike stay two.
const RetryScript = fullLua + `local t = redis.call('TIME')
local member = ARGV[4] .. '|' .. ARGV[2]
local added = redis.call('ZADD', KEYS[2], 'NX', t[1] * 1000 + math.floor(t[2] / 1000) + tonumber(ARGV[3]), member)
if redis.call('LREM', KEYS[1], -1, ARGV[1]) > 0 then return 1 end
if added > 0 then redis.call('ZREM', KEYS[2], member) end
return 0`

// BuryScript takes the element ARGV[1] out of the processing list, KEYS[1], and pushes the dead letter ARGV[2]
// to KEYS[2]; it ends the uniqueness KEYS[3] where that is still the task's, ARGV[3]. It answers 0 when the
// element was not there any more.
const BuryScript = fullLua + `redis.call('LPUSH', KEYS[2], ARGV[2])
if redis.call('LREM', KEYS[1], -1, ARGV[1]) == 0 then redis.call('LREM', KEYS[2], 1, ARGV[2]); return 0 end
if redis.call('GET', KEYS[3]) == ARGV[3] then redis.call('DEL', KEYS[3]) end
return 1`

// ReturnScript gives elements of the processing list, KEYS[1], back to the head of the queue, KEYS[2]: each odd
// one of ARGV as the even one after it, so that the last is the next to be taken. It answers for each 0 when it
// was not there any more.
const ReturnScript = fullLua + `local was = {}
for i = 1, #ARGV, 2 do
  redis.call('RPUSH', KEYS[2], ARGV[i + 1])
  local n = redis.call('LREM', KEYS[1], -1, ARGV[i])
  if n == 0 then redis.call('LREM', KEYS[2], -1, ARGV[i + 1]) end
  was[#was + 1] = n
end
return was`

// ReleaseScript gives what the processing list, KEYS[1], holds and nobody has in hand back to the head of the queue,
// KEYS[2]. From ARGV[3] on there are, of each element, its head and how many are older at most; the last is the next to
// be taken. It ends once they were ARGV[2] bytes, and answers how many it has dealt with. What a reservation that begins
// with ARGV[1] holds was never begun, and loses it, unless it is Unbegun; another is kept, so that the next sees that
// an attempt was lost.
const ReleaseScript = fullLua + findLua + `local n, bytes = 0, 0
while #ARGV > 2 * n + 2 and bytes < tonumber(ARGV[2]) do
  local e = find(ARGV[2 * n + 3], ARGV[2 * n + 4])
  if e then
    local before, name, after = string.match(e, '^(qscaler:1:[A-Za-z0-9._-]+:[0-9]+:[0-9]+:[0-9]+:)_?([A-Za-z0-9._-]+)(:[0-9]+:.*)$')
    local own = name and string.sub(name, 1, #ARGV[1]) == ARGV[1]
    redis.call('RPUSH', KEYS[2], own and before .. after or e)
    redis.call('LREM', KEYS[1], -1, e)
    bytes = bytes + #e
  end
  n = n + 1
end
return n`

// PromoteScript moves up to ARGV[1] tasks that are due from the sorted set KEYS[2] to the end of the queue,
// KEYS[1], but no more once they are ARGV[2] bytes, and answers in how many milliseconds the next is due: 0 when
// there are more already, -1 when there is none. A member without a bar is an element, all of it: it is not to hold up
// the others.
const PromoteScript = fullLua + `local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local bytes = 0
for _ = 1, tonumber(ARGV[1]) do
  local member = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, 1)[1]
  if not member or bytes >= tonumber(ARGV[2]) then break end
  redis.call('LPUSH', KEYS[1], string.sub(member, (string.find(member, '|', 1, true) or 0) + 1))
  redis.call('ZREM', KEYS[2], member)
  bytes = bytes + #member
end
local next = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
if #next == 0 then return -1 end
return math.max(math.ceil(next[2] - now), 0)`

// EnqueueScript pushes the envelope ARGV[2] .. now .. ARGV[3] to the queue, KEYS[1], or has it wait in KEYS[2]
// for ARGV[4] milliseconds where that is more than 0. Where ARGV[5] is not empty it is the task's identifier,
// and KEYS[3] must not stand; it then does, for at most ARGV[6] milliseconds. ARGV[1] makes the member of the
// sorted set unique. It answers 0 when the task is a duplicate.
const EnqueueScript = `if ARGV[5] ~= '' and redis.call('GET', KEYS[3]) then return 0 end
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local element = ARGV[2] .. string.format('%d', now) .. ARGV[3]
if tonumber(ARGV[4]) > 0 then redis.call('ZADD', KEYS[2], now + tonumber(ARGV[4]), ARGV[1] .. '|' .. element)
else redis.call('LPUSH', KEYS[1], element) end
if ARGV[5] ~= '' then redis.call('SET', KEYS[3], ARGV[5], 'PX', ARGV[6]) end
return 1`

// ReplayScript pushes the element ARGV[2] to the queue, KEYS[2], if the dead letter ARGV[1] was in KEYS[1], and
// takes it away there. It answers 0 when it was not there any more.
const ReplayScript = `redis.call('LPUSH', KEYS[2], ARGV[2])
if redis.call('LREM', KEYS[1], 1, ARGV[1]) == 0 then redis.call('LREM', KEYS[2], 1, ARGV[2]); return 0 end
return 1`
