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
	writing sync.Mutex // held while bytes are written
	held    bool       // by the client's own goroutine until flush: see holdOutput

	since   atomic.Int64 // when the write under way began, Unix milliseconds; 0: none
	pending atomic.Int64 // bytes queued or being written
	shrink  atomic.Bool  // the client has been idle and shall give back its buffers
	softMs  atomic.Int64 // since when pending is over the soft limit; 0: it is not

	mu      sync.Mutex // guards following
	queue   []byte
	spare   []byte
	sending bool // a goroutine is sending the queue
	closed  bool
}

// flush acknowledges the log and sends the replies gathered so far. It reports
// false if the connection cannot go on: what could not be acknowledged is not
// sent.
func (c *client) flush() bool {
	defer c.releaseOutput()
	if c.ackSeq != 0 {
		seq := c.ackSeq
		c.ackSeq = 0
		if err := c.srv.store.Engine().Ack(seq); err != nil {
			c.srv.ackFailed(c, err)
			c.buf = c.buf[:0]
			return false
		}
	}
	if len(c.buf) == 0 {
		return true
	}
	limit := c.srv.config.Load().ClientOutput[ClassNormal].HardBytes
	if limit > 0 && int64(len(c.buf)) > limit {
		c.overLimit("hard")
		return false
	}
	if !c.out.held {
		c.out.writing.Lock()
		c.out.held = true
	}
	err := c.write(c.buf)
	c.replyPeak.Store(max(c.replyPeak.Load(), int64(len(c.buf))))
	if cap(c.buf) > keepReplies {
		c.buf = nil
	}
	c.buf = c.buf[:0]
	c.replyCap.Store(int64(cap(c.buf)))
	return err == nil
}

// holdOutput keeps what other goroutines push back until the replies of this
// batch have been sent: MONITOR's OK comes before the feed.
func (c *client) holdOutput() {
	if !c.out.held {
		c.out.writing.Lock()
		c.out.held = true
	}
}

func (c *client) releaseOutput() {
	if c.out.held {
		c.out.held = false
		c.out.writing.Unlock()
	}
}

// write writes all of b. REQUIRES: out.writing is held.
func (c *client) write(b []byte) error {
	s := c.srv
	c.out.pending.Add(int64(len(b)))
	var err error
	for rest := b; len(rest) > 0 && err == nil; {
		var n int
		c.out.since.Store(s.nowMs.Load())
		n, err = c.conn.Write(rest[:min(len(rest), writeBytes)])
		s.stats.writes.Add(1)
		s.stats.netOut.Add(int64(n))
		rest = rest[n:]
	}
	c.out.since.Store(0)
	c.out.pending.Add(-int64(len(b)))
	return err
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
		c.srv.wg.Add(1) // whoever pushes is counted in wg itself
		go c.sendQueue()
	}
}

// sendQueue sends what is queued and ends when there is nothing left.
func (c *client) sendQueue() {
	defer c.srv.wg.Done()
	o := &c.out
	for {
		o.mu.Lock()
		if o.closed || len(o.queue) == 0 {
			o.sending = false
			o.spare = nil
			o.mu.Unlock()
			return
		}
		b := o.queue
		o.queue, o.spare = o.spare[:0], nil
		o.mu.Unlock()

		o.writing.Lock()
		o.pending.Add(-int64(len(b))) // write counts them itself
		err := c.write(b)
		o.writing.Unlock()

		o.mu.Lock()
		if err != nil {
			o.closed = true // the client's own goroutine notices for itself
		}
		if cap(b) <= keepReplies {
			o.spare = b
		}
		o.mu.Unlock()
	}
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
