package redislist

// EnqueueScript pushes the envelope ARGV[2] .. now .. ARGV[3] to the queue, KEYS[1], or has it wait in KEYS[2]
// for ARGV[4] milliseconds where that is more than 0. Where ARGV[5] is not empty KEYS[3] must not
// stand; it then does, and says that, for at most ARGV[6] milliseconds. ARGV[1] makes the member of the
// sorted set unique. It answers 0 when the task is a duplicate.
const EnqueueScript = `if ARGV[5] ~= '' and redis.call('GET', KEYS[3]) then return 0 end
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local element = ARGV[2] .. string.format('%d', now) .. ARGV[3]
if tonumber(ARGV[4]) > 0 then redis.call('ZADD', KEYS[2], now + tonumber(ARGV[4]), ARGV[1] .. '|' .. element)
else redis.call('LPUSH', KEYS[1], element) end
if ARGV[5] ~= '' then redis.call('SET', KEYS[3], ARGV[5], 'PX', ARGV[6]) end
return 1`

// PromoteScript moves up to ARGV[1] tasks that are due from the sorted set KEYS[2] to the end of the queue,
// KEYS[1], but no more once they are ARGV[2] bytes, and answers in how many milliseconds the next is due: 0 when
// there are more already, -1 when there is none. A member without a bar is an element, all of it: it is not to hold up
// the others.
const PromoteScript = fullLua + `redis.call('ZREM', KEYS[2], '\0') -- as in guardLua
local t = redis.call('TIME')
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

// ReclaimScript gives what a dead pod's processing list holds back to the head of the queue, the end that workers take
// from, the oldest first. It moves no more once that was ARGV[1] bytes; each task counts as 100 more, for it takes its
// time, too. It answers how many tasks it moved, and how many are left.
//
// KEYS[1] is the processing list, KEYS[2] the queue. KEYS[3] is an operator's claim: nothing is moved unless it is
// ARGV[2]'s, and the error says whose it is. Without it there is no such condition. The first command is as in fullLua; who
// may do all but that is refused by a Redis whose memory is full, and by no other.
const ReclaimScript = `if KEYS[3] then
  local operator = redis.call('GET', KEYS[3])
  if string.sub(operator or '', 1, #ARGV[2] + 1) ~= ARGV[2] .. ' ' then return redis.error_reply('` + NotClaimed + ` ' .. (operator or '')) end
end
redis.pcall('RPOP', KEYS[1], 0)
local moved, bytes = 0, 0
while bytes < tonumber(ARGV[1]) do
  local e = redis.call('LMOVE', KEYS[1], KEYS[2], 'LEFT', 'RIGHT')
  if not e then break end
  moved, bytes = moved + 1, bytes + #e + 100
end
return {moved, redis.call('LLEN', KEYS[1])}`

// NotClaimed is what the error of ReclaimScript begins with where the claim is not the caller's.
const NotClaimed = "NOTCLAIMED"

// ClaimScript renews an operator's claim, KEYS[1], where it is ARGV[1]'s, for ARGV[2] milliseconds. Where nobody has it
// and ARGV[3] is 1, it takes it, with the mark ARGV[4]. It answers what stands there then, or the empty string: whose it
// is, the mark, and how often it was taken and renewed, with spaces between them.
//
// The expiry of a key that is not there changes nothing: after it, a Redis whose memory is full takes the claim as well;
// see fullLua.
const ClaimScript = `local operator = redis.call('GET', KEYS[1])
local mark, renewals = ARGV[4], 0
if string.sub(operator or '', 1, #ARGV[1] + 1) == ARGV[1] .. ' ' then
  mark, renewals = string.match(string.sub(operator, #ARGV[1] + 2), '^(%S*) ?(%d*)')
elseif operator or ARGV[3] ~= '1' then
  return operator or ''
end
operator = ARGV[1] .. ' ' .. mark .. ' ' .. ((tonumber(renewals) or 0) + 1)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('SET', KEYS[1], operator, 'PX', ARGV[2])
return operator`

// ReplayScript pushes the element ARGV[2] to the queue, KEYS[2], if the dead letter ARGV[1] was in KEYS[1], and takes it
// away there, with its payload, the field ARGV[3] of KEYS[3], where that is not empty. Where ARGV[4] is not empty that
// payload goes after ARGV[2]. It answers 0 when the letter was gone, and -1 when its payload was not.
const ReplayScript = guardLua + `local element = ARGV[2]
if ARGV[4] ~= '' then
  local payload = redis.call('HGET', KEYS[3], ARGV[3])
  if not payload then return -1 end
  element = element .. payload
end
redis.call('LPUSH', KEYS[2], element)
if redis.call('LREM', KEYS[1], 1, ARGV[1]) == 0 then redis.call('LREM', KEYS[2], 1, element); return 0 end
if ARGV[3] ~= '' then redis.call('HDEL', KEYS[3], ARGV[3]) end
return 1`

// DropScript takes the dead letter ARGV[1] away from KEYS[1], and its payload, where ARGV[2] is not empty, which is that
// field of KEYS[2]. It answers 0 when the letter was gone.
const DropScript = `if redis.call('LREM', KEYS[1], 1, ARGV[1]) == 0 then return 0 end
if ARGV[2] ~= '' then redis.call('HDEL', KEYS[2], ARGV[2]) end
return 1`
