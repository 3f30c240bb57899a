package resp

import (
	"math/rand/v2"

	"bitkv/types"
)

// Random entries of a collection, and the walk over its entries: what HRANDFIELD,
// SRANDMEMBER and ZRANDMEMBER, and HSCAN, SSCAN and ZSCAN have in common.
//
// A negative count draws with repetition and may be any number: the reply is as
// long as the client says, however small the collection. Such a reply is made of
// a sample: the replies of all entries, taken once under the lock. The rest is
// drawn from it and sent piece by piece (client.stream), without locks.

// randomSource is a collection to draw from: types.Fields and its like.
type randomSource interface {
	Len() int
	Random(n int, repeated bool, fn func(subkey []byte, v *types.Item) error) error
}

// randomEntries replies with count entries, drawn with repetition if it is
// negative. entry appends one entry to the reply, of which it is perEntry elements.
func (c *client) randomEntries(from randomSource, count int64, perEntry int, entry func([]byte, *types.Item) error) {
	start, size := len(c.buf), from.Len()
	if count >= 0 || size == 0 {
		n := int(min(count, int64(size)))
		n = max(n, 0)
		c.array(n * perEntry)
		c.failFrom(start, from.Random(n, false, entry))
		return
	}
	n := -count
	if n < int64(size) {
		c.array(int(n) * perEntry)
		c.failFrom(start, from.Random(int(n), true, entry))
		return
	}
	s := new(sample)
	err := from.Random(size, false, func(subkey []byte, v *types.Item) error {
		begin := len(c.buf)
		if err := entry(subkey, v); err != nil {
			return err
		}
		s.add(c.buf[begin:])
		c.buf = c.buf[:begin]
		return nil
	})
	if err != nil {
		c.failFrom(start, err)
		return
	}
	if c.inExec() && n > int64(maxExecSample/s.averageBytes()) {
		c.err(errOutOfRange)
		return
	}
	c.array(int(n) * perEntry)
	c.sendStream(func() bool {
		for room := flushBytes; n > 0 && room > 0; n-- {
			reply := s.draw()
			room -= len(reply)
			c.raw(reply)
		}
		return n > 0
	})
}

// maxExecSample bounds a reply drawn with repetition inside EXEC, which cannot be
// sent piece by piece.
const maxExecSample = 64 << 20

// sample is the replies of some entries.
type sample struct {
	buf  []byte
	ends []int
}

func (s *sample) add(reply []byte) {
	s.buf = append(s.buf, reply...)
	s.ends = append(s.ends, len(s.buf))
}

// draw returns one of the replies at random.
func (s *sample) draw() []byte {
	i, begin := rand.IntN(len(s.ends)), 0
	if i > 0 {
		begin = s.ends[i-1]
	}
	return s.buf[begin:s.ends[i]]
}

func (s *sample) averageBytes() int { return len(s.buf) / len(s.ends) }

// sendStream appends a reply that is too long to be made at once: more appends
// its next piece, of about flushBytes, and reports whether there is another. It
// runs after the command's transaction and must not use it, nor the arguments.
func (c *client) sendStream(more func() bool) {
	if !c.inExec() {
		c.stream = more
		return
	}
	for more() {
	}
}

// continueStream appends what is left of such a reply until c.buf has full bytes.
func (c *client) continueStream(full int) {
	for len(c.buf) < full && !c.has(clientCloseASAP) {
		if !c.stream() {
			c.stream = nil
			return
		}
	}
}

// elementScanOptions reads the options of HSCAN, SSCAN and ZSCAN over a key of so
// many elements. noValues is set by NOVALUES, or nil if the command does not take
// it. ok is false if an error was replied.
func (c *client) elementScanOptions(args [][]byte, elements int, noValues *bool) (o types.ScanOptions, ok bool) {
	if elements == 0 {
		return o, true // Redis does not look at the options then
	}
	for len(args) > 0 {
		switch {
		case isWord(args[0], "NOVALUES"):
			if noValues == nil {
				c.err(errNoValues)
				return o, false
			}
			*noValues = true
			args = args[1:]
			continue
		case isWord(args[0], "TYPE"):
			c.err(errSyntax)
			return o, false
		}
		pair, ok := c.scanOptions(args[:min(2, len(args))])
		if !ok {
			return o, false
		}
		if pair.Count != 0 {
			o.Count = pair.Count
		}
		if pair.Match != nil {
			o.Match = pair.Match
		}
		args = args[2:]
	}
	return o, true
}

// scanReply replies for one step of a walk: walk appends n elements and returns
// the cursor.
func (c *client) scanReply(walk func() (next uint64, n int, err error)) {
	start := len(c.buf)
	next, n, err := walk()
	if err != nil {
		c.failFrom(start, err)
		return
	}
	// The elements are there; what stands before them depends on them.
	elements := append(c.scratch[:0], c.buf[start:]...)
	c.buf = c.buf[:start]
	c.array(2)
	c.cursor(next)
	c.array(n)
	c.raw(elements)
	c.keepScratch(elements)
}
