package types

import (
	"bytes"
	"math/rand/v2"
	"slices"
)

// Set is the Set commands over a transaction. Those that change a key need a
// transaction for writing.
//
// A set of integers that Redis would keep as an intset (its tag has no
// tagConverted) is told in ascending order, as Redis does: the small form is
// kept so, and what eachMember finds in a large one is sorted. Other sets have
// the order of insertion while they are small, and then no order that means
// anything.
type Set struct{ tx *Tx }

// Set returns the Set commands over this transaction. It begins a command: what
// those before it returned is not valid any more.
func (tx *Tx) Set() Set {
	tx.beginCommand()
	return Set{tx}
}

// Members is a set found for reading. It is valid until the transaction writes
// its key or another command begins. The Members of a key that does not exist is
// empty.
type Members struct{ c coll }

// Find looks a set up for reading.
func (s Set) Find(key []byte) (Members, error) {
	c, err := s.tx.openRead(key, tagSet)
	return Members{c}, err
}

// Len is SCARD.
func (m *Members) Len() int { return m.c.len() }

// Has reports whether there is such a member (SISMEMBER, SMISMEMBER).
func (m *Members) Has(member []byte) bool {
	_, ok := m.c.get(member)
	return ok
}

// Each calls fn for every member (SMEMBERS) until it returns an error, which Each
// returns. member is not valid after fn.
func (m *Members) Each(fn func(member []byte) error) error { return m.c.eachMember(fn) }

// Scan is SSCAN: see coll.scan. fn is as that of Each.
func (m *Members) Scan(cursor uint64, o ScanOptions, fn func(member []byte) error) (next uint64, err error) {
	if !m.c.isIntset() {
		return m.c.scan(cursor, o, func(member []byte, _ *Item) error { return fn(member) })
	}
	// As Redis: at once, and in order.
	return 0, m.c.eachMember(func(member []byte) error {
		if o.Match != nil && !Match(o.Match, member) {
			return nil
		}
		return fn(member)
	})
}

// Random is Fields.Random for members (SRANDMEMBER). The value that fn gets
// is nothing.
func (m *Members) Random(n int, repeated bool, fn func(member []byte, v *Item) error) error {
	return m.c.random(n, repeated, fn)
}

// Any returns a member chosen at random (SRANDMEMBER without a count). REQUIRES:
// there is one.
func (m *Members) Any() []byte {
	member, _ := m.c.at(rand.IntN(m.c.len()))
	return member
}

// Add adds members (SADD) and returns how many are new.
func (s Set) Add(key []byte, members [][]byte) (added int64, err error) {
	c, err := s.tx.openWrite(key, tagSet)
	if err != nil {
		return 0, err
	}
	for _, member := range members {
		isNew, err := c.addMember(member)
		if err != nil {
			return 0, err
		}
		if isNew {
			added++
		}
	}
	return added, c.finish(added, "sadd")
}

// Rem removes members (SREM) and returns how many there were. A set without
// members is deleted.
func (s Set) Rem(key []byte, members [][]byte) (removed int64, err error) {
	c, err := s.tx.openWrite(key, tagSet)
	if err != nil {
		return 0, err
	}
	for _, member := range members {
		if c.remove(member) {
			removed++
		}
	}
	return removed, c.finish(removed, "srem")
}

// Move moves a member from one set to another (SMOVE). It reports whether it was
// in the first.
func (s Set) Move(src, dst, member []byte) (done bool, err error) {
	from, err := s.tx.openWrite(src, tagSet)
	if err != nil || !from.existed {
		return false, err
	}
	if bytes.Equal(src, dst) {
		_, ok := from.get(member)
		return ok, nil
	}
	to, err := s.tx.openWrite(dst, tagSet)
	if err != nil || !from.remove(member) {
		return false, err
	}
	if err := from.finish(1, "srem"); err != nil {
		return false, err
	}
	isNew, err := to.addMember(member)
	if err != nil || !isNew {
		return err == nil, err
	}
	return true, to.finish(1, "sadd")
}

// Popped is members that are about to be taken out of a set at random. It is valid
// as Members is.
type Popped struct {
	c coll
	n int
}

// Pop chooses up to n members to be taken out (SPOP). Each takes them.
func (s Set) Pop(key []byte, n int64) (Popped, error) {
	c, err := s.tx.openWrite(key, tagSet)
	if err != nil {
		return Popped{}, err
	}
	return Popped{c: c, n: int(min(n, int64(c.len())))}, nil
}

