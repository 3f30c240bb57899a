package resp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Listeners, and the driver that serves each of them.

const (
	acceptBackoffMin = 5 * time.Millisecond
	acceptBackoffMax = time.Second
)

// Listen opens the addresses of the configuration (bind with port, unixsocket)
// and serves them. An address of bind that begins with '-' may be missing. On an
// error nothing is left open.
func (s *Server) Listen() error {
	cfg := s.config.Load()
	opened, err := listenAll(cfg)
	if err != nil {
		return err
	}
	var unix net.Listener
	if cfg.UnixSocket != "" {
		if unix, err = listenUnix(cfg.UnixSocket, os.FileMode(cfg.UnixSocketPerm)); err != nil {
			return errors.Join(err, closeAll(opened))
		}
	}
	if len(opened) == 0 && unix == nil {
		return errors.New("resp: no address to listen on: bind names none of this machine, and unixsocket is not set")
	}
	s.serveConfigured(opened)
	if unix != nil {
		s.Serve(unix)
	}
	s.config.OnChange(s.relisten, "port", "bind")
	return nil
}

// serveConfigured serves the listeners of bind and port, in place of those before.
func (s *Server) serveConfigured(opened []net.Listener) {
	served := make([]net.Listener, 0, len(opened))
	for _, l := range opened {
		if l = s.serve(l); l != nil {
			served = append(served, l)
		}
	}
	s.listenMu.Lock()
	defer s.listenMu.Unlock()
	s.configured = served
}

// relisten is a change of port or bind at run time. Clients that are connected
// stay. On an error the old addresses are listened on as before.
func (s *Server) relisten(old, changed *Settings) error {
	if changed.Port == old.Port {
		// The old and the new addresses may be the same in part.
		s.dropConfigured()
		opened, err := listenAll(changed)
		if err == nil {
			s.serveConfigured(opened)
			return nil
		}
		s.log.Error("bind cannot be changed", "error", err)
		if opened, err = listenAll(old); err != nil {
			s.log.Error("the old addresses of bind cannot be listened on again", "error", err)
		}
		s.serveConfigured(opened)
		return badValue("Failed to bind to specified addresses.")
	}
	opened, err := listenAll(changed)
	if err != nil {
		s.log.Error("port cannot be changed", "error", err)
		return badValue("Unable to listen on this port. Check server logs.")
	}
	s.dropConfigured()
	s.serveConfigured(opened)
	return nil
}

// dropConfigured stops listening on the addresses of bind and port.
func (s *Server) dropConfigured() {
	s.listenMu.Lock()
	drop := s.configured
	s.configured = nil
	s.listeners = slices.DeleteFunc(s.listeners, func(l net.Listener) bool { return slices.Contains(drop, l) })
	s.listenMu.Unlock()
	if err := closeAll(drop); err != nil {
		s.log.Error("an address that is listened on no more could not be closed", "error", err)
	}
}

// listenAll opens the addresses of bind with port, all of them or none.
func listenAll(cfg *Settings) ([]net.Listener, error) {
	if cfg.Port == 0 {
		return nil, nil
	}
	var opened []net.Listener
	for _, bind := range cfg.Bind {
		l, err := listenTCP(bind, cfg.Port)
		if err != nil {
			return nil, errors.Join(err, closeAll(opened))
		}
		if l != nil {
			opened = append(opened, l)
		}
	}
	return opened, nil
}

func closeAll[C io.Closer](list []C) (all error) {
	for _, c := range list {
		all = errors.Join(all, c.Close())
	}
	return all
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
	return nil, fmt.Errorf("resp: cannot listen on %s: %w", addr, listenCause(err))
}

// listenCause is why a socket cannot be listened on, without its address, which
// whoever reports it says.
func listenCause(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err
	}
	if call, ok := errors.AsType[*os.SyscallError](err); ok {
		err = call.Err
	}
	return err
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
		return nil, fmt.Errorf("resp: cannot listen on unix socket %s: %w", path, listenCause(err))
	}
	if perm != 0 {
		if err := os.Chmod(path, perm); err != nil {
			return nil, errors.Join(fmt.Errorf("resp: cannot set unixsocketperm: %w", err), l.Close())
		}
	}
	return l, nil
}

// The values of io-driver.
const (
	driverAuto  = "auto"
	driverEpoll = "epoll"
	driverNet   = "net"
)

// Serve accepts connections on a listener, in the background, until
// CloseListeners. For TLS it is given a listener of package crypto/tls; the
// handshake is done by the connection's own goroutine.
//
// The event loops serve a plain TCP or unix socket, where there are any and
// io-driver allows it; the portable driver serves everything else.
func (s *Server) Serve(l net.Listener) { s.serve(l) }

// serve is Serve. It returns what stands for l in listeners, or nil if the server
// does not listen any more; l is closed then.
func (s *Server) serve(l net.Listener) net.Listener {
	accept := func() error { return s.acceptNet(l) }
	if s.config.Load().IODriver != driverNet {
		served, next, err := s.epollListener(l)
		switch {
		case err != nil:
			s.log.Warn("epoll cannot be used, the portable driver is", "error", err)
		case next != nil:
			l, accept = served, next
			s.looping.Store(true)
		}
	}
	s.listenMu.Lock()
	defer s.listenMu.Unlock()
	if s.deaf {
		s.closeQuietly("a listener of a server that ends", l.Close)
		return nil
	}
	s.listeners = append(s.listeners, l)
	s.wg.Add(1)
	go s.acceptAll(accept)
	return l
}

// acceptAll accepts connections, with one call of next each. An error other than
// the listener's end (there are no file descriptors left) is waited out, longer
// every time it comes again.
func (s *Server) acceptAll(next func() error) {
	defer s.wg.Done()
	backoff := time.Duration(0)
	for {
		switch err := next(); {
		case err == nil:
			backoff = 0
			continue
		case errors.Is(err, net.ErrClosed), errors.Is(err, os.ErrClosed):
			return
		default:
			backoff = min(max(2*backoff, acceptBackoffMin), acceptBackoffMax)
			s.log.Error("accepting a connection failed", "error", err, "retry_in", backoff)
		}
		select {
		case <-time.After(backoff):
		case <-s.stop:
			return
		}
	}
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

// CloseListeners stops accepting, for good; connected clients go on.
func (s *Server) CloseListeners() error {
	s.listenMu.Lock()
	listeners := s.listeners
	s.listeners, s.configured, s.deaf = nil, nil, true
	s.listenMu.Unlock()
	return closeAll(listeners)
}
