package redislist

// ReserveScript moves up to ARGV[1] tasks from the head of the queue, KEYS[1], to the processing list, KEYS[2]. It answers
// them, the oldest first. Each is stamped with a reservation: ARGV[3], which is Ahead or nothing, then ARGV[2] and a
// number. A task that may have ended a worker before is reserved alone, so that it cannot make others suspect.
//
// Together the tasks have ARGV[4] bytes at most. Of one that alone is longer, it answers the beginning and the length.
//
// Each command costs Redis as much as a task. So the script looks at some tasks and moves them all together. Redis serves
// nobody else while it copies what is looked at, so that is at most
//
//   - 64 tasks,
//   - three times as many as it has moved so far,
//   - ARGV[4] bytes, if none is longer than the longest that it has seen; it has seen the last of them.
//
// What it cannot know are the lengths of up to 63 tasks that stand between two short ones.
const ReserveScript = fullLua + stampLua + briefLua + `local limit, bytes, moved, taken = tonumber(ARGV[4]), 0, {}, {}
local longest = 1
local function within(most)
  return math.min(most, math.max(math.floor(limit / longest), 1))
end
local function look(most)
  most = within(most)
  if most > 1 then
    local last = redis.call('LRANGE', KEYS[1], -#moved - most, -#moved - most)[1]
    if last and #last > longest then
      longest = #last
      most = within(most)
    end
  end
  local waiting = redis.call('LRANGE', KEYS[1], -#moved - most, -#moved - 1)
  for i = #waiting, 1, -1 do
    longest = math.max(longest, #waiting[i])
    local stamped, suspect = stamp(waiting[i], ARGV[2] .. '.' .. #moved + 1, now, ARGV[3])
    if #moved > 0 and (suspect or bytes + #stamped > limit) then return false end
    moved[#moved + 1], bytes = stamped, bytes + #stamped
    taken[#moved] = #stamped > limit and brief(stamped, limit) or stamped
    if suspect then return false end
  end
  return #waiting == most
end
local wanted = tonumber(ARGV[1])
while #moved < wanted and look(math.min(wanted - #moved, math.max(3 * #moved, 1), 64)) do end
if #moved > 0 then
  redis.call('LPUSH', KEYS[2], unpack(moved))
  redis.call('RPOP', KEYS[1], #moved)
end
return taken`

// HeldScript lists the elements of the processing list, KEYS[1], by their heads, the oldest first. It begins after the
// first ARGV[1], and ends when they are ARGV[3] bytes; each counts as 4 KiB more, because it takes time, too.
//
// ARGV[2] is how long the list was when those first were listed. Each element that has left the list since may have moved
// the others. So it begins as many earlier, and leaves none out.
//
// It answers how many are listed now, the list's length, how many are older than the first head, and the heads.
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

// FetchScript answers ARGV[3] bytes of the element of the processing list, KEYS[1], that is named ARGV[1] by its head,
// after the first ARGV[2], and nothing when it is not there.
const FetchScript = namedLua + `local e = named(ARGV[1])
return e and string.sub(e, ARGV[2] + 1, ARGV[2] + ARGV[3])`

// AdoptScript stamps one task that the processing list, KEYS[1], holds and nobody has in hand, where it is. It answers the
// stamped element. Of one that is longer than ARGV[5] it answers the beginning and the length, and nothing when the task
// is gone.
//
//   - ARGV[1] and ARGV[4] are its head and about how many are older.
//   - ARGV[2] is the new reservation.
//   - ARGV[3] is what the reservations of this process begin with. A task that has one of them and that nobody has in
//     hand was never begun: it was reserved by a command whose answer did not arrive.
const AdoptScript = fullLua + stampLua + findLua + briefLua + `local e, i = find(ARGV[1], ARGV[4])
if not e then return false end
local stamped = stamp(e, ARGV[2], now, '', ARGV[3])
redis.call('LSET', KEYS[1], -i, stamped)
return brief(stamped, tonumber(ARGV[5]))`

// BeginScript has the element of the processing list, KEYS[1], that is named ARGV[1] have the stamp ARGV[2]. It answers
// 0 when the element was gone.
const BeginScript = fullLua + guardLua + namedLua + restampLua + `local e = named(ARGV[1])
if not e then return 0 end
local begun = restamp(e, ARGV[2])
redis.call('LPUSH', KEYS[1], begun)
if redis.call('LREM', KEYS[1], -1, e) > 0 then return 1 end
redis.call('LREM', KEYS[1], 1, begun)
return 0`
