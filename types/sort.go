package types

import (
	"bytes"
	"cmp"
	"math"
	"slices"

	"bitkv/engine"
)

// SortOptions are the options of SORT. The zero value sorts numbers, all of them,
// the smallest first.
type SortOptions struct {
	// By is the pattern of the keys whose values decide the order, if HasBy. One
	// without an asterisk means that there is nothing to sort.
	By    []byte
	HasBy bool
	// Get are the patterns of what is wanted for each element; "#" is the element
	// itself. None: the elements.
	Get [][]byte

	Alpha, Desc bool // compare as strings; the largest first

	// Limited results leave out the first Offset elements, and those after the next
	// Count. A negative Count leaves out none.
	Limited       bool
	Offset, Count int64

	// ToStore says that the result will be stored. A set is sorted then in any case,
	// so that what is stored does not depend on chance.
	ToStore bool
}

// SortResult is the elements that SORT found, in order. It is valid until the
// transaction writes a key or another command begins.
type SortResult struct {
	sorter
	get   []sortPattern
	items []sortItem
}

// Sort sorts the elements of a list, a set or a sorted set (SORT, SORT_RO); a key
// that does not exist has none. ErrSortScore: something is no number. REQUIRES:
// the shards of all keys that By and Get can name, which is all shards if one of
// them has an asterisk.
func (tx *Tx) Sort(key []byte, o SortOptions) (SortResult, error) {
	tx.beginCommand()
	r := SortResult{sorter: sorter{tx: tx}}
	for _, pattern := range o.Get {
		r.get = append(r.get, parseSortPattern(pattern))
	}
	c, err := tx.openSortable(key)
	if err != nil || !c.existed {
		return r, err
	}
	tx.convertSorted(&c)
	by := parseSortPattern(o.By)
	asIs := o.HasBy && by.kind != sortByKey
	if asIs && o.ToStore && c.kind.tag == tagSet {
		asIs, o.HasBy, o.Alpha = false, false, true
	}
	from, n := o.window(c.len())
	if asIs {
		return r, r.loadAsIs(&c, from, n, o.Desc)
	}
	if err := r.load(&c); err != nil {
		return r, err
	}
	if o.HasBy {
		err = r.lookUpKeys(&by, o.Alpha)
	} else if !o.Alpha {
		err = r.parseElements()
	}
	if err != nil {
		return r, err
	}
	r.sort(&o, from, from+n)
	r.items = r.items[from : from+n]
	return r, nil
}

// openSortable finds a key of one of the types that can be sorted.
func (tx *Tx) openSortable(key []byte) (c coll, err error) {
	h, ok := tx.read(key, withTouch)
	if !ok {
		return c, nil
	}
	k, err := knownKind(h.Tag)
	if err != nil {
		return c, err
	}
	switch k.tag {
	case tagList, tagSet, tagZSet:
		return tx.open(tx.db, key, &h, k)
	}
	return c, ErrWrongType
}

// convertSorted: Redis makes a skiplist of a sorted set that it sorts, and of that
// skiplist a listpack again when it loads it. So does this, if it may: SORT_RO is
// not let to write so little.
func (tx *Tx) convertSorted(c *coll) {
	if tx.write && c.kind.tag == tagZSet && c.tag&tagConverted == 0 {
		tx.eng.SetTag(&c.head, c.tag|tagConverted)
	}
}

// window is the part of n elements that LIMIT leaves.
func (o *SortOptions) window(n int) (from, count int) {
	if !o.Limited {
		return 0, n
	}
	size := int64(n)
	start := min(max(o.Offset, 0), size)
	if o.Count < 0 {
		return int(start), int(size - start)
	}
	return int(start), int(min(o.Count, size-start))
}

// Len is the number of values that Each visits.
func (r *SortResult) Len() int { return len(r.items) * max(len(r.get), 1) }

// Each calls fn for every value of the result, of each element all that is to be
// got, until it returns an error, which Each returns. ok is false for a value that
// does not exist. value is not valid after fn.
func (r *SortResult) Each(fn func(value []byte, ok bool) error) error {
	for i := range r.items {
		element := r.items[i].element
		if len(r.get) == 0 {
			if err := fn(element, true); err != nil {
				return err
			}
		}
		for j := range r.get {
			value, ok, err := r.lookUp(&r.get[j], element)
			if err != nil {
				return err
			}
			if err := fn(value, ok); err != nil {
				return err
			}
		}
	}
	return nil
}

