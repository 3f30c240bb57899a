package resp

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
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
	// StallTimeout is how long a client may take nothing of what is sent to it
	// before it is closed. Default 5 minutes.
	StallTimeout time.Duration
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
	memory  memoryCount
	evict   evictState
	admin   *admin // slow log, latency monitor and the like (admin.go)

	nowMs atomic.Int64 // the clock, read ten times a second
	// startedAt is started on the clock as it was set then, in Unix nanoseconds: what
	// client.clock is to be counted from.
	startedAt atomic.Int64

	maxConns int64 // what the limit of open files allows, whatever maxclients says

	guard   authGuard
	pause   pauseState
	feed    monitorFeed
	clients clientSet

	handovers handovers

	shutdown shutdownState

	listenMu   sync.Mutex // guards following
	listeners  []net.Listener
	configured []net.Listener // those of them that are of bind and port
	deaf       bool           // CloseListeners was called
	loops      loopSet        // of the epoll driver, begun by its first listener
	looping    atomic.Bool    // there are loops; read without listenMu

	closeOnce sync.Once
	closeErr  error
	stop      chan struct{}  // closed by Close
	wg        sync.WaitGroup // every goroutine of the server
}

// theTable is the command table, the same for every server.
var theTable = sync.OnceValue(func() *commandTable { return newCommandTable(allBindings()...) })

// NewServer makes a server that answers LOADING, to all but a few commands,
// until Ready.
func NewServer(opt Options) (*Server, error) {
	if opt.Config == nil {
		return nil, errors.New("resp: Options.Config is not set")
	}
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	if opt.StallTimeout == 0 {
		opt.StallTimeout = 5 * time.Minute
	}
	var id [20]byte
	if _, err := rand.Read(id[:]); err != nil {
		return nil, fmt.Errorf("resp: no random run id: %w", err)
	}
	s := &Server{
		config:   opt.Config,
		table:    theTable(),
		log:      opt.Logger,
		opt:      opt,
		runID:    hex.EncodeToString(id[:]),
		started:  time.Now(),
		shutdown: shutdownState{requests: make(chan ShutdownRequest, 1)},
		stop:     make(chan struct{}),
		evict:    evictState{kick: make(chan struct{}, 1)},
	}
	s.maxConns = connectionLimit(openFileLimit())
	if want := opt.Config.Load().MaxClients; want > s.maxConns {
		s.log.Warn("maxclients is more than the limit of open files allows", "maxclients", want, "allowed", s.maxConns)
	}
	s.handovers.done.L = &s.handovers.mu
	s.loading.Store(true)
	s.setClock(s.started)
	s.stats.errors = make(map[string]*atomic.Int64)
	s.stats.perCommand = make([]commandStats, len(s.table.rows))
	s.admin = newAdmin(s)
	s.memory.init()
	s.watchConfig()
	s.wg.Add(1)
	go s.cron()
	s.wg.Go(s.evictLoop)
	return s, nil
}

// connectionLimit is how many connections leave the storage the files it needs,
// with so many open files allowed: at least 32, and more of a larger number.
func connectionLimit(files int64) int64 {
	if files <= 0 {
		return math.MaxInt64
	}
	return max(files-max(32, min(files/8, 1024)), 1)
}

// Ready gives the server its data: from now on it serves every command. It is
// called once. The store is closed by the caller, after Close.
func (s *Server) Ready(store *types.Store) {
	s.store = store
	s.admin.loading.ended(store.Keys())
	s.loading.Store(false)
	s.applyConfig()
	m := s.memoryUsed()
	s.memory.start.Store(m.base + m.data.Fixed)
}

// IsLoading reports whether the data is being loaded: from NewServer to Ready.
func (s *Server) IsLoading() bool { return s.loading.Load() }

// loadedStore returns the store, or nil while the data is being loaded.
func (s *Server) loadedStore() *types.Store {
	if s.loading.Load() {
		return nil
	}
	return s.store
}

