package resp

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// An event loop serves many connections from one goroutine, which has a thread of
// its own. One iteration:
//
//  1. Asks epoll what happened, and takes the clients that others have posted.
//  2. Every one of these clients reads once, and runs its whole commands. They do
//     so in groups, which read first, and then run (see lookahead.go).
//  3. The log is acknowledged, once for all of them. Clients for which the disk has
//     to be waited for are put aside, until acker_linux.go has done that.
//  4. Every one of them sends its replies, in one write.
//
// All its system calls but three return at once, so they are made without telling
// the Go scheduler, which costs more than some of them do. The three are the
// acknowledgement, a nap when many clients are active (see crowd_linux.go), and
// epoll when there is nothing to do: the loop first asks without waiting, and only if
// nothing has happened waits, as the scheduler knows, so that it can give the
// processor to others (see park).
//
// epoll is edge-triggered: it says once that a connection has become readable.
// The loop remembers that until a read comes back short (epollLink.readable).
//
// The loop has one buffer, which the clients of a group read into and run their
// commands from. What is left of it then, an incomplete command, is moved to a
// buffer of the client's own. Buffers for replies come from a stack of the loop
// and go back to it. An idle client has no buffers.

const (
	loopEvents    = 256 // taken from epoll at once
	queryBytes    = 2 * maxReadAhead
	turnCommands  = 1024    // that one client runs in an iteration
	turnWrite     = 1 << 20 // bytes sent to one client in an iteration
	maxUnsent     = 1 << 20 // a client with so much unsent runs nothing
	firstReplies  = 4 << 10 // size of a reply buffer
	spareReplies  = 4 << 20 // bytes of reply buffers that a loop keeps
	diskTurn      = 500 * time.Microsecond
	diskGroup     = 8
	readableEvent = unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR
	hangUpEvent   = unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR
)

// eventLoop is one loop of the epoll driver.
type eventLoop struct {
	srv    *Server
	epfd   int
	parked *os.File // a descriptor of the epoll that the scheduler knows, or nil; see park
	wakefd int      // an eventfd that ends the wait
	done   chan struct{}

	events [loopEvents]unix.EpollEvent
	links  []*epollLink // by descriptor
	turns  []*epollLink // the clients of this iteration
	next   []*epollLink // and of the next
	disk   []*epollLink // clients whose values have been read; see runFromDisk
	query  []byte       // what clients borrow to read into
	lent   int          // bytes of it that clients of this group have
	ahead  lookahead    // at the commands of this group

	replies      [][]byte // a stack of empty reply buffers
	repliesBytes int

	ackSeq   uint64 // the highest that this iteration's replies depend on
	acker    *acker
	awaiting []*epollLink // clients put aside until the acker has done its work
	released ackResult    // what takeMail found in acked
	clients  int          // entered and not closed

	own   lookahead // for a client's own
	crowd crowd     // how many of its clients are active

	// Counted here and added to the server's once in an iteration.
	acc                          accounting
	reads, writes, netIn, netOut int64

	sleeping atomic.Bool // it waits, or is about to
	mail     atomic.Bool // inbox is not empty, or ending is set
	mu       sync.Mutex  // guards following
	inbox    []*epollLink
	acked    ackResult
	ending   bool
}

// newEventLoop begins a loop.
func newEventLoop(s *Server) (*eventLoop, error) {
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	wakefd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, errors.Join(os.NewSyscallError("eventfd", err), unix.Close(epfd))
	}
	// Edge-triggered: it need not be read.
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: int32(wakefd)}
	if err := unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, wakefd, &ev); err != nil {
		return nil, errors.Join(os.NewSyscallError("epoll_ctl", err), unix.Close(wakefd), unix.Close(epfd))
	}
	l := &eventLoop{
		srv: s, epfd: epfd, wakefd: wakefd, done: make(chan struct{}),
		query: make([]byte, 0, queryBytes),
		ahead: lookahead{table: s.table}, own: lookahead{table: s.table},
	}
	l.acker = newAcker(l)
	go l.run()
	return l, nil
}

// post makes the loop look at a client, from any goroutine.
func (l *eventLoop) post(k *epollLink) {
	l.mu.Lock()
	if !k.posted {
		k.posted = true
		l.inbox = append(l.inbox, k)
		l.mail.Store(true)
	}
	l.mu.Unlock()
	l.wake()
}

// wake ends the loop's wait. Whoever gives it something to do does that first;
// the loop says that it sleeps first, and then looks. So one of them sees the
// other.
func (l *eventLoop) wake() {
	if !l.sleeping.Load() || !l.sleeping.CompareAndSwap(true, false) {
		return
	}
	one := [8]byte{1}
	if _, err := unix.Write(l.wakefd, one[:]); err != nil {
		l.srv.log.Error("an event loop could not be woken", "error", err)
	}
}

