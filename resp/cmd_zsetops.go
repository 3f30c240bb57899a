package resp

import (
	"time"

	"bitkv/types"
)

// zsetOpsBindings are the commands over several sorted sets, and those that wait
// for one.
var zsetOpsBindings = map[string]binding{
	"bzmpop":      {run: cmdBZMPop},
	"bzpopmax":    {run: cmdBZPopMax},
	"bzpopmin":    {run: cmdBZPopMin},
	"zdiff":       {run: cmdZDiff},
	"zdiffstore":  {run: cmdZDiffStore},
	"zinter":      {run: cmdZInter},
	"zintercard":  {run: cmdZInterCard},
	"zinterstore": {run: cmdZInterStore},
	"zmpop":       {run: cmdZMPop},
	"zunion":      {run: cmdZUnion},
	"zunionstore": {run: cmdZUnionStore},
}

// zsetOp is ZUNION, ZINTER or ZDIFF.
type zsetOp func(o *types.ZSources, a types.Aggregate) ([]types.Scored, error)

func zdiff(o *types.ZSources, _ types.Aggregate) ([]types.Scored, error) { return o.Diff() }

func cmdZUnion(c *client, args [][]byte) { c.zcombine(args, (*types.ZSources).Union, true) }
func cmdZInter(c *client, args [][]byte) { c.zcombine(args, (*types.ZSources).Inter, true) }
func cmdZDiff(c *client, args [][]byte)  { c.zcombine(args, zdiff, false) }

func cmdZUnionStore(c *client, args [][]byte) { c.zcombineStore(args, (*types.ZSources).Union, true) }

func cmdZInterStore(c *client, args [][]byte) { c.zcombineStore(args, (*types.ZSources).Inter, true) }
func cmdZDiffStore(c *client, args [][]byte)  { c.zcombineStore(args, zdiff, false) }

// zcombine is ZUNION numkeys key [key ...] [WEIGHTS weight [weight ...]]
// [AGGREGATE SUM | MIN | MAX] [WITHSCORES] and its like. weighed says whether there
// are weights and aggregates.
func (c *client) zcombine(args [][]byte, op zsetOp, weighed bool) {
	sources, n, ok := c.zsources(args[1:])
	if !ok {
		return
	}
	a, withScores, ok := c.zcombineOptions(&sources, n, args[2+n:], weighed, true)
	if !ok {
		return
	}
	list, err := op(&sources, a)
	if err != nil {
		c.fail(err)
		return
	}
	types.SortScored(list)
	shape := membersOnly
	if withScores {
		shape = c.pairShape()
	}
	c.pairsHeader(len(list), shape)
	for i := range list {
		c.pair(list[i].Member, list[i].Score, shape)
	}
}

// zcombineStore is ZUNIONSTORE destination numkeys key [key ...] [options] and its
// like.
func (c *client) zcombineStore(args [][]byte, op zsetOp, weighed bool) {
	sources, n, ok := c.zsources(args[2:])
	if !ok {
		return
	}
	a, _, ok := c.zcombineOptions(&sources, n, args[3+n:], weighed, false)
	if !ok {
		return
	}
	list, err := op(&sources, a)
	if err == nil {
		err = sources.Store(args[1], list, c.cmdName())
	}
	c.intOrFail(int64(len(list)), err)
}

// zsources finds the n keys that follow their number. ok is false if an error was
// replied.
func (c *client) zsources(args [][]byte) (o types.ZSources, n int, ok bool) {
	count, ok := c.argInt(args[0])
	switch {
	case !ok:
		return o, 0, false
	case count < 1:
		c.err(errNoInputKeys(c.cmdName()))
		return o, 0, false
	case count > int64(len(args)-1):
		c.err(errSyntax)
		return o, 0, false
	}
	n = int(count)
	o, err := c.tx.ZSet().Sources(args[1 : 1+n])
	if err != nil {
		c.fail(err)
	}
	return o, n, err == nil
}

// zcombineOptions reads what follows the n keys. ok is false if an error was
// replied.
func (c *client) zcombineOptions(o *types.ZSources, n int, args [][]byte, weighed, mayScore bool) (a types.Aggregate, withScores, ok bool) {
	for len(args) > 0 {
		switch {
		case weighed && len(args) > n && isWord(args[0], "WEIGHTS"):
			for i, arg := range args[1 : 1+n] {
				weight, ok := parseScore(arg)
				if !ok {
					c.err(errWeight)
					return a, false, false
				}
				o.SetWeight(i, weight)
			}
			args = args[1+n:]
		case weighed && len(args) > 1 && isWord(args[0], "AGGREGATE"):
			if a, ok = parseAggregate(args[1]); !ok {
				c.err(errSyntax)
				return a, false, false
			}
			args = args[2:]
		case mayScore && isWord(args[0], "WITHSCORES"):
			withScores = true
			args = args[1:]
		default:
			c.err(errSyntax)
			return a, false, false
		}
	}
	return a, withScores, true
}