// Close stops accepting, closes every connection and waits until their commands
// have ended. It does not close the store.
func (s *Server) Close() error {
	s.closeOnce.Do(func() {
		close(s.stop)
		err := s.CloseListeners()
		s.clients.close()
		for _, c := range s.clients.list() {
			c.kill()
		}
		s.unpauseClients()
		s.wg.Wait()
		s.listenMu.Lock()
		s.loops.close()
		s.listenMu.Unlock()
		s.closeErr = err
	})
	return s.closeErr
}

// setClock takes over what the clock says, which may have been set meanwhile.
func (s *Server) setClock(now time.Time) {
	s.nowMs.Store(now.UnixMilli())
	s.startedAt.Store(now.UnixNano() - int64(now.Sub(s.started)))
}

// cron keeps the clock and looks after the clients until Close.
func (s *Server) cron() {
	defer s.wg.Done()
	const tick = 100 * time.Millisecond
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	var procs coldProcs
	defer procs.restore()
	for n := 1; ; n++ {
		select {
		case <-s.stop:
			return
		case now := <-ticker.C:
			s.setClock(now)
			s.admin.tick(now)
			if store := s.loadedStore(); store != nil {
				procs.tick(now, store.Engine().ColdReads())
			}
			if n%int(time.Second/tick) == 0 {
				s.checkClients(now.UnixMilli())
			}
		}
	}
}

const (
	// idleShrinkMs is how long a client is idle before its buffers are given back.
	idleShrinkMs = 2000
	// strangerMs is how long a connection may last without the AUTH that it needs.
	// Whoever has no password shall not hold places of maxclients.
	strangerMs = 60_000
)

// checkClients closes clients that are idle or do not read, and makes idle ones
// give back their buffers.
func (s *Server) checkClients(nowMs int64) {
	cfg := s.config.Load()
	s.clients.each(func(c *client) {
		c.checkOutput(nowMs, cfg.ClientOutput[ClassNormal], s.opt.StallTimeout)
		idleMs := nowMs - c.lastMs.Load()
		if cfg.TimeoutSec > 0 && idleMs > cfg.TimeoutSec*1000 && !c.has(clientBlocked|clientOnDisk|clientMonitor) {
			s.log.Info("client closed: idle", "client", c.addr, "id", c.id)
			c.kill()
			return
		}
		if c.mustAuth(cfg) && nowMs-c.strangeMs.Load() > strangerMs {
			s.log.Info("client closed: it did not authenticate", "client", c.addr, "id", c.id)
			c.kill()
			return
		}
		roomy := c.queryFree.Load()+c.replyCap.Load() > 0
		if idleMs > idleShrinkMs && roomy && !c.out.shrink.Swap(true) {
			c.interrupt()
		}
	})
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

// HangUp ends the connections of the clients that ran SHUTDOWN, which Close leaves
// open: they learn by the end that the process is gone, and whoever started the server
// calls it, or exits, once the data directory is free for others.
// REQUIRES: Close has returned.
func (s *Server) HangUp() error {
	s.shutdown.mu.Lock()
	defer s.shutdown.mu.Unlock()
	err := closeAll(s.shutdown.waiting)
	s.shutdown.waiting = nil
	return err
}

// keepWaiting makes a client that ran SHUTDOWN wait for HangUp.
func (s *Server) keepWaiting(c *client) {
	conn, err := c.link.keepOpen()
	if err != nil {
		s.log.Info("the client will not wait for the end of the process", "client", c.addr, "error", err)
		return
	}
	s.shutdown.mu.Lock()
	defer s.shutdown.mu.Unlock()
	s.shutdown.waiting = append(s.shutdown.waiting, conn)
}

// askShutdown asks for the end of the process. The client that runs SHUTDOWN
// gets no reply: its connection ends.
func (s *Server) askShutdown(r ShutdownRequest) {
	select {
	case s.shutdown.requests <- r:
	default: // asked already
	}
}

// shutdownState is the way from SHUTDOWN to whoever runs the server.
type shutdownState struct {
	requests chan ShutdownRequest // of capacity 1

	mu      sync.Mutex  // guards following
	waiting []io.Closer // connections of clients that ran SHUTDOWN
}
