package redislist

// Each script is one atomic step: a reader never misses a task in motion, and a crash in between moves all or
// none. An error in the middle takes nothing back, so that a task is put where it goes before it is taken from where it
// was: should Redis refuse the first, for the user's rights or for want of memory, the second does not happen. All keys of a script are of one queue, and so in one slot of a Redis Cluster.

// ReclaimScript gives everything that a dead pod's processing list holds back to the head of the queue,
// the end that workers take from, oldest first, and answers how many tasks it moved.
//
// KEYS[1] is the processing list, KEYS[2] the queue.
const ReclaimScript = `local moved = 0
while redis.call('LMOVE', KEYS[1], KEYS[2], 'LEFT', 'RIGHT') do moved = moved + 1 end
return moved`

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

// ReserveScript moves up to ARGV[1] tasks from the head of the queue, KEYS[1], to the processing list,
// KEYS[2], each stamped with a reservation of ARGV[2] and a number, after ARGV[3], which is Ahead or nothing, and
// answers them, the oldest first. A task that may have ended a worker before is reserved alone, so that it cannot
// make others suspect.
const ReserveScript = stampLua + `local taken = {}
for i = 1, tonumber(ARGV[1]) do
  local e = redis.call('RPOP', KEYS[1])
  if not e then break end
  local stamped, suspect = stamp(e, ARGV[2] .. '.' .. i, now, ARGV[3])
  if suspect and i > 1 then redis.call('RPUSH', KEYS[1], e); break end
  redis.call('LPUSH', KEYS[2], stamped)
  taken[i] = stamped
  if suspect then break end
end
return taken`

// AdoptScript stamps one task that the processing list, KEYS[1], holds and nobody has in hand: ARGV[1] is the
// element, ARGV[2] the new reservation, ARGV[3] what the reservations of this process begin with: what one of them
// holds and nobody has in hand was reserved by a command whose answer was lost, and never begun. It answers the
// stamped element, and nothing when it is not there.
const AdoptScript = stampLua + `if redis.call('LREM', KEYS[1], -1, ARGV[1]) == 0 then return false end
local stamped = stamp(ARGV[1], ARGV[2], now, '', ARGV[3])
redis.call('LPUSH', KEYS[1], stamped)
return stamped`

// BeginScript has the element ARGV[1] of the processing list, KEYS[1], be ARGV[2]. It answers 0 when the element
// was not there any more.
const BeginScript = `if redis.call('LREM', KEYS[1], -1, ARGV[1]) == 0 then return 0 end
redis.call('LPUSH', KEYS[1], ARGV[2])
return 1`

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
const RetryScript = `local t = redis.call('TIME')
local member = ARGV[4] .. '|' .. ARGV[2]
local added = redis.call('ZADD', KEYS[2], 'NX', t[1] * 1000 + math.floor(t[2] / 1000) + tonumber(ARGV[3]), member)
if redis.call('LREM', KEYS[1], -1, ARGV[1]) > 0 then return 1 end
if added > 0 then redis.call('ZREM', KEYS[2], member) end
return 0`

// BuryScript takes the element ARGV[1] out of the processing list, KEYS[1], and pushes the dead letter ARGV[2]
// to KEYS[2]; it ends the uniqueness KEYS[3] where that is still the task's, ARGV[3]. It answers 0 when the
// element was not there any more.
const BuryScript = `redis.call('LPUSH', KEYS[2], ARGV[2])
if redis.call('LREM', KEYS[1], -1, ARGV[1]) == 0 then redis.call('LREM', KEYS[2], 1, ARGV[2]); return 0 end
if redis.call('GET', KEYS[3]) == ARGV[3] then redis.call('DEL', KEYS[3]) end
return 1`

// ReturnScript gives elements of the processing list, KEYS[1], back to the head of the queue, KEYS[2]: each odd
// one of ARGV as the even one after it, so that the last is the next to be taken. It answers for each 0 when it
// was not there any more.
const ReturnScript = `local was = {}
for i = 1, #ARGV, 2 do
  redis.call('RPUSH', KEYS[2], ARGV[i + 1])
  local n = redis.call('LREM', KEYS[1], -1, ARGV[i])
  if n == 0 then redis.call('LREM', KEYS[2], -1, ARGV[i + 1]) end
  was[#was + 1] = n
end
return was`

// PromoteScript moves up to ARGV[1] tasks that are due from the sorted set KEYS[1] to the end of the queue,
// KEYS[2], and answers in how many milliseconds the next is due: 0 when there are more already, -1 when there
// is none.
const PromoteScript = `local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[1])) do
  redis.call('LPUSH', KEYS[2], string.sub(member, string.find(member, '|', 1, true) + 1))
  redis.call('ZREM', KEYS[1], member)
end
local next = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
if #next == 0 then return -1 end
return math.max(math.ceil(next[2] - now), 0)`

// EnqueueScript pushes the envelope ARGV[2] .. now .. ARGV[3] to the queue, KEYS[1], or has it wait in KEYS[2]
// for ARGV[4] milliseconds where that is more than 0. Where ARGV[5] is not empty it is the task's identifier,
// and KEYS[3] must not stand; it then does, for at most ARGV[6] milliseconds. ARGV[1] makes the member of the
// sorted set unique. It answers 0 when the task is a duplicate.
const EnqueueScript = `if ARGV[5] ~= '' and not redis.call('SET', KEYS[3], ARGV[5], 'NX', 'PX', ARGV[6]) then return 0 end
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local element = ARGV[2] .. string.format('%d', now) .. ARGV[3]
if tonumber(ARGV[4]) > 0 then redis.call('ZADD', KEYS[2], now + tonumber(ARGV[4]), ARGV[1] .. '|' .. element)
else redis.call('LPUSH', KEYS[1], element) end
return 1`

// ReplayScript pushes the element ARGV[2] to the queue, KEYS[2], if the dead letter ARGV[1] was in KEYS[1], and
// takes it away there. It answers 0 when it was not there any more.
const ReplayScript = `redis.call('LPUSH', KEYS[2], ARGV[2])
if redis.call('LREM', KEYS[1], 1, ARGV[1]) == 0 then redis.call('LREM', KEYS[2], 1, ARGV[2]); return 0 end
return 1`
