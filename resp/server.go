package resp

import (
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"bitkv/types"
)

// Options configure a Server.
type Options struct {
	// Config is the configuration. Required.
	Config *Config
	// Logger receives what an operator should know. Nil discards it.
	Logger *slog.Logger
	// TLS, when not nil, makes a TLS connection of an accepted one. It must not
	// block: the handshake is done later, by the connection's goroutine.
	TLS func(net.Conn) net.Conn
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
	// Version is what INFO gives as bitkv_version.
	Version string
}

// Server serves one Store to any number of connections. Its methods are safe
// for concurrent use.
type Server struct {
	store   *types.Store // set before loading becomes false
	loading atomic.Bool

	config  *Config
	table   *commandTable
	log     *slog.Logger
	opt     Options
	runID   string // 40 hexadecimal digits
	started time.Time
	stats   stats
	admin   *admin // slow log, latency monitor and the like (admin.go)

	nowMs atomic.Int64 // the clock, read ten times a second

	pause   pauseState
	feed    monitorFeed
	clients clientSet

	shutdown shutdownState

	listenMu  sync.Mutex // guards following
	listeners []net.Listener

	stop chan struct{}  // closed by Close
	wg   sync.WaitGroup // every goroutine of the server
}

// eachClient calls fn for every client, in the order of their ids, until fn
// returns false. Clients that come or go meanwhile may be missed. fn must not
// block; it reads only what client says others may read.
func (s *Server) eachClient(fn func(c *client) bool) {
	for _, c := range s.clients.list() {
		if !fn(c) {
			return
		}
	}
}

// ShutdownRequest is how a SHUTDOWN command asks the process to end.
type ShutdownRequest struct {
	// Force ends it even if the data could not be synced.
	Force bool
	// Now skips waiting for clients and background work.
	Now bool
	// NoSave skips the final sync that SHUTDOWN otherwise does.
	NoSave bool
	// Err, when not nil, is the failure that makes going on unsafe: the process
	// must end with an error.
	Err error
}

// ShutdownRequested gives the first request to end the process: by SHUTDOWN, or
// by the server itself when its storage panicked. Whoever started the server
// receives from it and then calls Close.
func (s *Server) ShutdownRequested() <-chan ShutdownRequest { return s.shutdown.requests }

// askShutdown asks for the end of the process. The client that runs SHUTDOWN
// gets no reply: its connection is closed by Close, or by cancelling.
func (s *Server) askShutdown(r ShutdownRequest) {
	select {
	case s.shutdown.requests <- r:
	default: // asked already
	}
}

// shutdownState is the way from SHUTDOWN to whoever runs the server.
type shutdownState struct {
	requests chan ShutdownRequest // of capacity 1
}
