package resp

import (
	"context"
	"errors"
	"io"
	"math"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// The portable driver: a goroutine per connection of package net. It reads what
// is there, runs every whole command of it as one batch, acknowledges the log
// once, and writes the replies once.

const (
	handshakeTimeout = 10 * time.Second // of TLS
	// rejectTimeout is for writing why a connection is refused. A socket has room for that:
	// it is for others, and long, so that a busy machine does not take the text for late.
	rejectTimeout = 5 * time.Second
)

// netLinkBytes is what a connection was measured to hold: the client and a stack.
const netLinkBytes = 9 << 10

// netLink is a client's connection under the portable driver.
type netLink struct {
	c     *client
	conn  net.Conn // what is read and written: raw, or TLS over it
	raw   net.Conn
	first [64]byte      // where a client without a query buffer reads to
	ready chan struct{} // of capacity 1: it was interrupted, or killed

	writing sync.Mutex // held while bytes are written
	held    bool       // by the client's own goroutine until flush: see hold
	ahead   readAhead
}

// acceptNet accepts one connection.
func (s *Server) acceptNet(l net.Listener) error {
	conn, err := l.Accept()
	if err != nil {
		return err
	}
	s.admitNet(conn)
	return nil
}

// admitNet starts a client on a connection, or refuses it.
func (s *Server) admitNet(conn net.Conn) {
	cfg := s.config.Load()
	k := &netLink{conn: conn, raw: conn, ready: make(chan struct{}, 1)}
	if t, ok := conn.(interface{ NetConn() net.Conn }); ok {
		k.raw = t.NetConn()
	}
	if raw, ok := k.raw.(*net.TCPConn); ok {
		setKeepAlive(s, raw, cfg.TCPKeepaliveSec)
	}
	k.c = s.newClient(peerOf(conn.RemoteAddr(), conn.LocalAddr(), fdOf(k.raw)), cfg)
	k.c.link, k.c.baseBytes = k, netLinkBytes
	if refusal := s.enter(k.c, cfg); refusal != "" {
		k.refuse(refusal)
		return
	}
	go k.serve()
}

// refuse closes a connection with an error. The text fits into the socket's
// buffer, so nothing waits; a TLS connection has had no handshake and gets none.
func (k *netLink) refuse(text string) {
	s := k.c.srv
	if k.conn == k.raw && k.conn.SetWriteDeadline(time.Now().Add(rejectTimeout)) == nil {
		if _, err := k.conn.Write(appendError(nil, text)); err != nil {
			s.log.Debug("a refused connection was not told", "error", err)
		}
	}
	s.closeQuietly("a refused connection", k.conn.Close)
}

// setKeepAlive makes the system notice a peer that is gone within about twice
// sec, as Redis does.
func setKeepAlive(s *Server, conn *net.TCPConn, sec int64) {
	if sec <= 0 {
		return
	}
	idle := time.Duration(sec) * time.Second
	err := conn.SetKeepAliveConfig(net.KeepAliveConfig{
		Enable: true, Idle: idle, Interval: max(idle/3, time.Second), Count: 3,
	})
	if err != nil {
		s.log.Debug("tcp-keepalive could not be set", "error", err)
	}
}

// keepOpen implements link.
func (k *netLink) keepOpen() (io.Closer, error) {
	conn, ok := k.raw.(interface{ File() (*os.File, error) })
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return conn.File()
}

// fdOf returns the file descriptor of a connection, for CLIENT LIST; -1 if it
// has none.
func fdOf(conn net.Conn) int {
	fd := -1
	if sc, ok := conn.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			if raw.Control(func(n uintptr) { fd = int(n) }) != nil {
				return -1
			}
		}
	}
	return fd
}

// serve runs a connection until it ends.
func (k *netLink) serve() {
	c := k.c
	defer c.srv.wg.Done()
	defer k.gone()
	defer func() {
		if r := recover(); r != nil {
			c.crashed(r)
		}
	}()
	if !k.handshake() {
		return
	}
	for k.fill() && k.runBatch() {
		c.frame.tidy()
	}
}

// gone ends the connection.
func (k *netLink) gone() {
	c := k.c
	k.release()
	c.gone()
	if k.conn != k.raw && !c.has(clientCloseASAP) {
		// This tells the other side that it is no attack.
		c.srv.closeQuietly("TLS", k.conn.Close)
	}
	c.kill()
}

// handshake does that of TLS, if the connection is one.
func (k *netLink) handshake() bool {
	conn, ok := k.conn.(interface {
		HandshakeContext(ctx context.Context) error
	})
	if !ok {
		return true
	}
	ctx, cancel := context.WithTimeout(context.Background(), handshakeTimeout)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		k.c.srv.log.Info("TLS handshake failed", "client", k.c.addr, "error", err)
		return false
	}
	return true
}

// runBatch runs the whole commands of the query buffer and sends their replies.
// It reports false if the connection is to be closed.
func (k *netLink) runBatch() bool {
	for {
		p := k.c.advance(math.MaxInt)
		k.c.acc.flush(k.c.srv)
		if p == breaks || !k.flush() {
			return false
		}
		switch p {
		case hasMore:
			continue
		case lingers:
			k.linger()
		default:
		}
		return p == awaits
	}
}

