package resp

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The epoll driver: connections of plain TCP and of unix sockets, served by event
// loops (loop_linux.go). This file accepts them. A goroutine of its own accepts
// the connections of each listener and gives them to the loops in turn.

// epollLinkBytes is what a connection was measured to hold.
const epollLinkBytes = 5 << 8

// loopSet is the event loops of a server.
type loopSet struct {
	loops []*eventLoop
	next  int
}

// pick returns the loops in turn. One goroutine of a listener calls it, under
// listenMu.
func (s *loopSet) pick() *eventLoop {
	s.next = (s.next + 1) % len(s.loops)
	return s.loops[s.next]
}

// close ends the loops. REQUIRES: they have no clients.
func (s *loopSet) close() {
	for _, l := range s.loops {
		l.end()
	}
	s.loops = nil
}

// startLoops begins the event loops, if they have not begun. REQUIRES: listenMu
// is held.
func (s *Server) startLoops() error {
	if len(s.loops.loops) > 0 {
		return nil
	}
	for range s.config.Load().IOThreads {
		l, err := newEventLoop(s)
		if err != nil {
			s.loops.close()
			return err
		}
		s.loops.loops = append(s.loops.loops, l)
	}
	return nil
}

// epollListener gives a listener to the event loops: it returns what is to be
// closed in its place, and a function that accepts one connection; nil if it is
// of no kind that the loops serve.
func (s *Server) epollListener(l net.Listener) (net.Listener, func() error, error) {
	filer, ok := l.(interface{ File() (*os.File, error) })
	if !ok {
		return nil, nil, nil
	}
	s.listenMu.Lock()
	err := s.startLoops()
	s.listenMu.Unlock()
	if err != nil {
		return nil, nil, err
	}
	file, err := filer.File()
	if err != nil {
		return nil, nil, fmt.Errorf("resp: the listener's file: %w", err)
	}
	conn, err := file.SyscallConn()
	if err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	return &epollListener{l, file}, func() error { return s.acceptEpoll(conn, l.Addr()) }, nil
}

// epollListener is a listener and the copy of its descriptor that is accepted on.
type epollListener struct {
	net.Listener
	file *os.File
}

// Close implements net.Listener.
func (l *epollListener) Close() error {
	return errors.Join(l.file.Close(), l.Listener.Close())
}

// acceptEpoll accepts one connection.
func (s *Server) acceptEpoll(listener syscall.RawConn, local net.Addr) error {
	var fd int
	var sa unix.Sockaddr
	var failed error
	err := listener.Read(func(lfd uintptr) bool {
		fd, sa, failed = unix.Accept4(int(lfd), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		return !errors.Is(failed, unix.EAGAIN)
	})
	switch {
	case err != nil: // there is no deadline, so it was closed
		return net.ErrClosed
	case errors.Is(failed, unix.EINTR), errors.Is(failed, unix.ECONNABORTED):
		return nil
	case failed != nil:
		return os.NewSyscallError("accept4", failed)
	}
	s.admit(fd, sa, local)
	return nil
}

// admit gives a connection to a loop, or refuses it.
func (s *Server) admit(fd int, sa unix.Sockaddr, local net.Addr) {
	cfg := s.config.Load()
	c := s.newClient(peerOf(remoteAddr(sa), localAddr(fd, local), fd), cfg)
	s.listenMu.Lock()
	k := &epollLink{c: c, fd: fd, loop: s.loops.pick()}
	s.listenMu.Unlock()
	c.link, c.acc, c.ahead, c.baseBytes = k, &k.loop.acc, &k.loop.own, epollLinkBytes
	if refusal := s.enter(c, cfg); refusal != "" {
		if _, err := unix.Write(fd, appendError(nil, refusal)); err != nil {
			s.log.Debug("a refused connection was not told", "error", err)
		}
		s.closeQuietly("a refused connection", func() error { return unix.Close(fd) })
		return
	}
	if !c.has(clientUnix) {
		s.tuneTCP(fd, cfg.TCPKeepaliveSec)
	}
	k.loop.post(k)
}

// tuneTCP sets what package net sets on a connection, and tcp-keepalive as
// setKeepAlive does.
func (s *Server) tuneTCP(fd int, keepaliveSec int64) {
	set := func(level, name, value int) {
		if err := unix.SetsockoptInt(fd, level, name, value); err != nil {
			s.log.Debug("an option of a connection could not be set", "level", level, "name", name, "error", err)
		}
	}
	set(unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	if keepaliveSec <= 0 {
		return
	}
	set(unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
	set(unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, int(keepaliveSec))
	set(unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, int(max(keepaliveSec/3, 1)))
	set(unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 3)
}

// remoteAddr is the address of a peer as package net writes it.
func remoteAddr(sa unix.Sockaddr) net.Addr {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return &net.TCPAddr{IP: sa.Addr[:], Port: sa.Port}
	case *unix.SockaddrInet6:
		return &net.TCPAddr{IP: sa.Addr[:], Port: sa.Port, Zone: zoneName(sa.ZoneId)}
	default:
		return &net.UnixAddr{Net: "unix"}
	}
}

// localAddr is the address that a peer connected to: of the listener, if that is
// all there is to know.
func localAddr(fd int, listener net.Addr) net.Addr {
	if _, ok := listener.(*net.TCPAddr); ok {
		if sa, err := unix.Getsockname(fd); err == nil {
			return remoteAddr(sa)
		}
	}
	return listener
}

// zoneName is the name of an IPv6 zone; empty for none.
func zoneName(id uint32) string {
	if id == 0 {
		return ""
	}
	if i, err := net.InterfaceByIndex(int(id)); err == nil {
		return i.Name
	}
	return fmt.Sprint(id)
}

// lingerUntil ends a client that does not notice in time that it is closed. Its end
// stops the clock.
func (k *epollLink) lingerUntil(limit time.Duration) { k.patience = time.AfterFunc(limit, k.c.kill) }
