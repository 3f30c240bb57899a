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
	closed bool
}

// add takes a client in and numbers it. It reports false if there are limit
// clients already.
func (s *clientSet) add(c *client, limit int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || int64(len(s.byID)) >= limit {
		return false
	}
	if s.byID == nil {
		s.byID = make(map[int64]*client)
	}
	s.nextID++
	c.id = s.nextID
	s.byID[c.id] = c
	c.srv.wg.Add(1) // before Close can wait
	return true
}

// remove takes a client out.
func (s *clientSet) remove(c *client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byID, c.id)
}

// close makes add refuse every client from now on.
func (s *clientSet) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
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

// each calls fn for every client, in no order. fn must not block, nor add or
// remove clients.
func (s *clientSet) each(fn func(c *client)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.byID {
		fn(c)
	}
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