// PopOne takes a member out (SPOP without a count). ok is false if there is no set.
// member is valid until the next command.
func (s Set) PopOne(key []byte) (member []byte, ok bool, err error) {
	tx := s.tx
	c, err := tx.openWrite(key, tagSet)
	if err != nil || !c.existed {
		return nil, false, err
	}
	i := rand.IntN(c.len())
	member, _ = c.at(i)
	tx.scratch = append(tx.scratch[:0], member...)
	c.removeAt(i)
	err = c.finish(1, "spop")
	return tx.scratch, err == nil, err
}

// Len is how many members are taken.
func (p *Popped) Len() int { return p.n }

// Each calls fn for every member that is taken and removes it. member is not valid
// after fn. A set without members is deleted.
func (p *Popped) Each(fn func(member []byte)) error {
	const event = "spop"
	c, size := &p.c, p.c.len()
	switch {
	case p.n == size:
		err := c.eachMember(func(member []byte) error {
			fn(member)
			return nil
		})
		if err != nil {
			return err
		}
		c.big, c.small = nil, packed{}
	case p.n > size/2:
		kept, err := c.split(size-p.n, fn)
		if err != nil {
			return err
		}
		return kept.finish(int64(p.n), event)
	default:
		for range p.n {
			i := rand.IntN(size)
			member, _ := c.at(i)
			fn(member)
			c.removeAt(i)
			size--
		}
	}
	return c.finish(int64(p.n), event)
}

// removeAt removes the member at a position.
func (c *coll) removeAt(i int) {
	if c.big != nil {
		c.tx.eng.DeleteElementAt(c.big, i)
		return
	}
	c.small.replace(c.small.skip(0, i), 1)
}

// split chooses n members at random to be kept, in a set that takes the place of c
// when it is finished, and calls fn for the others. It is cheaper than removing
// those one by one where they are the most.
func (c *coll) split(n int, fn func(member []byte)) (kept coll, err error) {
	kept = coll{tx: c.tx, kind: c.kind, db: c.db, key: c.key, head: c.head, existed: true, tag: c.tag}
	left := c.len()
	err = c.eachMember(func(member []byte) error {
		left--
		if n == 0 || rand.IntN(left+1) >= n {
			fn(member)
			return nil
		}
		n--
		_, err := kept.addMember(member)
		return err
	})
	c.tx.noteOverwritten(c.db, c.key, &c.head, true)
	return kept, err
}

// isIntset reports whether Redis would keep the set as an intset.
func (c *coll) isIntset() bool { return c.tag&tagConverted == 0 }

// addMember adds a member to a Set, at its place among integers, and says when
// Redis would convert the set.
func (c *coll) addMember(member []byte) (isNew bool, err error) {
	if c.isIntset() {
		if _, isInt := ParseInt(member); !isInt {
			c.tag |= tagConverted
		}
	}
	if c.isIntset() && c.big == nil {
		at, found := c.small.intPlace(member)
		if found {
			return false, nil
		}
		if err := c.makeRoom(1, itemBytes(len(member))); err != nil {
			return false, err
		}
		if c.big == nil {
			c.small.replace(at, 0, member)
			return true, nil // there is room for no more than Redis allows
		}
	}
	isNew, err = c.put(member, nil)
	if int64(c.len()) > c.tx.s.limits.Load().SetInts {
		c.tag |= tagConverted
	}
	return isNew, err
}

// eachMember calls fn for every member of a Set until it returns an error, which
// eachMember returns. member is not valid after fn; fn must not change the set.
func (c *coll) eachMember(fn func(member []byte) error) error {
	if c.big == nil || !c.isIntset() {
		return c.each(func(member []byte, _ *Item) error { return fn(member) })
	}
	members := make([][]byte, 0, c.len())
	members = c.appendMembers(members)
	slices.SortFunc(members, compareInts)
	for _, member := range members {
		if err := fn(member); err != nil {
			return err
		}
	}
	return nil
}

// appendMembers appends views of all members of a Set to dst. They are valid until
// the command ends or changes the set.
func (c *coll) appendMembers(dst [][]byte) [][]byte {
	// The function returns no error, and neither does each.
	_ = c.each(func(member []byte, _ *Item) error {
		dst = append(dst, member)
		return nil
	})
	return dst
}

// intPlace is the place, among ascending integers, of one or of the first above it.
func (p *packed) intPlace(want []byte) (at int, found bool) {
	for at < len(p.buf) {
		item, next := p.item(at)
		if order := compareInts(item, want); order >= 0 {
			return at, order == 0
		}
		at = next
	}
	return at, false
}

// compareInts compares two integers in the form that parseInt takes.
func compareInts(a, b []byte) int {
	negative := isNegative(a)
	switch {
	case negative != isNegative(b):
		if negative {
			return -1
		}
		return 1
	case negative:
		a, b = b, a
	}
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return bytes.Compare(a, b)
}

func isNegative(number []byte) bool { return len(number) > 0 && number[0] == '-' }
