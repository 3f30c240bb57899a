package resp

import (
	"time"

	"golang.org/x/sys/unix"
)

// A crowd is many clients that are active at once. A loop that has answered those
// that were ready, and then waits for the next event, is woken by nearly every
// request that comes: each costs its sender the wake-up, and the loop two changes of
// threads, for one client or a few. So in a crowd the loop first sleeps for a moment,
// whatever happens. Nobody has to wake it then, and it finds several clients ready.
//
// The moment must be shorter than what the clients need to read their replies and to
// make new requests, or all of them wait in the end, and the loop sleeps for nothing.
// So it is made shorter as soon as half of the crowd is found waiting.

const (
	crowdLeast  = 32 // clients, in one crowdPeriod
	crowdPeriod = time.Millisecond
	napLeast    = 8 * time.Microsecond
	napMost     = 64 * time.Microsecond
	timerSlack  = time.Microsecond // how late the kernel may end a nap; it is 50 otherwise
)

// crowd knows how many clients of a loop are active, and for how long to nap then.
// Times are since the server started.
type crowd struct {
	period uint64        // the number of the running one
	began  time.Duration // when that began
	served int           // different clients that have had a turn in it
	size   int           // and that had one in the period before
	length time.Duration // of the next nap; a new period begins with napLeast at least
}

// note counts a client that has a turn.
func (cr *crowd) note(k *epollLink) {
	if k.period != cr.period {
		k.period = cr.period
		cr.served++
	}
}

// nap is how long to sleep, if there is nothing to do; 0 if there is no crowd, or if
// it waits already.
func (cr *crowd) nap(now time.Duration) time.Duration {
	if now-cr.began >= crowdPeriod {
		cr.size, cr.served = cr.served, 0
		cr.period++
		cr.began = now
		cr.length = max(cr.length, napLeast)
	}
	if cr.size < crowdLeast || cr.length < napLeast {
		return 0
	}
	return cr.length
}

// found takes how many clients were ready after a nap.
func (cr *crowd) found(ready int) {
	if ready > cr.size/2 {
		cr.length -= cr.length / 4
	} else {
		cr.length = min(cr.length+cr.length/8, napMost)
	}
}

// napInCrowd sleeps for a moment, if there is a crowd, and then asks epoll what
// happened. It reports whether it slept.
func (l *eventLoop) napInCrowd() (n int, slept bool) {
	d := l.crowd.nap(time.Since(l.srv.started))
	if d == 0 {
		return 0, false
	}
	// The scheduler knows of it, so that it can give the processor to others. A
	// signal may end it early, and it does not matter.
	ts := unix.NsecToTimespec(int64(d))
	_ = unix.Nanosleep(&ts, nil)
	n = l.peek()
	l.crowd.found(n)
	return n, true
}

// keepTime makes naps on this thread as short as they are meant to be.
func (l *eventLoop) keepTime() {
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(timerSlack), 0, 0, 0); err != nil {
		l.srv.log.Debug("the timer slack of an event loop could not be set", "error", err)
	}
}
