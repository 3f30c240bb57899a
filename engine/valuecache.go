package engine

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
)

// The value cache holds values that had to be read from the disk, by location: a
// record never changes, and a location is never used again, so nothing has to be
// invalidated. A record that was overwritten, or moved by merge, is asked for no
// more and leaves in its turn. What the operating system has in memory does not
// come in here; but its cache holds pages, and of a page of 4 KiB with one value
// that is read often and forty that are not, this holds the one.
//
// It is S3-FIFO (Yang et al., SOSP 2023) over bytes: a new value goes into a small
// queue; one that is asked for again while it is there goes on into the main
// queue, another one is dropped, and its location remembered for a while: if it
// comes back soon, it goes into the main queue at once. In the main queue a value
// that was asked for since it came, or since it was last spared, is spared. So a
// scan over everything passes through the small queue and leaves the rest alone.
//
// Memory: values are in segments of bytes, found by a map of integers to integers,
// so the garbage collector has nothing to follow. Segments are made as they are
// needed and used again; a queue gives up its oldest segment as a whole.

const (
	cacheSegmentBytes = 64 << 10
	minCacheSegments  = 3
	// maxCachedValue is the longest value that is kept: a quarter of a segment.
	maxCachedValue = cacheSegmentBytes / 4
	// cacheShardBytes is how much a shard has at least, maxCacheShards how many
	// there are at most.
	cacheShardBytes = 1 << 20
	maxCacheShards  = 64
	// cacheSmallShare is the share of the small queue: one in so many segments.
	cacheSmallShare = 10
	// cacheItemHeader is location u64, length u32; asked u32 follows.
	cacheItemHeader = 16
	// cacheIndexBytes is what an item costs in the map, as measured.
	cacheIndexBytes = 40
)

// valueCache is a cache of values. Nil is one that holds nothing.
type valueCache struct {
	shards []cacheShard
	limit  int64
	bytes  atomic.Int64

	hits, misses, evicted atomic.Int64
}

// SetValueCache changes the size of the value cache, which begins empty then, if it
// is another one; 0 turns it off.
func (db *DB) SetValueCache(limit int64) {
	if c := db.values.Load(); c == nil || c.limit != limit {
		db.values.Store(newValueCache(limit))
	}
}

// ValueCacheBytes is the memory that the value cache has taken. It is cheap.
func (db *DB) ValueCacheBytes() int64 {
	if c := db.values.Load(); c != nil {
		return c.bytes.Load()
	}
	return 0
}

// cacheShard is one part of the cache.
type cacheShard struct {
	cache *valueCache
	mu    sync.Mutex          // guards following
	index map[location]uint64 // segment number in the upper half, place in it in the lower
	small cacheQueue
	main  cacheQueue
	spare []*cacheSegment
	share int64 // bytes at most
	held  int   // segments, in the queues and spare
	// evicting: a segment is being emptied, which is the spare one.
	evicting bool

	ghosts     []uint32 // fingerprints of locations dropped from small, by their hash
	nextNumber uint32
	segments   map[uint32]*cacheSegment
}

// cacheQueue is segments, oldest first; the last one is written to.
type cacheQueue struct {
	segments []*cacheSegment
	isSmall  bool
}

type cacheSegment struct {
	number uint32
	used   int
	buf    []byte
}

// newValueCache makes a cache of up to limit bytes; nil if that is too little for
// anything.
func newValueCache(limit int64) *valueCache {
	n := 1
	for n < maxCacheShards && limit/int64(2*n) >= cacheShardBytes {
		n *= 2
	}
	share := limit / int64(n)
	if share < minCacheSegments*cacheSegmentBytes {
		return nil
	}
	c := &valueCache{shards: make([]cacheShard, n), limit: limit}
	for i := range c.shards {
		c.shards[i].cache = c
		c.shards[i].share = share
		c.shards[i].small.isSmall = true
	}
	return c
}

// hashLocation spreads locations.
func hashLocation(loc location) uint64 {
	h := uint64(loc) * 0x9e3779b97f4a7c15
	return h ^ h>>32
}

func (c *valueCache) shardOf(loc location) *cacheShard {
	return &c.shards[hashLocation(loc)%uint64(len(c.shards))]
}

// appendTo appends the value at a location, of n bytes, if it is here.
func (c *valueCache) appendTo(dst []byte, loc location, n int) ([]byte, bool) {
	if c == nil {
		return dst, false
	}
	s := c.shardOf(loc)
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.index[loc]
	if !ok {
		c.misses.Add(1)
		return dst, false
	}
	item := s.segments[uint32(at>>32)].buf[uint32(at):]
	if int(binary.LittleEndian.Uint32(item[8:])) != n {
		c.misses.Add(1)
		return dst, false
	}
	c.hits.Add(1)
	item[12] = 1
	return append(dst, item[cacheItemHeader:cacheItemHeader+n]...), true
}

