package engine

import (
	"sync"
	"sync/atomic"
)

// The reads of a Fetch, done by a few goroutines. A goroutine that waits in a read
// keeps a thread, and for a while a processor of Go's scheduler, so one for each
// read that the disk could do at the same time costs more than the reads do. So a
// reader first tells the system of several reads (AheadFile.ReadAhead), which has
// the disk begin them all and does not wait, and then does them one after the other:
// it waits for the first, and most of the others are in memory by then. Where the
// system cannot be told, every reader has one read at a time, and there are as many
// readers as there may be reads.
//
// A large read keeps those behind it waiting, so two of them would hold up everybody.
// Large reads have a queue and readers of their own, as many as there may be reads.
//
// Measured, reads of 2 KiB at random places of five times the memory: 64 goroutines
// that read 105,000 a second; one that has told the system of 16 123,000, for three
// quarters of the processor time; two such 136,000.

const (
	maxColdReaders = 4096
	// aheadReaders is how many readers there are that tell the system. More of them
	// contend with whoever serves clients for processors.
	aheadReaders = 2
	// largeReadBytes is the size from which on a read is a large one: it takes longer
	// than the disk needs to begin it.
	largeReadBytes = 256 << 10
)

// coldReader is the pool of goroutines that wait for the disk.
type coldReader struct {
	db    *DB
	limit atomic.Int32 // reads on their way at most, of either queue

	mu    sync.Mutex // guards following
	small coldQueue
	large coldQueue
	work  sync.WaitGroup

	reads, bytes, starts atomic.Int64
}

// coldQueue is reads that wait for readers.
type coldQueue struct {
	reads   []*coldRead
	busy    int // reads that readers have taken, and not done
	readers int
}

// ColdReads is how many values have been read from the disk for transactions that
// must not wait for it. It is cheap.
func (db *DB) ColdReads() int64 { return db.cold.reads.Load() }

// SetColdReaders changes how many values at most are read from the disk at the same
// time.
// REQUIRES: 1 <= n.
func (db *DB) SetColdReaders(n int) { db.cold.limit.Store(int32(min(n, maxColdReaders))) }

// enqueue has reads done. It does not wait.
func (p *coldReader) enqueue(reads []coldRead) {
	p.starts.Add(1)
	p.mu.Lock()
	defer p.mu.Unlock()
	limit := int(p.limit.Load())
	_, ahead := reads[0].file.file.(AheadFile)
	for i := range reads {
		q := &p.small
		if ahead && len(reads[i].buf) >= largeReadBytes {
			q = &p.large
		}
		q.reads = append(q.reads, &reads[i])
	}
	p.start(&p.large, limit, 1)
	if readers := min(limit, aheadReaders); ahead {
		p.start(&p.small, readers, limit/readers)
	} else {
		p.start(&p.small, limit, 1)
	}
}

// start sees to it that a queue has readers, so many at most, if there is anything in
// it. REQUIRES: p.mu is held.
func (p *coldReader) start(q *coldQueue, readers, window int) {
	for range min(len(q.reads), readers-q.readers) {
		q.readers++
		p.work.Go(func() { p.run(q, window) })
	}
}

// run reads until there is nothing left to read, and has told the system of up to
// window reads.
func (p *coldReader) run(q *coldQueue, window int) {
	told, reads := 0, p.take(q, nil, window, 0)
	for len(reads) > 0 {
		for _, r := range reads[told:] {
			if f, ok := r.file.file.(AheadFile); ok {
				f.ReadAhead(r.loc.offset(), len(r.buf))
			}
		}
		p.read(reads[0])
		told = copy(reads, reads[1:])
		reads = p.take(q, reads[:told], window, 1)
	}
}

// take appends to a reader's reads what it may have of the queue, now that it has
// done so many. If there are none then, the reader is no more.
func (p *coldReader) take(q *coldQueue, reads []*coldRead, window, done int) []*coldRead {
	p.mu.Lock()
	defer p.mu.Unlock()
	q.busy -= done
	n := max(0, min(len(q.reads), window-len(reads), int(p.limit.Load())-q.busy))
	reads = append(reads, q.reads[:n]...)
	clear(q.reads[:n])
	if q.reads = q.reads[n:]; len(q.reads) == 0 {
		q.reads = nil
	}
	q.busy += n
	if len(reads) == 0 {
		q.readers--
	}
	return reads
}

// read does one read and, after the last of a Fetch, calls its done.
func (p *coldReader) read(r *coldRead) {
	if p.db.closing.Load() {
		r.err = ErrClosed
	} else {
		r.value, r.err = r.file.readCold(r.buf, r.loc.offset(), &r.want)
		if r.err != nil {
			r.err = p.db.readFailed(r.want.blame(r.err))
		} else {
			p.db.values.Load().add(r.loc, r.value)
		}
	}
	p.reads.Add(1)
	p.bytes.Add(int64(len(r.value)))
	p.releaseFile(r.file)
	r.file = nil
	if f := r.fetch; f.left.Add(-1) == 0 {
		f.done()
	}
}

// releaseFile gives a file back, which may be the last to do so.
func (p *coldReader) releaseFile(f *dataFile) {
	if err := f.release(); err != nil {
		p.db.opt.Logger.Warn("close a data file", "file", f.name(), "error", err)
	}
}

// queued returns how many reads wait for a reader, and how many one has taken.
func (p *coldReader) queued() (waiting, running int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.small.reads) + len(p.large.reads), p.small.busy + p.large.busy
}

// readCold reads the record at offset into buf, waiting for the disk, and returns
// its value, which is a part of buf, once its checksum, kind, key and length are
// what is wanted.
func (d *dataFile) readCold(buf []byte, offset int64, w *want) ([]byte, error) {
	n := min(int64(len(buf)), d.flushed.Load()-offset)
	buf = buf[:max(n, 0)]
	if err := readFull(d.file, buf, offset); err != nil {
		return nil, err
	}
	return wantedValue(buf, d, offset, w)
}
