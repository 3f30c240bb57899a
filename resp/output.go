package resp

import (
	"sync"
	"sync/atomic"
	"time"
)

// Output. Replies gather in client.buf while a batch of commands runs and leave
// in one write, after the log has been acknowledged up to what they depend on.
// What other goroutines have for a client (the MONITOR feed) goes through a
// bounded queue, so that a client that does not read holds up nobody.

const (
	flushBytes    = 64 << 10  // replies are sent when there are this many
	keepReplies   = 128 << 10 // a larger reply buffer is not kept
	writeBytes    = 256 << 10 // of one system call, so that progress shows
	maxQueueBytes = 64 << 20  // of a client whose class has no hard limit
)

// output is the way from a client's replies to its connection.
type output struct {
	since   atomic.Int64 // when the write under way began, Unix milliseconds; 0: none
	pending atomic.Int64 // bytes queued or being written
	shrink  atomic.Bool  // the client has been idle and shall give back its buffers
	softMs  atomic.Int64 // since when pending is over the soft limit; 0: it is not

	mu      sync.Mutex // guards following
	queue   []byte
	spare   []byte
	sending bool // the driver has been told of the queue and has not emptied it
	closed  bool
}

// acknowledge makes the log as safe as the replies gathered so far promise. It
// reports false if it cannot be: then they must not be sent.
func (c *client) acknowledge() bool {
	if c.ackSeq == 0 {
		return true
	}
	seq := c.ackSeq
	c.ackSeq = 0
	if err := c.srv.store.Engine().Ack(seq); err != nil {
		c.srv.ackFailed(c, err)
		return false
	}
	return true
}

// withinOutputLimit reports whether replies of n bytes may be sent, and closes
// the client if not. Before AUTH nobody may have many wait for him.
func (c *client) withinOutputLimit(n int) bool {
	cfg := c.srv.config.Load()
	limit := cfg.ClientOutput[ClassNormal].HardBytes
	if c.mustAuth(cfg) && (limit == 0 || limit > maxHeldNoAuth) {
		limit = maxHeldNoAuth
	}
	if limit > 0 && int64(n) > limit {
		c.overLimit("hard")
		return false
	}
	return true
}

// push sends bytes, which it copies, from any goroutine. It does not block. A
// client that does not read is closed at its output limit.
func (c *client) push(b []byte) {
	limit := c.srv.config.Load().ClientOutput[ClassNormal].HardBytes
	if limit == 0 {
		limit = maxQueueBytes
	}
	o := &c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return
	}
	if int64(len(o.queue)+len(b)) > limit {
		o.closed = true
		o.queue = nil
		c.overLimit("hard")
		return
	}
	o.queue = append(o.queue, b...)
	o.pending.Add(int64(len(b)))
	if !o.sending {
		o.sending = true
		c.link.pushed()
	}
}

// takeQueue returns what is queued, and nil if that is nothing: then the driver
// is told again when there is something. The bytes are the caller's until the
// next call, if it gives them as spent to that.
func (c *client) takeQueue(spent []byte) []byte {
	o := &c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if cap(spent) <= keepReplies {
		o.spare = spent[:0]
	}
	if o.closed || len(o.queue) == 0 {
		o.sending = false
		o.spare = nil
		return nil
	}
	b := o.queue
	o.queue, o.spare = o.spare, nil
	o.pending.Add(-int64(len(b)))
	return b
}

// closeOutput drops what is queued. Nothing is pushed after it.
func (c *client) closeOutput() {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	c.out.closed = true
	c.out.queue = nil
}

// overLimit closes a client that has reached its output limit.
func (c *client) overLimit(which string) {
	c.srv.stats.outputLimitKills.Add(1)
	c.srv.log.Warn("client closed: output buffer limit", "limit", which, "client", c.addr, "id", c.id)
	c.kill()
}

// checkOutput closes a client that takes nothing of what is sent to it, or whose
// output has been over the soft limit for too long. It runs once a second.
func (c *client) checkOutput(nowMs int64, limit OutputLimit, stall time.Duration) {
	o := &c.out
	if since := o.since.Load(); since != 0 && nowMs-since > stall.Milliseconds() {
		c.srv.log.Warn("client closed: it reads nothing", "client", c.addr, "id", c.id)
		c.kill()
		return
	}
	if limit.SoftBytes == 0 || o.pending.Load() <= limit.SoftBytes {
		o.softMs.Store(0)
		return
	}
	if o.softMs.CompareAndSwap(0, nowMs) {
		return
	}
	if nowMs-o.softMs.Load() >= limit.SoftSec*1000 {
		c.overLimit("soft")
	}
}

// ackFailed handles a log that could not be made as safe as promised: nothing
// that depends on it may be acknowledged.
func (s *Server) ackFailed(c *client, err error) {
	s.log.Error("replies withheld: the log could not be written", "client", c.addr, "error", err)
	if s.config.Load().AppendFsync == "always" {
		s.askShutdown(ShutdownRequest{Force: true, Err: err})
	}
}
