package engine

import "unsafe"

// A look-up in a large keydir is a chain of cache misses: each node of the tree
// says where the next one is. The chains of several keys do not depend on each
// other, so a processor can wait for all of them together, if it is shown them
// together. That is what Warm is for: it walks many keys down in step, goes one
// node down for each of them in turn, and asks for the next node, which is there
// when the turn comes again. (With plain loads in place of prefetch it saves a
// quarter of the time of a look-up, not half: a load that misses holds up what
// comes after it once the processor's window is full.)

// warmGroup is how many keys are walked in step: about as many as a processor can
// have cache misses under way.
const warmGroup = 16

// warmKey is one key on its way down.
type warmKey struct {
	key   []byte
	index *artIndex
	table *table // nil: its shard is not locked
	ref   artRef // where it is; 0: nowhere
	depth uint64
	shard int
}

// Warm brings what the keydir holds for keys, which need not exist, into the
// caches of the processor, so that commands on them that follow at once do not
// wait for memory one after the other. It changes nothing and promises nothing: a
// key whose shard is being written is skipped, and with IndexPlar it does
// nothing. values says that the values will be read: then their records are asked
// for as well, where they are in memory (for what is only replaced that would be
// wasted). It pays from about 4 keys on. It does not allocate. A goroutine may call
// it while it has a transaction open.
//
// hints, of the length of keys or nil, gets what Tx.Hint takes of each key.
func (db *DB) Warm(space int, keys [][]byte, values bool, hints []Hint) {
	if db.opt.Index != IndexART {
		clear(hints)
		return
	}
	var group [warmGroup]warmKey
	for len(keys) > 0 {
		n := min(len(keys), warmGroup)
		db.warmGroup(space, keys[:n], group[:n], values)
		if hints != nil {
			for i := range group[:n] {
				hints[i] = group[i].hint()
			}
			hints = hints[n:]
		}
		keys = keys[n:]
	}
}

// Hint is where Warm has found a key, or may have; 0: nowhere.
type Hint uint32

// hint is where the walk down has ended. Whoever uses it looks whether that is so still.
func (w *warmKey) hint() Hint {
	if w.ref&artLeaf == 0 {
		return 0
	}
	return Hint(w.ref.slot() + 1)
}

// warmGroup is Warm for as many keys as group has places. A shard may be locked
// for several of the keys: that cannot deadlock, for nothing here waits.
func (db *DB) warmGroup(space int, keys [][]byte, group []warmKey, values bool) {
	for i, key := range keys {
		w := &group[i]
		*w = warmKey{key: key, shard: db.ShardOf(key)}
		s := &db.shards[w.shard]
		if !s.mu.TryRLock() {
			continue
		}
		if w.table = s.tables[space]; w.table == nil {
			s.mu.RUnlock()
			continue
		}
		w.index = w.table.index.(*artIndex)
		w.ref = w.index.root
	}
	walkDown(group)
	if values {
		files := db.files.Load()
		for i := range group {
			if w := &group[i]; w.ref != 0 {
				files.prefetch(w.table.slots.cell(w.ref.slot()), len(w.key))
			}
		}
	}
	for i := range group {
		if w := &group[i]; w.table != nil {
			db.shards[w.shard].mu.RUnlock()
		}
	}
}

// walkDown walks the keys of a group down in step, as far as they go.
func walkDown(group []warmKey) {
	for going := true; going; {
		going = false
		for i := range group {
			if w := &group[i]; w.ref != 0 && w.ref&artLeaf == 0 {
				w.step()
				going = true
			}
		}
	}
}

// prefetch begins to load the record of an entry from the memory map of its file. A
// page that is not in memory stays where it is: the processor gives the request up.
func (s *fileSet) prefetch(c *cell, keyLen int) {
	if c.flags()&flagInline != 0 {
		return
	}
	loc := c.loc()
	f := s.get(loc.file())
	if f == nil {
		return
	}
	m := f.mapped.Load()
	if m == nil {
		return
	}
	n := min(keyLen+int(c[cellSize]), warmRecordBytes)
	for at := loc.offset(); at < loc.offset()+int64(n) && at < int64(len(*m)); at += cacheLineBytes {
		prefetch(unsafe.Pointer(&(*m)[at]))
	}
}

const (
	cacheLineBytes = 64
	// warmRecordBytes is how much of a record is asked for: what follows is read in
	// order, which the processor foresees.
	warmRecordBytes = 256
)

// step goes one node further down and begins to load what is there.
func (w *warmKey) step() {
	n := w.index.nodes.at(w.ref)
	end := w.depth + uint64(n.shared())
	switch {
	case end < uint64(len(w.key)):
		w.ref = n.child(w.key[end])
	case end == uint64(len(w.key)):
		w.ref = n.own()
	default:
		w.ref = 0
	}
	w.depth = end + 1
	switch {
	case w.ref == 0:
	case w.ref&artLeaf != 0:
		w.table.slots.prefetch(w.ref.slot())
	default:
		w.index.nodes.prefetch(w.ref)
	}
}

// prefetch begins to load a node: of the larger kinds only where it begins, for
// the rest depends on that, and they are mostly near the root and in a cache.
func (a *artNodes) prefetch(ref artRef) {
	n := a.at(ref)
	prefetch(unsafe.Pointer(&n[0]))
	if len(n) <= artPrefetchWords {
		prefetch(unsafe.Pointer(&n[len(n)-1]))
	}
}

// artPrefetchWords is the length of nodes that are in two cache lines or one.
const artPrefetchWords = 32

// prefetch begins to load a cell: the lines that it begins and ends in.
func (t *slotTable) prefetch(slot uint32) {
	cell := t.cells.words(slot)
	prefetch(unsafe.Pointer(&cell[0]))
	prefetch(unsafe.Pointer(&cell[len(cell)-1]))
}
