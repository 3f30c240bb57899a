package resp

import (
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// A batch: the whole commands that are in a client's query buffer, run one after
// the other. The driver then acknowledges the log once and sends their replies.

const (
	lingerTimeout   = time.Second // for the client to read why it is closed
	lingerBytes     = 1 << 20
	parkedReadBytes = 1 << 20 // more is not read while a client is parked
)

// progress is how far a client has come when its batch ends.
type progress uint8

const (
	awaits  progress = iota // it needs more bytes, or is parked
	hasMore                 // it goes on once these replies are sent
	ends                    // it is closed once its replies are sent
	lingers                 // and it is waited for to read them
	breaks                  // it is closed, its replies are dropped
)

// advance runs the whole commands of the query buffer: limit of them at most,
// and until flushBytes of replies have gathered. The driver then flushes c.acc.
func (c *client) advance(limit int) progress {
	c.clock = time.Since(c.srv.started)
	p := c.runCommands(limit, len(c.buf)+flushBytes)
	c.frame.ahead = nil // its room is for others now
	if p == awaits {
		c.dropCold()
		c.noteQuery()
		if !c.withinQueryLimit() {
			return ends
		}
	}
	return p
}

// runCommands is the loop of advance, until c.buf has full bytes.
func (c *client) runCommands(limit, full int) progress {
	for {
		if c.stream != nil {
			c.continueStream(full)
		}
		switch {
		case c.has(clientCloseASAP):
			return breaks
		case c.stream != nil:
			return hasMore
		case c.has(clientCloseAfterReply):
			return ends
		case c.parking.on:
			return awaits
		case limit <= 0 || len(c.buf) >= full:
			return hasMore
		}
		lim := c.frameLimits()
		if len(c.frame.ahead) == 0 {
			c.lookAhead(lim)
		}
		whole, err := c.frame.next(lim)
		if err != nil {
			c.violated(err)
			return lingers
		}
		if !whole {
			return awaits
		}
		c.execute(c.frame.row, c.frame.args)
		if c.retrying() {
			c.frame.rewind()
		} else {
			c.frame.consume()
		}
		limit--
	}
}

// frameLimits are the limits of the next command.
func (c *client) frameLimits() frameLimits {
	cfg := c.srv.config.Load()
	return frameLimits{maxBulk: cfg.ProtoMaxBulkLen, noAuth: c.mustAuth(cfg)}
}

// noteQuery publishes the size of the query buffer, when no command runs.
func (c *client) noteQuery() {
	storeChanged(&c.argvMem, 0)
	storeChanged(&c.queryLen, int64(c.frame.unparsed()))
	storeChanged(&c.queryFree, int64(c.frame.free()))
}

// noteRunning publishes the same while a command with these arguments runs: the
// few commands that show it call this, so that the others need not.
func (c *client) noteRunning(args [][]byte) {
	c.noteQuery()
	c.argvMem.Store(argsBytes(args))
}

// storeChanged spares the store, which costs more than the look, if it would
// change nothing.
func storeChanged(to *atomic.Int64, n int64) {
	if to.Load() != n {
		to.Store(n)
	}
}

// withinQueryLimit reports whether what the client has sent and not finished, in
// the query buffer and in MULTI, is within client-query-buffer-limit, and before
// AUTH within much less, but for what waits behind an AUTH that is delayed.
func (c *client) withinQueryLimit() bool {
	used := int64(c.frame.unparsed()+c.frame.memory()) + c.queue.bytes
	cfg := c.srv.config.Load()
	limit := cfg.ClientQueryLimit
	if c.mustAuth(cfg) && !c.parking.on {
		limit = min(limit, maxHeldNoAuth)
	}
	if used <= limit {
		return true
	}
	c.srv.stats.queryLimitKills.Add(1)
	c.srv.log.Warn("client closed: query buffer limit", "client", c.addr, "id", c.id, "bytes", used)
	return false
}

// violated answers a violation of the protocol, behind the replies of the good
// commands before it. The driver then waits a moment for the client to read
// that: closing a connection with unread bytes would reset it and lose the
// replies.
func (c *client) violated(err error) {
	c.srv.log.Info("client closed: protocol error", "client", c.addr, "id", c.id, "error", err)
	if !c.muted() {
		c.err(errProtocol(err))
	}
}

// crashed handles a panic that was not in a command: those recover themselves.
func (c *client) crashed(reason any) {
	c.srv.stats.unexpectedErrors.Add(1)
	c.srv.log.Error("panic in a connection", "client", c.addr,
		"panic", fmt.Sprint(reason), "stack", string(debug.Stack()))
}
