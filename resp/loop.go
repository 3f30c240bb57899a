package resp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime/debug"
	"time"
)

// The life of a connection under the portable driver: its own goroutine reads
// what is there, runs every whole command of it as one batch, acknowledges the
// log once, and writes the replies once.

const (
	handshakeTimeout = 10 * time.Second // of TLS
	lingerTimeout    = time.Second      // for the client to read why it is closed
	lingerBytes      = 1 << 20
	parkedReadBytes  = 1 << 20 // more is not read while a client is parked
)

// serve runs a connection until it ends.
func (c *client) serve() {
	defer c.srv.wg.Done()
	defer c.gone()
	defer func() {
		if r := recover(); r != nil { // not in a command: those recover themselves
			c.srv.stats.unexpectedErrors.Add(1)
			c.srv.log.Error("panic in a connection", "client", c.addr,
				"panic", fmt.Sprint(r), "stack", string(debug.Stack()))
		}
	}()
	if !c.handshake() {
		return
	}
	for c.fill() && c.runBatch() {
		c.frame.tidy()
	}
}

// handshake does that of TLS, if the connection is one.
func (c *client) handshake() bool {
	conn, ok := c.conn.(interface {
		HandshakeContext(ctx context.Context) error
	})
	if !ok {
		return true
	}
	ctx, cancel := context.WithTimeout(context.Background(), handshakeTimeout)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		c.srv.log.Info("TLS handshake failed", "client", c.addr, "error", err)
		return false
	}
	return true
}

// runBatch runs the whole commands of the query buffer and sends their replies.
// It reports false if the connection is to be closed.
func (c *client) runBatch() bool {
	c.clock = time.Since(c.srv.started)
	for !c.parking.on && !c.has(clientCloseASAP|clientCloseAfterReply) {
		whole, err := c.frame.next(c.frameLimits())
		if err != nil {
			c.protocolError(err)
			return false
		}
		if !whole {
			break
		}
		c.noteQuery()
		c.execute(c.frame.args)
		if c.stream != nil && !c.finishStream() {
			return false
		}
		if c.retrying() {
			c.frame.rewind()
		} else {
			c.frame.consume()
		}
		if len(c.buf) >= flushBytes && !c.flush() {
			return false
		}
	}
	c.acc.flush(c.srv)
	if c.has(clientCloseASAP) {
		return false
	}
	if !c.flush() || c.has(clientCloseAfterReply) {
		return false
	}
	c.noteQuery()
	return c.withinQueryLimit()
}

// frameLimits are the limits of the next command.
func (c *client) frameLimits() frameLimits {
	cfg := c.srv.config.Load()
	return frameLimits{maxBulk: cfg.ProtoMaxBulkLen, noAuth: c.mustAuth(cfg)}
}

// noteQuery publishes the size of the query buffer.
func (c *client) noteQuery() {
	c.queryLen.Store(int64(c.frame.unparsed()))
	c.queryFree.Store(int64(cap(c.frame.buf) - len(c.frame.buf)))
}

// withinQueryLimit reports whether what the client has sent and not finished, in
// the query buffer and in MULTI, is within client-query-buffer-limit.
func (c *client) withinQueryLimit() bool {
	used := int64(c.frame.unparsed()+c.frame.memory()) + c.queue.bytes
	if used <= c.srv.config.Load().ClientQueryLimit {
		return true
	}
	c.srv.stats.queryLimitKills.Add(1)
	c.srv.log.Warn("client closed: query buffer limit", "client", c.addr, "id", c.id, "bytes", used)
	return false
}

// protocolError answers a violation, behind the replies of the good commands
// before it, and waits a moment for the client to read that: closing a
// connection with unread bytes would reset it and lose the replies.
func (c *client) protocolError(err error) {
	c.srv.log.Info("client closed: protocol error", "client", c.addr, "id", c.id, "error", err)
	if !c.muted() {
		c.err(errProtocol(err))
	}
	c.acc.flush(c.srv)
	if !c.flush() {
		return
	}
	half, ok := c.conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil || c.conn.SetReadDeadline(time.Now().Add(lingerTimeout)) != nil {
		return
	}
	waste := make([]byte, 4<<10)
	for n := 0; n < lingerBytes; {
		got, err := c.conn.Read(waste)
		if err != nil {
			return
		}
		n += got
	}
}

// fill waits until there is something to do: bytes came, or a parked client was
// woken. It reports false if the connection has ended.
func (c *client) fill() bool {
	for {
		if c.has(clientCloseASAP) {
			return false
		}
		if c.parking.on {
			if c.unpark() {
				return true
			}
			if c.frame.unparsed() >= parkedReadBytes {
				<-c.parking.ready
				continue
			}
		}
		n, err := c.read()
		if n > 0 {
			c.srv.stats.reads.Add(1)
			c.srv.stats.netIn.Add(int64(n))
			c.lastMs.Store(c.srv.nowMs.Load())
		}
		switch {
		case err == nil && !c.parking.on:
			return true
		case err == nil:
			c.noteQuery()
			if !c.withinQueryLimit() {
				return false
			}
		case errors.Is(err, os.ErrDeadlineExceeded):
			if !c.interrupted() {
				return false
			}
			if n > 0 && !c.parking.on {
				return true
			}
		default:
			return false
		}
	}
}

// read reads into the query buffer. A client without one waits for a few bytes
// elsewhere, so that thousands of idle connections hold no buffers.
func (c *client) read() (int, error) {
	if !c.frame.empty() {
		n, err := c.conn.Read(c.frame.space())
		c.frame.filled(n)
		return n, err
	}
	n, err := c.conn.Read(c.first[:])
	if n > 0 {
		c.frame.filled(copy(c.frame.space(), c.first[:n]))
	}
	return n, err
}

// interrupted is what the client's goroutine does when interrupt ended its Read.
func (c *client) interrupted() bool {
	if err := c.conn.SetReadDeadline(time.Time{}); err != nil {
		return false
	}
	select {
	case <-c.parking.ready:
	default:
	}
	if c.out.shrink.CompareAndSwap(true, false) {
		c.shrink()
	}
	return true
}

// shrink gives back the buffers of a client that has been idle.
func (c *client) shrink() {
	c.frame.shrink(0)
	c.noteQuery()
	c.buf = nil
	c.scratch, c.keyBuf = nil, nil
	c.replyCap.Store(0)
	c.replyPeak.Store(0)
}

// kill closes the connection from any goroutine. Its own goroutine notices and
// ends it.
func (c *client) kill() {
	c.set(clientCloseASAP)
	if err := c.raw.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		c.srv.log.Info("closing a connection failed", "client", c.addr, "error", err)
	}
	select {
	case c.parking.ready <- struct{}{}:
	default:
	}
}

// gone takes back everything that the rest of the server knows of a client.
func (c *client) gone() {
	s := c.srv
	c.abandonParking()
	c.releaseOutput()
	c.acc.flush(s)
	s.stopMonitor(c)
	c.closeOutput()
	c.unwatch()
	s.clients.remove(c)
	if c.conn != c.raw && !c.has(clientCloseASAP) {
		if err := c.conn.Close(); err != nil { // tells the other side that this is no attack
			s.log.Debug("closing TLS failed", "client", c.addr, "error", err)
		}
	}
	c.kill()
}
