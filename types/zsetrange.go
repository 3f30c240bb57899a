package types

import (
	"bytes"
	"encoding/binary"
	"math"
	"sort"

	"bitkv/engine"
)

// ZRange says which members of a sorted set are meant: by rank, by score or by
// the order of members. The zero value is by rank.
type ZRange struct {
	By      ZRangeBy
	Reverse bool // from the highest down; ranks count from there

	Start, Stop int64 // ZByRank: both included, negative ones count from the end

	Min, Max     float64 // ZByScore, none of them NaN
	MinEx, MaxEx bool    // ZByScore: that score itself is not meant

	From, To LexBound // ZByLex

	// Limited ranges leave out the first Offset members, and those after the next
	// Count. A negative Offset leaves out all; a negative Count none.
	Limited       bool
	Offset, Count int64
}

// ZRangeBy is what a range is counted by.
type ZRangeBy uint8

// The kinds of ranges.
const (
	ZByRank ZRangeBy = iota
	ZByScore
	// ZByLex goes by the bytes of members, and means something only if all have
	// the same score.
	ZByLex
)

// LexBound is one end of a range of members.
type LexBound struct {
	Member []byte
	Ex     bool // the member itself is not meant
	// Open, if not 0, is an end without a member: before all of them if negative,
	// behind them if positive.
	Open int8
}

// Span is a run of neighbours in a sorted set: the ranks from Lo up to, but not
// with, Hi, to be visited from the higher end if Reverse.
type Span struct {
	Lo, Hi  int
	Reverse bool
}

// Len is the number of members.
func (p Span) Len() int { return p.Hi - p.Lo }

// Range finds the members that a range means; an empty Span if there are none.
func (s *Sorted) Range(r *ZRange) Span {
	var p Span
	switch r.By {
	case ZByScore:
		p = s.c.scoreSpan(r)
	case ZByLex:
		p = s.c.lexSpan(r)
	default:
		p = rankSpan(r, s.c.len())
	}
	if p.Lo >= p.Hi {
		return Span{Reverse: r.Reverse}
	}
	p.Reverse = r.Reverse
	if r.Limited {
		p.limit(r.Offset, r.Count)
	}
	return p
}

// limit applies an offset and a count, which are from the end that the span is
// visited from.
func (p *Span) limit(offset, count int64) {
	n := int64(p.Len())
	if offset < 0 || offset > n {
		offset = n
	}
	if count < 0 || count > n-offset {
		count = n - offset
	}
	if p.Reverse {
		p.Hi -= int(offset)
		p.Lo = p.Hi - int(count)
	} else {
		p.Lo += int(offset)
		p.Hi = p.Lo + int(count)
	}
}

// rankSpan is Range by rank, of a sorted set of n members.
func rankSpan(r *ZRange, n int) Span {
	size := int64(n)
	start, stop := r.Start, r.Stop
	if start < 0 {
		start = max(start+size, 0)
	}
	if stop < 0 {
		stop += size
	}
	stop = min(stop, size-1)
	if start > stop {
		return Span{}
	}
	if r.Reverse {
		start, stop = size-1-stop, size-1-start
	}
	return Span{Lo: int(start), Hi: int(stop) + 1}
}

// scoreSpan is Range by score.
func (c *coll) scoreSpan(r *ZRange) Span {
	if math.IsNaN(r.Min) || math.IsNaN(r.Max) {
		return Span{}
	}
	lo, hi := encodeScore(r.Min+0), encodeScore(r.Max+0) // -0 as 0
	if r.MinEx {
		lo = afterScore(lo)
	}
	if !r.MaxEx {
		hi = afterScore(hi)
	}
	return Span{Lo: c.rankOfScore(&lo), Hi: c.rankOfScore(&hi)}
}

// afterScore is what stands behind every member with an encoded score and before
// every one with a higher one. The highest score is not the highest of 8 bytes.
func afterScore(value [scoreBytes]byte) (next [scoreBytes]byte) {
	binary.BigEndian.PutUint64(next[:], binary.BigEndian.Uint64(value[:])+1)
	return next
}

// rankOfScore is the number of members whose encoded score is below value.
func (c *coll) rankOfScore(value *[scoreBytes]byte) (rank int) {
	if c.big != nil {
		rank, _ = c.big.RankScore(value[:], nil)
		return rank
	}
	p, want := &c.small, scoreOrder(value[:])
	for at := 0; at < len(p.buf); rank++ {
		_, at = p.item(at)
		var score []byte
		if score, at = p.item(at); scoreOrder(score) >= want {
			break
		}
	}
	return rank
}

// before reports whether a member is before the range that begins with b.
func (b *LexBound) before(member []byte) bool {
	if b.Open != 0 {
		return b.Open > 0
	}
	order := bytes.Compare(member, b.Member)
	return order < 0 || order == 0 && b.Ex
}

// behind reports whether a member is behind the range that ends with b.
func (b *LexBound) behind(member []byte) bool {
	if b.Open != 0 {
		return b.Open < 0
	}
	order := bytes.Compare(member, b.Member)
	return order > 0 || order == 0 && b.Ex
}

