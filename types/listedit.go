package types

import (
	"bytes"
	"encoding/binary"
	"math"

	"bitkv/engine"
)

// How a list changes, in either form.
//
// In the large form an element's subkey is its position: a 64-bit number. What is
// pushed goes outward, listGap away from the outermost element. What is inserted
// takes the middle between its neighbours. When these are adjacent numbers, the
// elements around the place are spread again, evenly: of windows around it, each
// twice as wide as the one before, the first is taken that has room enough. Room
// enough is more for a wider window, so that a window that was spread stays
// sparser than what its parts need: an insertion moves O(log n) elements in the
// long run, wherever they come.

const (
	listWindow     = 8  // elements on either side of the place in the first window
	listWindowGap  = 32 // between elements of the first window, once spread
	maxListWindGap = listGap / 2
)

// listPosition is the position of an element of a large list.
func listPosition(e *engine.Element) uint64 {
	// A subkey of a list has 8 bytes; of damaged ones that are shorter, what is there.
	var key [8]byte
	copy(key[:], e.Subkey)
	return binary.BigEndian.Uint64(key[:])
}

// positionAt is the position of the element at an index of a large list.
func (c *coll) positionAt(i int) uint64 {
	e := c.big.At(i)
	return listPosition(&e)
}

// elementAt returns the element at an index.
func (c *coll) elementAt(i int) Item {
	if c.big != nil {
		return Item{tx: c.tx, elem: c.big.At(i), large: true}
	}
	item, _ := c.small.item(c.small.skip(0, i))
	return Item{bytes: item}
}

// putPosition writes an element of a large list.
func (c *coll) putPosition(position uint64, value []byte) error {
	key := listKey(position)
	if _, err := c.tx.eng.PutElement(c.big, key[:], value); err != nil {
		return c.tx.fail(err)
	}
	return nil
}

// push adds an element on a side. value must not be a view of the list.
func (c *coll) push(side Side, value []byte) error {
	if err := c.makeRoom(1, itemBytes(len(value))); err != nil {
		return err
	}
	if c.big == nil {
		at := 0
		if side == Right {
			at = len(c.small.buf)
		}
		c.small.replace(at, 0, value)
		return nil
	}
	position, err := c.outside(side)
	if err != nil {
		return err
	}
	return c.putPosition(position, value)
}

// outside returns the position of an element to be added on a side.
func (c *coll) outside(side Side) (uint64, error) {
	n := c.big.Len()
	if n == 0 {
		return listOrigin, nil
	}
	for range 2 {
		if side == Left {
			if first := c.positionAt(0); first >= listGap {
				return first - listGap, nil
			}
		} else if last := c.positionAt(n - 1); last <= math.MaxUint64-listGap {
			return last + listGap, nil
		}
		// After 2^47 pushes more on this side than on the other.
		if err := c.recentre(); err != nil {
			return 0, err
		}
	}
	return 0, c.tx.fail(engine.ErrTooLarge)
}

// insert puts an element before the one at an index, or, at the length, behind
// the last. value must not be a view of the list.
func (c *coll) insert(i int, value []byte) error {
	if i == 0 {
		return c.push(Left, value)
	}
	if i == c.len() {
		return c.push(Right, value)
	}
	if err := c.makeRoom(1, itemBytes(len(value))); err != nil {
		return err
	}
	if c.big == nil {
		c.small.replace(c.small.skip(0, i), 0, value)
		return nil
	}
	before, behind := c.positionAt(i-1), c.positionAt(i)
	if behind-before < 2 {
		if err := c.spread(i); err != nil {
			return err
		}
		before, behind = c.positionAt(i-1), c.positionAt(i)
	}
	return c.putPosition(before+(behind-before)/2, value)
}

// setElement replaces the element at an index. value must not be a view of the
// list.
func (c *coll) setElement(i int, value []byte) error {
	if err := c.makeRoom(0, itemBytes(len(value))); err != nil {
		return err
	}
	if c.big == nil {
		c.small.replace(c.small.skip(0, i), 1, value)
		return nil
	}
	return c.putPosition(c.positionAt(i), value)
}

// clear takes everything out, at no cost: finish deletes the key, and what only a
// collection's id names is garbage.
func (c *coll) clear() { c.big, c.small = nil, packed{} }

// drop takes n elements off a side.
func (c *coll) drop(side Side, n int) {
	size := c.len()
	switch {
	case n == size:
		c.clear()
	case c.big == nil && side == Left:
		c.small.replace(0, n)
	case c.big == nil:
		c.small.replace(c.small.skip(0, size-n), n)
	default:
		for range n {
			i := 0
			if side == Right {
				i = c.big.Len() - 1
			}
			c.tx.eng.DeleteElementAt(c.big, i)
		}
	}
}

// About what the record of an element takes on disk besides its value.
const elementRecordBytes = 28

// keep takes everything out but n elements from an index on.
func (c *coll) keep(from, n int) error {
	right := c.len() - from - n
	if n > 0 && c.big != nil && c.keepsLess(from, n) {
		return c.rewrite(from, n)
	}
	if n == 0 {
		c.clear()
		return nil
	}
	c.drop(Right, right)
	c.drop(Left, from)
	return nil
}

