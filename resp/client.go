package resp

import "bitkv/types"

// client is one connection's state. Its own goroutine (or loop) uses it; what
// others may read or change is atomic or under mu.
type client struct {
	reply // the replies of the current batch

	srv *Server
	id  int64
	db  int       // the selected database
	tx  *types.Tx // the transaction around the running handler, or nil
	// R1 owns the rest.
}

// fail appends the reply for an error of package types, in Redis's words. An
// error that has no text of its own is logged and answered as an internal one.
func (c *client) fail(err error) { panic("R1") }
