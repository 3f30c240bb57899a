package engine

import (
	"sync/atomic"
	"time"
)

// progressInterval is the shortest time between two calls of Options.Progress, and of
// what Check, Repair and Dump are given in its place.
const progressInterval = 250 * time.Millisecond

// progress counts how far a piece of work is, and tells from time to time. Any
// goroutine may count.
type progress struct {
	work    string
	fn      func(Progress) // nil: nobody wants to know
	started time.Time
	total   int64

	done atomic.Int64
	keys atomic.Int64
	last atomic.Int64 // when it was last told, in nanoseconds since started
}

// begin is called before anything is counted.
func (p *progress) begin(work string, total int64, fn func(Progress)) {
	p.work, p.total, p.fn, p.started = work, total, fn, time.Now()
}

// add counts bytes and keys that are done.
func (p *progress) add(bytes, keys int64) {
	p.tell(p.done.Add(bytes), p.keys.Add(keys), false)
}

// set says how many bytes are done.
func (p *progress) set(done int64) {
	p.done.Store(done)
	p.tell(done, p.keys.Load(), false)
}

// end says that all is done.
func (p *progress) end() { p.tell(p.done.Load(), p.keys.Load(), true) }

// tell tells, if it is time to, or must be.
func (p *progress) tell(done, keys int64, must bool) {
	if p.fn == nil {
		return
	}
	since := time.Since(p.started)
	last := p.last.Load()
	if !must && since-time.Duration(last) < progressInterval || !p.last.CompareAndSwap(last, int64(since)) {
		return
	}
	r := Progress{Work: p.work, DoneBytes: done, TotalBytes: max(p.total, done), Keys: keys}
	if done > 0 {
		r.ETA = time.Duration(float64(since) * float64(r.TotalBytes-done) / float64(done))
	}
	p.fn(r)
}
