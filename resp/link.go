package resp

import (
	"errors"
	"io"
	"net"
)

// The seam between a client and its driver.
//
// A driver accepts connections, reads into a client's query buffer, lets it run
// what is whole there (client.advance), acknowledges the log, sends the replies
// and ends the client (client.gone). There are two: a goroutine per connection of
// package net, which is portable and does TLS, and event loops on epoll (Linux).
// Whatever a client does besides is the same under both.

// link is what a client asks of its driver.
type link interface {
	// interrupt makes the client's owner look around soon: a parking has ended,
	// or idle buffers shall be given back. Any goroutine may call it.
	interrupt()
	// kill ends the connection soon, without what has not been sent. Any
	// goroutine may call it, after clientCloseASAP has been set.
	kill()
	// pushed is called when the first bytes come into the output queue: the driver
	// takes them with takeQueue. REQUIRES: out.mu is held.
	pushed()
	// keepOpen returns a second descriptor of the connection: it does not end for the
	// other side before that is closed, too. The client's owner calls it.
	keepOpen() (io.Closer, error)
	// hold keeps what is pushed back until the replies of the current batch have
	// been sent. The client's owner calls it.
	hold()
}

// peer describes a connection.
type peer struct {
	addr, laddr string
	fd          int         // -1: not known
	flags       clientFlags // clientUnix, clientLocal
}

// peerOf describes a connection by its two addresses.
func peerOf(remote, local net.Addr, fd int) peer {
	p := peer{addr: remote.String(), laddr: local.String(), fd: fd}
	switch a := remote.(type) {
	case *net.UnixAddr:
		p.flags = clientUnix | clientLocal
		p.laddr += ":0"
		p.addr = p.laddr
	case *net.TCPAddr:
		if a.IP.IsLoopback() {
			p.flags = clientLocal
		}
	}
	return p
}

// newClient makes the client of a connection. The driver sets its link.
func (s *Server) newClient(p peer, cfg *Settings) *client {
	nowMs := s.nowMs.Load()
	c := &client{srv: s, acc: new(accounting), ahead: &lookahead{table: s.table}, createdMs: nowMs, addr: p.addr, laddr: p.laddr, fd: p.fd}
	c.proto = 2
	c.protoSeen.Store(2)
	c.lastMs.Store(nowMs)
	c.strangeMs.Store(nowMs)
	c.queued.Store(-1)
	c.frame.rewind()
	c.set(p.flags)
	if cfg.RequirePass == "" {
		c.set(clientAuthenticated)
	}
	return c
}

// enter counts a new connection and takes its client in. If that may not be, it
// returns the error to close the connection with.
func (s *Server) enter(c *client, cfg *Settings) (refusal string) {
	s.stats.connections.Add(1)
	switch {
	case cfg.ProtectedMode && cfg.RequirePass == "" && !c.has(clientLocal):
		refusal = errProtectedMode
	case !s.clients.add(c, min(cfg.MaxClients, s.maxConns)):
		refusal = errMaxClients
	default:
		return ""
	}
	s.stats.rejectedConns.Add(1)
	return refusal
}

// gone takes back everything that the rest of the server knows of a client. Its
// driver then closes the connection.
func (c *client) gone() {
	s := c.srv
	c.abandonParking()
	if c.handover.on { // a panic
		c.endHandover()
	}
	c.acc.flush(s)
	s.stopMonitor(c)
	c.closeOutput()
	c.unwatch()
	s.clients.remove(c)
}

// kill ends the connection from any goroutine. The client's owner notices and
// takes it back.
func (c *client) kill() {
	c.set(clientCloseASAP)
	c.link.kill()
}

// interrupt makes the client's owner look around.
func (c *client) interrupt() { c.link.interrupt() }

// holdOutput keeps what other goroutines push back until the replies of this
// batch have been sent: MONITOR's OK comes before the feed.
func (c *client) holdOutput() { c.link.hold() }

// shrink gives back the buffers of a client that has been idle.
func (c *client) shrink() {
	c.frame.shrink(0)
	c.noteQuery()
	c.scratch, c.keyBuf = nil, nil
	*c.ahead = lookahead{table: c.srv.table} // what it parsed last are views of old buffers
	if len(c.buf) == 0 {
		c.buf = nil
		c.replyCap.Store(0)
		c.replyPeak.Store(0)
	}
}

// closeQuietly closes what may be closed already, of a client that goes away.
func (s *Server) closeQuietly(what string, closing func() error) {
	if err := closing(); err != nil && !errors.Is(err, net.ErrClosed) {
		s.log.Info("closing failed", "what", what, "error", err)
	}
}
