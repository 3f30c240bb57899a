package types

import (
	"bytes"
	"slices"
)

// List is the List commands over a transaction. Those that change a key need a
// transaction for writing.
type List struct{ tx *Tx }

// List returns the List commands over this transaction. It begins a command: what
// those before it returned is not valid any more.
func (tx *Tx) List() List {
	tx.beginCommand()
	return List{tx}
}

// Side is an end of a list.
type Side uint8

// The sides.
const (
	Left  Side = 0 // where index 0 is
	Right Side = 1
)

// pushEvent is the event of an element that comes in on a side.
func (s Side) pushEvent() string {
	if s == Left {
		return "lpush"
	}
	return "rpush"
}

// popEvent is the event of an element that goes out on a side.
func (s Side) popEvent() string {
	if s == Left {
		return "lpop"
	}
	return "rpop"
}

// Elements is a list found for reading, or a part of one. It is valid until the
// transaction writes its key or another command begins. That of a key that does
// not exist is empty.
type Elements struct {
	c       coll
	from, n int
}

// Find looks a list up for reading.
func (l List) Find(key []byte) (Elements, error) {
	c, err := l.tx.openRead(key, tagList)
	if err != nil {
		return Elements{}, err
	}
	return Elements{c: c, n: c.len()}, nil
}

// Len is LLEN.
func (e *Elements) Len() int { return e.n }

// At returns the element at an index, which counts from the end if it is
// negative (LINDEX).
func (e *Elements) At(index int64) (v Item, ok bool) {
	if index < 0 {
		index += int64(e.n)
	}
	if index < 0 || index >= int64(e.n) {
		return Item{}, false
	}
	return e.c.elementAt(e.from + int(index)), true
}

// Slice returns the elements from index start to index stop, both of which may
// count from the end and lie outside (LRANGE).
func (e *Elements) Slice(start, stop int64) Elements {
	from, n := sliceBounds(start, stop, e.n)
	return Elements{c: e.c, from: e.from + from, n: n}
}

// sliceBounds is the part of n elements that two indexes of LRANGE or LTRIM name.
func sliceBounds(start, stop int64, n int) (from, count int) {
	size := int64(n)
	if start < 0 {
		start = max(start+size, 0)
	}
	if stop < 0 {
		stop += size
	}
	stop = min(stop, size-1)
	if start > stop {
		return 0, 0
	}
	return int(start), int(stop - start + 1)
}

// Each calls fn for every element, in order, until it returns an error, which
// Each returns. v is not valid after fn.
func (e *Elements) Each(fn func(v *Item) error) error {
	left := e.n
	if left == 0 {
		return nil
	}
	if e.c.big == nil {
		return e.c.walkFrom(e.from, func(_ uint64, v *Item) (bool, error) {
			left--
			return left > 0, fn(v)
		})
	}
	return e.c.tx.eng.ReadMany(func() error {
		v := Item{tx: e.c.tx, large: true}
		for cursor := e.c.big.Up(e.from); left > 0 && cursor.Next(&v.elem); left-- {
			if err := fn(&v); err != nil {
				return err
			}
		}
		return nil
	})
}

// PosOptions are the options of LPOS.
type PosOptions struct {
	Rank   int64 // the first match that counts; negative: from the right; not 0
	Count  int64 // how many are wanted; 0: all
	MaxLen int64 // how many elements are compared; 0: all
}

// Pos calls fn with the indexes of the elements equal to value, in the order of
// the search (LPOS). REQUIRES: a whole list, as Find returned it.
func (e *Elements) Pos(value []byte, o PosOptions, fn func(index int)) error {
	side, skip := Left, o.Rank-1
	if o.Rank < 0 {
		side, skip = Right, -(o.Rank + 1)
	}
	found, compared := int64(0), int64(0)
	return e.c.walk(side, func(i int, _ uint64, v *Item) (bool, error) {
		if o.MaxLen > 0 && compared == o.MaxLen {
			return false, nil
		}
		compared++
		equal, err := e.c.tx.itemEquals(v, value)
		switch {
		case err != nil || !equal:
			return true, err
		case skip > 0:
			skip--
			return true, nil
		}
		fn(i)
		found++
		return found != o.Count, nil
	})
}

