package engine

import (
	"errors"
	"slices"
	"sync/atomic"
)

// Values that are not in memory. Reading one waits for the disk, and whoever
// serves many clients from one goroutine must not wait under shard locks. So a
// transaction can be told (Tx.NoWait) not to: it notes in a Fetch what it would
// have had to wait for, and returns ErrCold. Its owner rolls it back, has the
// Fetch read by a bounded pool of goroutines that hold no locks, and runs the
// whole thing again in a new transaction with the same Fetch, which now has these
// values.
//
// Every round the Fetch has more, and keeps it until Reset, whatever the value
// cache and the operating system do with their memory: so a transaction needs as
// many rounds as it has values that depend on one another, not more. One that
// would hold too much gets the rest as if it were allowed to wait (mustWait): that
// is what bounds the memory, and the number of rounds when somebody writes the
// same keys all the time.

// ErrCold is returned by reads of a transaction that must not wait (Tx.NoWait) for
// a value that is not in memory. The transaction has to be rolled back.
var ErrCold = errors.New("engine: the value is not in memory")

const (
	// A round notes up to firstRound reads, each further one roundGrowth times
	// more, and no round more than roundBytes of values (but always one).
	firstRound  = 256
	roundGrowth = 4
	roundBytes  = 16 << 20
	fewReads    = 16
	// A Fetch that has maxRounds behind it, or holds maxFetchBytes, waits.
	maxRounds     = 8
	maxFetchBytes = 64 << 20
	// keptFetchBytes is the largest buffer that Reset keeps.
	keptFetchBytes = 64 << 10
	// coldReadBytes is about what a read costs besides its buffer: itself, its copy of
	// the key, its places in the maps.
	coldReadBytes = 192
)

// Fetch is what a transaction that must not wait has noted, and what of it has
// been read. The zero value is ready. It is for one goroutine, but between Start
// and the call of done, when it must not be used at all.
type Fetch struct {
	reads  []coldRead
	got    map[location]*coldRead // of earlier rounds
	asked  map[location]struct{}  // those of reads, once they are many
	rounds int
	noted  int64 // bytes of values in reads
	held   int64 // and in got
	buf    []byte
	left   atomic.Int32
	done   func()
	bytes  atomic.Int64 // of memory that is held, for Memory
}

// coldRead is one read of a Fetch.
type coldRead struct {
	fetch *Fetch
	file  *dataFile // with a reference, until it is read
	loc   location
	want  want
	buf   []byte
	value []byte
	err   error
}

// Cold reports whether a read was noted since the last Start: the transaction has
// to be rolled back, and may be run again after Start.
func (f *Fetch) Cold() bool { return len(f.reads) > 0 && f.done == nil }

// Used reports whether there is anything for Reset to forget.
func (f *Fetch) Used() bool { return f.rounds > 0 || len(f.reads) > 0 }

// Noted is how many reads have been noted since the last Start.
func (f *Fetch) Noted() int { return len(f.reads) }

// Full reports that nothing more can be noted before Start.
func (f *Fetch) Full() bool {
	if f.noted >= roundBytes {
		return true
	}
	limit := firstRound
	for range min(f.rounds, 8) {
		limit *= roundGrowth
	}
	return len(f.reads) >= limit
}

// Memory is about how many bytes the Fetch holds: what has been read, and what is
// being read. Any goroutine may ask, at any time.
func (f *Fetch) Memory() int64 { return f.bytes.Load() }

// mustWait reports that the rest is to be read by waiting for it.
func (f *Fetch) mustWait() bool { return f.rounds >= maxRounds || f.held >= maxFetchBytes }

// Drop forgets what was noted since the last Start. What was read stays.
func (f *Fetch) Drop(db *DB) {
	for i := range f.reads {
		db.cold.releaseFile(f.reads[i].file)
	}
	f.reads, f.asked, f.noted = f.reads[:0], nil, 0
}

// Reset forgets everything: the command is done, or another one begins.
// REQUIRES: nothing was noted since the last Start; see Drop.
func (f *Fetch) Reset() {
	if len(f.got) > firstRound {
		f.got = nil // a map never gets smaller
	}
	clear(f.got)
	if cap(f.buf) > keptFetchBytes {
		f.buf = nil
	}
	f.bytes.Store(int64(cap(f.buf)))
	f.reads, f.asked, f.noted, f.held, f.rounds, f.done = nil, nil, 0, 0, 0, nil
}

// note adds a read. A round that is full takes no more.
// REQUIRES: the shard is locked, so that the file stays.
func (f *Fetch) note(file *dataFile, loc location, w *want) {
	if f.Full() {
		return
	}
	file.acquire()
	own := *w
	own.key = slices.Clone(w.key)
	f.reads = append(f.reads, coldRead{fetch: f, file: file, loc: loc, want: own})
	f.noted += int64(w.valueLen)
	if n := len(f.reads); n == fewReads {
		f.asked = make(map[location]struct{})
		for i := range f.reads {
			f.asked[f.reads[i].loc] = struct{}{}
		}
	} else if n > fewReads {
		f.asked[loc] = struct{}{}
	}
}

