package resp

import (
	"math"
	"strconv"

	"bitkv/types"
)

// zsetBindings are the commands of sorted sets, but for those over several of them
// (cmd_zsetops.go) and geo (cmd_geo.go).
var zsetBindings = map[string]binding{
	"zadd":             {run: cmdZAdd, member: 3},
	"zcard":            {run: cmdZCard},
	"zcount":           {run: cmdZCount},
	"zincrby":          {run: cmdZIncrBy, member: 3},
	"zlexcount":        {run: cmdZLexCount},
	"zmscore":          {run: cmdZMScore},
	"zpopmax":          {run: cmdZPopMax},
	"zpopmin":          {run: cmdZPopMin},
	"zrandmember":      {run: cmdZRandMember},
	"zrange":           {run: cmdZRange},
	"zrangebylex":      {run: cmdZRangeByLex},
	"zrangebyscore":    {run: cmdZRangeByScore},
	"zrangestore":      {run: cmdZRangeStore},
	"zrank":            {run: cmdZRank, member: 2},
	"zrem":             {run: cmdZRem, member: 2},
	"zremrangebylex":   {run: cmdZRemRangeByLex},
	"zremrangebyrank":  {run: cmdZRemRangeByRank},
	"zremrangebyscore": {run: cmdZRemRangeByScore},
	"zrevrange":        {run: cmdZRevRange},
	"zrevrangebylex":   {run: cmdZRevRangeByLex},
	"zrevrangebyscore": {run: cmdZRevRangeByScore},
	"zrevrank":         {run: cmdZRevRank},
	"zscan":            {run: cmdZScan},
	"zscore":           {run: cmdZScore, member: 2},
}

// sorted finds a sorted set for reading. ok is false if an error was replied.
func (c *client) sorted(key []byte) (s types.Sorted, ok bool) {
	s, err := c.tx.ZSet().Find(key)
	if err != nil {
		c.fail(err)
	}
	return s, err == nil
}

// parseScore is parseFloat that is quick where the number is whole.
func parseScore(arg []byte) (score float64, ok bool) {
	if n, isInt := parseInt(arg); isInt {
		return float64(n), true
	}
	return parseFloat(arg)
}

// zaddArgs are the arguments of ZADD.
type zaddArgs struct {
	types.ZAddOptions
	ch, incr bool
	pairs    [][]byte // score, member, ...
}

// zaddOptions reads the options of ZADD with Redis's checks in Redis's order. ok is
// false if an error was replied.
func (c *client) zaddOptions(args [][]byte, incr bool) (o zaddArgs, ok bool) {
	o.incr = incr
	i := 2
options:
	for ; i < len(args); i++ {
		switch arg := args[i]; {
		case isWord(arg, "NX"):
			o.NX = true
		case isWord(arg, "XX"):
			o.XX = true
		case isWord(arg, "CH"):
			o.ch = true
		case isWord(arg, "INCR"):
			o.incr = true
		case isWord(arg, "GT"):
			o.GT = true
		case isWord(arg, "LT"):
			o.LT = true
		default:
			break options
		}
	}
	o.pairs = args[i:]
	switch {
	case len(o.pairs) == 0 || len(o.pairs)%2 != 0:
		c.err(errSyntax)
	case o.NX && o.XX:
		c.err(errZAddNXXX)
	case o.GT && o.NX, o.LT && o.NX, o.GT && o.LT:
		c.err(errZAddGTLTNX)
	case o.incr && len(o.pairs) > 2:
		c.err(errZAddIncr)
	default:
		return o, true
	}
	return o, false
}

// cmdZAdd is ZADD key [NX | XX] [GT | LT] [CH] [INCR] score member [...].
func cmdZAdd(c *client, args [][]byte) { c.zadd(args, false) }

func cmdZIncrBy(c *client, args [][]byte) { c.zadd(args, true) }

