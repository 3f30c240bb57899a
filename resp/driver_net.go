package resp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The portable driver: listeners of package net, a goroutine per connection.

const (
	acceptBackoffMin = 5 * time.Millisecond
	acceptBackoffMax = time.Second
	rejectTimeout    = 100 * time.Millisecond // to write why a connection is refused
)

// Listen opens the addresses of the configuration (bind with port, unixsocket)
// and serves them. An address of bind that begins with '-' may be missing. On an
// error nothing is left open.
func (s *Server) Listen() error {
	cfg := s.config.Load()
	var opened []net.Listener
	fail := func(err error) error {
		for _, l := range opened {
			err = errors.Join(err, l.Close())
		}
		return err
	}
	if cfg.Port != 0 {
		for _, bind := range cfg.Bind {
			l, err := listenTCP(bind, cfg.Port)
			if err != nil {
				return fail(err)
			}
			if l != nil {
				opened = append(opened, l)
			}
		}
	}
	if cfg.UnixSocket != "" {
		l, err := listenUnix(cfg.UnixSocket, os.FileMode(cfg.UnixSocketPerm))
		if err != nil {
			return fail(err)
		}
		opened = append(opened, l)
	}
	if len(opened) == 0 {
		return errors.New("resp: no address to listen on: port is 0 and unixsocket is not set")
	}
	for _, l := range opened {
		s.Serve(l)
	}
	return nil
}

// listenTCP opens one address of bind; nil if it is optional and not there.
func listenTCP(bind string, port int64) (net.Listener, error) {
	host, optional := strings.CutPrefix(bind, "-")
	network := "tcp"
	switch host {
	case "*":
		host, network = "0.0.0.0", "tcp4"
	case "::*":
		host, network = "::", "tcp6"
	case "::":
		network = "tcp6" // beside an IPv4 socket of the same port
	}
	addr := net.JoinHostPort(host, strconv.FormatInt(port, 10))
	lc := net.ListenConfig{KeepAlive: -1} // set for each connection as configured
	l, err := lc.Listen(context.Background(), network, addr)
	if err == nil {
		return l, nil
	}
	if optional && isMissingAddress(err) {
		return nil, nil
	}
	return nil, fmt.Errorf("resp: cannot listen on %s: %w", addr, err)
}

// isMissingAddress reports that this machine does not have an address.
func isMissingAddress(err error) bool {
	for _, e := range []error{syscall.EADDRNOTAVAIL, syscall.EAFNOSUPPORT, syscall.EPROTONOSUPPORT} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// listenUnix opens a unix socket, in place of one that an earlier process left.
func listenUnix(path string, perm os.FileMode) (net.Listener, error) {
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSocket != 0 {
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("resp: cannot replace unix socket: %w", err)
		}
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("resp: cannot listen on unix socket: %w", err)
	}
	if perm != 0 {
		if err := os.Chmod(path, perm); err != nil {
			return nil, errors.Join(fmt.Errorf("resp: cannot set unixsocketperm: %w", err), l.Close())
		}
	}
	return l, nil
}

// Serve accepts connections on a listener, in the background, until
// CloseListeners. For TLS it is given a listener of package crypto/tls; the
// handshake is done by the connection's own goroutine.
func (s *Server) Serve(l net.Listener) {
	s.listenMu.Lock()
	defer s.listenMu.Unlock()
	s.listeners = append(s.listeners, l)
	s.wg.Add(1)
	go s.accept(l)
}

// Addrs returns the addresses the server listens on.
func (s *Server) Addrs() []net.Addr {
	s.listenMu.Lock()
	defer s.listenMu.Unlock()
	addrs := make([]net.Addr, 0, len(s.listeners))
	for _, l := range s.listeners {
		addrs = append(addrs, l.Addr())
	}
	return addrs
}

// CloseListeners stops accepting; connected clients go on.
func (s *Server) CloseListeners() error {
	s.listenMu.Lock()
	listeners := slices.Clone(s.listeners)
	s.listeners = nil
	s.listenMu.Unlock()
	var all error
	for _, l := range listeners {
		all = errors.Join(all, l.Close())
	}
	return all
}

// accept accepts connections. An error other than the listener's end (there are
// no file descriptors left) is waited out, longer every time it comes again.
func (s *Server) accept(l net.Listener) {
	defer s.wg.Done()
	backoff := time.Duration(0)
	for {
		conn, err := l.Accept()
		switch {
		case err == nil:
			backoff = 0
			s.admitConn(conn)
			continue
		case errors.Is(err, net.ErrClosed):
			return
		}
		backoff = min(max(2*backoff, acceptBackoffMin), acceptBackoffMax)
		s.log.Error("accepting a connection failed", "error", err, "retry_in", backoff)
		select {
		case <-time.After(backoff):
		case <-s.stop:
			return
		}
	}
}

// admitConn starts a client on a connection, or refuses it.
func (s *Server) admitConn(conn net.Conn) {
	cfg := s.config.Load()
	s.stats.connections.Add(1)
	c := s.newClient(conn, cfg)
	switch {
	case cfg.ProtectedMode && cfg.RequirePass == "" && !c.has(clientLocal):
		s.refuse(conn, errProtectedMode)
	case !s.clients.add(c, min(cfg.MaxClients, s.maxConns)):
		s.refuse(conn, errMaxClients)
	default:
		go c.serve()
	}
}

// refuse closes a connection with an error. The text fits into the socket's
// buffer, so nothing waits; a TLS connection has had no handshake and gets none.
func (s *Server) refuse(conn net.Conn, text string) {
	s.stats.rejectedConns.Add(1)
	if _, plain := conn.(interface {
		SyscallConn() (syscall.RawConn, error)
	}); plain {
		if conn.SetWriteDeadline(time.Now().Add(rejectTimeout)) == nil {
			if _, err := conn.Write(appendError(nil, text)); err != nil {
				s.log.Debug("a refused connection was not told", "error", err)
			}
		}
	}
	if err := conn.Close(); err != nil {
		s.log.Debug("closing a refused connection failed", "error", err)
	}
}

// newClient makes the client of a connection.
func (s *Server) newClient(conn net.Conn, cfg *Settings) *client {
	nowMs := s.nowMs.Load()
	c := &client{srv: s, conn: conn, raw: conn, createdMs: nowMs}
	if t, ok := conn.(interface{ NetConn() net.Conn }); ok {
		c.raw = t.NetConn()
	}
	c.proto = 2
	c.protoSeen.Store(2)
	c.lastMs.Store(nowMs)
	c.strangeMs.Store(nowMs)
	c.queued.Store(-1)
	c.parking.ready = make(chan struct{}, 1)
	c.frame.rewind()
	if cfg.RequirePass == "" {
		c.set(clientAuthenticated)
	}
	c.addr, c.laddr = conn.RemoteAddr().String(), conn.LocalAddr().String()
	switch raw := c.raw.(type) {
	case *net.UnixConn:
		c.set(clientUnix | clientLocal)
		c.addr, c.laddr = c.laddr+":0", c.laddr+":0"
	case *net.TCPConn:
		if a, ok := raw.RemoteAddr().(*net.TCPAddr); ok && a.IP.IsLoopback() {
			c.set(clientLocal)
		}
		setKeepAlive(s, raw, cfg.TCPKeepaliveSec)
	}
	c.fd = fdOf(c.raw)
	return c
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
