package redis

import (
	"crypto/sha1" //nolint:gosec // Redis names scripts by it
	"encoding/hex"

	"github.com/quickube/qscaler/worker/redislist"
)

// depthLua reads a stream, KEYS[1], as the group ARGV[1] has it, in one step: how many entries wait, how many are taken and
// not acknowledged by anybody, and how many of these by each of the consumers ARGV[4] and so on.
//
// Redis tells the lag of a group, but not always. It tells none where entries behind the group's position were deleted, or
// where the group was created in the middle, and Redis 6.2 never does. It tells too much where the stream was trimmed.
//
// So what is next for the group is looked at: where there is nothing, nothing waits, and else something does. Where there is
// no lag, entries are counted, ARGV[2] at most. Where there are more, all waits that the stream has and nobody has taken.
//
// Redis reads an entry whole, and serves nobody else meanwhile. So few are read at a time, no more than the longest so far
// lets fit into the bytes ARGV[3], and none once those are used up. The first is always counted.
//
// A group that does not exist has the whole stream before it, and a stream that does not exist is empty. The error of the
// first command is answered as it is: older versions put words before one that a script raises.
const depthLua = `local length = redis.pcall('XLEN', KEYS[1])
if type(length) == 'table' then return length end
local group
if length > 0 or redis.call('EXISTS', KEYS[1]) == 1 then
  for _, fields in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
    local g = {}
    for i = 1, #fields, 2 do g[fields[i]] = fields[i + 1] end
    if g.name == ARGV[1] then group = g end
  end
end
local waiting, pending, held, most = length, 0, {}, tonumber(ARGV[2])
if group then
  pending = group.pending
  local last = group['last-delivered-id']
  local after = '(' .. last
  local none = last == '18446744073709551615-18446744073709551615'
  local following = not none and redis.call('XRANGE', KEYS[1], after, '+', 'COUNT', 1)[1]
  if not following then
    waiting = 0
  elseif type(group.lag) == 'number' and group.lag > 0 then
    waiting = math.min(group.lag, length)
  elseif redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1][1] ~= following[1] then
    waiting = 0
    local bytes, longest, page, more = 0, 0, 1, true
    while more and page > 0 do
      local entries = redis.call('XRANGE', KEYS[1], after, '+', 'COUNT', page)
      for _, e in ipairs(entries) do
        local size = 100
        for _, f in ipairs(e[2]) do size = size + 20 + #f end
        bytes, longest, after = bytes + size, math.max(longest, size), '(' .. e[1]
      end
      waiting, more = waiting + #entries, #entries == page
      page = math.min(10, most - waiting, math.floor((tonumber(ARGV[3]) - bytes) / longest))
    end
    if more and #redis.call('XRANGE', KEYS[1], after, '+', 'COUNT', 1) > 0 then waiting = math.max(waiting, length - pending) end
  end
  if pending > 0 then
    for _, c in ipairs(redis.call('XPENDING', KEYS[1], ARGV[1])[4] or {}) do held[c[1]] = tonumber(c[2]) end
  end
end
local answer = {waiting, pending}
for i = 4, #ARGV do answer[i - 1] = held[ARGV[i]] or 0 end
return answer`

// depthSHA is what Redis calls depthLua once it has it.
var depthSHA = shaOf(depthLua)

// mostCounted is how many entries are counted where Redis tells no lag, and mostCountedBytes how many bytes of them are read:
// that takes a millisecond or so.
const (
	mostCounted      = "1000"
	mostCountedBytes = "1048576"
)

