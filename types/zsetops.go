package types

import (
	"bytes"
	"cmp"
	"errors"
	"math"
	"slices"
)

// Union, intersection and difference read Sets as well as sorted sets: a source.
// The members of a Set have the score 1.

// source is a Set or a sorted set that is read as members with scores.
type source struct {
	c      coll
	weight float64
}

// openSource finds a Set or a sorted set for reading; a key that does not exist is
// an empty one. ErrWrongType if it is of another type.
func (tx *Tx) openSource(key []byte) (source, error) {
	s := source{c: coll{tx: tx, kind: &kinds[tagZSet], key: key, tag: tagZSet}, weight: 1}
	h, ok := tx.read(key, withTouch)
	if !ok {
		return s, nil
	}
	if h.Tag&tagTypeMask == tagSet {
		s.c.kind = &kinds[tagSet]
	}
	err := s.c.load(&h, 0)
	return s, err
}

// each calls fn for every member and its weighted score until it returns an error,
// which each returns. member is valid as long as the transaction leaves the key
// alone.
func (s *source) each(fn func(member []byte, score float64) error) error {
	return s.c.each(func(member []byte, v *Item) error {
		score, err := s.weigh(v)
		if err != nil {
			return err
		}
		return fn(member, score)
	})
}

// score returns the weighted score of a member.
func (s *source) score(member []byte) (score float64, ok bool, err error) {
	v, ok := s.c.get(member)
	if !ok {
		return 0, false, nil
	}
	score, err = s.weigh(&v)
	return score, true, err
}

// weigh is the score of a member times the weight, which may be NaN.
func (s *source) weigh(v *Item) (float64, error) {
	if s.c.kind.tag == tagSet {
		return s.weight, nil
	}
	score, err := v.Score()
	return score * s.weight, err
}

// Aggregate says what becomes of the scores of one member in several sources.
type Aggregate uint8

// The aggregates.
const (
	AggregateSum Aggregate = iota
	AggregateMin
	AggregateMax
)

// of returns the score made of two. The sum of an infinite one and its opposite
// is 0, as in Redis.
func (a Aggregate) of(x, y float64) float64 {
	switch {
	case a == AggregateSum:
		return zeroIfNaN(x + y)
	case a == AggregateMin && y < x, a == AggregateMax && y > x:
		return y
	default:
		return x
	}
}

// zeroIfNaN: 0 times an infinite score counts as 0.
func zeroIfNaN(x float64) float64 {
	if math.IsNaN(x) {
		return 0
	}
	return x
}

// ZSources are the Sets and sorted sets that a command combines. They are valid
// until the transaction writes one of the keys or another command begins.
type ZSources struct {
	tx   *Tx
	list []source
}

// Sources finds the operands of ZUNION and its like. ErrWrongType if one is neither
// a Set nor a sorted set.
func (z ZSet) Sources(keys [][]byte) (ZSources, error) {
	o := ZSources{tx: z.tx, list: make([]source, len(keys))}
	for i, key := range keys {
		var err error
		if o.list[i], err = z.tx.openSource(key); err != nil {
			return ZSources{}, err
		}
	}
	return o, nil
}

// SetWeight sets by what the scores of source i are multiplied; it is 1 else.
func (o *ZSources) SetWeight(i int, weight float64) { o.list[i].weight = weight }

// Union returns the members of any source (ZUNION), in no order. As of all
// results, members are valid as long as the sources.
func (o *ZSources) Union(a Aggregate) (list []Scored, err error) {
	o.bySize()
	places := map[string]int{}
	for i := range o.list {
		err := o.list[i].each(func(member []byte, score float64) error {
			score = zeroIfNaN(score)
			if place, ok := places[string(member)]; ok {
				list[place].Score = a.of(list[place].Score, score)
				return nil
			}
			places[string(member)] = len(list)
			list = append(list, Scored{member, score})
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

// Inter returns the members that are in all sources (ZINTER), in no order.
func (o *ZSources) Inter(a Aggregate) (list []Scored, err error) {
	err = o.inter(a, func(member []byte, score float64) error {
		list = append(list, Scored{member, score})
		return nil
	})
	return list, err
}

// InterCard is the number of members that are in all sources, but for a limit that
// is not 0 not more than that (ZINTERCARD).
func (o *ZSources) InterCard(limit int64) (n int64, err error) {
	err = o.inter(AggregateSum, func([]byte, float64) error {
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

// inter calls fn for the members that are in all sources: those of the smallest
// that are found in every other.
func (o *ZSources) inter(a Aggregate, fn func(member []byte, score float64) error) error {
	o.bySize()
	if o.list[0].c.len() == 0 {
		return nil
	}
	return o.list[0].each(func(member []byte, score float64) error {
		score = zeroIfNaN(score)
		for i := 1; i < len(o.list); i++ {
			other, ok, err := o.list[i].score(member)
			if !ok || err != nil {
				return err
			}
			score = a.of(score, other)
		}
		return fn(member, score)
	})
}

// bySize sorts the sources by their sizes, as Redis does before it adds scores up:
// the order shows in the last digit of a sum.
func (o *ZSources) bySize() {
	slices.SortStableFunc(o.list, func(a, b source) int { return cmp.Compare(a.c.len(), b.c.len()) })
}

// Diff returns the members of the first source that are in none of the others
// (ZDIFF), in no order. What it takes grows with the sizes of all sources, or with
// the size of the first times the number of sources, whichever is less.
func (o *ZSources) Diff() (list []Scored, err error) {
	first, others := &o.list[0], o.list[1:]
	total := 0
	for i := range others {
		total += others[i].c.len()
	}
	has := func(member []byte) bool {
		return slices.ContainsFunc(others, func(s source) bool {
			_, ok := s.c.get(member)
			return ok
		})
	}
	if total < first.c.len() {
		gone := make(map[string]struct{}, total)
		for i := range others {
			err := others[i].c.each(func(member []byte, _ *Item) error {
				gone[string(member)] = struct{}{}
				return nil
			})
			if err != nil {
				return nil, err
			}
		}
		has = func(member []byte) bool {
			_, ok := gone[string(member)]
			return ok
		}
	}
	err = first.each(func(member []byte, score float64) error {
		if !has(member) {
			list = append(list, Scored{member, score})
		}
		return nil
	})
	return list, err
}

// SortScored sorts members into the order of a sorted set.
func SortScored(list []Scored) {
	slices.SortFunc(list, func(a, b Scored) int {
		return cmp.Or(cmp.Compare(a.Score, b.Score), bytes.Compare(a.Member, b.Member))
	})
}

// Store writes members, no two of which are the same, to a key in the place of
// whatever it is, one of the sources perhaps (ZUNIONSTORE and its like); none delete
// it.
func (o *ZSources) Store(key []byte, list []Scored, event string) error {
	return o.tx.storeScored(key, list, event)
}

func (tx *Tx) storeScored(key []byte, list []Scored, event string) error {
	c := tx.create(key, tagZSet)
	longest := 0
	for i := range list {
		longest = max(longest, len(list[i].Member))
	}
	c.expectScores(len(list), longest)
	for i := range list {
		if err := c.setScore(list[i].Member, list[i].Score, false); err != nil {
			return err
		}
	}
	return c.replace(event)
}
