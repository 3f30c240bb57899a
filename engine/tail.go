package engine

import (
	"slices"
	"sync/atomic"
)

// The tail of a file is what of it is in memory because it is not flushed or not
// synced: a list of chunks, each with a buffer. At full speed a gigabyte goes through
// these buffers in seconds, so a buffer is used again as soon as nobody can be
// reading it:
//
//   - Commits write into a chunk, and whoever flushes, syncs, or rescues reads it,
//     only while it is in the list: chunks leave the list under log.mu, and only
//     those that are flushed and synced, by one who holds what keeps the others out
//     (flushing and syncing end, with their locks, before what they did counts).
//   - Those who read records hold no lock of the log. They pin the chunk first. A
//     chunk that leaves the list is closed if nobody has it pinned, in one atomic
//     step, and its buffer is used again only if that worked: nobody can pin it any
//     more, and whoever had it pinned is done. Otherwise the buffer is left to the
//     garbage collector. The tailChunk itself is never used again, so one who comes
//     late, with an old list, finds it closed.

const (
	// tailChunkBytes is the size of a piece of the tail. A frame is in one piece.
	tailChunkBytes = 1 << 20
	// maxSpareBuffers is how many buffers wait for their next use at most: as many as
	// one sync gives up that was asked for because so much was not synced.
	maxSpareBuffers = unsyncedLimit / tailChunkBytes
	// chunkClosed in tailChunk.pins: no one can pin it.
	chunkClosed = -1 << 30
)

// tailChunk is a piece of a file that is still in memory. Its bytes are written
// once, under log.mu, before any reader can know their location; so readers need
// no lock, but a pin.
type tailChunk struct {
	start int64
	n     int // bytes in use; guarded by log.mu
	buf   []byte
	pins  atomic.Int32 // of those who read it now; below 0: closed
}

// pin keeps the buffer as it is until unpin. It reports false if it is too late.
func (c *tailChunk) pin() bool {
	if c.pins.Add(1) > 0 {
		return true
	}
	c.unpin()
	return false
}

func (c *tailChunk) unpin() { c.pins.Add(-1) }

// close reports whether nobody reads the chunk, and makes sure that nobody will.
func (c *tailChunk) close() bool { return c.pins.CompareAndSwap(0, chunkClosed) }

// tailBuffers are buffers of the tail that wait for their next use.
type tailBuffers struct {
	free [][]byte
	low  int // the fewest that there were since they were last trimmed
}

// get returns a buffer of n bytes, or nil. What is in it is of no meaning.
func (s *tailBuffers) get() []byte {
	n := len(s.free) - 1
	if n < 0 {
		return nil
	}
	b := s.free[n]
	s.free[n] = nil
	s.free = s.free[:n]
	s.low = min(s.low, n)
	return b
}

// put takes a buffer, unless there are enough.
func (s *tailBuffers) put(b []byte) bool {
	if len(s.free) == maxSpareBuffers {
		return false
	}
	s.free = append(s.free, b)
	return true
}

// trim gives up the buffers that were not used since the last call, and returns how
// many.
func (s *tailBuffers) trim() int {
	n := s.low
	s.low = len(s.free) - n
	clear(s.free[s.low:])
	s.free = s.free[:s.low]
	return n
}

// trimBuffers gives up buffers that there is no use for.
func (l *log) trimBuffers() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.db.mem.tail.Add(-int64(l.spares.trim()) * l.db.tailBufferBytes())
}

// addChunkLocked adds a chunk with room for n bytes to the active file.
func (l *log) addChunkLocked(n int) *tailChunk {
	f := l.active
	c := &tailChunk{start: f.log.end}
	size := int(l.db.tailBufferBytes())
	if n <= size {
		c.buf = l.spares.get()
	}
	if c.buf == nil {
		c.buf = make([]byte, max(n, size))
		l.db.mem.tail.Add(int64(len(c.buf)))
	}
	var chunks []*tailChunk
	if old := f.tail.Load(); old != nil {
		chunks = append(chunks, *old...)
	}
	chunks = append(chunks, c)
	f.tail.Store(&chunks)
	l.chunk = c
	return c
}

// releaseLocked gives up a chunk that has left the list.
func (l *log) releaseLocked(c *tailChunk) {
	l.tailBytes.Add(-int64(c.n))
	if int64(len(c.buf)) == l.db.tailBufferBytes() && c.close() && l.spares.put(c.buf) {
		return
	}
	l.db.mem.tail.Add(-int64(len(c.buf)))
}

// dropTail gives up the chunks that are not needed any more: those that are
// flushed, and synced too, unless nothing is promised about a failed sync.
func (l *log) dropTail() {
	l.mu.Lock()
	defer l.mu.Unlock()
	never := SyncPolicy(l.sync.Load()) == SyncNever
	for _, f := range l.unsealed {
		l.dropTailLocked(f, never)
	}
}

func (l *log) dropTailLocked(f *dataFile, never bool) {
	chunks := f.tail.Load()
	if chunks == nil {
		return
	}
	keep := f.log.synced
	if never {
		keep = f.flushed.Load()
	}
	n := 0
	for n < len(*chunks) {
		c := (*chunks)[n]
		if c == l.chunk || c.start+int64(c.n) > keep {
			break
		}
		n++
	}
	if n == 0 {
		return
	}
	rest := append([]*tailChunk(nil), (*chunks)[n:]...)
	f.tail.Store(&rest)
	for _, c := range (*chunks)[:n] {
		l.releaseLocked(c)
	}
}

// dropSealedTail gives up the tail of a file that is sealed.
func (l *log) dropSealedTail(f *dataFile) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dropWholeTailLocked(f)
}

// dropWholeTailLocked gives up the tail of a file that is sealed, or whose records
// have all been written to another one.
func (l *log) dropWholeTailLocked(f *dataFile) {
	chunks := f.tail.Swap(nil)
	if chunks == nil {
		return
	}
	for _, c := range *chunks {
		l.releaseLocked(c)
	}
}

// fromTail is appendRecordValue for a record in the tail. ok is false if it is not
// there: when the record was once, it has been flushed since.
func (d *dataFile) fromTail(dst []byte, offset int64, w *want) (out []byte, ok bool, err error) {
	c := d.chunkAt(offset)
	if c == nil || !c.pin() {
		return dst, false, nil
	}
	defer c.unpin()
	from := offset - c.start
	to := min(from+int64(maxRecordOverhead+len(w.key)+w.valueLen), int64(len(c.buf)))
	out, err = appendWanted(dst, c.buf[from:to], d, offset, w)
	return out, true, err
}

// chunkAt returns the chunk of the tail that has offset, or nil.
func (d *dataFile) chunkAt(offset int64) *tailChunk {
	chunks := d.tail.Load()
	if chunks == nil {
		return nil
	}
	for _, c := range slices.Backward(*chunks) {
		if offset >= c.start {
			if offset-c.start >= int64(len(c.buf)) {
				return nil
			}
			return c
		}
	}
	return nil
}
