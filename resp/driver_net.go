package resp

import (
	"net"

	"bitkv/types"
)

// NewServer makes a server that answers LOADING until Ready.
func NewServer(opt Options) (*Server, error) { panic("not yet") }

// Ready gives the server its data: from now on it serves every command.
func (s *Server) Ready(store *types.Store) { panic("not yet") }

// Listen opens the addresses of the configuration (bind and port, unixsocket).
// On an error nothing is left open.
func (s *Server) Listen() error { panic("not yet") }

// Serve accepts connections on an already open listener, until Close, in the
// background.
func (s *Server) Serve(l net.Listener) { panic("not yet") }

// Addrs returns the addresses the server listens on.
func (s *Server) Addrs() []net.Addr { panic("not yet") }

// CloseListeners stops accepting; connected clients go on.
func (s *Server) CloseListeners() { panic("not yet") }

// Close stops accepting, closes every connection and waits for their commands.
// It does not close the store.
func (s *Server) Close() error { panic("not yet") }
