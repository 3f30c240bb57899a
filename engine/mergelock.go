package engine

// This file is how the passes over records take the locks that guard what the
// records are about.

// lockRunRecords is for how many records a shard's lock is held, at most. It is
// a few microseconds' work when what they are about is in the processor's cache,
// some hundred when it is not.
const lockRunRecords = 128

// lockRun takes the locks of shards for one record after the other, and keeps
// the one that it has for as long as the next record is in the same shard. The
// elements of a collection are, and they follow each other in the log: with a
// lock for every record, the pass and the transactions of that collection would
// put each other to sleep at each of them, which costs both a hundred times what
// they do meanwhile.
//
// Between two records the lock may be free for a moment, so nothing that was found
// for one may be used for the next. Whoever has one calls leave before taking any
// other lock that comes before or among those of shards, before I/O, and at the end.
type lockRun struct {
	db    *DB
	write bool
	shard *shard      // whose lock is held; nil: none
	count int         // for how many records
	coll  *Collection // the last one found; it is there as long as the lock is held
}

// ofKey locks the shard of a key, for one record.
func (l *lockRun) ofKey(key []byte) *shard {
	s := l.db.shardOf(key)
	l.enter(s)
	return s
}

// ofPlace is ofKey for a key whose shard is known: it is that of mergeItem.place.
func (l *lockRun) ofPlace(place uint16) *shard {
	s := &l.db.shards[place-1]
	l.enter(s)
	return s
}

// collection locks the shard of a collection, for one record, if there is one.
func (l *lockRun) collection(id CollectionID) *Collection {
	if l.coll != nil && l.coll.id == id && l.count < lockRunRecords {
		l.count++
		return l.coll
	}
	for {
		c := l.db.colls.get(id)
		if c == nil {
			return nil
		}
		n := c.shard.Load()
		if n == noShard {
			return nil // no key names it, and no committed record can be in it
		}
		l.enter(&l.db.shards[n])
		if c.shard.Load() != n {
			continue // RENAME gave it to another shard
		}
		if l.db.colls.get(id) != c {
			return nil
		}
		l.coll = c
		return c
	}
}

// enter locks a shard, for one record.
func (l *lockRun) enter(s *shard) {
	if l.shard == s && l.count < lockRunRecords {
		l.count++
		return
	}
	l.leave()
	if l.write {
		s.mu.Lock()
	} else {
		s.mu.RLock()
	}
	l.shard, l.count = s, 1
}

// leave unlocks what is locked.
func (l *lockRun) leave() {
	s := l.shard
	if s == nil {
		return
	}
	l.shard, l.coll = nil, nil
	if l.write {
		s.mu.Unlock()
	} else {
		s.mu.RUnlock()
	}
}

const (
	// mergeJudgeBytes and mergeJudgeRecords bound what a merge judges or moves at once.
	mergeJudgeBytes   = 256 << 10
	mergeJudgeRecords = 2048
)

// mergeBatch is records of one file, in order, that a merge has read, and not yet
// judged or moved. In the log every small transaction is a frame of its own, so a batch
// spans frames, and copies them.
type mergeBatch struct {
	items []mergeItem
	buf   []byte
	order []*mergeItem // that of eachByShard
}

// mergeItem is a record of a batch.
type mergeItem struct {
	r       record // without its value
	raw     []byte // all of it
	seq     uint64
	offset  int64
	verdict recordVerdict
	place   uint16 // noShardPlace, or the number of the shard of its key, +1
	hint    Hint   // where the key is
}

// reset makes the batch empty.
func (b *mergeBatch) reset() {
	clear(b.items) // a large record is not kept
	b.items, b.buf = b.items[:0], b.buf[:0]
}

// fits reports whether add copies another record; one larger than a whole batch
// fits an empty one, which then is full.
func (b *mergeBatch) fits(size int) bool {
	return len(b.items) < mergeJudgeRecords && (len(b.buf)+size <= mergeJudgeBytes || len(b.items) == 0)
}

