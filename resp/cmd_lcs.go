package resp

import (
	"errors"

	"bitkv/types"
)

// lcsArgs are the options of LCS.
type lcsArgs struct {
	types.LCSOptions
	withMatchLen bool
}

// parseLCSArgs reads the options of LCS. errText is empty if they are good.
func parseLCSArgs(args [][]byte) (o lcsArgs, errText string) {
	for i := 0; i < len(args); i++ {
		switch {
		case isWord(args[i], "IDX"):
			o.Index = true
		case isWord(args[i], "LEN"):
			o.LenOnly = true
		case isWord(args[i], "WITHMATCHLEN"):
			o.withMatchLen = true
		case isWord(args[i], "MINMATCHLEN") && i+1 < len(args):
			i++
			n, ok := parseInt(args[i])
			if !ok {
				return o, errNotInt
			}
			o.MinMatchLen = max(n, 0)
		default:
			return o, errSyntax
		}
	}
	if o.Index && o.LenOnly {
		return o, errLCSOptions
	}
	return o, ""
}

// cmdLCS says that a key has the wrong type before it says that the options are
// wrong, as Redis does.
func cmdLCS(c *client, args [][]byte) {
	s := c.tx.String()
	o, errText := parseLCSArgs(args[3:])
	if errText != "" {
		for _, key := range args[1:3] {
			if _, err := s.Len(key); errors.Is(err, types.ErrWrongType) {
				errText = errLCSType
			}
		}
		c.err(errText)
		return
	}
	result, err := s.LCS(args[1], args[2], o.LCSOptions)
	switch {
	case err != nil:
		c.fail(err)
	case o.Index:
		c.lcsMatches(&result, o.withMatchLen)
	case o.LenOnly:
		c.int(int64(result.Len))
	default:
		c.bulk(result.Seq)
	}
}

// lcsMatches replies to LCS IDX.
func (c *client) lcsMatches(r *types.LCSResult, withLen bool) {
	c.mapHeader(2)
	c.bulkString("matches")
	c.array(len(r.Matches))
	for _, m := range r.Matches {
		if withLen {
			c.array(3)
		} else {
			c.array(2)
		}
		c.intPair(m.AStart, m.AEnd)
		c.intPair(m.BStart, m.BEnd)
		if withLen {
			c.int(int64(m.Len()))
		}
	}
	c.field("len", r.Len)
}

func (c *client) intPair(a, b int) {
	c.array(2)
	c.int(int64(a))
	c.int(int64(b))
}
