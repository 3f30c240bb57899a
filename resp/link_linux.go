package resp

import (
	"io"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// epollLink is a client's connection under the epoll driver. Its loop uses it,
// but for what says otherwise.
type epollLink struct {
	c    *client
	fd   int
	loop *eventLoop

	state      progress // what is to become of it
	readable   bool     // there may be bytes to read
	hungUp     bool     // or their end
	inputEnded bool     // readAhead has met it
	writable   bool     // epoll has said that a blocked write can go on
	mail       bool     // others have something for it: see takeMail
	pushes     bool     // there is something in the output queue
	scheduled  bool     // it has a turn in the next iteration
	runs       bool     // it may have commands to run in this one
	awaits     bool     // it is put aside until the log is acknowledged: loop.awaiting
	entered    bool     // epoll knows it
	lingering  bool     // it has been told that it is closed; wasted counts
	closed     bool

	sent    int    // bytes of c.buf that have been sent
	blocked bool   // the rest waits for room, and epoll is asked for that
	counted int    // bytes of the rest that c.out.pending counts
	spent   []byte // what takeQueue returned last
	wasted  int    // bytes dropped while lingering
	// patience ends the lingering; nil before it.
	patience *time.Timer

	period uint64 // of loop.crowd that it had its last turn in

	posted bool // it is in loop.inbox; guarded by loop.mu
}

// interrupt implements link.
func (k *epollLink) interrupt() { k.loop.post(k) }

// kill implements link.
func (k *epollLink) kill() { k.loop.post(k) }

// keepOpen implements link.
func (k *epollLink) keepOpen() (io.Closer, error) {
	fd, err := unix.FcntlInt(uintptr(k.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("dup", err)
	}
	return os.NewFile(uintptr(fd), "connection"), nil
}

// pushed implements link.
func (k *epollLink) pushed() { k.loop.post(k) }

// hold implements link. What is pushed waits in the queue until the replies of
// this turn have been sent in any case.
func (*epollLink) hold() {}

// happened takes what epoll says of the connection.
func (k *epollLink) happened(events uint32) {
	if events&readableEvent != 0 {
		k.readable = true
	}
	if events&hangUpEvent != 0 {
		k.hungUp = true
	}
	if events&unix.EPOLLOUT != 0 {
		k.writable = true
	}
}

// guard runs a step so that a panic in it, which cannot come from a command,
// costs one client.
func (k *epollLink) guard(step func()) {
	defer func() {
		if r := recover(); r != nil {
			k.c.crashed(r)
			k.state = breaks
			k.c.kill()
		}
	}()
	step()
}

// arrive is the first part of what a client does in an iteration: it reads, and
// its commands are looked ahead at. runs says whether there may be any to run.
func (k *epollLink) arrive() {
	c := k.c
	k.runs = false
	if k.mail && !k.takeMail() || k.closed {
		return
	}
	parked := c.parking.on
	switch {
	case c.has(clientCloseASAP):
		k.state = breaks
		return
	case k.lingering:
		k.waste()
		return
	case k.state > hasMore:
		return // only its replies are left to be sent
	case c.parking.on && !c.unpark():
		k.readParked()
		return
	case parked:
		k.state = hasMore // the commands behind the one that parked it
	}
	if k.unsent() >= maxUnsent {
		k.readAhead()
		return
	}
	if k.state != hasMore && k.readable && !k.read() {
		k.state = ends
		return
	}
	k.runs = true
	if l := &k.loop.ahead; len(l.keys) == 0 || l.db == c.db {
		l.db = c.db
		c.frame.look(l, c.frameLimits())
	}
}

// run is the second: it runs the commands.
func (k *epollLink) run() {
	c := k.c
	k.compact()
	if c.buf == nil {
		c.buf = k.loop.takeReplies()
	}
	k.state = c.advance(turnCommands)
	c.frame.giveBack()
	c.frame.tidy()
}

// takeMail looks at what others want of the client. It reports false if it could
// not enter.
func (k *epollLink) takeMail() bool {
	k.mail = false
	c := k.c
	if !k.entered {
		if err := k.loop.enter(k); err != nil {
			c.srv.log.Error("a connection could not be served", "client", c.addr, "error", err)
			k.state = breaks
			return false
		}
	}
	k.pushes = true
	if c.out.shrink.CompareAndSwap(true, false) {
		c.shrink()
	}
	return true
}

// readAhead reads while the client's replies wait for it to take them, so that one
// that sends all of a long pipeline before it reads anything gets to the end of
// it, as with Redis. What it sends waits in the query buffer, within that buffer's
// limit, and is not run: a client can make the server hold what it has sent, and
// not many times that in replies.
func (k *epollLink) readAhead() {
	if !k.canReadAhead() {
		return
	}
	c := k.c
	k.inputEnded = !k.read()
	c.frame.giveBack()
	c.noteQuery()
	switch {
	case !c.withinQueryLimit():
		k.state = breaks
	case c.frame.unparsed() > 0:
		k.state = hasMore
	}
}

func (k *epollLink) canReadAhead() bool { return k.readable && !k.inputEnded }

// readParked reads on while the client is parked, to notice that it is gone.
func (k *epollLink) readParked() {
	c := k.c
	full := c.frame.unparsed() >= parkedReadBytes
	if !k.readable || k.stuffed() {
		return
	}
	if full || !k.read() {
		k.state = breaks
		return
	}
	c.frame.giveBack()
	c.noteQuery()
	if !c.withinQueryLimit() {
		k.state = breaks
	}
}

// read reads once. It reports false at the end of what the client sends.
func (k *epollLink) read() bool {
	c, l := k.c, k.loop
	if c.frame.empty() {
		c.frame.borrow(l.query[l.lent:l.lent])
	}
	space := c.frame.space()
	n, ok := k.recv(space)
	if n > 0 {
		c.frame.filled(n)
		storeChanged(&c.lastMs, c.srv.nowMs.Load())
	}
	switch {
	case !ok || n == 0:
		c.frame.giveBack()
	case c.frame.borrowed:
		c.frame.buf = c.frame.buf[:n:n] // the next client reads behind it
		l.lent += n
	}
	return ok
}

// recv reads into b. It reports false at the end.
func (k *epollLink) recv(b []byte) (int, bool) {
	l := k.loop
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(k.fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), 0, 0, 0)
	l.reads++
	switch errno {
	case 0:
	case unix.EAGAIN:
		k.readable = false
		return 0, true
	case unix.EINTR:
		return 0, true
	default:
		return 0, false
	}
	if int(n) < len(b) && !k.hungUp {
		k.readable = false
	}
	l.netIn += int64(n)
	return int(n), n > 0
}

// waste drops what a client sends that has been told that it is closed.
func (k *epollLink) waste() {
	if !k.readable {
		return
	}
	query := k.loop.query
	n, ok := k.recv(query[k.loop.lent:cap(query)])
	if k.wasted += n; !ok || k.wasted >= lingerBytes {
		k.state = breaks
	}
}

// unsent is how many bytes of replies have not been sent.
func (k *epollLink) unsent() int { return len(k.c.buf) - k.sent }

// compact forgets what has been sent, once that is the larger part.
func (k *epollLink) compact() {
	if c := k.c; k.sent > 0 && k.sent >= len(c.buf)/2 {
		c.buf = append(c.buf[:0], c.buf[k.sent:]...)
		k.sent = 0
	}
}

// finish is the last part of what a client does in an iteration: it sends, and
// decides how the client goes on. The log has been acknowledged.
func (k *epollLink) finish() {
	c := k.c
	if k.closed {
		return
	}
	if k.state == breaks || !c.withinOutputLimit(k.unsent()) || !k.send() {
		k.close()
		return
	}
	if k.unsent() == 0 {
		k.sentAll()
	}
	switch {
	case k.closed:
	case k.blocked && k.unsent() >= maxUnsent && !k.canReadAhead(), k.blocked && k.state > hasMore:
	case k.unsent() > 0 && !k.blocked, k.state == hasMore, k.readable && !k.stuffed(),
		k.pushes && k.unsent() < flushBytes:
		k.loop.schedule(k)
	}
}

// stuffed reports that nothing is read from the client although there may be
// bytes.
func (k *epollLink) stuffed() bool {
	c := k.c
	if c.has(clientOnDisk) {
		return true // for a moment, and then it gets its reply, even if it has hung up
	}
	return c.parking.on && !k.hungUp && c.frame.unparsed() >= parkedReadBytes
}

// sentAll is what follows when everything has been sent.
func (k *epollLink) sentAll() {
	c := k.c
	if c.buf != nil {
		k.loop.giveReplies(c.buf)
		c.buf, k.sent = nil, 0
	}
	switch {
	case k.state == ends:
		k.close()
	case k.state == lingers && !k.lingering:
		if unix.Shutdown(k.fd, unix.SHUT_WR) != nil {
			k.close()
			return
		}
		k.lingering = true
		k.lingerUntil(lingerTimeout)
	}
}

// send sends what there is: replies, and behind them what was pushed. It reports
// false if the connection has ended.
func (k *epollLink) send() bool {
	c := k.c
	if k.pushes && c.stream == nil {
		k.takePushes()
	}
	if k.unsent() == 0 {
		return true
	}
	if k.blocked && !k.writable {
		k.countUnsent()
		return true
	}
	k.writable = false
	if n := int64(len(c.buf)); n > c.replyPeak.Load() {
		c.replyPeak.Store(n)
	}
	room, before := true, k.sent
	for left := turnWrite; room && left > 0 && k.unsent() > 0; {
		rest := c.buf[k.sent:]
		rest = rest[:min(len(rest), writeBytes)]
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(k.fd),
			uintptr(unsafe.Pointer(&rest[0])), uintptr(len(rest)), unix.MSG_NOSIGNAL, 0, 0)
		k.loop.writes++
		switch errno {
		case 0:
			k.loop.netOut += int64(n)
			k.sent += int(n)
			left -= int(n)
			room = int(n) == len(rest)
		case unix.EAGAIN:
			room = false
		case unix.EINTR:
		default:
			return false
		}
	}
	return k.sentSome(room, k.sent > before)
}