func parseAggregate(arg []byte) (a types.Aggregate, ok bool) {
	switch {
	case isWord(arg, "SUM"):
		return types.AggregateSum, true
	case isWord(arg, "MIN"):
		return types.AggregateMin, true
	case isWord(arg, "MAX"):
		return types.AggregateMax, true
	default:
		return 0, false
	}
}

// cmdZInterCard is ZINTERCARD numkeys key [key ...] [LIMIT limit].
func cmdZInterCard(c *client, args [][]byte) {
	sources, n, ok := c.zsources(args[1:])
	if !ok {
		return
	}
	limit := int64(0)
	for rest := args[2+n:]; len(rest) > 0; rest = rest[2:] {
		if len(rest) == 1 || !isWord(rest[0], "LIMIT") {
			c.err(errSyntax)
			return
		}
		if limit, ok = parseInt(rest[1]); !ok || limit < 0 {
			c.err(errLimitNegative)
			return
		}
	}
	count, err := sources.InterCard(limit)
	c.intOrFail(count, err)
}

// zmpopArgs are the arguments of ZMPOP and BZMPOP.
type zmpopArgs struct {
	keys    [][]byte
	highest bool
	count   int64
}

// zmpopOptions reads numkeys key [key ...] MIN | MAX [COUNT count]. ok is false if
// an error was replied.
func (c *client) zmpopOptions(args [][]byte) (o zmpopArgs, ok bool) {
	n, ok := parseInt(args[0])
	if !ok || n < 1 {
		c.err(errNumKeys)
		return o, false
	}
	if n >= int64(len(args)-1) {
		c.err(errSyntax)
		return o, false
	}
	o.keys, args = args[1:1+n], args[1+n:]
	switch {
	case isWord(args[0], "MAX"):
		o.highest = true
	case !isWord(args[0], "MIN"):
		c.err(errSyntax)
		return o, false
	}
	for args = args[1:]; len(args) > 0; args = args[2:] {
		if len(args) == 1 || o.count != 0 || !isWord(args[0], "COUNT") {
			c.err(errSyntax)
			return o, false
		}
		if o.count, ok = parseInt(args[1]); !ok || o.count < 1 {
			c.err(errPopCount)
			return o, false
		}
	}
	o.count = max(o.count, 1)
	return o, true
}

// cmdZMPop is ZMPOP numkeys key [key ...] MIN | MAX [COUNT count].
func cmdZMPop(c *client, args [][]byte) {
	o, ok := c.zmpopOptions(args[1:])
	if !ok {
		return
	}
	take, from := takeMembers(o.highest, o.count), len(c.buf)
	for _, key := range o.keys {
		if done, err := take(c.tx, &c.reply, key, nil); done || err != nil {
			c.failFrom(from, err)
			return
		}
	}
	c.nullArray()
}

// takeMembers takes up to count members off a sorted set and appends its name and
// an array of them.
func takeMembers(highest bool, count int64) takeFunc {
	return func(tx *types.Tx, r *reply, key, _ []byte) (done bool, err error) {
		s, err := tx.ZSet().FindToChange(key)
		if err != nil || s.Len() == 0 {
			return false, err
		}
		r.array(2)
		r.bulk(key)
		return true, r.popMembers(&s, highest, count, nestedPairs)
	}
}

// takeMember takes one member off a sorted set and appends its name, the member and
// its score.
func takeMember(highest bool) takeFunc {
	return func(tx *types.Tx, r *reply, key, _ []byte) (done bool, err error) {
		s, err := tx.ZSet().FindToChange(key)
		if err != nil || s.Len() == 0 {
			return false, err
		}
		r.array(3)
		r.bulk(key)
		return true, r.pop(&s, extremes(&s, highest, 1), flatPairs)
	}
}

func cmdBZPopMin(c *client, args [][]byte) { c.blockingZPop(args, false) }
func cmdBZPopMax(c *client, args [][]byte) { c.blockingZPop(args, true) }

// blockingZPop is BZPOPMIN and BZPOPMAX key [key ...] timeout.
func (c *client) blockingZPop(args [][]byte, highest bool) {
	last := len(args) - 1
	if deadline, ok := c.argWait(args[last]); ok {
		c.waitForMembers(args[1:last], takeMember(highest), deadline)
	}
}

// cmdBZMPop is BZMPOP timeout numkeys key [key ...] MIN | MAX [COUNT count].
func cmdBZMPop(c *client, args [][]byte) {
	o, ok := c.zmpopOptions(args[2:])
	if !ok {
		return
	}
	if deadline, ok := c.argWait(args[1]); ok {
		c.waitForMembers(o.keys, takeMembers(o.highest, o.count), deadline)
	}
}

func (c *client) waitForMembers(keys [][]byte, take takeFunc, deadline time.Time) {
	c.takeOrWait(&blocking{typeName: "zset", keys: keys, take: take, none: (*reply).nullArray}, deadline)
}
