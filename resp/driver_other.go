//go:build !linux

package resp

import (
	"errors"
	"net"
)

// loopSet is the event loops, of which there are none without epoll.
type loopSet struct{}

func (loopSet) close() {}

// epollListener would give a listener to the event loops.
func (s *Server) epollListener(l net.Listener) (net.Listener, func() error, error) {
	if s.config.Load().IODriver == driverEpoll {
		return nil, nil, errors.New("resp: this system has no epoll")
	}
	return nil, nil, nil
}