func (c *client) zadd(args [][]byte, incr bool) {
	o, ok := c.zaddOptions(args, incr)
	if !ok {
		return
	}
	var few [4]types.Scored
	list := few[:0]
	for i := 0; i < len(o.pairs); i += 2 {
		score, ok := parseScore(o.pairs[i])
		if !ok {
			c.err(errNotFloat)
			return
		}
		list = append(list, types.Scored{Member: o.pairs[i+1], Score: score})
	}
	if o.incr {
		sum, done, err := c.tx.ZSet().IncrBy(args[1], list[0].Member, list[0].Score, o.ZAddOptions)
		c.scoreOrNull(sum, done, err)
		return
	}
	added, changed, err := c.tx.ZSet().Add(args[1], list, o.ZAddOptions)
	if o.ch {
		added += changed
	}
	c.intOrFail(added, err)
}

// scoreOrNull replies a score, null if there is none, or the error.
func (c *client) scoreOrNull(score float64, ok bool, err error) {
	if c.present(ok, err) {
		c.double(score)
	}
}

func cmdZCard(c *client, args [][]byte) {
	if s, ok := c.sorted(args[1]); ok {
		c.int(int64(s.Len()))
	}
}

func cmdZScore(c *client, args [][]byte) {
	if s, ok := c.sorted(args[1]); ok {
		score, found, err := s.Score(args[2])
		c.scoreOrNull(score, found, err)
	}
}

func cmdZMScore(c *client, args [][]byte) {
	c.eachScore(args, func(score float64, found bool) { c.scoreOrNull(score, found, nil) })
}

// eachScore replies with an array: fn appends the element for the score of each
// member in args[2:], found saying whether args[1] has it.
func (c *client) eachScore(args [][]byte, fn func(score float64, found bool)) {
	s, ok := c.sorted(args[1])
	if !ok {
		return
	}
	from := len(c.buf)
	c.array(len(args) - 2)
	for _, member := range args[2:] {
		score, found, err := s.Score(member)
		if err != nil {
			c.failFrom(from, err)
			return
		}
		fn(score, found)
	}
}

func cmdZRank(c *client, args [][]byte)    { c.zrank(args, false) }
func cmdZRevRank(c *client, args [][]byte) { c.zrank(args, true) }

// zrank is ZRANK key member [WITHSCORE].
func (c *client) zrank(args [][]byte, reverse bool) {
	withScore := len(args) > 3
	switch {
	case len(args) > 4:
		c.err(errArity(c.cmdName()))
		return
	case withScore && !isWord(args[3], "WITHSCORE"):
		c.err(errSyntax)
		return
	}
	s, ok := c.sorted(args[1])
	if !ok {
		return
	}
	rank, score, found, err := s.Rank(args[2], reverse)
	switch {
	case err != nil:
		c.fail(err)
	case withScore && !found:
		c.nullArray()
	case !found:
		c.null()
	case withScore:
		c.array(2)
		c.int(int64(rank))
		c.double(score)
	default:
		c.int(int64(rank))
	}
}

func cmdZRem(c *client, args [][]byte) {
	n, err := c.tx.ZSet().Rem(args[1], args[2:])
	c.intOrFail(n, err)
}

func cmdZPopMin(c *client, args [][]byte) { c.zpop(args, false) }
func cmdZPopMax(c *client, args [][]byte) { c.zpop(args, true) }

// zpop is ZPOPMIN key [count]. Without a count RESP3 does not nest either.
func (c *client) zpop(args [][]byte, highest bool) {
	if len(args) > 3 {
		c.err(errSyntax)
		return
	}
	count, shape := int64(1), flatPairs
	if len(args) == 3 {
		var ok bool
		if count, ok = parseInt(args[2]); !ok || count < 0 {
			c.err(errNotPositiveInt)
			return
		}
		shape = c.pairShape()
	}
	s, err := c.tx.ZSet().FindToChange(args[1])
	if err != nil {
		c.fail(err)
		return
	}
	from := len(c.buf)
	c.failFrom(from, c.popMembers(&s, highest, count, shape))
}

// popMembers appends an array of the count highest or lowest members, with their
// scores, and removes them.
func (r *reply) popMembers(s *types.Sorted, highest bool, count int64, shape pairShape) error {
	p := extremes(s, highest, count)
	r.pairsHeader(p.Len(), shape)
	return r.pop(s, p, shape)
}

