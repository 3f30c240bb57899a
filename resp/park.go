package resp

import (
	"sync"
	"time"
)

// parking says how a parked client goes on. Every function runs on the client's
// own goroutine, with no transaction open.
type parking struct {
	// deadline is when it times out; the zero time means never.
	deadline time.Time
	// resume writes the one reply (or parks again): after wake, or, with
	// timedOut, at the deadline and for CLIENT UNBLOCK TIMEOUT.
	resume func(c *client, timedOut bool)
	// retry, set instead of resume's first case: after wake the command is
	// dispatched again from the start, as if it had just come. resume is still
	// called with timedOut at the deadline; it may be nil if that cannot be.
	retry bool
	// cleanup, if not nil, takes back what would call wake. It is called exactly
	// once, whatever ends the parking, before resume; also when the client goes
	// away.
	cleanup func()
	// postponed marks a command held back by CLIENT PAUSE, which CLIENT UNBLOCK
	// does not end and INFO does not count as blocked.
	postponed bool
}

// parkState is the parking of one client.
type parkState struct {
	mu    sync.Mutex // guards following
	cur   *parking
	woken wakeReason
	timer *time.Timer
}

// wakeReason is why a parked client goes on.
type wakeReason uint8

const (
	notWoken wakeReason = iota
	wokenReady
	wokenTimeout
	wokenError // CLIENT UNBLOCK ERROR
)

// park suspends the client: commands behind this one wait until something ends
// the parking. The handler returns without a reply. It must not be called while
// c.inExec().
func (c *client) park(p parking) {
	s := &c.park1
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cur, s.woken = &p, notWoken
	if !p.deadline.IsZero() {
		s.timer = time.AfterFunc(time.Until(p.deadline), func() { c.endParking(&p, wokenTimeout) })
	}
	if !p.postponed {
		c.set(clientBlocked)
		c.srv.stats.blocked.Add(1)
	}
}

// wake ends the parking of a client from any goroutine. It reports whether the
// client was parked and nothing else had woken it.
func (c *client) wake() bool { return c.endParking(nil, wokenReady) }

// endParking wakes the client for a reason, if it is parked still, and by p if
// that is not nil.
func (c *client) endParking(p *parking, why wakeReason) bool {
	s := &c.park1
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cur == nil || s.woken != notWoken || p != nil && s.cur != p {
		return false
	}
	s.woken = why
	c.interruptRead()
	return true
}

// parked reports whether the client is parked by a command, and not merely held
// back by CLIENT PAUSE.
func (c *client) parked() bool { return c.has(clientBlocked) }
