package resp

import (
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// monitorFeed is the set of clients that MONITOR.
type monitorFeed struct {
	n  atomic.Int32 // the number of monitors, so that nobody locks for none
	mu sync.Mutex   // guards following
	to map[*client]struct{}
}

// startMonitor makes c receive the feed.
func (s *Server) startMonitor(c *client) {
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	if s.feed.to == nil {
		s.feed.to = make(map[*client]struct{})
	}
	s.feed.to[c] = struct{}{}
	s.feed.n.Store(int32(len(s.feed.to)))
	c.set(clientMonitor)
}

// stopMonitor takes c out of the feed, if it is in.
func (s *Server) stopMonitor(c *client) {
	if !c.has(clientMonitor) {
		return
	}
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	delete(s.feed.to, c)
	s.feed.n.Store(int32(len(s.feed.to)))
	c.unset(clientMonitor)
}

// feedMonitors shows a command that ran to every monitor.
func (s *Server) feedMonitors(c *client, args [][]byte) {
	line := appendMonitorLine(nil, time.Now(), c, args)
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	for to := range s.feed.to {
		to.push(line)
	}
}

// appendMonitorLine appends a line of the feed: the time, the database and
// address of the client, and the arguments, quoted.
func appendMonitorLine(b []byte, now time.Time, c *client, args [][]byte) []byte {
	b = append(b, '+')
	b = strconv.AppendInt(b, now.Unix(), 10)
	b = append(b, '.')
	us := int64(now.Nanosecond() / 1000)
	for digit := int64(100_000); digit > 0; digit /= 10 {
		b = append(b, byte('0'+us/digit%10))
	}
	b = append(b, " ["...)
	b = strconv.AppendInt(b, int64(c.db), 10)
	b = append(b, ' ')
	if c.has(clientUnix) {
		b = append(b, "unix:"...)
		b = append(b, c.srv.config.Load().UnixSocket...)
	} else {
		b = append(b, c.addr...)
	}
	b = append(b, ']')
	for _, arg := range args {
		b = append(b, ' ')
		b = appendRepr(b, arg)
	}
	return append(b, '\r', '\n')
}

// redacted is what the feed and the slow log show instead of a secret.
var redacted = []byte("(redacted)")

// redact returns args with passwords replaced. It returns args itself if there
// is none.
func redact(cmd *command, args [][]byte) [][]byte {
	hide := func(from, to int) [][]byte {
		shown := append([][]byte(nil), args...)
		for i := from; i < min(to, len(shown)); i++ {
			shown[i] = redacted
		}
		return shown
	}
	switch cmd.name {
	case "auth":
		return hide(1, len(args))
	case "hello":
		for i := 2; i < len(args); i++ {
			if isWord(args[i], "AUTH") {
				return hide(i+1, i+3)
			}
		}
	case "config|set":
		for i := 2; i+1 < len(args); i += 2 {
			if isSecretDirective(args[i]) {
				args = hide(i+1, i+2)
			}
		}
	}
	return args
}

// isSecretDirective reports whether the value of a directive is a password.
func isSecretDirective(name []byte) bool {
	d := findDirective(string(name))
	return d != nil && d.has(sensitive)
}