// Store puts the result in the place of whatever dst is, as a list in which what
// does not exist is an empty element, and returns its length. An empty result
// deletes dst. REQUIRES: SortOptions.ToStore.
func (r *SortResult) Store(dst []byte) (n int64, err error) {
	list := r.tx.create(dst, tagList)
	err = r.Each(func(value []byte, _ bool) error { return list.push(Right, value) })
	if err != nil {
		return 0, r.tx.fail(err)
	}
	n = int64(list.len())
	if n > 0 {
		r.tx.dirty += n - 1
	}
	return n, list.replace("sortstore")
}

// sortItem is an element and what it is sorted by.
type sortItem struct {
	element []byte
	score   float64
	by      []byte // ALPHA and BY: the value; nil if there is none
	place   int    // before it was sorted
}

// sorter holds what the pieces of SORT share.
type sorter struct {
	tx    *Tx
	room  []byte // where copies are made, a block at a time
	key   []byte // scratch of lookUp
	value []byte // scratch of lookUp
}

// sortBlock is how much room copies are given at once.
const sortBlock = 16 << 10

// keep returns a copy of b, never nil, that is valid as long as the sorter.
func (s *sorter) keep(b []byte) []byte {
	if s.room == nil || len(b) > cap(s.room)-len(s.room) {
		s.room = make([]byte, 0, max(sortBlock, len(b)))
	}
	from := len(s.room)
	s.room = append(s.room, b...)
	return s.room[from:len(s.room):len(s.room)]
}

// element returns an element met in a walk. Members, and elements of a small list,
// are views that stay valid.
func (s *sorter) element(subkey []byte, v *Item, tag uint8) ([]byte, error) {
	switch {
	case tag != tagList:
		return subkey, nil
	case !v.large:
		return v.bytes, nil
	}
	var err error
	if s.value, err = v.AppendTo(s.value[:0]); err != nil {
		return nil, err
	}
	return s.keep(s.value), nil
}

// load takes all elements.
func (r *SortResult) load(c *coll) error {
	r.items = make([]sortItem, 0, c.len())
	if c.kind.tag == tagSet {
		return c.eachMember(func(member []byte) error {
			r.items = append(r.items, sortItem{element: member})
			return nil
		})
	}
	return c.each(r.takeFrom(c))
}

// takeFrom is the function for a walk over c that takes what it meets.
func (r *SortResult) takeFrom(c *coll) func(subkey []byte, v *Item) error {
	return func(subkey []byte, v *Item) error {
		element, err := r.element(subkey, v, c.kind.tag)
		r.items = append(r.items, sortItem{element: element})
		return err
	}
}

// loadAsIs takes n elements from a position on, in their own order, or, if desc,
// in the opposite one. A set has no order, and so no opposite one either.
func (r *SortResult) loadAsIs(c *coll, from, n int, desc bool) error {
	if c.kind.tag == tagSet {
		err := r.load(c)
		r.items = r.items[from : from+n]
		return err
	}
	if desc {
		from = c.len() - from - n
	}
	r.items = make([]sortItem, 0, n)
	if err := c.eachOf(from, n, r.takeFrom(c)); err != nil {
		return err
	}
	if desc {
		slices.Reverse(r.items)
	}
	return nil
}

// eachOf is each for n elements of a List, or members of a ZSet in the order of
// scores, from a position on.
func (c *coll) eachOf(from, n int, fn func(subkey []byte, v *Item) error) (err error) {
	if n == 0 {
		return nil
	}
	if c.big == nil {
		at := c.small.skip(0, from*c.kind.stride)
		part := packed{buf: c.small.buf[at:c.small.skip(at, n*c.kind.stride)]}
		return (&coll{tx: c.tx, kind: c.kind, small: part}).eachPacked(fn)
	}
	walk := c.big.AscendAt
	if c.kind.order == engine.OrderScore {
		walk = c.big.AscendScoreAt
	}
	v := Item{tx: c.tx, large: true}
	walk(from, func(e engine.Element) bool {
		v.elem = e
		err = fn(e.Subkey, &v)
		n--
		return err == nil && n > 0
	})
	return err
}

// parseElements makes every element the number that it is.
func (r *SortResult) parseElements() error {
	for i := range r.items {
		item := &r.items[i]
		var ok bool
		if item.score, ok = parseSortScore(item.element); !ok {
			return ErrSortScore
		}
	}
	return nil
}

// lookUpKeys finds what the elements are sorted by. What does not exist is 0, or
// before all strings.
func (r *SortResult) lookUpKeys(by *sortPattern, alpha bool) error {
	numbers := true
	for i := range r.items {
		item := &r.items[i]
		value, ok, err := r.lookUp(by, item.element)
		switch {
		case err != nil:
			return err
		case !ok:
		case alpha:
			item.by = r.keep(value)
		default:
			item.score, ok = parseSortScore(value)
			numbers = numbers && ok
		}
	}
	if !numbers {
		return ErrSortScore
	}
	return nil
}