// itemEquals reports whether an element has these bytes. It reads the disk only
// if the length is right.
func (tx *Tx) itemEquals(v *Item, want []byte) (bool, error) {
	switch {
	case v.Len() != len(want):
		return false, nil
	case !v.large:
		return bytes.Equal(v.bytes, want), nil
	}
	if value, ok := v.elem.Value(); ok {
		return bytes.Equal(value[:len(want)], want), nil
	}
	var err error
	tx.scratch, err = v.AppendTo(tx.scratch[:0])
	return bytes.Equal(tx.scratch, want), err
}

// Push adds values, one after the other, on a side (LPUSH, RPUSH), and returns
// the new length. If mustExist, it does nothing to a key that does not exist
// (LPUSHX, RPUSHX).
func (l List) Push(key []byte, side Side, values [][]byte, mustExist bool) (length int64, err error) {
	c, err := l.tx.openWrite(key, tagList)
	if err != nil || mustExist && !c.existed {
		return 0, err
	}
	for _, value := range values {
		if err := c.push(side, value); err != nil {
			return 0, err
		}
	}
	return int64(c.len()), c.finish(int64(len(values)), side.pushEvent())
}

// Taken is what is about to be taken off a side of a list: Each reads it, then
// Remove removes it. It is valid as Elements is.
type Taken struct {
	c    coll
	side Side
	n    int
}

// Take finds up to n elements on a side of a list (LPOP, RPOP, LMPOP).
func (l List) Take(key []byte, side Side, n int64) (Taken, error) {
	c, err := l.tx.openWrite(key, tagList)
	if err != nil {
		return Taken{}, err
	}
	return Taken{c: c, side: side, n: int(min(n, int64(c.len())))}, nil
}

// Found reports whether there is a list.
func (t *Taken) Found() bool { return t.c.existed }

// Len is how many elements are taken.
func (t *Taken) Len() int { return t.n }

// One returns the only element. REQUIRES: Len is 1.
func (t *Taken) One() Item {
	if t.side == Left {
		return t.c.elementAt(0)
	}
	return t.c.elementAt(t.c.len() - 1)
}

// Each calls fn for every element, the outermost first, until it returns an
// error, which Each returns. v is not valid after fn.
func (t *Taken) Each(fn func(v *Item) error) error {
	left := t.n
	if left == 0 {
		return nil
	}
	return t.c.walk(t.side, func(_ int, _ uint64, v *Item) (bool, error) {
		left--
		return left > 0, fn(v)
	})
}

// Remove removes the elements. A list without elements is deleted.
func (t *Taken) Remove() error {
	t.c.drop(t.side, t.n)
	return t.c.finish(int64(t.n), t.side.popEvent())
}

// Set replaces the element at an index (LSET). ErrNoKey if there is no list,
// ErrIndex if it has no such index.
func (l List) Set(key []byte, index int64, value []byte) error {
	c, err := l.tx.openWrite(key, tagList)
	if err != nil {
		return err
	}
	if !c.existed {
		return ErrNoKey
	}
	if index < 0 {
		index += int64(c.len())
	}
	if index < 0 || index >= int64(c.len()) {
		return ErrIndex
	}
	if err := c.setElement(int(index), value); err != nil {
		return err
	}
	return c.finish(1, "lset")
}

// Insert puts value before, or after, the first element equal to pivot (LINSERT).
// It returns the new length, 0 if there is no list, -1 if there is no pivot.
func (l List) Insert(key []byte, after bool, pivot, value []byte) (length int64, err error) {
	c, err := l.tx.openWrite(key, tagList)
	if err != nil || !c.existed {
		return 0, err
	}
	place := -1
	err = c.walk(Left, func(i int, _ uint64, v *Item) (bool, error) {
		equal, err := c.tx.itemEquals(v, pivot)
		if equal {
			place = i
		}
		return !equal, err
	})
	if err != nil || place < 0 {
		return -1, err
	}
	if after {
		place++
	}
	if err := c.insert(place, value); err != nil {
		return 0, err
	}
	return int64(c.len()), c.finish(1, "linsert")
}

// Rem removes the elements equal to value: the first count of them, or the last
// -count, or all if count is 0 (LREM). It returns how many it removed.
func (l List) Rem(key []byte, count int64, value []byte) (removed int64, err error) {
	c, err := l.tx.openWrite(key, tagList)
	if err != nil || !c.existed {
		return 0, err
	}
	if c.big == nil {
		removed = c.remSmall(count, value)
	} else if removed, err = c.remBig(count, value); err != nil {
		return 0, err
	}
	return removed, c.finish(removed, "lrem")
}