// flush acknowledges the log and sends the replies gathered so far. It reports
// false if the connection cannot go on: what could not be acknowledged is not
// sent.
func (k *netLink) flush() bool {
	defer k.release()
	c := k.c
	if !c.acknowledge() {
		c.buf = c.buf[:0]
		return false
	}
	if len(c.buf) == 0 {
		return true
	}
	if !c.withinOutputLimit(len(c.buf)) {
		return false
	}
	k.hold()
	k.beginReadAhead()
	err := k.write(c.buf)
	k.endReadAhead()
	c.replyPeak.Store(max(c.replyPeak.Load(), int64(len(c.buf))))
	if cap(c.buf) > keepReplies {
		c.buf = nil
	}
	c.buf = c.buf[:0]
	c.replyCap.Store(int64(cap(c.buf)))
	return err == nil
}

// hold implements link.
func (k *netLink) hold() {
	if !k.held {
		k.writing.Lock()
		k.held = true
	}
}

func (k *netLink) release() {
	if k.held {
		k.held = false
		k.writing.Unlock()
	}
}

// smallWrite is of few bytes: the system takes them at once unless a client has
// stopped reading, and the client may have read them before this goroutine could say
// so. They do not count as pending.
const smallWrite = 16 << 10

// write writes all of b. REQUIRES: writing is held.
func (k *netLink) write(b []byte) error {
	s, out := k.c.srv, &k.c.out
	pending := int64(len(b))
	if pending <= smallWrite {
		pending = 0
	}
	out.pending.Add(pending)
	var err error
	for rest := b; len(rest) > 0 && err == nil; {
		var n int
		out.since.Store(s.nowMs.Load())
		n, err = k.conn.Write(rest[:min(len(rest), writeBytes)])
		s.stats.writes.Add(1)
		s.stats.netOut.Add(int64(n))
		rest = rest[n:]
	}
	out.since.Store(0)
	out.pending.Add(-pending)
	return err
}

// pushed implements link.
func (k *netLink) pushed() {
	k.c.srv.wg.Add(1) // whoever pushes is counted in wg itself
	go k.sendQueue()
}

// sendQueue sends what is queued and ends when there is nothing left.
func (k *netLink) sendQueue() {
	defer k.c.srv.wg.Done()
	for b := k.c.takeQueue(nil); b != nil; b = k.c.takeQueue(b) {
		k.writing.Lock()
		err := k.write(b)
		k.writing.Unlock()
		if err != nil {
			k.c.closeOutput() // the client's own goroutine notices for itself
		}
	}
}

// linger ends the sending side and waits for the client to do so, too.
func (k *netLink) linger() {
	half, ok := k.conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil || k.conn.SetReadDeadline(time.Now().Add(lingerTimeout)) != nil {
		return
	}
	waste := make([]byte, 4<<10)
	for n := 0; n < lingerBytes; {
		got, err := k.conn.Read(waste)
		if err != nil {
			return
		}
		n += got
	}
}

// fill waits until there is something to do: bytes came, or a parked client was
// woken. It reports false if the connection has ended.
func (k *netLink) fill() bool {
	c := k.c
	for {
		if c.has(clientCloseASAP) {
			return false
		}
		if k.ahead.got && !c.parking.on {
			k.ahead.got = false
			return true
		}
		if c.parking.on {
			if c.unpark() {
				return true
			}
			if c.has(clientOnDisk) || c.frame.unparsed() >= parkedReadBytes {
				<-k.ready
				continue
			}
		}
		n, err := k.read()
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
			if !k.interrupted() {
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
func (k *netLink) read() (int, error) {
	frame := &k.c.frame
	if !frame.empty() {
		n, err := k.conn.Read(frame.space())
		frame.filled(n)
		return n, err
	}
	n, err := k.conn.Read(k.first[:])
	if n > 0 {
		frame.filled(copy(frame.space(), k.first[:n]))
	}
	return n, err
}

// interrupt implements link: the Read of the client's own goroutine returns, now
// or when it begins.
func (k *netLink) interrupt() {
	select {
	case k.ready <- struct{}{}:
	default:
	}
	if err := k.conn.SetReadDeadline(longAgo); err != nil {
		k.c.kill() // a closed connection: its Read has returned or will
	}
}

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

// interrupted is what the client's goroutine does when interrupt ended its Read.
func (k *netLink) interrupted() bool {
	if err := k.conn.SetReadDeadline(time.Time{}); err != nil {
		return false
	}
	select {
	case <-k.ready:
	default:
	}
	if k.c.out.shrink.CompareAndSwap(true, false) {
		k.c.shrink()
	}
	return true
}

// kill implements link. The client's own goroutine notices and ends it.
func (k *netLink) kill() {
	k.c.srv.closeQuietly("a connection", k.raw.Close)
	select {
	case k.ready <- struct{}{}:
	default:
	}
}
