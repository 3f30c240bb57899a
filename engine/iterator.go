package engine

import (
	"bytes"
	"errors"
)

// IteratorOptions configure an Iterator.
type IteratorOptions struct {
	// Prefix limits the iterator to keys that begin with it.
	Prefix []byte
	// Reverse makes it go from the highest key to the lowest.
	Reverse bool
	// Space is the keyspace. Default 0.
	Space int
}

// Iterator walks over the keys of a keyspace in the order of their bytes. It is
// no snapshot: a key that exists from the moment the walk begins until it ends
// is met exactly once, one that comes or goes meanwhile at most once; Value is the
// value at the time of the call. Expired keys are left out. It holds no lock and
// no file between calls. It is for one goroutine.
//
//	for it.Rewind(); it.Valid(); it.Next() { ... it.Key() ... }
//	if err := it.Err(); err != nil { ... }
type Iterator struct {
	db     *DB
	opt    IteratorOptions
	runs   []run // one for each shard
	heap   []int // shards with a current key, the next one to return first
	err    error
	closed bool
}

// run is what the iterator knows of one shard: some of its next keys, copied.
type run struct {
	buf  []byte
	ends []int // of the keys in buf
	at   int   // the current one
	last bool  // the shard has no more
}

// runKeys is how many keys of a shard are copied under its lock at a time at
// first; it doubles up to maxRunKeys while the walk goes on.
const (
	runKeys    = 4
	maxRunKeys = 256
)

// NewIterator returns an iterator that is not at a key yet: call Rewind or Seek.
func (db *DB) NewIterator(opt IteratorOptions) *Iterator {
	opt.Prefix = bytes.Clone(opt.Prefix)
	return &Iterator{db: db, opt: opt, runs: make([]run, len(db.shards))}
}

// Rewind goes to the first key, or the last if Reverse.
func (it *Iterator) Rewind() {
	from := it.opt.Prefix
	if it.opt.Reverse {
		from = prefixEnd(from)
	}
	it.start(from, it.opt.Reverse && len(it.opt.Prefix) > 0)
}

// Seek goes to the first key that is at or after key, or, if Reverse, the last
// at or before it.
func (it *Iterator) Seek(key []byte) {
	if it.opt.Reverse {
		end := prefixEnd(it.opt.Prefix)
		if end != nil && bytes.Compare(key, end) >= 0 {
			it.Rewind()
			return
		}
		it.start(bytes.Clone(key), false)
		return
	}
	if bytes.Compare(key, it.opt.Prefix) < 0 {
		key = it.opt.Prefix
	}
	it.start(bytes.Clone(key), false)
}

