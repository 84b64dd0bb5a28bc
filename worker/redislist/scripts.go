package redislist

// ReclaimScript gives everything that a dead pod's processing list holds back to the head of the queue,
// the end that workers take from, oldest first, and answers how many tasks it moved.
//
// KEYS[1] is the processing list, KEYS[2] the queue. It is one atomic step, so that a reader never misses
// a task in motion and a crash in between moves all or none.
const ReclaimScript = `local moved = 0
while redis.call('LMOVE', KEYS[1], KEYS[2], 'LEFT', 'RIGHT') do moved = moved + 1 end
return moved`
