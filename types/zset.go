package types

import (
	"bytes"
	"math"

	"bitkv/engine"
)

// ZSet is the sorted set commands over a transaction. Those that change a key
// need a transaction for writing.
//
// Both forms of a sorted set are in the order of (score, member): the small one
// because insertions go to their place, the large one by its second order. So a
// range of any kind, by rank, score or member, is a Span of ranks (zsetrange.go),
// and everything that takes a range works on Spans.
type ZSet struct{ tx *Tx }

// ZSet returns the sorted set commands over this transaction. It begins a
// command: what those before it returned is not valid any more.
func (tx *Tx) ZSet() ZSet {
	tx.beginCommand()
	return ZSet{tx}
}

// Scored is a member and its score.
type Scored struct {
	Member []byte
	Score  float64
}

// Sorted is a sorted set that was found. It is valid until the transaction writes
// its key or another command begins. The Sorted of a key that does not exist is
// empty.
type Sorted struct{ c coll }

// Find looks a sorted set up for reading.
func (z ZSet) Find(key []byte) (Sorted, error) {
	c, err := z.tx.openRead(key, tagZSet)
	return Sorted{c}, err
}

// FindToChange looks a sorted set up in order to Remove from it.
func (z ZSet) FindToChange(key []byte) (Sorted, error) {
	c, err := z.tx.openWrite(key, tagZSet)
	return Sorted{c}, err
}

// Len is ZCARD.
func (s *Sorted) Len() int { return s.c.len() }

// Compact reports whether Redis would keep the sorted set in a listpack, which
// shows in how ZSCAN prints its scores.
func (s *Sorted) Compact() bool { return s.c.tag&tagConverted == 0 }

// Score returns the score of a member (ZSCORE, ZMSCORE).
func (s *Sorted) Score(member []byte) (score float64, ok bool, err error) {
	v, ok := s.c.get(member)
	if !ok {
		return 0, false, nil
	}
	score, err = v.Score()
	return score, err == nil, err
}

// Score returns the score that v is. REQUIRES: v is of a sorted set.
func (v *Item) Score() (float64, error) {
	if !v.large {
		return decodeScore(v.bytes)
	}
	return elementScore(&v.elem)
}

func elementScore(e *engine.Element) (float64, error) {
	value, ok := e.Value()
	if !ok {
		return decodeScore(nil)
	}
	return decodeScore(value[:])
}

// Rank returns the score of a member and the number of members before it, or
// behind it if reverse (ZRANK, ZREVRANK).
func (s *Sorted) Rank(member []byte, reverse bool) (rank int, score float64, ok bool, err error) {
	c := &s.c
	v, ok := c.get(member)
	if !ok {
		return 0, 0, false, nil
	}
	if score, err = v.Score(); err != nil {
		return 0, 0, false, err
	}
	if c.big != nil {
		value, _ := v.elem.Value()
		rank, _ = c.big.RankScore(value[:], member)
	} else {
		rank = c.small.rankOf(member)
	}
	if reverse {
		rank = c.len() - 1 - rank
	}
	return rank, score, true, nil
}

// rankOf is the number of entries before a member of a small sorted set.
func (p *packed) rankOf(member []byte) (rank int) {
	for at := 0; at < len(p.buf); rank++ {
		item, next := p.item(at)
		if bytes.Equal(item, member) {
			break
		}
		at = p.skip(next, 1)
	}
	return rank
}

// Scan is ZSCAN: see coll.scan. fn is as that of Random.
func (s *Sorted) Scan(cursor uint64, o ScanOptions, fn func(member []byte, v *Item) error) (next uint64, err error) {
	return s.c.scan(cursor, o, fn)
}

// Random calls fn for n different members chosen at random, all there are if there
// are fewer; repeated makes it n members each of which may be any (ZRANDMEMBER).
// The score is v.Score(). Neither member nor v is valid after fn, which must not
// change the sorted set; Random returns the first error of fn.
func (s *Sorted) Random(n int, repeated bool, fn func(member []byte, v *Item) error) error {
	return s.c.random(n, repeated, fn)
}

// ZAddOptions are the conditions of ZADD. NX goes with none of the others, GT not
// with LT.
type ZAddOptions struct {
	NX bool // only add members
	XX bool // only change members
	GT bool // change a member only if its score grows
	LT bool // change a member only if its score shrinks
}