// sentSome keeps the books of a write: whether there was room for more behind it,
// and whether anything was sent. It reports false if the connection cannot go on.
func (k *epollLink) sentSome(room, some bool) bool {
	out, blocked := &k.c.out, !room && k.unsent() > 0
	if blocked != k.blocked {
		more := uint32(0)
		if blocked {
			more = unix.EPOLLOUT
		}
		if err := k.loop.watch(k, unix.EPOLL_CTL_MOD, more); err != nil {
			k.c.srv.log.Error("a connection could not be served", "client", k.c.addr, "error", err)
			return false
		}
		k.blocked = blocked
	}
	switch {
	case blocked && (some || out.since.Load() == 0):
		out.since.Store(k.c.srv.nowMs.Load())
	case !blocked && out.since.Load() != 0:
		out.since.Store(0)
	}
	k.countUnsent()
	return true
}

// countUnsent publishes how much has not been sent.
func (k *epollLink) countUnsent() {
	if n := k.unsent(); n != k.counted {
		k.c.out.pending.Add(int64(n - k.counted))
		k.counted = n
		storeChanged(&k.c.replyCap, int64(cap(k.c.buf))*int64(min(n, 1)))
	}
}

// takePushes appends what others have pushed to the replies, up to flushBytes.
func (k *epollLink) takePushes() {
	c := k.c
	k.compact()
	for k.unsent() < flushBytes {
		if k.spent = c.takeQueue(k.spent); k.spent == nil {
			k.pushes = false
			return
		}
		if c.buf == nil {
			c.buf = k.loop.takeReplies()
		}
		c.buf = append(c.buf, k.spent...)
	}
}

// close ends the connection.
func (k *epollLink) close() {
	if k.closed {
		return
	}
	k.closed = true
	if k.patience != nil {
		k.patience.Stop()
	}
	c, l := k.c, k.loop
	c.set(clientCloseASAP)
	c.gone()
	if l.linkOf(k.fd) == k {
		l.links[k.fd] = nil
		l.clients--
	}
	if c.buf != nil {
		l.giveReplies(c.buf)
		c.buf = nil
	}
	c.srv.closeQuietly("a connection", func() error { return unix.Close(k.fd) })
	c.srv.wg.Done()
}
