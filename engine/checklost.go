package engine

import (
	"hash/maphash"
	"maps"
	"path/filepath"
	"slices"
)

// This file tells what the loss of a record means, by the records that are kept: a
// record that one kept replaces is no loss; the element of a collection is one to the
// key that has the collection. For that all that is kept is read again, from the hint
// files where they are, but only if a record is lost that a hint file tells of. What
// it takes of memory is by the number of lost records, not of kept ones.

// lostRecord is a lost record that a hint file tells of, but for a space map.
type lostRecord struct {
	id, seq uint64 // id is that of recordID
	element bool
	coll    uint64 // of an element; of a key, if its put has one
	space   uint32 // of a key
	key     []byte // of a key
}

var lossSeed = maphash.MakeSeed()

// recordID returns a hash of what a record is of, a key or an element.
func recordID(r *loadRecord) uint64 {
	in := uint64(r.space) << 1
	if r.kind.isElement() {
		in = r.coll<<1 | 1
	}
	return maphash.Bytes(lossSeed, r.key) + in*0x9e3779b97f4a7c15
}

// collectionKey is the key that had a collection last, as far as puts tell that are
// kept or that a hint file tells of.
type collectionKey struct {
	id, seq uint64 // of the newest such put; seq 0: there is none
	space   uint32
	name    string
}

// lossJudge finds out what becomes of what lost records are of.
type lossJudge struct {
	// newest has, for each lost record and each of keys, the number of the newest
	// put or tombstone of the same that is kept.
	newest map[uint64]uint64
	keys   map[uint64]collectionKey // by the collections of lost elements
	// mapped are the newest space maps by number. Where one may be lost, all
	// keyspaces count as in use.
	mapped    map[uint32]spaceMapping
	allMapped bool
}

// explainLosses fills in what of the losses does harm, and to which keys.
func (c *checker) explainLosses() error {
	j := &lossJudge{
		newest: map[uint64]uint64{}, keys: map[uint64]collectionKey{}, mapped: map[uint32]spaceMapping{},
	}
	for _, l := range c.report.Losses {
		j.allMapped = j.allMapped || l.Spaces != 0
		for _, r := range l.lost {
			j.newest[r.id] = 0
			if r.element {
				j.keys[r.coll] = collectionKey{}
			}
		}
	}
	if len(j.newest) == 0 {
		return nil
	}
	if len(j.keys) > 0 {
		if err := c.findCollectionKeys(j); err != nil {
			return err
		}
	}
	if err := c.eachKept(j.keptRecord); err != nil {
		return err
	}
	for _, l := range c.report.Losses {
		j.explain(l)
		l.lost = nil
	}
	return nil
}

// findCollectionKeys finds the keys of the collections of lost elements.
func (c *checker) findCollectionKeys(j *lossJudge) error {
	for _, l := range c.report.Losses {
		for _, r := range l.lost {
			if !r.element {
				j.hadCollection(&loadRecord{coll: r.coll, space: r.space, key: r.key}, r.seq)
			}
		}
	}
	if err := c.eachKept(j.hadCollection); err != nil {
		return err
	}
	for _, k := range j.keys {
		j.newest[k.id] = 0
	}
	return nil
}

// hadCollection is called for each kept record, and for each lost one of a key: it
// notes which key had a collection last.
func (j *lossJudge) hadCollection(r *loadRecord, seq uint64) {
	if r.coll == 0 || r.kind.isElement() {
		return
	}
	if k, wanted := j.keys[r.coll]; wanted && seq >= k.seq {
		j.keys[r.coll] = collectionKey{recordID(r), seq, r.space, string(r.key)}
	}
}

// keptRecord notes a record that is kept.
func (j *lossJudge) keptRecord(r *loadRecord, seq uint64) {
	switch r.kind {
	case kindExpire: // it replaces no value
	case kindSpaceMap:
		if m := j.mapped[r.number]; m.seq < seq {
			j.mapped[r.number] = spaceMapping{seq: seq, space: r.space}
		}
	default:
		id := recordID(r)
		if newest, wanted := j.newest[id]; wanted && newest < seq {
			j.newest[id] = seq
		}
	}
}

// inUse reports whether a keyspace has a number, so that it was not cleared.
func (j *lossJudge) inUse(space uint32) bool {
	if _, moved := j.mapped[space]; j.allMapped || space < firstFreshSpace && !moved {
		return true
	}
	for _, m := range j.mapped {
		if m.space == space {
			return true
		}
	}
	return false
}

// explain fills in what of a loss does harm.
func (j *lossJudge) explain(l *Loss) {
	newest := map[uint64]uint64{} // by lost key
	for _, r := range l.lost {
		if !r.element {
			newest[r.id] = max(newest[r.id], r.seq)
		}
	}
	named := map[uint64]bool{}
	for _, r := range l.lost {
		seq, isNew := newest[r.id]
		switch {
		case r.element:
			j.explainElement(l, &r, named)
			continue
		case !isNew:
			continue // an older record of the same key
		}
		delete(newest, r.id)
		l.Keys++
		if j.newest[r.id] >= seq || !j.inUse(r.space) {
			l.Superseded++
		} else if len(l.Names) < lossNames {
			l.Names = append(l.Names, string(r.key))
		}
	}
}

// explainElement is explain for a lost record of an element. named are the
// collections that were counted.
func (j *lossJudge) explainElement(l *Loss, r *lostRecord, named map[uint64]bool) {
	k := j.keys[r.coll]
	switch {
	case j.newest[r.id] >= r.seq:
		l.ElementsSuperseded++
	case k.seq == 0 || j.newest[k.id] > k.seq || !j.inUse(k.space):
		l.ElementsGone++
	case !named[r.coll]:
		named[r.coll] = true
		l.Collections++
		if len(l.CollectionNames) < lossNames {
			l.CollectionNames = append(l.CollectionNames, k.name)
		}
	}
}

// eachKept calls fn for each record that can be kept, in no order. What it gets is
// valid until it returns.
func (c *checker) eachKept(fn func(r *loadRecord, seq uint64)) error {
	for _, n := range slices.Sorted(maps.Keys(c.results)) {
		if r := c.results[n]; r != nil {
			if err := c.eachKeptOf(r, fn); err != nil {
				return inFile(r.file.name(), err)
			}
		}
	}
	return nil
}

// eachKeptOf is eachKept for one file: by its hint file, if all of it is kept.
func (c *checker) eachKeptOf(r *fileCheck, fn func(r *loadRecord, seq uint64)) (err error) {
	meta := &r.file.meta
	if !r.damaged && len(r.gaps) == 0 {
		entries, err := c.hintEntries(meta)
		if err != nil {
			return err
		}
		if entries != nil {
			eachHinted(meta, entries, func(e *loadRecord, seq uint64, _ int64) { fn(e, seq) })
			return nil
		}
	}
	if r.file.file == nil { // an earlier run read it
		if r.file.file, err = c.fs.Open(filepath.Join(c.dir, r.file.name()), true); err != nil {
			return err
		}
	}
	return r.eachKeptFrame(func(fr *frame) error {
		return fr.eachRecord(func(rec *record, seq uint64, _ int64, _ int) error {
			fn(&loadRecord{kind: rec.kind, space: rec.space, number: rec.number, coll: rec.coll, key: rec.key}, seq)
			return nil
		})
	})
}
