package resp

import (
	"bytes"
	"fmt"

	"bitkv/types"
)

// Framing: finding whole commands in the bytes of a connection that may be
// anyone's.
//
// A framer owns the query buffer. It remembers how far the command at the front
// has been parsed, so a command that arrives byte by byte is looked at once and
// not from its start at every read. Nothing is believed before it has arrived: a
// count or a length is checked against its limit, and then memory grows with the
// bytes that came, not with those that were promised.
//
// redcon.ReadNextCommand could split a command that was vetted here. It is not
// used: finding a command's end finds its arguments too, and splitting it once
// more costs as much again (BenchmarkFramingRedcon). It would also refuse what
// Redis takes, an argument not followed by CR LF.

// Limits of the protocol, as Redis's.
const (
	maxInlineBytes = 64 << 10  // an inline command, and any header line
	maxCount       = 1<<31 - 1 // arguments of a command
	maxCountNoAuth = 10        // the same before AUTH
	maxBulkNoAuth  = 16 << 10  // bytes of an argument before AUTH
	maxHeldNoAuth  = 256 << 10 // bytes kept of requests, and as many of replies, before AUTH
)

// Sizes of the query buffer.
const (
	leastQueryBuffer = 4 << 10 // for the rest of what came in a borrowed one
	firstQueryBuffer = 16 << 10
	maxReadAhead     = 64 << 10 // a larger one is for one large command
	bulkStepBytes    = 1 << 20  // a large argument's first room; then it doubles
	keepArgs         = 1 << 10  // arguments that room is kept for
)

// protocolError is a violation of the protocol. Its text is what Redis says
// after "ERR Protocol error: ". The connection is closed after it.
type protocolError string

// Error implements error.
func (e protocolError) Error() string { return string(e) }

// The violations.
const (
	errBigInline      protocolError = "too big inline request"
	errBigCount       protocolError = "too big mbulk count string"
	errBigBulk        protocolError = "too big bulk count string"
	errCount          protocolError = "invalid multibulk length"
	errCountNoAuth    protocolError = "unauthenticated multibulk length"
	errBulk           protocolError = "invalid bulk length"
	errBulkNoAuth     protocolError = "unauthenticated bulk length"
	errUnbalancedQuot protocolError = "unbalanced quotes in request"
)

// frameLimits are the limits of the next command.
type frameLimits struct {
	maxBulk int64 // proto-max-bulk-len
	noAuth  bool  // the client must authenticate first
}

// framer is the query buffer of a connection and the state of its parsing.
type framer struct {
	buf   []byte // bytes read; its capacity is the query buffer
	start int    // where in buf the command at the front begins
	pos   int    // how far it has been parsed
	scan  int    // how far beyond pos the end of a line has been looked for

	multibulk bool // the header "*n" has been parsed
	missing   int  // arguments of a multibulk that are not parsed yet
	bulk      int  // the length of the argument at pos; -1: its header is next

	borrowed bool // buf is the driver's: see borrow

	full  bool // the last read filled the buffer
	peak  int  // the most bytes in the buffer since tidy
	roomy int  // batches since the buffer was last needed as large as it is

	ahead       []aheadCommand // the commands at pos, if they have been parsed already
	aheadLimits frameLimits    // by which they were
	aheadHints  *[aheadKeys]types.Hint
	hint        types.Hint // of the first key of the command that next returned

	row    *command // of the last whole command, if it was looked up
	args   [][]byte // of the last whole command
	spans  []span   // the arguments parsed so far
	own    [][]byte // room for args
	inline []byte   // the arguments of an inline command, unquoted
}

// span is an argument: a part of the query buffer, counted from start, so that
// the buffer can move.
type span struct{ at, len int }

// next parses on. It reports true when a whole command is there: f.args are its
// arguments, at least one, views that hold until consume or space. It reports
// false when more bytes are needed. After a violation it must not be called again.
func (f *framer) next(lim frameLimits) (bool, error) {
	if len(f.ahead) > 0 && f.aheadLimits == lim {
		cmd := &f.ahead[0]
		f.row, f.args, f.pos, f.hint = cmd.row, cmd.args, cmd.end, 0
		if cmd.key >= 0 {
			f.hint = f.aheadHints[cmd.key]
		}
		f.ahead = f.ahead[1:]
		return true, nil
	}
	f.row, f.ahead, f.hint = nil, nil, 0
	for f.pos < len(f.buf) {
		if !f.multibulk && f.buf[f.pos] != '*' {
			whole, err := f.nextInline()
			if f.args = f.own; err != nil || !whole || len(f.args) > 0 {
				return whole, err
			}
			f.consume() // an empty line
			continue
		}
		whole, err := f.nextMultibulk(lim)
		if err != nil || !whole {
			return false, err
		}
		if len(f.spans) == 0 { // "*0" and "*-1" mean nothing
			f.consume()
			continue
		}
		f.own = f.own[:0]
		for _, s := range f.spans {
			at := f.start + s.at
			f.own = append(f.own, f.buf[at:at+s.len:at+s.len])
		}
		f.args = f.own
		return true, nil
	}
	return false, nil
}