// full reports whether no other record fits.
func (b *mergeBatch) full() bool { return !b.fits(1) }

// add adds a record, which raw are the bytes of. If it is larger than a batch they
// are not copied, and have to be valid until the batch is reset. REQUIRES: fits.
func (b *mergeBatch) add(r *record, raw []byte, seq uint64, offset int64) {
	if b.buf == nil {
		b.buf = make([]byte, 0, mergeJudgeBytes)
		b.items = make([]mergeItem, 0, mergeJudgeRecords)
	}
	if len(raw) <= cap(b.buf) {
		from := len(b.buf)
		b.buf = append(b.buf, raw...) // within its capacity: what it has stays where it is
		raw = b.buf[from:]
	} else {
		b.buf = b.buf[:cap(b.buf)] // full
	}
	item := mergeItem{r: *r, raw: raw, seq: seq, offset: offset}
	// Key and value are the end of a record.
	end := len(raw) - len(r.value)
	item.r.key, item.r.value = raw[end-len(r.key):end], nil
	b.items = append(b.items, item)
}

// judge judges the records of a batch, which are of f.
func (b *mergeBatch) judge(db *DB, f *dataFile, lowest uint64) {
	b.eachByShard(db, false, func(run *lockRun, it *mergeItem) { it.verdict = db.judgeRecord(run, f, it, lowest) })
}

// eachByShard calls fn for the records of a batch: for those about the keys of one
// shard after each other, so that its lock is taken once for them, and the keys are
// looked up in step (see Warm). Each would be a chain of cache misses otherwise, and
// there is one for every record that is not known to be dead.
func (b *mergeBatch) eachByShard(db *DB, write bool, fn func(run *lockRun, it *mergeItem)) {
	run := lockRun{db: db, write: write}
	defer run.leave()
	b.sortByShard(db)
	var group [warmGroup]warmKey
	for rest := b.order; len(rest) > 0; {
		n, place := 1, rest[0].place
		for n < min(len(rest), len(group)) && rest[n].place == place {
			n++
		}
		if place != noShardPlace && n > 1 {
			run.find(rest[:n], group[:n])
		}
		for _, it := range rest[:n] {
			fn(&run, it)
		}
		rest = rest[n:]
	}
}

// noShardPlace is the place of records that are not about a key. It is before those of
// the shards: these records are mostly of one collection or a few, in the order in
// which they stand.
const noShardPlace = 0

// sortByShard puts the records in the order of their places, and otherwise leaves
// them in theirs.
func (b *mergeBatch) sortByShard(db *DB) {
	var begins [MaxShards + 2]int
	for i := range b.items {
		it := &b.items[i]
		it.place, it.hint = noShardPlace, 0
		switch it.r.kind {
		case kindPut, kindExpire, kindTombstone:
			it.place = uint16(db.ShardOf(it.r.key)) + 1
		case kindElemPut, kindElemTombstone, kindSpaceMap:
		}
		begins[it.place+1]++
	}
	for i := 1; i < len(begins); i++ {
		begins[i] += begins[i-1]
	}
	if b.order == nil {
		b.order = make([]*mergeItem, 0, mergeJudgeRecords)
	}
	b.order = b.order[:len(b.items)]
	for i := range b.items {
		it := &b.items[i]
		b.order[begins[it.place]] = it
		begins[it.place]++
	}
}

// find looks up where the keys of records of one shard are, and leaves it locked.
func (l *lockRun) find(items []*mergeItem, group []warmKey) {
	s := &l.db.shards[items[0].place-1]
	l.enter(s)
	for i, it := range items {
		w := &group[i]
		*w = warmKey{key: it.r.key, table: s.tableOf(it.r.space)}
		if w.table == nil {
			continue
		}
		if x, ok := w.table.index.(*artIndex); ok {
			w.index, w.ref = x, x.root
		}
	}
	walkDown(group)
	for i, it := range items {
		it.hint = group[i].hint()
	}
}