// prefixEnd returns the lowest key above every key that begins with prefix, or
// nil if there is none.
func prefixEnd(prefix []byte) []byte {
	end := bytes.Clone(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

// start begins a walk at from, or after it if exclusive; nil is the first key of
// the order.
func (it *Iterator) start(from []byte, exclusive bool) {
	it.heap, it.err = it.heap[:0], nil
	if it.closed || it.db.closing.Load() {
		it.err = ErrClosed
		return
	}
	for i := range it.runs {
		it.runs[i] = run{buf: it.runs[i].buf[:0], ends: it.runs[i].ends[:0]}
		it.fill(i, from, exclusive, runKeys)
		if !it.runs[i].done() {
			it.heap = append(it.heap, i)
			it.up(len(it.heap) - 1)
		}
	}
}

func (r *run) done() bool { return r.at >= len(r.ends) }

func (r *run) key() []byte {
	from := 0
	if r.at > 0 {
		from = r.ends[r.at-1]
	}
	return r.buf[from:r.ends[r.at]]
}

// fill copies the next n keys of a shard, from from on.
func (it *Iterator) fill(shard int, from []byte, exclusive bool, n int) {
	r := &it.runs[shard]
	nowMs := it.db.opt.NowMs()
	var buf []byte
	ends := r.ends[:0]
	more := false
	s := &it.db.shards[shard]
	s.mu.RLock()
	t := s.tables[it.opt.Space]
	visit := func(slot uint32) bool {
		key := t.slots.key(slot)
		if exclusive && bytes.Equal(key, from) {
			return true
		}
		if !bytes.HasPrefix(key, it.opt.Prefix) {
			return false
		}
		if len(ends) == n {
			more = true
			return false
		}
		if e := t.slots.at(slot); e.flags&flagGhost != 0 || e.expireMs != 0 && e.expireMs <= nowMs {
			return true
		}
		buf = append(buf, key...)
		ends = append(ends, len(buf))
		return true
	}
	switch {
	case t == nil:
	case it.opt.Reverse:
		t.index.descend(from, visit)
	default:
		t.index.ascend(from, visit)
	}
	s.mu.RUnlock()
	r.buf, r.ends, r.at, r.last = buf, ends, 0, !more
}

// Valid reports whether the iterator is at a key.
func (it *Iterator) Valid() bool { return it.err == nil && len(it.heap) > 0 }

// Key returns the current key, valid until the iterator moves.
// REQUIRES: Valid.
func (it *Iterator) Key() []byte { return it.runs[it.heap[0]].key() }

// Value returns the value of the current key, in a slice of its own. ErrNotFound
// says that the key is gone since the iterator came to it.
// REQUIRES: Valid.
func (it *Iterator) Value() ([]byte, error) { return it.AppendValue(nil) }

// AppendValue is Value appended to dst.
func (it *Iterator) AppendValue(dst []byte) ([]byte, error) {
	return it.db.appendGet(dst, it.opt.Space, it.Key())
}

// Next goes to the next key.
// REQUIRES: Valid.
func (it *Iterator) Next() {
	if it.db.closing.Load() {
		it.err = ErrClosed
		return
	}
	shard := it.heap[0]
	r := &it.runs[shard]
	last := r.key()
	if r.at++; r.done() && !r.last {
		it.fill(shard, last, true, min(2*len(r.ends), maxRunKeys))
	}
	if r.done() {
		end := len(it.heap) - 1
		it.heap[0] = it.heap[end]
		it.heap = it.heap[:end]
	}
	it.down()
}

// Err returns why the iterator ended early, or nil.
func (it *Iterator) Err() error { return it.err }

// Close ends the iterator. It is not needed for giving anything back: the
// iterator holds nothing.
func (it *Iterator) Close() {
	it.closed = true
	it.runs, it.heap = nil, nil
}

// before reports whether the current key of shard a comes before that of b.
func (it *Iterator) before(a, b int) bool {
	c := bytes.Compare(it.runs[a].key(), it.runs[b].key())
	if it.opt.Reverse {
		return c > 0
	}
	return c < 0
}

func (it *Iterator) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !it.before(it.heap[i], it.heap[parent]) {
			return
		}
		it.heap[i], it.heap[parent] = it.heap[parent], it.heap[i]
		i = parent
	}
}

func (it *Iterator) down() {
	for i := 0; ; {
		child := 2*i + 1
		if child >= len(it.heap) {
			return
		}
		if child+1 < len(it.heap) && it.before(it.heap[child+1], it.heap[child]) {
			child++
		}
		if !it.before(it.heap[child], it.heap[i]) {
			return
		}
		it.heap[i], it.heap[child] = it.heap[child], it.heap[i]
		i = child
	}
}

// ListKeys returns all keys of keyspace 0, in order; as Iterator.
func (db *DB) ListKeys() ([][]byte, error) {
	var keys [][]byte
	it := db.NewIterator(IteratorOptions{})
	defer it.Close()
	for it.Rewind(); it.Valid(); it.Next() {
		keys = append(keys, bytes.Clone(it.Key()))
	}
	return keys, it.Err()
}

// Fold calls fn for each key of keyspace 0 and its value, in order, until fn
// returns an error, which it returns. key and value are valid during the call,
// which may use the database. Which keys are met: as Iterator.
func (db *DB) Fold(fn func(key, value []byte) error) error {
	it := db.NewIterator(IteratorOptions{})
	defer it.Close()
	var value []byte
	for it.Rewind(); it.Valid(); it.Next() {
		var err error
		value, err = it.AppendValue(value[:0])
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if err := fn(it.Key(), value); err != nil {
			return err
		}
	}
	return it.Err()
}