// end stops the loop and waits until it has. REQUIRES: it has no clients.
func (l *eventLoop) end() {
	l.mu.Lock()
	l.ending = true
	l.mail.Store(true)
	l.mu.Unlock()
	l.wake()
	<-l.done
	l.acker.stop()
	l.srv.closeQuietly("eventfd", func() error { return unix.Close(l.wakefd) })
	l.srv.closeQuietly("epoll", func() error { return unix.Close(l.epfd) })
	if l.parked != nil {
		l.unpark()
	}
}

// run is the loop.
func (l *eventLoop) run() {
	defer close(l.done)
	runtime.LockOSThread() // not unlocked: the thread ends with the loop
	l.keepTime()
	for {
		n := l.poll()
		for i := range l.events[:n] {
			ev := &l.events[i]
			if k := l.linkOf(int(ev.Fd)); k != nil {
				k.happened(ev.Events)
				l.schedule(k)
			}
		}
		if l.mail.Load() && !l.takeMail() {
			return
		}
		if len(l.awaiting) > 0 {
			l.release(l.released)
		}
		l.iterate()
	}
}

// poll asks epoll what happened, and waits if there is nothing else to do.
func (l *eventLoop) poll() int {
	if l.parked != nil && !l.srv.loading.Load() {
		l.unpark()
	}
	if n := l.peek(); n > 0 {
		return n
	}
	if len(l.next)+len(l.disk) > 0 {
		return 0
	}
	if n, slept := l.napInCrowd(); n > 0 || slept && l.mail.Load() {
		return n
	}
	l.sleeping.Store(true)
	defer l.sleeping.Store(false)
	if l.mail.Load() {
		return 0
	}
	if l.srv.loading.Load() && l.startParking() {
		return l.park()
	}
	got, err := unix.EpollWait(l.epfd, l.events[:], -1)
	if err != nil && !errors.Is(err, unix.EINTR) {
		l.broken(os.NewSyscallError("epoll_wait", err)) // it cannot fail otherwise
	}
	return max(got, 0)
}

// peek asks epoll what happened, without waiting.
func (l *eventLoop) peek() int {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(l.epfd),
		uintptr(unsafe.Pointer(&l.events[0])), loopEvents, 0, 0, 0)
	if errno != 0 {
		return 0
	}
	return int(n)
}

// park waits until epoll has something to tell, as a goroutine waits, not as a thread
// does. A thread that waits keeps its processor from other goroutines until the
// scheduler notices, which takes it up to ten milliseconds. That does not matter to
// a server whose loops do the work; but a load wants every processor, and a client
// that asks every few milliseconds whether it is done would take much of one away.
//
// Only during a load does the scheduler know the epoll: as long as it does, every
// event wakes a thread of it too, which costs a fifth of a loop's time.
func (l *eventLoop) park() (n int) {
	conn, err := l.parked.SyscallConn()
	if err == nil {
		err = conn.Read(func(uintptr) bool {
			n = l.peek()
			return n > 0
		})
	}
	if err != nil {
		l.broken(err)
	}
	return n
}

// startParking gives the scheduler a descriptor of the epoll, for which it waits as
// for a connection if it does not block. It reports false if it cannot, because there
// is no descriptor left: then the loop waits as it does without a load.
func (l *eventLoop) startParking() bool {
	if l.parked != nil {
		return true
	}
	fd, err := unix.FcntlInt(uintptr(l.epfd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return false
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		l.srv.closeQuietly("epoll", func() error { return unix.Close(fd) })
		return false
	}
	l.parked = os.NewFile(uintptr(fd), "epoll")
	return true
}

// unpark takes from the scheduler what startParking gave it.
func (l *eventLoop) unpark() {
	l.srv.closeQuietly("epoll", l.parked.Close)
	l.parked = nil
}

// broken ends the server, which is of no use without epoll.
func (l *eventLoop) broken(err error) {
	l.srv.askShutdown(ShutdownRequest{Force: true, Err: err})
	time.Sleep(acceptBackoffMin)
}

// takeMail schedules the clients that others have posted. It reports false when
// the loop is to end.
func (l *eventLoop) takeMail() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, k := range l.inbox {
		k.posted = false
		k.mail = true
		if k.c.has(clientOnDisk) && !k.scheduled && !k.closed {
			k.scheduled = true
			l.disk = append(l.disk, k)
		} else {
			l.schedule(k)
		}
		l.inbox[i] = nil
	}
	l.inbox = l.inbox[:0]
	l.mail.Store(false)
	if len(l.awaiting) > 0 {
		l.released = l.acked
	}
	return !l.ending
}