// extremes is the count highest or lowest members.
func extremes(s *types.Sorted, highest bool, count int64) types.Span {
	if count == 0 {
		return types.Span{}
	}
	return s.Range(&types.ZRange{Stop: count - 1, Reverse: highest})
}

// pop appends the members of what extremes found, and removes them.
func (r *reply) pop(s *types.Sorted, p types.Span, shape pairShape) error {
	if err := r.pairs(s, p, shape); err != nil {
		return err
	}
	event := "zpopmin"
	if p.Reverse {
		event = "zpopmax"
	}
	return s.Remove(p, event)
}

// pairShape says how members with scores stand in an array.
type pairShape uint8

const (
	membersOnly pairShape = iota
	flatPairs             // member, score, member, score, ...
	nestedPairs           // arrays of member and score
)

// pairShape is how the client's protocol shows members with scores.
func (c *client) pairShape() pairShape {
	if c.proto == 3 {
		return nestedPairs
	}
	return flatPairs
}

// pairsHeader appends the head of an array of n members.
func (r *reply) pairsHeader(n int, shape pairShape) {
	if shape == flatPairs {
		n *= 2
	}
	r.array(n)
}

// pair appends a member.
func (r *reply) pair(member []byte, score float64, shape pairShape) {
	if shape == nestedPairs {
		r.array(2)
	}
	r.bulk(member)
	if shape != membersOnly {
		r.double(score)
	}
}

// members appends an array of the members of a span.
func (r *reply) members(s *types.Sorted, p types.Span, shape pairShape) error {
	r.pairsHeader(p.Len(), shape)
	return r.pairs(s, p, shape)
}

// pairs appends the members of a span.
func (r *reply) pairs(s *types.Sorted, p types.Span, shape pairShape) error {
	return s.Each(p, func(member []byte, score float64) error {
		r.pair(member, score, shape)
		return nil
	})
}

// cmdZScan is ZSCAN key cursor [MATCH pattern] [COUNT count].
func cmdZScan(c *client, args [][]byte) {
	cursor, ok := c.argCursor(args[2])
	if !ok {
		return
	}
	s, ok := c.sorted(args[1])
	if !ok {
		return
	}
	o, ok := c.elementScanOptions(args[3:], s.Len(), nil)
	if !ok {
		return
	}
	compact := s.Compact()
	c.scanReply(func() (next uint64, n int, err error) {
		next, err = s.Scan(cursor, o, func(member []byte, v *types.Item) error {
			score, err := v.Score()
			c.bulk(member)
			c.storedScore(score, compact)
			n += 2
			return err
		})
		return next, n, err
	})
}

// storedScore appends a score as ZSCAN shows it: as it is in a listpack, where
// whole numbers are integers, or as printf shows it.
func (r *reply) storedScore(score float64, compact bool) {
	var few [32]byte
	text := few[:0]
	if n := int64(score); compact && math.Abs(score) <= math.MaxInt64/2 && float64(n) == score {
		text = strconv.AppendInt(text, n, 10)
	} else {
		text = appendDouble(text, score)
	}
	r.bulk(text)
}

// cmdZRandMember is ZRANDMEMBER key [count [WITHSCORES]].
func cmdZRandMember(c *client, args [][]byte) {
	if len(args) == 2 {
		c.randomMember(args[1])
		return
	}
	count, withScores, ok := c.randomArgs(args, "WITHSCORES")
	if !ok {
		return
	}
	s, ok := c.sorted(args[1])
	if !ok {
		return
	}
	shape, perEntry := membersOnly, 1
	if withScores {
		if shape = c.pairShape(); shape == flatPairs {
			perEntry = 2
		}
	}
	c.randomEntries(&s, count, perEntry, func(member []byte, v *types.Item) error {
		score, err := v.Score()
		c.pair(member, score, shape)
		return err
	})
}

func (c *client) randomMember(key []byte) {
	s, ok := c.sorted(key)
	if !ok {
		return
	}
	if s.Len() == 0 {
		c.null()
		return
	}
	from := len(c.buf)
	c.failFrom(from, s.Random(1, false, func(member []byte, _ *types.Item) error {
		c.bulk(member)
		return nil
	}))
}
