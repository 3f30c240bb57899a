package engine

import (
	"encoding/binary"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"
)

// How loading uses all processors, and their caches.
//
// A keydir of many keys does not fit into a processor's caches, so a look-up in it
// waits for memory several times, and a load in the order of the log would wait
// all the time. So records are first put in order by part: the part of a head
// is the shard of its key, that of an element follows from its collection. Whoever
// decodes a file (a feeder) writes what it finds into chunks, one for each part.
// Full chunks wait in the queue of their part. Once enough is waiting, the part
// with the longest queue is applied as a whole, while what it touches stays in a
// cache.
//
// Every worker does both: it feeds files, and when too much is waiting, or no file
// is left, it applies. So one large hint file keeps all of them busy, too. What
// waits is bounded, by loadLimits.waiting and as much again that is being applied.
//
// The chunks of a part are applied by one worker at a time, in the order in which
// they were queued, and a feeder queues all that it has of a file before it calls
// the file done. loadChunk.low rests on this.

// loadLimits are the sizes that make loading fast and bounded.
type loadLimits struct {
	chunkBytes int   // of a full chunk, about
	waiting    int64 // how many bytes of chunks may wait
	help       int64 // how many wait before workers without a file help to apply them
	alone      int64 // up to how many bytes of data helpers are not worth it
	forget     int   // how many tombstones to remember before looking which can go
	workers    int   // how many load at a time; 0: as many as there are processors
}

var defaultLoadLimits = loadLimits{chunkBytes: 16 << 10, waiting: 64 << 20, help: 32 << 20, alone: 8 << 20, forget: 1 << 12}

// loadChunk is a run of records of one file and one part:
//
//	seq u64 | offset u32 | keyLen u32 | size u32 | space u32 | kind u8 | flags u8 | tag u8 | words u8 |
//	[expireMs u64] | [collection u64] | [inline value u64] | key
//
// where words says which of the fields in brackets are there.
type loadChunk struct {
	file *dataFile
	// low is the lowest sequence number of the records that may come after this
	// chunk, of this part, but for records of this file that are in order.
	low uint64
	buf []byte
}

const (
	chunkHasExpire     = 1 << 0
	chunkHasCollection = 1 << 1
	chunkHasInline     = 1 << 2
	chunkRecordBytes   = 28
	chunkRecordMax     = chunkRecordBytes + 24 // without the key
)

// add appends a record.
func (c *loadChunk) add(r *loadRecord, seq uint64, offset int64) {
	le := binary.LittleEndian
	from := len(c.buf)
	most := chunkRecordMax + len(r.key)
	if cap(c.buf)-from < most {
		c.buf = slices.Grow(c.buf, most)
	}
	b := c.buf[from : from+most]
	n := chunkRecordBytes
	words := uint8(0)
	if r.expireMs != 0 {
		words |= chunkHasExpire
		le.PutUint64(b[n:], uint64(r.expireMs))
		n += 8
	}
	if r.coll != 0 {
		words |= chunkHasCollection
		le.PutUint64(b[n:], r.coll)
		n += 8
	}
	if r.inline != 0 {
		words |= chunkHasInline
		le.PutUint64(b[n:], uint64(r.inline))
		n += 8
	}
	h := b[:chunkRecordBytes]
	le.PutUint64(h[0:], seq)
	le.PutUint32(h[8:], uint32(offset))
	le.PutUint32(h[12:], uint32(len(r.key)))
	le.PutUint32(h[16:], r.size)
	le.PutUint32(h[20:], r.space)
	h[24], h[25], h[26], h[27] = byte(r.kind), r.flags, r.tag, words
	n += copy(b[n:], r.key)
	c.buf = c.buf[:from+n]
	// Records go to some hundred chunks in turn: too many for the processor to foresee
	// which line of which it has to fetch next.
	if ahead := from + n + cacheLineBytes; ahead < cap(c.buf) {
		prefetch(unsafe.Pointer(&c.buf[:cap(c.buf)][ahead]))
	}
}

// next takes the first record off b, which is not empty. r.key points into b.
func (c *loadChunk) next(b []byte, r *loadRecord) (rest []byte, seq uint64, offset int64) {
	le := binary.LittleEndian
	h := b[:chunkRecordBytes]
	*r = loadRecord{
		size: le.Uint32(h[16:]), space: le.Uint32(h[20:]),
		kind: recordKind(h[24]), flags: h[25], tag: h[26],
	}
	n := chunkRecordBytes
	if words := h[27]; words != 0 {
		if words&chunkHasExpire != 0 {
			r.expireMs = int64(le.Uint64(b[n:]))
			n += 8
		}
		if words&chunkHasCollection != 0 {
			r.coll = le.Uint64(b[n:])
			n += 8
		}
		if words&chunkHasInline != 0 {
			r.inline = location(le.Uint64(b[n:]))
			n += 8
		}
	}
	end := n + int(le.Uint32(h[12:]))
	r.key = b[n:end:end]
	return b[end:], le.Uint64(h), int64(le.Uint32(h[8:]))
}

// loadQueue is what waits for a part.
type loadQueue struct {
	mu       sync.Mutex // guards chunks
	chunks   []*loadChunk
	bytes    atomic.Int64 // of chunks
	applying sync.Mutex   // held by the one who applies; before mu
}