// lexSpan is Range by member. Where scores differ Redis's answer depends on how
// its search goes; that of the small form is the same here.
func (c *coll) lexSpan(r *ZRange) Span {
	switch {
	case c.big != nil:
		return Span{Lo: c.lexRank(r.From.before), Hi: c.lexRank(func(m []byte) bool { return !r.To.behind(m) })}
	case c.small.n == 0 || c.small.outsideLex(r):
		return Span{}
	case r.Reverse:
		return c.small.lexSpanDown(r)
	default:
		return c.small.lexSpanUp(r)
	}
}

// lexRank is the number of members of a large sorted set before the first for
// which below is not true.
func (c *coll) lexRank(below func(member []byte) bool) int {
	return sort.Search(c.big.Len(), func(i int) bool { return !below(c.big.AtScore(i).Subkey) })
}

// outsideLex reports whether the first member is behind a range or the last before
// it. REQUIRES: p is not empty.
func (p *packed) outsideLex(r *ZRange) bool {
	first, _ := p.item(0)
	last, _ := p.item(p.skip(0, p.n-2))
	return r.To.behind(first) || r.From.before(last)
}

// lexSpanUp searches from the first member up.
func (p *packed) lexSpanUp(r *ZRange) Span {
	rank, lo := 0, -1
	for at := 0; at < len(p.buf); rank++ {
		member, next := p.item(at)
		at = p.skip(next, 1)
		if lo < 0 && r.From.before(member) {
			continue
		}
		if r.To.behind(member) {
			break
		}
		if lo < 0 {
			lo = rank
		}
	}
	if lo < 0 {
		return Span{}
	}
	return Span{Lo: lo, Hi: rank}
}

// lexSpanDown searches from the last member down: the end is the last member that
// is not behind the range, the beginning the first of those before it that follow
// one another and are not before the range.
func (p *packed) lexSpanDown(r *ZRange) (s Span) {
	rank, lo := 0, 0
	for at := 0; at < len(p.buf); rank++ {
		member, next := p.item(at)
		at = p.skip(next, 1)
		if r.From.before(member) {
			lo = rank + 1
		}
		if !r.To.behind(member) {
			s = Span{Lo: lo, Hi: rank + 1}
		}
	}
	return s
}

// Each calls fn for the members of a span, in its order, until fn returns an
// error, which Each returns. member is not valid after fn, which must not change
// the sorted set.
func (s *Sorted) Each(p Span, fn func(member []byte, score float64) error) (err error) {
	if p.Lo >= p.Hi {
		return nil
	}
	if s.c.big == nil {
		return s.c.small.eachScored(p, fn)
	}
	var e engine.Element
	cursor := s.c.big.UpScore(p.Lo)
	if p.Reverse {
		cursor = s.c.big.DownScore(p.Hi - 1)
	}
	for left := p.Len(); left > 0 && err == nil && cursor.Next(&e); left-- {
		var score float64
		if score, err = elementScore(&e); err == nil {
			err = fn(e.Subkey, score)
		}
	}
	return err
}

// eachScored is Each of the small form.
func (p *packed) eachScored(s Span, fn func(member []byte, score float64) error) error {
	var few [packedMaxEntries]int
	places, at := few[:0], p.skip(0, 2*s.Lo)
	for range s.Len() {
		places = append(places, at)
		at = p.skip(at, 2)
	}
	for i := range places {
		at := places[i]
		if s.Reverse {
			at = places[len(places)-1-i]
		}
		member, next := p.item(at)
		value, _ := p.item(next)
		score, err := decodeScore(value)
		if err == nil {
			err = fn(member, score)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Remove removes the members of a span and signals that as one event. A sorted
// set without members is deleted. REQUIRES: s is from FindToChange.
func (s *Sorted) Remove(p Span, event string) error {
	c, n := &s.c, p.Len()
	switch {
	case n == c.len():
		// The key goes, and with it all that its head names.
		c.big, c.small = nil, packed{}
	case c.big != nil:
		for range n {
			c.tx.eng.DeleteElementAtScore(c.big, p.Lo)
		}
	default:
		c.small.replace(c.small.skip(0, 2*p.Lo), 2*n)
	}
	return c.finish(int64(n), event)
}

// RemoveRange removes the members that a range means and returns how many they
// were (ZREMRANGEBYRANK and its like).
func (z ZSet) RemoveRange(key []byte, r *ZRange, event string) (removed int64, err error) {
	s, err := z.FindToChange(key)
	if err != nil {
		return 0, err
	}
	p := s.Range(r)
	return int64(p.Len()), s.Remove(p, event)
}

// StoreRange writes the members that a range of key from means to key to, which
// may be the same, in the place of whatever that is (ZRANGESTORE). It returns how
// many they are.
func (z ZSet) StoreRange(to, from []byte, r *ZRange) (stored int64, err error) {
	s, err := z.Find(from)
	if err != nil {
		return 0, err
	}
	p := s.Range(r)
	c := z.tx.create(to, tagZSet)
	if r.By == ZByRank {
		c.expectScores(p.Len(), 0) // Redis does not count the others before
	}
	err = s.Each(p, func(member []byte, score float64) error { return c.setScore(member, score, false) })
	if err != nil {
		return 0, err
	}
	return int64(p.Len()), c.replace("zrangestore")
}