// reclaimStreamLua gives the entries that a dead consumer, ARGV[3], has taken from the stream KEYS[1] for the group ARGV[2]
// back to that group. Redis gives an entry that was taken to nobody who asks for new ones. So each becomes a new entry at the
// end of the stream, with the same fields, and the old one is acknowledged and deleted, in one step.
//
// A stream with several groups is left as it is: they would all get the new entry. The error is sharedStream then.
//
// A field deliveriesField at the end of the new entry says how often the task was delivered before. One that was delivered
// ARGV[5] times goes to the stream KEYS[3] instead: it may be what kills its workers.
//
// No entry is moved unless the claim KEYS[2] is that of ARGV[1], nor more after ARGV[4] bytes. The first two writes change
// nothing. Who may not acknowledge or delete is refused before anything was added, and a Redis whose memory is full takes the
// writes that follow; see fullLua of worker/redislist.
//
// A script can give a command some 8000 words. An entry that has more than ARGV[7] stays where it is, and the others move.
//
// It begins at the entry ARGV[6]. It answers how many entries it moved, whether more follow, how many it is done with, as some
// may have no message any more, how many of these are too wide, and the last. A consumer that has none left is deleted.
const reclaimStreamLua = `local operator = redis.call('GET', KEYS[2])
if string.sub(operator or '', 1, #ARGV[1] + 1) ~= ARGV[1] .. ' ' then return redis.error_reply('` + redislist.NotClaimed + ` ' .. (operator or '')) end
local type = redis.call('TYPE', KEYS[1]).ok
if type == 'none' then return {0, 0, 0, 0, ''} end
if type ~= 'stream' then return redis.error_reply('WRONGTYPE Operation against a key holding the wrong kind of value') end
local groups, known = redis.call('XINFO', 'GROUPS', KEYS[1]), false
for _, fields in ipairs(groups) do
  for i = 1, #fields, 2 do
    if fields[i] == 'name' and fields[i + 1] == ARGV[2] then known = true end
  end
end
if not known then return {0, 0, 0, 0, ''} end
redis.call('XACK', KEYS[1], ARGV[2], '0-0')
redis.call('XDEL', KEYS[1], '0-0')
local held = redis.call('XPENDING', KEYS[1], ARGV[2], ARGV[6], '+', 100, ARGV[3])
if #held > 0 and #groups > 1 then return redis.error_reply('` + sharedStream + ` ' .. #groups) end
local moved, done, bytes, wide, last = 0, 0, 0, 0, ''
for _, p in ipairs(held) do
  if bytes >= tonumber(ARGV[4]) then break end
  local id, deliveries = p[1], p[4]
  local entry = redis.call('XRANGE', KEYS[1], id, id)[1]
  local isWide = entry and #entry[2] > tonumber(ARGV[7])
  if isWide then
    wide = wide + 1
    for _, field in ipairs(entry[2]) do bytes = bytes + #field end
  elseif entry then
    local fields = entry[2]
    for _, field in ipairs(fields) do bytes = bytes + #field end
    local n = #fields
    if n > 2 and fields[n - 1] == '` + deliveriesField + `' then
      deliveries = deliveries + (tonumber(fields[n]) or 0)
      fields[n] = nil
      fields[n - 1] = nil
    end
    fields[#fields + 1] = '` + deliveriesField + `'
    fields[#fields + 1] = string.format('%d', math.min(deliveries, 1000000))
    local to = KEYS[1]
    if deliveries >= tonumber(ARGV[5]) then to = KEYS[3] end
    redis.call('XADD', to, '*', unpack(fields))
    moved = moved + 1
  end
  if not isWide then
    redis.call('XACK', KEYS[1], ARGV[2], id)
    redis.call('XDEL', KEYS[1], id)
  end
  done, bytes, last = done + 1, bytes + 100, id
end
local left = 0
if last ~= '' then left = #redis.call('XPENDING', KEYS[1], ARGV[2], '(' .. last, '+', 1, ARGV[3]) end
if #redis.call('XPENDING', KEYS[1], ARGV[2], '-', '+', 1, ARGV[3]) == 0 then redis.pcall('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[2], ARGV[3]) end
return {moved, left, done, wide, last}`

func shaOf(script string) string {
	sum := sha1.Sum([]byte(script)) //nolint:gosec // Redis names scripts by it
	return hex.EncodeToString(sum[:])
}
