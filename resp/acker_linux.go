package resp

import (
	"sync/atomic"
	"time"
)

// acker waits for the disk in place of an event loop. What a client's replies
// depend on may have to be synced first (appendfsync always, or a disk that does
// not keep up). The loop puts such a client aside and goes on with the others:
// those that only read are answered, and what others write meanwhile is in the
// next sync. When one has ended, the loop finishes the clients that it was for.
//
// The loop waits itself, which spares two changes of threads, if it has a single
// client, for nobody else is kept waiting then, or if the disk is so quick that it
// is not worth it.
type acker struct {
	loop *eventLoop
	want atomic.Uint64 // the highest sequence number that a client waits for
	kick chan struct{}
	done chan struct{}
}

// quickSync is up to how long a sync takes that a loop waits for.
const quickSync = 100 * time.Microsecond

// ackResult is how far the log is safe, and what failed.
type ackResult struct {
	seq       uint64 // up to here
	failedSeq uint64 // up to here it may not be, because of failed
	failed    error
}

func newAcker(l *eventLoop) *acker {
	a := &acker{loop: l, kick: make(chan struct{}, 1), done: make(chan struct{})}
	go a.run()
	return a
}

// run acknowledges until kick is closed.
func (a *acker) run() {
	defer close(a.done)
	acked := uint64(0)
	for range a.kick {
		for want := a.want.Load(); want > acked; want = a.want.Load() {
			err := a.loop.srv.store.Engine().Ack(want)
			acked = want
			a.loop.acknowledged(want, err)
		}
	}
}

// ask makes the acker acknowledge up to seq. The loop calls it.
func (a *acker) ask(seq uint64) {
	a.want.Store(max(seq, a.want.Load()))
	select {
	case a.kick <- struct{}{}:
	default:
	}
}

// stop ends the acker. REQUIRES: nobody asks any more.
func (a *acker) stop() {
	close(a.kick)
	<-a.done
}

// acknowledged tells the loop how an acknowledgement ended, from its acker.
func (l *eventLoop) acknowledged(seq uint64, err error) {
	l.mu.Lock()
	if err != nil {
		l.acked.failedSeq, l.acked.failed = seq, err
	} else {
		l.acked.seq = seq
	}
	l.mail.Store(true)
	l.mu.Unlock()
	l.wake()
}

// acknowledge makes the replies of this iteration safe to send. Clients for which
// the disk has to be waited for are put aside.
func (l *eventLoop) acknowledge() (failed error) {
	if l.ackSeq == 0 {
		return nil
	}
	seq := l.ackSeq
	l.ackSeq = 0
	eng := l.srv.store.Engine()
	if len(l.awaiting) == 0 && (l.clients == 1 || eng.UsualSync() < quickSync) {
		return eng.Ack(seq)
	}
	done, err := eng.TryAck(seq)
	if done || err != nil {
		return err
	}
	for _, k := range l.turns {
		if k.awaits || k.c.ackSeq == 0 {
			continue
		}
		// Some may have read only what is on the disk already.
		switch done, err := eng.TryAck(k.c.ackSeq); {
		case err != nil: // what is meant by acknowledging was changed meanwhile
			failed = err
		case !done:
			k.awaits = true
			l.awaiting = append(l.awaiting, k)
		}
	}
	if len(l.awaiting) > 0 {
		l.acker.ask(seq)
	}
	return failed
}

// release finishes the clients that were put aside and need wait no longer.
func (l *eventLoop) release(r ackResult) {
	rest := l.awaiting[:0]
	for _, k := range l.awaiting {
		seq := k.c.ackSeq
		if seq > max(r.seq, r.failedSeq) {
			rest = append(rest, k)
			continue
		}
		var failed error
		if seq <= r.failedSeq {
			failed = r.failed
		}
		k.awaits = false
		l.finish(k, failed)
		// What happened to it meanwhile was left for later.
		l.schedule(k)
	}
	clear(l.awaiting[len(rest):])
	l.awaiting = rest
}

// finish is the second half of a client's part in an iteration. failed says why the
// log could not be acknowledged.
func (l *eventLoop) finish(k *epollLink, failed error) {
	if failed != nil && k.c.ackSeq != 0 {
		l.srv.ackFailed(k.c, failed)
		k.state = breaks
	}
	k.c.ackSeq = 0
	k.guard(k.finish)
}