// feeder puts the records of one file after the other into chunks. It is for one
// goroutine.
type feeder struct {
	ld     *loader
	file   *loadFile
	chunks []*loadChunk // by part; nil: none is begun
	low    uint64       // for the chunks that are begun now
	lowAt  int64        // what loader.filesDone was when low was computed
	maxSeq uint64

	blocks blockReader // of hint files
	// Not told to loader.progress yet.
	bytesDone, keysDone int64
}

func (ld *loader) newFeeder() *feeder {
	return &feeder{ld: ld, chunks: make([]*loadChunk, len(ld.parts))}
}

// begin goes on to the next file.
func (p *feeder) begin(file *loadFile) {
	p.file = file
	p.lowAt = -1
}

// add takes one record of the file.
func (p *feeder) add(r *loadRecord, seq uint64, offset int64) {
	p.maxSeq = max(p.maxSeq, seq)
	var part int
	switch r.kind {
	case kindElemPut, kindElemTombstone:
		part = p.ld.partOf(CollectionID(r.coll))
	case kindSpaceMap:
		p.ld.mapping(r, seq, p.file.dataFile)
		return
	default:
		part = p.ld.db.ShardOf(r.key)
	}
	c := p.chunks[part]
	if c == nil {
		c = p.newChunk()
		p.chunks[part] = c
	}
	c.add(r, seq, offset)
	if len(c.buf) >= p.ld.limits.chunkBytes-chunkRecordMax-len(r.key) {
		p.chunks[part] = nil
		p.ld.push(part, c)
		p.ld.relieve()
	}
}

// progress notes that so many bytes of data files, with so many records, are read.
func (p *feeder) progress(bytes, keys int64) {
	p.bytesDone += bytes
	p.keysDone += keys
	if p.bytesDone >= blockBytes {
		p.ld.progress.add(p.bytesDone, p.keysDone)
		p.bytesDone, p.keysDone = 0, 0
	}
}

// newChunk returns an empty chunk for records of the file.
func (p *feeder) newChunk() *loadChunk {
	// The number is read first: a file that gets done in between raises low later.
	if done := p.ld.filesDone.Load(); done != p.lowAt {
		p.lowAt, p.low = done, p.ld.lowest(p.file)
	}
	return &loadChunk{file: p.file.dataFile, low: p.low, buf: p.ld.buffer()}
}

// end queues what there is of the file, which has no more records.
func (p *feeder) end() {
	for part, c := range p.chunks {
		if c != nil {
			p.ld.push(part, c)
			p.chunks[part] = nil
		}
	}
	storeMax(&p.ld.maxSeq, p.maxSeq)
	p.ld.progress.add(p.bytesDone, p.keysDone)
	p.bytesDone, p.keysDone = 0, 0
	p.file.done.Store(true)
	p.ld.filesDone.Add(1)
}

// push queues a chunk.
func (ld *loader) push(part int, c *loadChunk) {
	q := &ld.parts[part].queue
	n := int64(len(c.buf))
	q.mu.Lock()
	q.chunks = append(q.chunks, c)
	q.bytes.Add(n)
	q.mu.Unlock()
	ld.waiting.Add(n)
	if ld.queued.Add(n) >= ld.limits.help {
		ld.help.Signal()
	}
}

// relieve applies what waits while that is too much.
func (ld *loader) relieve() {
	for ld.waiting.Load() >= ld.limits.waiting && ld.applyLongest() {
	}
}

// applyLongest applies the longest queue of those that nobody applies. It reports
// false if there is none.
func (ld *loader) applyLongest() bool {
	longest, most := -1, int64(0)
	for i := range ld.parts {
		if n := ld.parts[i].queue.bytes.Load(); n > most {
			longest, most = i, n
		}
	}
	if longest < 0 {
		return false
	}
	q := &ld.parts[longest].queue
	q.applying.Lock()
	defer q.applying.Unlock()
	ld.applyQueue(longest)
	return true
}

// applyQueue applies what waits for a part. REQUIRES: applying is held.
func (ld *loader) applyQueue(part int) {
	q := &ld.parts[part].queue
	q.mu.Lock()
	chunks := q.chunks
	q.chunks = nil
	bytes := int64(0)
	for _, c := range chunks {
		bytes += int64(len(c.buf))
	}
	q.bytes.Add(-bytes)
	q.mu.Unlock()
	ld.queued.Add(-bytes)
	ld.parts[part].apply(ld, chunks)
	ld.keepBuffers(chunks)
	ld.waiting.Add(-bytes)
}

// buffer returns an empty buffer for a chunk: one that was used before, or one as
// large as a full chunk, or as what a small database may have for a part.
func (ld *loader) buffer() []byte {
	ld.buffersMu.Lock()
	defer ld.buffersMu.Unlock()
	n := len(ld.buffers)
	if n == 0 {
		return make([]byte, 0, min(int64(ld.limits.chunkBytes), 256+ld.progress.total/int64(len(ld.parts))))
	}
	b := ld.buffers[n-1]
	ld.buffers = ld.buffers[:n-1]
	return b
}

// keepBuffers keeps the buffers of chunks that were applied.
func (ld *loader) keepBuffers(chunks []*loadChunk) {
	ld.buffersMu.Lock()
	defer ld.buffersMu.Unlock()
	for _, c := range chunks {
		if cap(c.buf) <= 2*ld.limits.chunkBytes {
			ld.buffers = append(ld.buffers, c.buf[:0])
		}
	}
}