// sort puts the items from from up to, but not with, to in order, of the whole.
// Those that are alike stay in the order they were in, or, with BY and ALPHA, where not
// all are wanted, in that which sortWindow leaves them in: so it is in Redis.
func (r *SortResult) sort(o *SortOptions, from, to int) {
	compare := compareScores
	if o.Alpha {
		compare = compareElements
		if o.HasBy {
			compare = compareBy
		}
	}
	sign := 1
	if o.Desc {
		sign = -1
	}
	if o.Alpha && o.HasBy && to-from < len(r.items) {
		sortWindow(r.items, from, to, func(a, b *sortItem) int { return sign * compare(a, b) })
		return
	}
	for i := range r.items {
		r.items[i].place = i
	}
	inOrder := func(a, b *sortItem) int { return cmp.Or(sign*compare(a, b), a.place-b.place) }
	if to-from > len(r.items)/2 {
		sortWhole(r.items, inOrder)
	} else {
		sortWindow(r.items, from, to, inOrder)
	}
}

func compareScores(a, b *sortItem) int {
	return cmp.Or(cmp.Compare(a.score, b.score), bytes.Compare(a.element, b.element))
}

func compareElements(a, b *sortItem) int { return bytes.Compare(a.element, b.element) }

func compareBy(a, b *sortItem) int {
	switch {
	case a.by != nil && b.by != nil:
		return bytes.Compare(a.by, b.by)
	case a.by != nil:
		return 1
	case b.by != nil:
		return -1
	}
	return 0
}

// sortPattern is a parsed pattern of BY or GET.
type sortPattern struct {
	kind           sortPatternKind
	prefix, suffix []byte // around the element in the name of the key
	field          []byte // of a hash; empty: the key is a string
}

type sortPatternKind uint8

const (
	sortByNothing sortPatternKind = iota // no asterisk: there is no such key
	sortByElement                        // "#"
	sortByKey
)

// parseSortPattern parses prefix*suffix or prefix*suffix->field.
func parseSortPattern(pattern []byte) (p sortPattern) {
	if string(pattern) == "#" {
		p.kind = sortByElement
		return p
	}
	var found bool
	if p.prefix, p.suffix, found = bytes.Cut(pattern, []byte("*")); !found {
		return sortPattern{}
	}
	p.kind = sortByKey
	if key, field, found := bytes.Cut(p.suffix, []byte("->")); found && len(field) > 0 {
		p.suffix, p.field = key, field
	}
	return p
}

// lookUp returns what a pattern means for an element. A key, or field, that does
// not exist or is of another type is no value. value is valid until the next call.
func (s *sorter) lookUp(p *sortPattern, element []byte) (value []byte, ok bool, err error) {
	switch p.kind {
	case sortByElement:
		return element, true, nil
	case sortByNothing:
		return nil, false, nil
	case sortByKey:
	}
	s.key = append(append(append(s.key[:0], p.prefix...), element...), p.suffix...)
	h, ok := s.tx.read(s.key, withTouch)
	if !ok {
		return nil, false, nil
	}
	switch mark := h.Tag & tagTypeMask; {
	case len(p.field) > 0 && mark == tagHash:
		return s.lookUpField(&h, p.field)
	case len(p.field) == 0 && mark == tagString:
		v, err := s.tx.valueOf(&h)
		if err != nil {
			return nil, false, err
		}
		s.value, err = v.AppendTo(s.value[:0])
		return s.value, err == nil, s.tx.skipCold(err)
	}
	return nil, false, nil
}

func (s *sorter) lookUpField(h *engine.Head, field []byte) (value []byte, ok bool, err error) {
	defer s.tx.trimArena(len(s.tx.arena))
	c, err := s.tx.open(s.tx.db, s.key, h, &kinds[tagHash])
	if err != nil {
		return nil, false, s.tx.skipCold(err)
	}
	v, ok := c.get(field)
	if !ok {
		return nil, false, nil
	}
	s.value, err = v.AppendTo(s.value[:0])
	return s.value, err == nil, err
}

// minNormal is the smallest number with full precision.
const minNormal = 0x1p-1022

// parseSortScore parses a number as C's strtod does that must take all of it: with
// spaces before it, in decimal or hexadecimal form, up to a zero byte; nothing at
// all is 0. What is too large, or too small to be told exactly, is none.
func parseSortScore(b []byte) (score float64, ok bool) {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	if len(b) == 0 {
		return 0, true
	}
	if n, isInt := ParseInt(b); isInt {
		return float64(n), true
	}
	score, n, inRange := FloatPrefix(b)
	isTiny := score != 0 && math.Abs(score) < minNormal && !bytes.ContainsAny(b, "xX")
	return score, n == len(b) && inRange && !isTiny && !math.IsNaN(score)
}
