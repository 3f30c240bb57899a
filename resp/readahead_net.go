package resp

import (
	"errors"
	"os"
	"sync/atomic"
	"time"
)

// readAheadAfter is how long a write of replies is waited for before the client is
// read from meanwhile. One that is slow for less, on a busy machine, shall not have
// its query buffer grow; one that waits for the server does so once for a pipeline.
const readAheadAfter = 500 * time.Millisecond

// readAhead is how the portable driver reads on while a client takes none of its
// replies, as epollLink.readAhead does: one that sends all of a long pipeline before
// it reads anything would else wait for a server that waits for it. While the
// client's own goroutine is in a write that takes long, another one, which a timer
// starts, reads into the query buffer, within that buffer's limit. Nothing is run
// meanwhile, and the first does not go on before the second has ended: so the client
// still is one goroutine's at a time.
type readAhead struct {
	timer *time.Timer
	stop  atomic.Bool
	done  chan struct{} // of capacity 1: the goroutine has ended
	got   bool          // it has read something that has not been looked at
}

// beginReadAhead is called before a write, by the client's own goroutine.
func (k *netLink) beginReadAhead() {
	a := &k.ahead
	if a.timer == nil {
		a.done = make(chan struct{}, 1)
		a.timer = time.AfterFunc(readAheadAfter, k.readAhead)
		return
	}
	a.timer.Reset(readAheadAfter)
}

// endReadAhead is called after the write. The timer is not running then, nor what it
// has started.
func (k *netLink) endReadAhead() {
	a := &k.ahead
	if a.timer.Stop() {
		return
	}
	a.stop.Store(true)
	// It looks at stop after it has taken a deadline away.
	failed := k.conn.SetReadDeadline(longAgo)
	<-a.done
	a.stop.Store(false)
	if failed == nil {
		failed = k.conn.SetReadDeadline(time.Time{})
	}
	if failed == nil && len(k.ready) > 0 { // somebody has interrupted it
		failed = k.conn.SetReadDeadline(longAgo)
	}
	if failed != nil {
		k.c.kill() // the connection is closed
	}
}

// readAhead is the goroutine.
func (k *netLink) readAhead() {
	c, a := k.c, &k.ahead
	defer func() {
		if r := recover(); r != nil {
			c.crashed(r)
			c.kill()
		}
		a.done <- struct{}{}
	}()
	for !a.stop.Load() {
		n, err := k.read()
		if n > 0 {
			a.got = true
			c.srv.stats.reads.Add(1)
			c.srv.stats.netIn.Add(int64(n))
			c.noteQuery()
			if !c.withinQueryLimit() {
				c.kill()
				return
			}
		}
		switch {
		case err == nil:
		case !errors.Is(err, os.ErrDeadlineExceeded), k.conn.SetReadDeadline(time.Time{}) != nil:
			return // whoever reads next sees it again
		}
	}
}
