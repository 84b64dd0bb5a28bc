package redislist

// DoneScript acknowledges elements of the processing list, KEYS[1], and answers for each 0 when it was gone. Many in one
// step cost a Redis that writes each step to its disk as much as one.
//
// ARGV has the elements' names. The first of them may have a uniqueness, which ends where it is still the task's: the other
// KEYS are its keys, and after the names ARGV has what each key says for as long as it is the task's.
const DoneScript = namedLua + `local unique = #KEYS - 1
local count = #ARGV - unique
local was, gone, byte = {}, 0, string.byte
for i = 1, count do
  local e = ARGV[i]
  if byte(e) == 94 then e = named(e, gone) end -- a call for each would cost as much as all else
  was[i] = e and redis.call('LREM', KEYS[1], -1, e) or 0
  gone = gone + was[i]
  if i <= unique and was[i] > 0 and redis.call('GET', KEYS[i + 1]) == ARGV[count + i] then redis.call('DEL', KEYS[i + 1]) end
end
return was`

// RetryScript takes elements out of the processing list, KEYS[1], and has them wait in KEYS[2]. ARGV has four of each: its
// name, the stamp that it has then, for how many milliseconds it waits, and its reservation. It answers for each 0 when
// it was gone.
//
// A member of the sorted set is the reservation, a bar and the element: two tasks alike stay two.
const RetryScript = fullLua + guardLua + namedLua + restampLua + `local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local was, gone = {}, 0
for i = 1, #ARGV, 4 do
  local e, n = named(ARGV[i], gone), 0
  if e then
    local member = ARGV[i + 3] .. '|' .. restamp(e, ARGV[i + 1])
    local added = redis.call('ZADD', KEYS[2], 'NX', now + tonumber(ARGV[i + 2]), member)
    n = redis.call('LREM', KEYS[1], -1, e)
    if n == 0 and added > 0 then redis.call('ZREM', KEYS[2], member) end
  end
  was[#was + 1], gone = n, gone + n
end
return was`

// BuryScript takes elements out of the processing list, KEYS[1], and pushes their dead letters to KEYS[2]. It answers for
// each 0 when it was gone. ARGV has four of each:
//
//   - its name,
//   - the letter,
//   - what its uniqueness says for as long as it is the task's; the other KEYS are these, and each ends where it is,
//   - a field of KEYS[3] for the payload, where the letter is without it, else nothing.
const BuryScript = fullLua + guardLua + namedLua + `local was, gone = {}, 0
for i = 1, #ARGV, 4 do
  local e, n = named(ARGV[i], gone), 0
  local letter, owner, field, unique = ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], KEYS[4 + #was]
  if e then
    redis.call('LPUSH', KEYS[2], letter)
    if field ~= '' then -- last, for a Redis that refuses the letter would write the payload to its disk at each try
      local length, rest = string.match(e, '^qscaler:1:[^:]*:[^:]*:[^:]*:[^:]*:[^:]*:([0-9]+):(.*)$')
      local kept = redis.pcall('HSET', KEYS[3], field, string.sub(rest, length + 1))
      if type(kept) == 'table' and kept.err then
        redis.call('LREM', KEYS[2], 1, letter)
        return kept
      end
    end
    n = redis.call('LREM', KEYS[1], -1, e)
    if n == 0 then
      redis.call('LREM', KEYS[2], 1, letter)
      if field ~= '' then redis.call('HDEL', KEYS[3], field) end
    elseif redis.call('GET', unique) == owner then
      redis.call('DEL', unique)
    end
  end
  was[#was + 1], gone = n, gone + n
end
return was`

// ReturnScript gives elements of the processing list, KEYS[1], back to the head of the queue, KEYS[2]: each odd
// one of ARGV is a name, the even one after it the stamp that it has then; the last is the next to be taken. It answers
// for each 0 when it was gone.
const ReturnScript = fullLua + guardLua + namedLua + restampLua + `local was = {}
for i = 1, #ARGV, 2 do
  local e, n = named(ARGV[i]), 0
  if e then
    local returned = restamp(e, ARGV[i + 1])
    redis.call('RPUSH', KEYS[2], returned)
    n = redis.call('LREM', KEYS[1], 1, e) -- most are the youngest: those that were reserved and not begun
    if n == 0 then redis.call('LREM', KEYS[2], -1, returned) end
  end
  was[#was + 1] = n
end
return was`

// ReleaseScript hands what the processing list, KEYS[1], holds and nobody has in hand back to the head of the queue,
// KEYS[2]. From ARGV[3] on there are, of each element, its head and about how many are older; the last is the next to
// be taken. It ends once they were ARGV[2] bytes, and answers how many it has dealt with.
//
// A task whose reservation begins with ARGV[1] was never begun. The reservation is taken from it, unless it is Unbegun.
// Every other reservation is kept, so that the next one counts a crashed attempt.
const ReleaseScript = fullLua + guardLua + findLua + `local n, bytes = 0, 0
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
