package resp

import (
	"math"

	"bitkv/types"
)

// zrangeForm is what of a range the name of a command says already.
type zrangeForm struct {
	by       types.ZRangeBy
	byKnown  bool // BYSCORE and BYLEX are no options
	reverse  bool
	wayKnown bool // REV is no option
}

func cmdZRange(c *client, args [][]byte) { c.zrange(args, zrangeForm{}) }

func cmdZRevRange(c *client, args [][]byte) {
	c.zrange(args, zrangeForm{byKnown: true, reverse: true, wayKnown: true})
}

func cmdZRangeByScore(c *client, args [][]byte) {
	c.zrange(args, zrangeForm{by: types.ZByScore, byKnown: true, wayKnown: true})
}

func cmdZRevRangeByScore(c *client, args [][]byte) {
	c.zrange(args, zrangeForm{by: types.ZByScore, byKnown: true, reverse: true, wayKnown: true})
}

func cmdZRangeByLex(c *client, args [][]byte) {
	c.zrange(args, zrangeForm{by: types.ZByLex, byKnown: true, wayKnown: true})
}

func cmdZRevRangeByLex(c *client, args [][]byte) {
	c.zrange(args, zrangeForm{by: types.ZByLex, byKnown: true, reverse: true, wayKnown: true})
}

// zrange is ZRANGE key min max [options], in all its forms.
func (c *client) zrange(args [][]byte, form zrangeForm) {
	r, withScores, ok := c.zrangeArgs(args[2:], form, true)
	if !ok {
		return
	}
	s, ok := c.sorted(args[1])
	if !ok {
		return
	}
	shape := membersOnly
	if withScores {
		shape = c.pairShape()
	}
	from := len(c.buf)
	c.failFrom(from, c.members(&s, s.Range(&r), shape))
}

// cmdZRangeStore is ZRANGESTORE dst src min max [options].
func cmdZRangeStore(c *client, args [][]byte) {
	r, _, ok := c.zrangeArgs(args[3:], zrangeForm{}, false)
	if !ok {
		return
	}
	n, err := c.tx.ZSet().StoreRange(args[1], args[2], &r)
	c.intOrFail(n, err)
}

// zrangeArgs reads the two ends of a range and the options behind them, with
// Redis's checks in Redis's order. ok is false if an error was replied.
func (c *client) zrangeArgs(args [][]byte, form zrangeForm, mayScore bool) (r types.ZRange, withScores, ok bool) {
	r.By, r.Reverse = form.by, form.reverse
	r.Count = -1
	for i := 2; i < len(args); i++ {
		switch arg := args[i]; {
		case mayScore && isWord(arg, "WITHSCORES"):
			withScores = true
		case isWord(arg, "LIMIT") && i+2 < len(args):
			if r.Offset, ok = c.argInt(args[i+1]); !ok {
				return r, false, false
			}
			if r.Count, ok = c.argInt(args[i+2]); !ok {
				return r, false, false
			}
			r.Limited = true
			i += 2
		case !form.wayKnown && isWord(arg, "REV"):
			r.Reverse, form.wayKnown = true, true
		case !form.byKnown && isWord(arg, "BYLEX"):
			r.By, form.byKnown = types.ZByLex, true
		case !form.byKnown && isWord(arg, "BYSCORE"):
			r.By, form.byKnown = types.ZByScore, true
		default:
			c.err(errSyntax)
			return r, false, false
		}
	}
	switch {
	case r.Count != -1 && r.By == types.ZByRank:
		c.err(errRangeLimit)
		return r, false, false
	case withScores && r.By == types.ZByLex:
		c.err(errRangeLexScores)
		return r, false, false
	case r.By == types.ZByRank:
		r.Limited = false // LIMIT with a count of -1 is let pass, and means nothing
	}
	return r, withScores, c.zrangeEnds(&r, args)
}

// zrangeEnds reads the two ends of a range, which is [max, min] if it is reverse
// and not by rank. ok is false if an error was replied.
func (c *client) zrangeEnds(r *types.ZRange, args [][]byte) (ok bool) {
	lo, hi := args[0], args[1]
	if r.Reverse && r.By != types.ZByRank {
		lo, hi = hi, lo
	}
	switch r.By {
	case types.ZByScore:
		var loOK, hiOK bool
		r.Min, r.MinEx, loOK = parseScoreBound(lo)
		r.Max, r.MaxEx, hiOK = parseScoreBound(hi)
		if ok = loOK && hiOK; !ok {
			c.err(errRangeNotFloat)
		}
	case types.ZByLex:
		var loOK, hiOK bool
		r.From, loOK = parseLexBound(lo)
		r.To, hiOK = parseLexBound(hi)
		if ok = loOK && hiOK; !ok {
			c.err(errRangeNotLex)
		}
	default:
		if r.Start, ok = c.argInt(lo); ok {
			r.Stop, ok = c.argInt(hi)
		}
	}
	return ok
}

// parseScoreBound parses an end of a range of scores, which a parenthesis makes an
// open one, as C's strtod does: unlike a score it may have spaces before it, be
// beyond the range of numbers, or be empty, which is 0; a zero byte ends it.
func parseScoreBound(b []byte) (score float64, ex, ok bool) {
	b = cutText(b, len(b))
	if len(b) > 0 && b[0] == '(' {
		b, ex = b[1:], true
	}
	if len(b) == 0 {
		return 0, ex, true
	}
	if n, isInt := parseInt(b); isInt {
		return float64(n), ex, true
	}
	score, n, _ := types.FloatPrefix(b)
	return score, ex, n == len(b) && !math.IsNaN(score)
}

// parseLexBound parses an end of a range of members.
func parseLexBound(b []byte) (bound types.LexBound, ok bool) {
	switch text := cutText(b, len(b)); {
	case len(text) == 0:
		return bound, false
	case text[0] == '(' || text[0] == '[':
		return types.LexBound{Member: b[1:], Ex: text[0] == '('}, true
	case len(text) == 1 && text[0] == '-':
		return types.LexBound{Open: -1}, true
	case len(text) == 1 && text[0] == '+':
		return types.LexBound{Open: 1}, true
	default:
		return bound, false
	}
}

func cmdZCount(c *client, args [][]byte)    { c.zcount(args, types.ZByScore) }
func cmdZLexCount(c *client, args [][]byte) { c.zcount(args, types.ZByLex) }

func (c *client) zcount(args [][]byte, by types.ZRangeBy) {
	r := types.ZRange{By: by}
	if !c.zrangeEnds(&r, args[2:]) {
		return
	}
	if s, ok := c.sorted(args[1]); ok {
		p := s.Range(&r)
		c.int(int64(p.Len()))
	}
}

func cmdZRemRangeByRank(c *client, args [][]byte)  { c.zremRange(args, types.ZByRank) }
func cmdZRemRangeByScore(c *client, args [][]byte) { c.zremRange(args, types.ZByScore) }
func cmdZRemRangeByLex(c *client, args [][]byte)   { c.zremRange(args, types.ZByLex) }

func (c *client) zremRange(args [][]byte, by types.ZRangeBy) {
	r := types.ZRange{By: by}
	if !c.zrangeEnds(&r, args[2:]) {
		return
	}
	n, err := c.tx.ZSet().RemoveRange(args[1], &r, c.cmdName())
	c.intOrFail(n, err)
}