// absorb takes over what has been read since Start.
func (f *Fetch) absorb() {
	if f.done == nil {
		return
	}
	if f.got == nil {
		f.got = make(map[location]*coldRead, len(f.reads))
	}
	for i := range f.reads {
		f.got[f.reads[i].loc] = &f.reads[i]
	}
	f.held += f.noted
	f.reads, f.asked, f.noted, f.done = nil, nil, 0, nil
}

// Start has everything read that was noted, and then calls done, from another
// goroutine, once. Until then the Fetch must not be used.
// REQUIRES: Cold; no shard is locked.
func (f *Fetch) Start(db *DB, done func()) {
	f.rounds++
	f.done = done
	f.left.Store(int32(len(f.reads)))
	f.makeBuffers()
	db.cold.enqueue(f.reads)
}

// makeBuffers gives every read the room it needs, out of one allocation.
func (f *Fetch) makeBuffers() {
	total := 0
	for i := range f.reads {
		total += f.reads[i].size()
	}
	buf := f.buf
	if f.rounds > 1 || cap(buf) < total {
		if f.rounds == 1 {
			f.bytes.Add(-int64(cap(buf))) // it is given up, nothing of this command is in it
		}
		buf = make([]byte, total)
		f.bytes.Add(int64(total))
	}
	f.bytes.Add(int64(len(f.reads)) * coldReadBytes)
	f.buf = buf[:0]
	for i := range f.reads {
		n := f.reads[i].size()
		f.reads[i].buf, buf = buf[:n:n], buf[n:cap(buf)]
	}
}

// size is how many bytes the record has at most.
func (r *coldRead) size() int { return maxRecordOverhead + len(r.want.key) + r.want.valueLen }

// NoWait makes reads of the transaction that would have to wait for the disk
// return ErrCold, noted in f, which has what earlier rounds have read.
func (tx *Tx) NoWait(f *Fetch) {
	f.absorb()
	tx.fetch = f
	tx.db.residency.begin()
}

// MustWait makes reads of the transaction wait for the disk again.
// REQUIRES: none was noted since NoWait.
func (tx *Tx) MustWait() { tx.fetch = nil }

// IsCold reports whether a read of the transaction returned ErrCold: it must not be
// committed.
func (tx *Tx) IsCold() bool { return tx.fetch != nil && tx.fetch.Cold() }

// NoteCold notes the value of a head, if it is not in memory and not noted yet.
// REQUIRES: NoWait.
func (tx *Tx) NoteCold(h *Head) {
	if h.flags&flagInline != 0 || h.loc.file() == provisionalFile || tx.fetch.has(h.loc) {
		return
	}
	f, err := tx.db.fileAt(h.loc)
	if err != nil {
		return // whoever reads it gets the error
	}
	w := want{kind: kindPut, id: uint64(h.table.space.id), key: h.table.slots.key(h.Slot), valueLen: h.Size}
	if !f.inTail(h.loc.offset()) && !f.inMemory(h.loc.offset(), w.maxBytes()) {
		tx.fetch.note(f, h.loc, &w)
	}
}

// has reports whether a location is noted, or has been read.
func (f *Fetch) has(loc location) bool {
	if len(f.reads) >= fewReads {
		_, ok := f.asked[loc]
		return ok || f.got[loc] != nil
	}
	return f.got[loc] != nil || slices.ContainsFunc(f.reads, func(r coldRead) bool { return r.loc == loc })
}

// readRecord appends the value of the record at a location.
func (tx *Tx) readRecord(dst []byte, loc location, w *want) ([]byte, error) {
	if tx.fetch == nil {
		return tx.db.readRecord(dst, loc, w)
	}
	f, err := tx.db.fileAt(loc)
	if err != nil {
		return dst, err
	}
	if !tx.db.residency.pressed.Load() && f.isWarm(loc.offset(), w.maxBytes()) || f.inTail(loc.offset()) {
		return tx.db.readFile(f, dst, loc, w)
	}
	return tx.readMaybeCold(dst, f, loc, w)
}

// readMaybeCold is readRecord for what may not be in memory.
func (tx *Tx) readMaybeCold(dst []byte, f *dataFile, loc location, w *want) ([]byte, error) {
	fetch := tx.fetch
	if r := fetch.got[loc]; r != nil && r.want.valueLen == w.valueLen {
		return append(dst, r.value...), r.err
	}
	if out, ok := tx.db.values.Load().appendTo(dst, loc, w.valueLen); ok {
		return out, nil
	}
	if fetch.mustWait() || f.inMemory(loc.offset(), w.maxBytes()) {
		return tx.db.readFile(f, dst, loc, w)
	}
	fetch.note(f, loc, w)
	return dst, ErrCold
}

// maxBytes is how many bytes the record has at most.
func (w *want) maxBytes() int { return maxRecordOverhead + len(w.key) + w.valueLen }

// coldElement makes of ErrCold for an element, if more can be noted in this round,
// so many zeros: who reads many elements then goes on and notes them all. Nobody
// will see them, for the transaction is rolled back.
func (tx *Tx) coldElement(dst []byte, n int, err error) ([]byte, error) {
	if err != ErrCold || tx.fetch.Full() { //nolint:errorlint // it is never wrapped in here.
		return dst, err
	}
	dst = slices.Grow(dst, n)
	base := len(dst)
	dst = dst[:base+n]
	clear(dst[base:])
	return dst, nil
}
