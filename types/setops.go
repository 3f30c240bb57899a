package types

import (
	"bytes"
	"cmp"
	"errors"
	"slices"

	"bitkv/engine"
)

// SetOperation is what is done with several sets.
type SetOperation uint8

// The operations. Their numbers are nowhere but in this process.
const (
	SetInter SetOperation = iota // what is in all sets
	SetUnion                     // what is in any
	SetDiff                      // what is in the first and in no other
)

// storeEvent is the event of a result that is stored.
func (op SetOperation) storeEvent() string {
	return [...]string{SetInter: "sinterstore", SetUnion: "sunionstore", SetDiff: "sdiffstore"}[op]
}

// errEnough ends a walk that found what it looked for.
var errEnough = errors.New("types: enough")

// Combine calls fn for every member of the result of an operation on the sets at
// keys (SINTER, SUNION, SDIFF) until it returns an error, which Combine returns. A
// key that does not exist is an empty set. member is not valid after fn.
func (s Set) Combine(op SetOperation, keys [][]byte, fn func(member []byte) error) error {
	sets, err := s.tx.openSets(keys)
	if err != nil {
		return err
	}
	return combine(op, sets, fn)
}

// InterCard returns how many members the sets have in common (SINTERCARD). It
// stops counting at limit, if that is not 0.
func (s Set) InterCard(keys [][]byte, limit int64) (n int64, err error) {
	err = s.Combine(SetInter, keys, func([]byte) error {
		if n++; n == limit {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return n, err
}

// Store puts the result of an operation in the place of whatever dst is
// (SINTERSTORE, SUNIONSTORE, SDIFFSTORE) and returns how many members it has. An
// empty result deletes dst.
func (s Set) Store(dst []byte, op SetOperation, keys [][]byte) (n int64, err error) {
	sets, err := s.tx.openSets(keys)
	if err != nil {
		return 0, err
	}
	result := s.tx.create(dst, tagSet)
	if op == SetDiff && takesOut(sets) && !sets[0].fitsIntset() {
		result.tag |= tagConverted
	}
	err = combine(op, sets, func(member []byte) error {
		_, err := result.addMember(member)
		return err
	})
	if err != nil {
		return 0, s.tx.fail(err)
	}
	return int64(result.len()), result.replace(op.storeEvent())
}

// takesOut reports whether Redis, to make the difference of sets, puts all of the
// first in and takes out what the others have, and not only what stays is put in: it
// compares how many members it has to look at. A result keeps the encoding then that
// it got with all of the first.
func takesOut(sets []coll) bool {
	there, total := 0, 0
	for i := range sets {
		if n := sets[i].len(); n > 0 {
			there, total = there+1, total+n
		}
	}
	return sets[0].len()*there/2 > total
}

// fitsIntset reports whether a new set of the members of c, which may have had others,
// would be an intset.
func (c *coll) fitsIntset() bool {
	if int64(c.len()) > c.tx.s.limits.Load().SetInts {
		return false
	}
	return c.isIntset() || c.each(func(member []byte, _ *Item) error {
		if _, isInt := ParseInt(member); !isInt {
			return errEnough
		}
		return nil
	}) == nil
}

// openSets finds sets for reading. All of them are looked at before anything is
// done: one that is none fails the command.
func (tx *Tx) openSets(keys [][]byte) ([]coll, error) {
	sets := make([]coll, len(keys))
	for i, key := range keys {
		var err error
		if sets[i], err = tx.openRead(key, tagSet); err != nil {
			return nil, err
		}
	}
	return sets, nil
}

// combine calls fn for every member of the result of an operation. It changes the
// order of sets.
func combine(op SetOperation, sets []coll, fn func(member []byte) error) error {
	switch op {
	case SetInter:
		return interSets(sets, fn)
	case SetUnion:
		return uniteSets(sets, fn)
	default:
		return diffSets(sets[0], sets[1:], fn)
	}
}

// interSets looks the members of the smallest set up in the others, smaller ones
// first.
func interSets(sets []coll, fn func(member []byte) error) error {
	slices.SortStableFunc(sets, func(a, b coll) int { return cmp.Compare(a.len(), b.len()) })
	if sets[0].len() == 0 {
		return nil
	}
	others := newProbes(sets[1:])
	return sets[0].eachHashed(func(member hashedMember) error {
		for i := range others {
			if !others[i].has(&member) {
				return nil
			}
		}
		return fn(member.bytes)
	})
}

// maxProbes is the number of sets in each of which a member is looked for, before
// a table of what they hold is made.
const maxProbes = 4

// uniteSets visits every set and leaves out what an earlier one had. Integers alone
// come in ascending order, as in Redis.
func uniteSets(sets []coll, fn func(member []byte) error) error {
	sets = slices.DeleteFunc(sets, func(c coll) bool { return c.len() == 0 })
	switch {
	case !slices.ContainsFunc(sets, func(c coll) bool { return !c.isIntset() }):
		return uniteIntsets(sets, fn)
	case len(sets) <= maxProbes:
		probes := newProbes(sets)
		for i := range sets {
			err := sets[i].eachHashed(func(member hashedMember) error {
				if anyHas(probes[:i], &member) {
					return nil
				}
				return fn(member.bytes)
			})
			if err != nil {
				return err
			}
		}
		return nil
	}
	seen := make(memberTable, sets[0].len())
	for i := range sets {
		err := sets[i].eachMember(func(member []byte) error {
			if !seen.add(member) {
				return nil
			}
			return fn(member)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func uniteIntsets(sets []coll, fn func(member []byte) error) error {
	var all [][]byte
	for i := range sets {
		all = sets[i].appendMembers(all)
	}
	slices.SortFunc(all, compareInts)
	for _, member := range slices.CompactFunc(all, bytes.Equal) {
		if err := fn(member); err != nil {
			return err
		}
	}
	return nil
}

// diffSets visits what is in first and in no other. Of the two ways, to look every
// member of first up in the others or to make a table of what those hold, it takes
// the one with less to do.
func diffSets(first coll, others []coll, fn func(member []byte) error) error {
	size, total := first.len(), 0
	others = slices.DeleteFunc(others, func(c coll) bool { return c.len() == 0 })
	for i := range others {
		if bytes.Equal(others[i].key, first.key) {
			return nil
		}
		total += others[i].len()
	}
	if len(others) > maxProbes && total < size*len(others)/2 {
		table := make(memberTable, total)
		for i := range others {
			table.addAll(&others[i])
		}
		return first.eachMember(func(member []byte) error {
			if table.has(member) {
				return nil
			}
			return fn(member)
		})
	}
	// The largest is the most likely to have a member.
	slices.SortStableFunc(others, func(a, b coll) int { return cmp.Compare(b.len(), a.len()) })
	probes := newProbes(others)
	return first.eachHashed(func(member hashedMember) error {
		if anyHas(probes, &member) {
			return nil
		}
		return fn(member.bytes)
	})
}

// memberTable is members of several sets.
type memberTable map[string]struct{}

func (t memberTable) has(member []byte) bool {
	_, ok := t[string(member)]
	return ok
}

// add reports whether the member is new.
func (t memberTable) add(member []byte) bool {
	if t.has(member) {
		return false
	}
	t[string(member)] = struct{}{}
	return true
}

func (t memberTable) addAll(c *coll) {
	// The function returns no error, and neither does each.
	_ = c.each(func(member []byte, _ *Item) error {
		t.add(member)
		return nil
	})
}

// hashedMember is a member met in a walk. hash is engine's, if isHashed.
type hashedMember struct {
	bytes    []byte
	hash     uint64
	isHashed bool
}

// eachHashed is eachMember with the hashes of members that have one, which come in
// ascending order then.
func (c *coll) eachHashed(fn func(member hashedMember) error) (err error) {
	if c.big == nil || c.isIntset() {
		return c.eachMember(func(member []byte) error { return fn(hashedMember{bytes: member}) })
	}
	c.big.AscendHash(0, func(hash uint64, e engine.Element) bool {
		err = fn(hashedMember{e.Subkey, hash, true})
		return err == nil
	})
	return err
}

// probe is a set in which many members are looked for: a large one by their hashes,
// which come in order, a small one in a table, unless it is tiny, for its members
// stand in no order that would help.
type probe struct {
	c      *coll
	finder engine.Finder // of c.big
	table  memberTable   // nil: there is none
}

// minTable is the number of members of a small set from which on a table of them
// is made.
const minTable = 16

func newProbes(sets []coll) []probe {
	probes := make([]probe, len(sets))
	for i := range sets {
		c, p := &sets[i], &probes[i]
		p.c = c
		switch {
		case c.big != nil:
			p.finder = c.big.Finder()
		case c.len() >= minTable:
			p.table = make(memberTable, c.len())
			p.table.addAll(c)
		}
	}
	return probes
}

func (p *probe) has(member *hashedMember) bool {
	switch {
	case p.table != nil:
		return p.table.has(member.bytes)
	case p.c.big != nil && member.isHashed:
		return p.finder.Has(member.hash, member.bytes)
	}
	_, ok := p.c.get(member.bytes)
	return ok
}

func anyHas(probes []probe, member *hashedMember) bool {
	for i := range probes {
		if probes[i].has(member) {
			return true
		}
	}
	return false
}