// keepsLess reports whether writing the n elements from an index on again is less
// than a tombstone for each of the others.
func (c *coll) keepsLess(from, n int) bool {
	others := c.big.Len() - n
	if n > others {
		return false
	}
	room := elementRecordBytes * (others - n)
	c.big.AscendAt(from, func(e engine.Element) bool {
		n--
		room -= e.Size
		return n > 0 && room > 0
	})
	return room > 0
}

// rewrite makes a new collection of the n elements from an index on, in place of
// the large one.
func (c *coll) rewrite(from, n int) error {
	kept := coll{tx: c.tx, kind: c.kind, big: c.tx.eng.NewCollection(c.kind.order)}
	position := uint64(listOrigin)
	err := c.walkFrom(from, func(_ uint64, v *Item) (more bool, err error) {
		if c.tx.scratch, err = v.AppendTo(c.tx.scratch[:0]); err != nil {
			return false, c.tx.fail(err)
		}
		n--
		position += listGap
		return n > 0, kept.putPosition(position, c.tx.scratch)
	})
	c.big = kept.big
	return err
}

// remSmall is Rem of a small list.
func (c *coll) remSmall(count int64, value []byte) (removed int64) {
	matches := int64(0)
	for at := 0; at < len(c.small.buf); {
		var item []byte
		item, at = c.small.item(at)
		if bytes.Equal(item, value) {
			matches++
		}
	}
	n, skip := matches, int64(0)
	switch {
	case count > 0:
		n = min(n, count)
	case count < 0 && count > -matches:
		n, skip = -count, matches+count
	}
	for at := 0; removed < n; {
		item, next := c.small.item(at)
		switch {
		case !bytes.Equal(item, value):
			at = next
		case skip > 0:
			skip--
			at = next
		default:
			c.small.replace(at, 1)
			removed++
		}
	}
	return removed
}

// remBig is Rem of a large list.
func (c *coll) remBig(count int64, value []byte) (removed int64, err error) {
	side, limit := Left, c.big.Len()
	switch {
	case count > 0:
		limit = int(min(count, int64(limit)))
	case count < 0:
		side, limit = Right, int(-max(count, -int64(limit)))
	}
	var found []uint64
	err = c.walk(side, func(_ int, position uint64, v *Item) (bool, error) {
		equal, err := c.tx.itemEquals(v, value)
		if equal {
			found = append(found, position)
		}
		return len(found) < limit, err
	})
	if err != nil {
		return 0, err
	}
	if len(found) == c.big.Len() {
		c.clear()
		return int64(len(found)), nil
	}
	for _, position := range found {
		key := listKey(position)
		c.tx.eng.DeleteElement(c.big, key[:])
	}
	return int64(len(found)), nil
}

// spread makes room between the elements at i-1 and i of a large list.
// REQUIRES: 0 < i < c.len().
func (c *coll) spread(i int) error {
	n, gap := c.big.Len(), uint64(listWindowGap)
	for width := listWindow; ; width *= 2 {
		lo, hi := max(i-width, 0), min(i+width, n)
		count := uint64(hi - lo)
		switch {
		case lo == 0 && hi == n:
			return c.recentre()
		case lo == 0:
			if behind := c.positionAt(hi); behind/listGap > count {
				return c.renumber(lo, hi, behind-count*listGap, listGap)
			}
		case hi == n:
			if before := c.positionAt(lo - 1); (math.MaxUint64-before)/listGap > count {
				return c.renumber(lo, hi, before+listGap, listGap)
			}
		default:
			before := c.positionAt(lo - 1)
			if even := (c.positionAt(hi) - before) / (count + 1); even >= gap {
				return c.renumber(lo, hi, before+even, even)
			}
		}
		gap = min(gap+gap/2, maxListWindGap)
	}
}

// recentre spreads all elements of a large list around the middle of the
// positions.
func (c *coll) recentre() error {
	n := c.big.Len()
	return c.renumber(0, n, listOrigin-uint64(n/2)*listGap, listGap)
}

// renumber gives the elements from index lo to hi, that excluded, the positions
// first, first+gap, and so on.
func (c *coll) renumber(lo, hi int, first, gap uint64) error {
	n := hi - lo
	old, ends := make([]uint64, 0, n), make([]int, 0, n)
	var values []byte
	err := c.walkFrom(lo, func(position uint64, v *Item) (more bool, err error) {
		values, err = v.AppendTo(values)
		old, ends = append(old, position), append(ends, len(values))
		return len(old) < n, err
	})
	if err != nil {
		return c.tx.fail(err)
	}
	for _, position := range old {
		key := listKey(position)
		c.tx.eng.DeleteElement(c.big, key[:])
	}
	begin := 0
	for i, end := range ends {
		if err := c.putPosition(first+uint64(i)*gap, values[begin:end]); err != nil {
			return err
		}
		begin = end
	}
	return nil
}
