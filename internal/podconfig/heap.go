package podconfig

import "container/heap"

// heapOf has items of which each knows its place, so that one that has changed is moved without a search.
type heapOf[T any] struct {
	items  []T
	before func(a, b T) bool
	// place is where an item has its place.
	place func(T) *int
}

// nowhere is the place of an item that is in no heap.
const nowhere = -1

func (h *heapOf[T]) add(item T)    { heap.Push((*items[T])(h), item) }
func (h *heapOf[T]) remove(item T) { heap.Remove((*items[T])(h), *h.place(item)) }
func (h *heapOf[T]) moved(item T)  { heap.Fix((*items[T])(h), *h.place(item)) }

// first is the item that is before all others, of which there must be one.
func (h *heapOf[T]) first() T      { return h.items[0] }
func (h *heapOf[T]) isEmpty() bool { return len(h.items) == 0 }

// items is heapOf for container/heap.
type items[T any] heapOf[T]

func (h *items[T]) Len() int           { return len(h.items) }
func (h *items[T]) Less(i, j int) bool { return h.before(h.items[i], h.items[j]) }
func (h *items[T]) Swap(i, j int) {
	h.items[i], h.items[j] = h.items[j], h.items[i]
	*h.place(h.items[i]), *h.place(h.items[j]) = i, j
}

// Push is heap.Interface's.
func (h *items[T]) Push(x any) {
	item, _ := x.(T)
	*h.place(item) = len(h.items)
	h.items = append(h.items, item)
}

// Pop is heap.Interface's.
func (h *items[T]) Pop() any {
	var none T
	last := len(h.items) - 1
	item := h.items[last]
	h.items[last] = none
	h.items = h.items[:last]
	*h.place(item) = nowhere
	return item
}
