package resp

import (
	"bytes"
	"sync"
	"time"
)

// Parking. A handler that has to wait (WAIT, BLPOP), or a command that
// CLIENT PAUSE holds back, does not block its driver: the client is parked.
// Commands behind it stay in the query buffer. The connection is read on, so a
// client that goes away is noticed at once; whoever wakes the client interrupts
// that read, and the client's owner goes on with the parking's resume.

// parking says how a parked client goes on. Its functions run on the client's
// own goroutine, with no transaction open.
type parking struct {
	// deadline is when it times out; the zero time means never.
	deadline time.Time
	// resume writes the one reply (or parks again): after wake, or, with
	// timedOut, at the deadline and for CLIENT UNBLOCK TIMEOUT.
	resume func(c *client, timedOut bool)
	// retry, instead of resume's first case: after wake the command is
	// dispatched again from the start, as if it had just come. resume is still
	// called with timedOut, or, if it is nil, the command is dispatched then too.
	retry bool
	// cleanup, if not nil, takes back what would call wake. It is called exactly
	// once, whatever ends the parking, before resume; also when the client goes
	// away.
	cleanup func()
	// postponed marks a command held back by CLIENT PAUSE, or by the disk, which
	// CLIENT UNBLOCK does not end.
	postponed bool
	// disk marks a command whose values are read from the disk: to everybody else
	// its client is not blocked.
	disk bool
	// waiter is what waits for keys, if it is that (ready.go).
	waiter *waiter
}

// wakeReason is why a parked client goes on.
type wakeReason uint8

const (
	notWoken wakeReason = iota
	wokenReady
	wokenTimeout
	wokenError // CLIENT UNBLOCK ERROR
)

// parkState is the parking of one client.
type parkState struct {
	on bool // the client's owner: it is parked

	// The client's own goroutine: the command that parked, for when it goes on.
	cmd  *command
	args [][]byte
	took time.Duration

	mu      sync.Mutex // guards following
	cur     *parking
	woken   wakeReason
	claimed bool // somebody is about to serve its waiter: nothing else may wake it
	timer   *time.Timer
}

// park suspends the client: commands behind this one wait until something ends
// the parking. The handler returns without a reply. It must not be called while
// c.inExec().
func (c *client) park(p parking) {
	s := &c.parking
	s.mu.Lock()
	defer s.mu.Unlock()
	s.on = true
	s.cur, s.woken = &p, notWoken
	if !p.deadline.IsZero() {
		s.timer = time.AfterFunc(time.Until(p.deadline), func() { c.endParking(&p, wokenTimeout) })
	}
	if p.disk {
		c.set(clientOnDisk)
		return
	}
	c.set(clientBlocked)
	c.srv.stats.blocked.Add(1)
}

// wake ends the parking of a client from any goroutine. It reports whether the
// client was parked and nothing else had woken it.
func (c *client) wake() bool { return c.endParking(nil, wokenReady) }

// unblock is CLIENT UNBLOCK: it wakes a client that a command parked. As in Redis, one
// that was killed is gone.
func (c *client) unblock(why wakeReason) bool {
	c.parking.mu.Lock()
	p := c.parking.cur
	c.parking.mu.Unlock()
	return p != nil && !p.postponed && !c.has(clientCloseASAP) && c.endParking(p, why)
}

// endParking wakes the client for a reason, if it is parked still, and by p if
// that is not nil.
func (c *client) endParking(p *parking, why wakeReason) bool {
	s := &c.parking
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cur == nil || s.woken != notWoken || s.claimed || p != nil && s.cur != p {
		return false
	}
	s.woken = why
	c.interrupt()
	return true
}

// claim reserves a client for whoever serves its waiter, from any goroutine. It
// reports false if the client does not wait any more, or was killed, so that it would take
// what it never gets; else deliver must follow.
func (c *client) claim(w *waiter) bool {
	s := &c.parking
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cur == nil || s.cur.waiter != w || s.woken != notWoken || s.claimed || c.has(clientCloseASAP) {
		return false
	}
	s.claimed = true
	return true
}

// deliver wakes a client that was claimed, now that its waiter has a reply. One
// that has gone away meanwhile does not get it.
func (c *client) deliver(w *waiter) {
	s := &c.parking
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cur == nil || s.cur.waiter != w {
		return
	}
	s.claimed, s.woken = false, wokenReady
	c.interrupt()
}

// retrying reports that the command at the front of the query buffer is to be
// dispatched again when the client goes on.
func (c *client) retrying() bool { return c.parking.on && c.parking.cur.retry }

// unpark lets the client go on if it was woken. It reports whether it was.
func (c *client) unpark() bool {
	s := &c.parking
	s.mu.Lock()
	p, why := s.cur, s.woken
	if why == notWoken {
		s.mu.Unlock()
		return false
	}
	c.leaveParkingLocked()
	s.mu.Unlock()
	if p.cleanup != nil {
		p.cleanup()
	}
	timedOut := why == wokenTimeout
	if p.retry && why != wokenError && (!timedOut || p.resume == nil) {
		return true // the command is still at the front of the query buffer
	}
	start, muted := len(c.buf), c.muted()
	c.failed = false
	c.clock = time.Since(c.srv.started)
	if why == wokenError {
		c.err(errUnblocked)
	} else {
		p.resume(c, timedOut)
	}
	if p.retry && !c.retrying() {
		c.skipCommand()
	}
	if !c.parking.on {
		if !p.retry && !timedOut {
			c.settle()
		}
		c.endReply(start, muted)
	}
	return true
}

// suspend records that a command took so long and then parked. Like in Redis, the
// call counts now, and what else there is to say of it when it has got its reply:
// never, if it times out.
func (c *client) suspend(cmd *command, args [][]byte, took time.Duration) {
	c.acc.add(c.srv, cmd, took, false)
	s := &c.parking
	s.cmd, s.took = cmd, took
	s.args = make([][]byte, len(args))
	for i, arg := range args {
		s.args[i] = bytes.Clone(arg)
	}
}

// settle records what suspend left.
func (c *client) settle() {
	s, cfg := &c.parking, c.srv.config.Load()
	p := &c.srv.stats.perCommand[s.cmd.id]
	if cfg.LatencyTracking {
		p.latencyOf().counts[bucketOf(s.took)].Add(1)
	}
	if c.failed {
		p.failed.Add(1)
	}
	c.noteSlow(s.cmd, s.args, s.took, cfg)
	s.args = nil
}

// skipCommand goes behind the command at the front of the query buffer, which
// was there as a whole when it was parked.
func (c *client) skipCommand() {
	if whole, err := c.frame.next(c.frameLimits()); whole && err == nil {
		c.frame.consume()
	}
}

// abandonParking ends the parking of a client that goes away.
func (c *client) abandonParking() {
	s := &c.parking
	s.mu.Lock()
	p := s.cur
	if p != nil {
		c.leaveParkingLocked()
	}
	s.mu.Unlock()
	if p != nil && p.cleanup != nil {
		p.cleanup()
	}
}

func (c *client) leaveParkingLocked() {
	s := &c.parking
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
	if s.cur.disk {
		c.unset(clientOnDisk)
	} else {
		c.unset(clientBlocked)
		c.srv.stats.blocked.Add(-1)
	}
	s.on, s.cur, s.woken, s.claimed = false, nil, notWoken, false
}