// nextMultibulk parses on in a command of the form "*n", "$len", bytes, ...
func (f *framer) nextMultibulk(lim frameLimits) (bool, error) {
	if !f.multibulk {
		line, whole := f.line()
		if !whole {
			return false, f.tooLong(errBigCount)
		}
		n, ok := parseInt(line[1:])
		switch {
		case !ok || n > maxCount:
			return false, errCount
		case n > maxCountNoAuth && lim.noAuth:
			return false, errCountNoAuth
		}
		f.multibulk, f.missing, f.bulk = true, int(max(n, 0)), -1
	}
	for f.missing > 0 {
		if f.bulk < 0 {
			line, whole := f.line()
			if !whole {
				return false, f.tooLong(errBigBulk)
			}
			if len(line) == 0 || line[0] != '$' {
				return false, errExpectedBulk(f.buf[f.pos-len(line)-2])
			}
			n, ok := parseInt(line[1:])
			switch {
			case !ok || n < 0 || n > lim.maxBulk:
				return false, errBulk
			case n > maxBulkNoAuth && lim.noAuth:
				return false, errBulkNoAuth
			}
			f.bulk = int(n)
		}
		if len(f.buf)-f.pos < f.bulk+2 {
			return false, nil
		}
		f.spans = append(f.spans, span{f.pos - f.start, f.bulk})
		f.pos += f.bulk + 2 // Redis does not look at the CR LF either
		f.scan = f.pos
		f.bulk = -1
		f.missing--
	}
	return true, nil
}

// line returns the line at pos without its CR and the byte after, and goes
// behind it. It reports false if it is not there as a whole.
func (f *framer) line() ([]byte, bool) {
	for i := f.scan; i < len(f.buf); i++ {
		if f.buf[i] != '\r' {
			continue
		}
		f.scan = i
		if i+1 == len(f.buf) {
			return nil, false
		}
		line := f.buf[f.pos:i]
		f.pos, f.scan = i+2, i+2
		return line, true
	}
	f.scan = len(f.buf)
	return nil, false
}

// tooLong returns err if the unfinished line at pos is too long to wait for.
func (f *framer) tooLong(err protocolError) error {
	if len(f.buf)-f.pos > maxInlineBytes {
		return err
	}
	return nil
}

// errExpectedBulk is the violation of an argument that does not begin with '$'.
func errExpectedBulk(got byte) error {
	if got == 0 { // Redis prints it as a C string, which ends here
		return protocolError("expected '$', got '")
	}
	return protocolError(fmt.Sprintf("expected '$', got '%s'", []byte{got}))
}

// nextInline parses an inline command: a line of arguments separated by blanks.
func (f *framer) nextInline() (bool, error) {
	i := bytes.IndexByte(f.buf[f.scan:], '\n')
	if i < 0 {
		f.scan = len(f.buf)
		return false, f.tooLong(errBigInline)
	}
	end := f.scan + i
	line := f.buf[f.pos:end]
	f.pos, f.scan = end+1, end+1
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	if n := bytes.IndexByte(line, 0); n >= 0 {
		line = line[:n] // as in Redis, where it ends the string
	}
	if len(line) > maxInlineBytes {
		return false, errBigInline
	}
	return true, f.splitInline(line)
}

// splitInline sets f.own to the arguments of an inline command.
func (f *framer) splitInline(line []byte) error {
	f.own, f.spans = f.own[:0], f.spans[:0]
	buf, spans, ok := splitQuoted(f.inline[:0], f.spans, line)
	f.inline, f.spans = buf, spans
	if !ok {
		return errUnbalancedQuot
	}
	for _, s := range spans {
		f.own = append(f.own, buf[s.at:s.at+s.len:s.at+s.len])
	}
	return nil
}

// consume goes behind the command that next returned.
func (f *framer) consume() {
	f.start, f.scan = f.pos, f.pos
	if len(f.ahead) == 0 {
		f.rewind()
	}
}

// rewind makes next return the command at the front once more.
func (f *framer) rewind() {
	f.ahead = nil
	f.pos, f.scan = f.start, f.start
	f.multibulk, f.missing, f.bulk = false, 0, -1
	f.spans = f.spans[:0]
	if f.start == len(f.buf) {
		f.buf = f.buf[:0]
		f.start, f.pos, f.scan = 0, 0, 0
	}
}