// Trim removes what Slice(start, stop) is not (LTRIM).
func (l List) Trim(key []byte, start, stop int64) error {
	tx := l.tx
	c, err := tx.openWrite(key, tagList)
	if err != nil || !c.existed {
		return err
	}
	was := c.len()
	from, n := sliceBounds(start, stop, was)
	if n == was { // an event without a change, as in Redis
		tx.touchWatchers(tx.db, key)
		tx.notify(tx.db, key, EventList, "ltrim")
		return nil
	}
	if err := c.keep(from, n); err != nil {
		return err
	}
	return c.finish(int64(was-n), "ltrim")
}

// Move takes an element off one side of src and puts it on a side of dst, which
// may be the same list (LMOVE, RPOPLPUSH). ok is false if there is no list at
// src. value is valid until the next command.
func (l List) Move(src, dst []byte, from, to Side) (value []byte, ok bool, err error) {
	tx := l.tx
	s, err := tx.openWrite(src, tagList)
	if err != nil || !s.existed {
		return nil, false, err
	}
	taken := Taken{c: s, side: from, n: 1}
	v := taken.One()
	if bytes.Equal(src, dst) {
		if tx.scratch, err = v.AppendTo(tx.scratch[:0]); err != nil {
			return nil, false, err
		}
		s.drop(from, 1)
		if err := s.push(to, tx.scratch); err != nil {
			return nil, false, err
		}
		err = s.finish(1, to.pushEvent())
		tx.notify(tx.db, src, EventList, from.popEvent())
		return tx.scratch, err == nil, err
	}
	d, err := tx.openWrite(dst, tagList)
	if err != nil {
		return nil, false, err
	}
	if tx.scratch, err = v.AppendTo(tx.scratch[:0]); err != nil {
		return nil, false, err
	}
	if err := d.push(to, tx.scratch); err != nil {
		return nil, false, err
	}
	if err := d.finish(1, to.pushEvent()); err != nil {
		return nil, false, err
	}
	tx.dirty-- // the move counts once
	s.drop(from, 1)
	err = s.finish(1, from.popEvent())
	return tx.scratch, err == nil, err
}

// walk calls fn for the elements from a side on, with their index and, in the
// large form, their position, until it returns false or an error.
func (c *coll) walk(side Side, fn func(i int, position uint64, v *Item) (bool, error)) error {
	if side == Left {
		i := -1
		return c.walkFrom(0, func(position uint64, v *Item) (bool, error) {
			i++
			return fn(i, position, v)
		})
	}
	if c.big == nil {
		places := c.small.places(make([]int, 0, packedMaxEntries))
		for i, at := range slices.Backward(places) {
			var v Item
			v.bytes, _ = c.small.item(at)
			if more, err := fn(i, 0, &v); !more || err != nil {
				return err
			}
		}
		return nil
	}
	i := c.big.Len() - 1
	v := Item{tx: c.tx, large: true}
	for cursor := c.big.Down(i); cursor.Next(&v.elem); i-- {
		if more, err := fn(i, listPosition(&v.elem), &v); !more || err != nil {
			return err
		}
	}
	return nil
}

// walkFrom calls fn for the elements from an index on, which may be the end, with
// their position in the large form, until it returns false or an error.
func (c *coll) walkFrom(index int, fn func(position uint64, v *Item) (bool, error)) error {
	if c.big == nil {
		for at := c.small.skip(0, index); at < len(c.small.buf); {
			var v Item
			v.bytes, at = c.small.item(at)
			if more, err := fn(0, &v); !more || err != nil {
				return err
			}
		}
		return nil
	}
	v := Item{tx: c.tx, large: true}
	for cursor := c.big.Up(index); cursor.Next(&v.elem); {
		if more, err := fn(listPosition(&v.elem), &v); !more || err != nil {
			return err
		}
	}
	return nil
}

// places appends the place of every item to dst.
func (p *packed) places(dst []int) []int {
	for at := 0; at < len(p.buf); at = p.skip(at, 1) {
		dst = append(dst, at)
	}
	return dst
}