// refuses reports whether a member that has the score old is not to get score.
func (o *ZAddOptions) refuses(old, score float64) bool {
	return o.NX || o.GT && score <= old || o.LT && score >= old
}

// Add gives members their scores, none of which is NaN (ZADD), and returns how many
// members are new and how many got another score.
func (z ZSet) Add(key []byte, list []Scored, o ZAddOptions) (added, changed int64, err error) {
	c, err := z.tx.openWrite(key, tagZSet)
	if err != nil {
		return 0, 0, err
	}
	for i := range list {
		old, exists, err := c.scoreOf(list[i].Member)
		if err != nil {
			return 0, 0, err
		}
		switch score := list[i].Score; {
		case !exists && o.XX, exists && (o.refuses(old, score) || score == old):
			continue
		case exists:
			changed++
		default:
			added++
		}
		if err := c.setScore(list[i].Member, list[i].Score, exists); err != nil {
			return 0, 0, err
		}
	}
	return added, changed, c.finish(added+changed, "zadd")
}

// IncrBy adds to the score of a member; a missing member has none and gets delta
// (ZINCRBY, ZADD INCR). done is false if the options forbid it. A sum that is no
// number is ErrScoreNaN.
func (z ZSet) IncrBy(key, member []byte, delta float64, o ZAddOptions) (sum float64, done bool, err error) {
	c, err := z.tx.openWrite(key, tagZSet)
	if err != nil {
		return 0, false, err
	}
	old, exists, err := c.scoreOf(member)
	if err != nil {
		return 0, false, err
	}
	if sum = delta; exists {
		sum += old
	}
	switch {
	case exists && o.NX || !exists && o.XX:
		return 0, false, nil
	case math.IsNaN(sum):
		return 0, false, ErrScoreNaN
	case exists && o.refuses(old, sum):
		return 0, false, nil
	case exists && sum == old:
		return sum, true, nil
	}
	if err := c.setScore(member, sum, exists); err != nil {
		return 0, false, err
	}
	return sum, true, c.finish(1, "zincr")
}

// scoreOf returns the score of a member.
func (c *coll) scoreOf(member []byte) (score float64, ok bool, err error) {
	v, ok := c.get(member)
	if !ok {
		return 0, false, nil
	}
	score, err = v.Score()
	return score, true, err
}

// setScore gives a member a score and says when Redis would convert the sorted
// set. A score of -0 keeps its sign only in one that is converted: a listpack has
// it as the integer 0. REQUIRES: exists says whether the member is there.
func (c *coll) setScore(member []byte, score float64, exists bool) error {
	if !exists {
		l := c.tx.s.limits.Load()
		if int64(len(member)) > l.ZSetValue || int64(c.len()) >= l.ZSetEntries {
			c.tag |= tagConverted
		}
		if err := c.makeRoom(1, itemBytes(len(member))+itemBytes(scoreBytes)); err != nil {
			return err
		}
	}
	if c.tag&tagConverted == 0 {
		score += 0 // of -0 makes 0
	}
	value := encodeScore(score)
	if c.big != nil {
		if _, err := c.tx.eng.PutElement(c.big, member, value[:]); err != nil {
			return c.tx.fail(err)
		}
		return nil
	}
	if exists {
		c.remove(member)
	}
	c.small.replace(c.small.placeOf(value[:], member), 0, member, value[:])
	return nil
}

// expectScores says before the first setScore how many members a new sorted set will
// have and how long the longest is, so that it is converted from the beginning.
func (c *coll) expectScores(n, longest int) {
	if l := c.tx.s.limits.Load(); int64(n) > l.ZSetEntries || int64(longest) > l.ZSetValue {
		c.tag |= tagConverted
	}
}

// placeOf is the place in a small sorted set of the first entry that is not below
// (value, member).
func (p *packed) placeOf(value, member []byte) (at int) {
	want := scoreOrder(value)
	for at < len(p.buf) {
		item, next := p.item(at)
		score, end := p.item(next)
		if order := scoreOrder(score); order > want || order == want && bytes.Compare(item, member) >= 0 {
			break
		}
		at = end
	}
	return at
}

// Rem removes members (ZREM) and returns how many there were. A sorted set
// without members is deleted.
func (z ZSet) Rem(key []byte, members [][]byte) (removed int64, err error) {
	c, err := z.tx.openWrite(key, tagZSet)
	if err != nil {
		return 0, err
	}
	for _, member := range members {
		if c.remove(member) {
			removed++
		}
	}
	return removed, c.finish(removed, "zrem")
}