// space returns where the next bytes are read to: at least one byte at the end
// of the query buffer, which is compacted or grown if it must be. The caller
// reports with filled how many came. Arguments that next returned are invalid
// after it.
func (f *framer) space() []byte {
	f.ahead = nil
	switch want := f.wanted(); {
	case cap(f.buf)-len(f.buf) < want:
		f.grow(want)
	case f.full && cap(f.buf) < maxReadAhead:
		f.move(min(2*cap(f.buf), maxReadAhead))
	}
	f.full = false
	return f.buf[len(f.buf):cap(f.buf)]
}

// empty reports that there is no query buffer, as at first and after a time
// without commands.
func (f *framer) empty() bool { return cap(f.buf) == 0 }

// borrow makes b, which is empty, the query buffer until giveBack. REQUIRES: empty.
func (f *framer) borrow(b []byte) {
	f.buf, f.borrowed = b, true
	f.start, f.pos, f.scan = 0, 0, 0
}

// giveBack ends the use of a borrowed buffer, if one is in use: what is not consumed goes to one of
// the framer's own. Arguments that next returned are invalid after it.
func (f *framer) giveBack() {
	if !f.borrowed {
		return
	}
	f.borrowed, f.ahead = false, nil
	n := f.unparsed()
	if n == 0 {
		f.buf = nil
		f.start, f.pos, f.scan = 0, 0, 0
		return
	}
	own := make([]byte, 0, max(leastQueryBuffer, n))
	f.buf = append(own, f.buf[f.start:]...)
	f.pos -= f.start
	f.scan -= f.start
	f.start = 0
	f.full = false
}

// free is the room behind the bytes in the query buffer, if that is its own.
func (f *framer) free() int {
	if f.borrowed {
		return 0
	}
	return cap(f.buf) - len(f.buf)
}

// filled takes n bytes that were read into space.
func (f *framer) filled(n int) {
	f.buf = f.buf[:len(f.buf)+n]
	f.full = len(f.buf) == cap(f.buf)
	f.peak = max(f.peak, len(f.buf))
}

// wanted is how many bytes the next read must have room for: the rest of a
// large argument, if one is being read, so that it comes straight to where it
// stays. Not the whole rest at once: a promise of 512 MiB is no reason to
// allocate.
func (f *framer) wanted() int {
	if !f.multibulk || f.bulk < maxReadAhead/2 {
		return 1
	}
	rest := f.pos + f.bulk + 2 - len(f.buf)
	return max(1, min(rest, max(bulkStepBytes, f.unparsed())))
}

// grow makes room for at least n bytes: by moving the unparsed bytes to the
// front, and if that is not enough, to a larger buffer. A buffer that is mostly
// one unfinished command is doubled, so that it is not moved for every few bytes.
func (f *framer) grow(n int) {
	size := max(cap(f.buf), firstQueryBuffer, f.unparsed()+n)
	if n == 1 && f.unparsed() > size/2 {
		size *= 2
	}
	f.move(size)
}

// move moves the bytes from start on to the front of the buffer, or of a new one
// if size is not its capacity.
func (f *framer) move(size int) {
	to := f.buf[:0]
	if size != cap(f.buf) {
		to = make([]byte, 0, size)
	}
	f.buf = append(to, f.buf[f.start:]...)
	f.pos -= f.start
	f.scan -= f.start
	f.start = 0
}

// tidy gives back the memory of a large command once commands are small again.
// It is called between batches. Arguments that next returned are invalid after it.
func (f *framer) tidy() {
	if cap(f.buf) <= maxReadAhead {
		f.peak = 0
		return
	}
	if f.peak > maxReadAhead && cap(f.buf) <= bulkStepBytes {
		f.roomy = 0
	}
	f.peak = f.unparsed()
	if f.roomy++; f.roomy >= 8 || cap(f.buf) > bulkStepBytes {
		f.shrink(maxReadAhead)
	}
}

// shrink gives back memory beyond a query buffer of limit bytes, which may be
// none, unless more is in use.
func (f *framer) shrink(limit int) {
	f.ahead = nil
	switch {
	case cap(f.buf) <= limit || f.unparsed() > limit/2:
	case limit == 0:
		f.buf = nil
		f.start, f.pos, f.scan = 0, 0, 0
	default:
		f.move(limit)
		f.roomy = 0
	}
	if cap(f.own) > keepArgs {
		f.own = nil
	}
	if cap(f.spans) > keepArgs && len(f.spans) <= keepArgs {
		f.spans = append([]span(nil), f.spans...)
	}
	if cap(f.inline) > limit {
		f.inline = nil
	}
}

// unparsed is the number of bytes in the query buffer from the command at the
// front on.
func (f *framer) unparsed() int { return len(f.buf) - f.start }

// memory is what an incomplete command holds besides the query buffer.
func (f *framer) memory() int { return 16 * len(f.spans) }
