package resp

import (
	"cmp"
	"slices"
	"sync"
)

// clientSet is the connected clients.
type clientSet struct {
	mu     sync.Mutex // guards following
	byID   map[int64]*client
	nextID int64
}

// list returns the clients in the order of their ids.
func (s *clientSet) list() []*client {
	s.mu.Lock()
	all := make([]*client, 0, len(s.byID))
	for _, c := range s.byID {
		all = append(all, c)
	}
	s.mu.Unlock()
	slices.SortFunc(all, func(a, b *client) int { return cmp.Compare(a.id, b.id) })
	return all
}

// get returns the client with an id, or nil.
func (s *clientSet) get(id int64) *client {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byID[id]
}

// len returns the number of clients.
func (s *clientSet) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.byID)
}