// add puts a value that was read from the disk into the cache.
func (c *valueCache) add(loc location, value []byte) {
	if c == nil || len(value) > maxCachedValue {
		return
	}
	s := c.shardOf(loc)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.index[loc]; ok {
		return
	}
	if s.index == nil {
		s.index = make(map[location]uint64)
		s.segments = make(map[uint32]*cacheSegment)
		s.ghosts = make([]uint32, 1<<10)
	}
	if s.wasGhost(loc) {
		s.insert(&s.main, loc, value)
	} else {
		s.insert(&s.small, loc, value)
	}
}

// insert writes an item at the end of a queue.
func (s *cacheShard) insert(q *cacheQueue, loc location, value []byte) {
	need := cacheItemHeader + len(value)
	if len(q.segments) == 0 || q.last().used+need > cacheSegmentBytes {
		fresh := s.takeSegment() // which may change q.segments
		q.segments = append(q.segments, fresh)
	}
	seg := q.last()
	item := seg.buf[seg.used:]
	binary.LittleEndian.PutUint64(item, uint64(loc))
	binary.LittleEndian.PutUint32(item[8:], uint32(len(value)))
	binary.LittleEndian.PutUint32(item[12:], 0)
	copy(item[cacheItemHeader:], value)
	s.index[loc] = uint64(seg.number)<<32 | uint64(seg.used)
	seg.used += need
	s.cache.bytes.Add(cacheIndexBytes)
}

func (q *cacheQueue) last() *cacheSegment { return q.segments[len(q.segments)-1] }

// takeSegment returns an empty segment: a new one, or one that was made empty.
func (s *cacheShard) takeSegment() *cacheSegment {
	for {
		switch n := len(s.spare); {
		case n > 0 && (s.evicting || s.held <= minCacheSegments || s.bytes() <= s.share):
			seg := s.spare[n-1]
			s.spare = s.spare[:n-1]
			return seg
		case n > 0: // the index has grown at its expense
			delete(s.segments, s.spare[n-1].number)
			s.spare = s.spare[:n-1]
			s.held--
			s.cache.bytes.Add(-cacheSegmentBytes)
		case s.held < minCacheSegments || s.bytes()+cacheSegmentBytes <= s.share:
			seg := &cacheSegment{number: s.nextNumber, buf: make([]byte, cacheSegmentBytes)}
			s.nextNumber++
			s.held++
			s.segments[seg.number] = seg
			s.cache.bytes.Add(cacheSegmentBytes)
			return seg
		default:
			s.evict()
		}
	}
}

// bytes is the memory of the shard.
func (s *cacheShard) bytes() int64 {
	return int64(s.held)*cacheSegmentBytes + int64(len(s.index))*cacheIndexBytes
}

// evict empties the oldest segment of a queue: the small one, if it has its share.
// What is spared goes, through a copy, to the end of the main queue; the emptied
// segment is where it goes to if there is no other.
func (s *cacheShard) evict() {
	q := &s.main
	if len(s.main.segments) == 0 || len(s.small.segments) > s.held/cacheSmallShare {
		q = &s.small
	}
	seg := q.segments[0]
	copy(q.segments, q.segments[1:])
	q.segments[len(q.segments)-1] = nil
	q.segments = q.segments[:len(q.segments)-1]
	old := seg.buf[:seg.used]
	// What it held is moved out of it while it is filled anew: by then the bytes
	// read are always ahead of the bytes written, for it gets at most what it had.
	seg.used = 0
	s.spare = append(s.spare, seg)
	s.evicting = true
	defer func() { s.evicting = false }()
	for len(old) > 0 {
		loc := location(binary.LittleEndian.Uint64(old))
		n := int(binary.LittleEndian.Uint32(old[8:]))
		asked := old[12] != 0
		value := old[cacheItemHeader : cacheItemHeader+n]
		old = old[cacheItemHeader+n:]
		delete(s.index, loc)
		s.cache.bytes.Add(-cacheIndexBytes)
		switch {
		case asked:
			s.insert(&s.main, loc, value)
			continue
		case q.isSmall:
			s.remember(loc)
		}
		s.cache.evicted.Add(1)
	}
}

// remember makes a location a ghost, in the place of another one.
func (s *cacheShard) remember(loc location) {
	if len(s.ghosts) < 2*len(s.index) {
		s.ghosts = make([]uint32, 2*len(s.ghosts))
	}
	i, print := s.ghostOf(loc)
	s.ghosts[i] = print
}

// wasGhost reports whether a location is a ghost, and makes it none.
func (s *cacheShard) wasGhost(loc location) bool {
	i, print := s.ghostOf(loc)
	was := s.ghosts[i] == print
	if was {
		s.ghosts[i] = 0
	}
	return was
}

func (s *cacheShard) ghostOf(loc location) (place int, print uint32) {
	h := hashLocation(loc) * 0xff51afd7ed558ccd
	return int(h>>32) & (len(s.ghosts) - 1), uint32(h) | 1
}