// schedule gives a client a turn in the next iteration.
func (l *eventLoop) schedule(k *epollLink) {
	if !k.scheduled && !k.closed {
		k.scheduled = true
		l.next = append(l.next, k)
	}
}

// iterate is one iteration, for the clients that are scheduled.
func (l *eventLoop) iterate() {
	l.turns, l.next = l.next, l.turns[:0]
	for rest := l.turns; len(rest) > 0; {
		rest = rest[l.runGroup(rest):]
	}
	if len(l.disk) > 0 {
		l.runFromDisk()
	}
	l.acc.flush(l.srv)
	failed := l.acknowledge()
	for i, k := range l.turns {
		if !k.awaits {
			l.finish(k, failed)
		}
		l.turns[i] = nil
	}
	l.turns = l.turns[:0]
	l.count()
}

// runFromDisk gives turns to clients whose values have been read. That may be many
// at once, and each runs commands twice, once with the values and once, for those
// behind them, to find out what is missing: 50 clients with pipelines of 16 would
// take more than 5 ms. So they get diskTurn in an iteration, and whoever has asked
// for something else meanwhile goes before the rest.
func (l *eventLoop) runFromDisk() {
	begin, n := time.Now(), 0
	for n == 0 || n < len(l.disk) && time.Since(begin) < diskTurn {
		n += l.runGroup(l.disk[n:min(n+diskGroup, len(l.disk))])
	}
	l.turns = append(l.turns, l.disk[:n]...)
	l.disk = slices.Delete(l.disk, 0, n)
}

// runGroup lets clients read, as many as there is room for, and then runs their
// commands. It returns how many clients these were.
func (l *eventLoop) runGroup(turns []*epollLink) (n int) {
	l.lent = 0
	l.ahead.reset()
	for _, k := range turns {
		k.scheduled = false
		if n++; k.awaits {
			continue // it gets a turn when it is released
		}
		k.guard(k.arrive)
		if l.ahead.full() || cap(l.query)-l.lent < maxReadAhead {
			break
		}
	}
	l.ahead.warm(l.srv)
	for _, k := range turns[:n] {
		if k.awaits {
			continue
		}
		if k.runs {
			l.crowd.note(k)
			k.guard(k.run)
		}
		k.c.frame.ahead = nil // the next group's room
		l.ackSeq = max(l.ackSeq, k.c.ackSeq)
	}
	return n
}

// count adds what happened to the server's counters.
func (l *eventLoop) count() {
	if l.reads+l.writes == 0 {
		return
	}
	st := &l.srv.stats
	st.reads.Add(l.reads)
	st.writes.Add(l.writes)
	st.netIn.Add(l.netIn)
	st.netOut.Add(l.netOut)
	l.reads, l.writes, l.netIn, l.netOut = 0, 0, 0, 0
}

// linkOf returns the client of a descriptor; nil if there is none any more.
func (l *eventLoop) linkOf(fd int) *epollLink {
	if fd >= len(l.links) {
		return nil
	}
	return l.links[fd]
}

// enter makes epoll watch a new client.
func (l *eventLoop) enter(k *epollLink) error {
	if k.fd >= len(l.links) {
		l.links = append(l.links, make([]*epollLink, max(k.fd+1, 2*len(l.links))-len(l.links))...)
	}
	l.links[k.fd] = k
	k.entered = true
	l.clients++
	return l.watch(k, unix.EPOLL_CTL_ADD, 0)
}

// watch sets what epoll tells of a client: bytes have come, and more.
func (l *eventLoop) watch(k *epollLink, op int, more uint32) error {
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET | more, Fd: int32(k.fd)}
	if err := unix.EpollCtl(l.epfd, op, k.fd, &ev); err != nil {
		return fmt.Errorf("resp: epoll_ctl: %w", err)
	}
	return nil
}

// takeReplies returns an empty reply buffer.
func (l *eventLoop) takeReplies() []byte {
	n := len(l.replies)
	if n == 0 {
		return make([]byte, 0, firstReplies)
	}
	b := l.replies[n-1]
	l.replies[n-1] = nil
	l.replies = l.replies[:n-1]
	l.repliesBytes -= cap(b)
	return b
}

// giveReplies takes a reply buffer back.
func (l *eventLoop) giveReplies(b []byte) {
	if cap(b) > keepReplies || l.repliesBytes+cap(b) > spareReplies {
		return
	}
	l.replies = append(l.replies, b[:0])
	l.repliesBytes += cap(b)
}
