package engine

import "sync"

// reaper takes apart what a transaction dropped as a whole (a collection, all
// tables of a keyspace), so that dropping costs the transaction nothing. What it
// gets is reachable by nobody else. It gives the live bytes of the files back.
type reaper struct {
	db      *DB
	retired int64 // bytes that are dead since a merge was last asked for; of loop alone

	mu    sync.Mutex // guards following
	queue []dropped  // the oldest first: see catchUp
	added uint64     // how many there were ever
	done  uint64     // of these, how many are taken apart
	later *sync.Cond // of mu: done has grown
	wake  chan struct{}
}

// dropped is one thing to take apart.
type dropped struct {
	table *table // or nil
	coll  *Collection
}

func (r *reaper) init(db *DB) {
	r.db = db
	r.wake = make(chan struct{}, 1)
	r.later = sync.NewCond(&r.mu)
}

func (r *reaper) addTables(tables []*table) {
	r.mu.Lock()
	for _, t := range tables {
		if t != nil {
			r.addLocked(dropped{table: t})
		}
	}
	r.mu.Unlock()
	r.signal()
}

func (r *reaper) addCollection(c *Collection) {
	r.mu.Lock()
	r.addLocked(dropped{coll: c})
	r.mu.Unlock()
	r.signal()
}

func (r *reaper) addLocked(d dropped) {
	r.queue = append(r.queue, d)
	r.added++
}

func (r *reaper) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// loop works until the database closes.
func (r *reaper) loop() {
	for {
		select {
		case <-r.db.stop:
			return
		case <-r.wake:
			r.drain()
			if r.retired >= reapedForMerge {
				r.retired = 0
				r.db.merge.wake()
			}
		}
	}
}

// drain works until nothing is left.
func (r *reaper) drain() {
	for d, ok := r.next(); ok; d, ok = r.next() {
		if d.table != nil {
			r.reapTable(d.table)
		} else {
			r.reapCollection(d.coll)
		}
		r.finished()
	}
}

// next takes the oldest off the queue.
func (r *reaper) next() (d dropped, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.queue) == 0 {
		r.queue = nil
		return dropped{}, false
	}
	d, r.queue[0] = r.queue[0], dropped{}
	r.queue = r.queue[1:]
	return d, true
}

// finished notes that one more thing is taken apart.
func (r *reaper) finished() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done++
	r.later.Broadcast()
}

// catchUp waits until all is taken apart that was dropped before: as many as there were
// then, which are the oldest. REQUIRES: the database is not being closed, and the caller
// holds no lock of a shard.
func (r *reaper) catchUp() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for all := r.added; r.done < all; {
		r.later.Wait()
	}
}

// pending returns how many things wait, or are being taken apart.
func (r *reaper) pending() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return int(r.added - r.done)
}

func (r *reaper) reapTable(t *table) {
	files := r.db.files.Load()
	for slot := range t.slots.all {
		e := t.slots.at(slot)
		put, expire := t.recordBytes(&e)
		if e.flags&flagInline == 0 {
			r.retire(files.get(e.loc.file()), put)
		} else {
			r.retire(files.bySlot(e.recFile), put)
		}
		if expire != 0 {
			r.retire(files.bySlot(e.recFile), expire)
		}
		if e.coll != 0 {
			r.reapNamed(r.db.colls.at(e.coll))
		}
	}
}

// reapNamed drops a collection that only a dropped table names. Merge may be
// looking at it, under the lock of its shard.
func (r *reaper) reapNamed(c *Collection) {
	s := &r.db.shards[c.shard.Load()]
	s.mu.Lock()
	r.db.colls.remove(c)
	r.db.forgetCollection(c)
	s.mu.Unlock()
	r.reapCollection(c)
}

func (r *reaper) reapCollection(c *Collection) {
	files := r.db.files.Load()
	c.AscendAt(0, func(e Element) bool {
		r.retire(files.bySlot(e.recFile), elemRecordBytes(uint64(c.id), len(e.Subkey), e.Size))
		return true
	})
}

// retire takes a record off the live bytes of its file.
func (r *reaper) retire(f *dataFile, n int64) {
	addLive(f, -n)
	r.retired += n
}

// reapedForMerge is how much is found to be dead between two looks for a merge that the
// reaper asks for.
const reapedForMerge = 8 << 20
