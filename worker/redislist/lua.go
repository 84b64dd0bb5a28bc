package redislist

import "strconv"

// Each script is one atomic step: a reader never misses a task in motion, and a crash in between moves all or none. An
// error in the middle takes nothing back. So a task is put where it goes before it is taken from where it was: when Redis
// refuses the first, for the user's rights or because memory is full, the second does not happen.
//
// All keys of a script are of one queue, and so in one slot of a Redis Cluster. The claim that ReclaimScript looks at is
// the exception.
//
//	lua.go      what several scripts have in common
//	reserve.go  a task comes to a worker
//	settle.go   it comes to its end there, or goes back
//	queue.go    tasks are enqueued, come to be due, and return

// stampLua is the function stamp(element, reservation, now, ahead, own): the element as it is reserved, and
// whether an earlier reservation of it has an end that nobody knows. What is no envelope gets one. The grammar is
// Parse's, to the letter; it names no character classes, which depend on Redis' locale.
//
// What a reservation that nobody has ended says of its task is in its first character; see Ahead and Unbegun.
// Of one that begins with own the end is known: it was never begun.
const stampLua = `local function stamp(e, reservation, now, ahead, own)
  local id, failed, crashed, first, before, length, rest =
    string.match(e, '^qscaler:1:([A-Za-z0-9._-]+):([0-9]+):([0-9]+):([0-9]+):([A-Za-z0-9._-]*):([0-9]+):(.*)$')
  if not id or #id > 128 or #failed > 9 or #crashed > 9 or #first > 15 or #length > 9 or tonumber(length) > #rest then
    return 'qscaler:1:' .. reservation .. ':0:0:' .. now .. ':' .. ahead .. reservation .. ':0:' .. e, false
  end
  if tonumber(first) > 253402300799999 then first = '253402300799999' end
  local mark, name = string.match(before, '^(_?-*)(.*)$')
  local left = before ~= '' and not (own and string.sub(name, 1, #own) == own)
  if left and mark == '' then crashed = string.format('%d', math.min(crashed + 1, 999999999)) end
  local unbegun = string.sub(mark, 1, 1) == '-'
  local suspect = left or unbegun or tonumber(crashed) > 0
  if suspect then ahead = '-' end
  return 'qscaler:1:' .. id .. ':' .. failed .. ':' .. crashed .. ':' .. first .. ':' .. ahead .. reservation .. ':' .. length .. ':' .. rest, suspect
end
local t = redis.call('TIME')
local now = string.format('%d', t[1] * 1000 + math.floor(t[2] / 1000))
`

// fullLua has what follows be done also by a Redis whose memory is full. It refuses each command that may need some,
// those of a script until the first that writes; this one writes nothing. What moves a task frees about as much as it
// needs, and the workers are those who make room.
const fullLua = `redis.call('RPOP', KEYS[1], 0)
`

// guardLua ends a script whose user may not remove an element from the list that its task leaves, before the script has
// put a copy of the task anywhere: an error takes nothing back. There is no list of this name; pods' names have no colon.
const guardLua = `redis.call('LREM', KEYS[1] .. ':', 1, '')
`

// HeadSize is how much of an element tells it from every other that has a reservation: the reservation is in it.
const HeadSize = 512

// Head is the beginning of an element, by which a worker knows what its list holds without the payloads.
func Head(element string) string { return element[:min(len(element), HeadSize)] }

// findLua is the function find(head, older): the element of the processing list, KEYS[1], that has this head, and its
// place, counted from the oldest, which is 1. It is looked for from where so many are older on, on both sides: each look
// copies an element.
const findLua = `local function find(head, older)
  local length = redis.call('LLEN', KEYS[1])
  local function look(i)
    if i < 1 or i > length then return end
    local e = redis.call('LRANGE', KEYS[1], -i, -i)[1]
    if string.sub(e, 1, 512) == head then return e end
  end
  local from = math.min(older + 1, length)
  for away = 0, length - 1 do
    local e = look(from - away)
    if e then return e, from - away end
    e = away > 0 and look(from + away)
    if e then return e, from + away end
  end
end
`

// ByHead is the name by which a script knows an element of the processing list that is too long to be sent: its head,
// and about how many are older. The name of any other is all of it. Either must have a reservation.
func ByHead(element string, older int) string {
	return "^" + strconv.Itoa(older) + ":" + Head(element)
}

// namedLua is the function named(name, gone): the element that has this name, of a list from which so many have gone since
// it was given. Where the name is all of the element, that may not be in the list any more.
const namedLua = findLua + `local function named(name, gone)
  if string.sub(name, 1, 1) ~= '^' then return name end
  local colon = string.find(name, ':', 1, true)
  return (find(string.sub(name, colon + 1), math.max(string.sub(name, 2, colon - 1) - (gone or 0), 0)))
end
`

// restampLua is the function restamp(e, stamp): the element with another stamp; see Task.Stamp.
const restampLua = `local function restamp(e, stamp)
  return stamp .. string.match(e, '^qscaler:1:[^:]*:[^:]*:[^:]*:[^:]*:[^:]*:(.*)$')
end
`

// briefLua is the function brief(e, limit): the element, or, of one that is longer than the limit, its beginning and its
// length. The beginning is MaxHeaders and HeadSize long, and so has the headers.
const briefLua = `local function brief(e, limit)
  if #e <= limit then return e end
  return {string.sub(e, 1, math.min(limit, 66048)), #e}
end
`
