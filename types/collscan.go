package types

import (
	"math/rand/v2"

	"bitkv/engine"
)

// A walk over a large Hash, Set or ZSet goes by the hashes of the subkeys, which
// never change: its cursor is the hash to go on from, less its lowest bits. What
// is left is exact in a JavaScript number, of 53 bits, which some clients make of
// it. Subkeys that differ in no more than the dropped bits are visited together.
const cursorDropBits = 12

// scan visits some entries of a Hash, Set or ZSet from a cursor on and returns
// the cursor for the next call, 0 at the end; a walk begins at 0. Any cursor is
// safe. An entry that exists from the beginning of a walk to its end is visited
// exactly once, whatever else happens, but for a collection that becomes large
// meanwhile, whose entries may be visited again. A small one is visited at once,
// as in Redis. o.Type means nothing here. fn is as that of each.
func (c *coll) scan(cursor uint64, o ScanOptions, fn func(subkey []byte, v *Item) error) (next uint64, err error) {
	visit := func(subkey []byte, v *Item) error {
		if o.Match != nil && !matchesAll(o.Match) && !Match(o.Match, subkey) || c.fieldExpired(subkey) {
			return nil
		}
		return fn(subkey, v)
	}
	if c.big == nil {
		return 0, c.eachPacked(visit)
	}
	if cursor > ^uint64(0)>>cursorDropBits {
		return 0, nil
	}
	left := o.Count
	if left <= 0 {
		left = defaultScanCount
	}
	v, last := Item{tx: c.tx, large: true}, cursor
	c.big.AscendHash(cursor<<cursorDropBits, func(hash uint64, e engine.Element) bool {
		place := hash >> cursorDropBits
		if left <= 0 && place != last {
			next = place
			return false
		}
		left--
		v.elem, last = e, place
		err = visit(e.Subkey, &v)
		return err == nil
	})
	return next, err
}

// at returns the entry of a Hash, Set or ZSet at a position, in no order that
// means anything. In the small form it looks at all before it.
func (c *coll) at(i int) (subkey []byte, v Item) {
	if c.big != nil {
		e := c.big.At(i)
		return e.Subkey, Item{tx: c.tx, elem: e, large: true}
	}
	subkey, next := c.small.item(c.small.skip(0, i*c.kind.stride))
	if c.kind.stride == 2 {
		v.bytes, _ = c.small.item(next)
	}
	return subkey, v
}

// random calls fn for n entries chosen at random, as Fields.Random says.
func (c *coll) random(n int, repeated bool, fn func(subkey []byte, v *Item) error) error {
	size := c.len()
	if c.ttl.expired > 0 {
		if err := c.findLive(); err != nil {
			return err
		}
	}
	switch {
	case size == 0:
		return nil
	case repeated:
		for range n {
			if err := c.visit(rand.IntN(size), fn); err != nil {
				return err
			}
		}
		return nil
	case n >= size:
		return c.each(fn)
	case n > size/4 || c.big == nil:
		return c.randomSome(n, fn)
	}
	// Floyd's algorithm: a sample of n out of size in n steps.
	chosen := make(map[int]struct{}, n)
	for last := size - n; last < size; last++ {
		i := rand.IntN(last + 1)
		if _, again := chosen[i]; again {
			i = last
		}
		chosen[i] = struct{}{}
		if err := c.visit(i, fn); err != nil {
			return err
		}
	}
	return nil
}

func (c *coll) visit(i int, fn func(subkey []byte, v *Item) error) error {
	if c.live != nil {
		i = c.live[i]
	}
	subkey, v := c.at(i)
	return fn(subkey, &v)
}

// findLive notes where the entries are that have not expired.
func (c *coll) findLive() error {
	c.live = make([]int, 0, c.len())
	i := 0
	return c.eachThere(func(subkey []byte, _ *Item) error {
		if !c.fieldExpired(subkey) {
			c.live = append(c.live, i)
		}
		i++
		return nil
	})
}

// randomSome chooses n entries in one walk: each with the chance that the number
// still to be chosen has among those still to come.
func (c *coll) randomSome(n int, fn func(subkey []byte, v *Item) error) error {
	left := c.len()
	return c.each(func(subkey []byte, v *Item) error {
		left--
		if n == 0 || rand.IntN(left+1) >= n {
			return nil
		}
		n--
		return fn(subkey, v)
	})
}
