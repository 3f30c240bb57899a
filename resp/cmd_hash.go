package resp

import (
	"math"

	"bitkv/types"
)

// hashBindings are the commands of hashes.
var hashBindings = map[string]binding{
	"hdel":         {run: cmdHDel, member: 2},
	"hexists":      {run: cmdHExists, member: 2},
	"hget":         {run: cmdHGet, member: 2},
	"hgetall":      {run: cmdHGetAll},
	"hincrby":      {run: cmdHIncrBy, member: 2},
	"hincrbyfloat": {run: cmdHIncrByFloat},
	"hkeys":        {run: cmdHKeys},
	"hlen":         {run: cmdHLen},
	"hmget":        {run: cmdHMGet},
	"hmset":        {run: cmdHMSet},
	"hrandfield":   {run: cmdHRandField},
	"hscan":        {run: cmdHScan},
	"hset":         {run: cmdHSet, member: 2},
	"hsetnx":       {run: cmdHSetNX},
	"hstrlen":      {run: cmdHStrLen},
	"hvals":        {run: cmdHVals},
}

// item appends a value as a bulk string, straight from where it is. What could
// not be read is not a reply: see failFrom.
func (r *reply) item(v *types.Item) error {
	from := len(r.buf)
	r.bulkHeader(v.Len())
	buf, err := v.AppendTo(r.buf)
	if err != nil {
		r.buf = r.buf[:from]
		return err
	}
	r.buf = buf
	r.bulkEnd()
	return nil
}

// failFrom puts the reply for err, if there is one, in the place of what was
// appended since the reply had the length from: a client never gets a part.
func (c *client) failFrom(from int, err error) {
	if err != nil {
		c.buf = c.buf[:from]
		c.fail(err)
	}
}

// fields finds a hash for reading. ok is false if an error was replied.
func (c *client) fields(key []byte) (f types.Fields, ok bool) {
	f, err := c.tx.Hash().Find(key)
	if err != nil {
		c.fail(err)
	}
	return f, err == nil
}

func cmdHGet(c *client, args [][]byte) {
	f, ok := c.fields(args[1])
	if !ok {
		return
	}
	c.hashField(&f, args[2], len(c.buf))
}

// hashField appends the value of a field, or null. It reports whether it could be
// read; if not, the reply from the length from on is the error.
func (c *client) hashField(f *types.Fields, field []byte, from int) bool {
	v, ok := f.Get(field)
	if !ok {
		c.null()
		return true
	}
	err := c.item(&v)
	c.failFrom(from, err)
	return err == nil
}

func cmdHMGet(c *client, args [][]byte) {
	f, ok := c.fields(args[1])
	if !ok {
		return
	}
	from := len(c.buf)
	c.array(len(args) - 2)
	for _, name := range args[2:] {
		if !c.hashField(&f, name, from) {
			return
		}
	}
}

func cmdHGetAll(c *client, args [][]byte) {
	f, ok := c.fields(args[1])
	if !ok {
		return
	}
	from := len(c.buf)
	c.mapHeader(f.Len())
	c.failFrom(from, f.Each(func(field []byte, v *types.Item) error {
		c.bulk(field)
		return c.item(v)
	}))
}

func cmdHKeys(c *client, args [][]byte) {
	f, ok := c.fields(args[1])
	if !ok {
		return
	}
	from := len(c.buf)
	c.array(f.Len())
	c.failFrom(from, f.Each(func(field []byte, _ *types.Item) error {
		c.bulk(field)
		return nil
	}))
}

func cmdHVals(c *client, args [][]byte) {
	f, ok := c.fields(args[1])
	if !ok {
		return
	}
	from := len(c.buf)
	c.array(f.Len())
	c.failFrom(from, f.Each(func(_ []byte, v *types.Item) error { return c.item(v) }))
}

func cmdHLen(c *client, args [][]byte) {
	if f, ok := c.fields(args[1]); ok {
		c.int(int64(f.Len()))
	}
}

func cmdHStrLen(c *client, args [][]byte) {
	if f, ok := c.fields(args[1]); ok {
		v, _ := f.Get(args[2])
		c.int(int64(v.Len()))
	}
}

func cmdHExists(c *client, args [][]byte) {
	if f, ok := c.fields(args[1]); ok {
		_, exists := f.Get(args[2])
		c.oneIf(exists)
	}
}

// hset sets what HSET and HMSET set. ok is false if an error was replied.
func (c *client) hset(args [][]byte) (added int64, ok bool) {
	if len(args)%2 != 0 {
		c.err(errArity(c.cmdName()))
		return 0, false
	}
	added, err := c.tx.Hash().Set(args[1], args[2:])
	if err != nil {
		c.fail(err)
	}
	return added, err == nil
}

func cmdHSet(c *client, args [][]byte) {
	if added, ok := c.hset(args); ok {
		c.int(added)
	}
}

func cmdHMSet(c *client, args [][]byte) {
	if _, ok := c.hset(args); ok {
		c.ok()
	}
}

func cmdHSetNX(c *client, args [][]byte) {
	done, err := c.tx.Hash().SetNX(args[1], args[2], args[3])
	c.doneOrFail(done, err)
}

func cmdHDel(c *client, args [][]byte) {
	n, err := c.tx.Hash().Del(args[1], args[2:])
	c.intOrFail(n, err)
}

func cmdHIncrBy(c *client, args [][]byte) {
	if delta, ok := c.argInt(args[3]); ok {
		n, err := c.tx.Hash().IncrBy(args[1], args[2], delta)
		c.intOrFail(n, err)
	}
}

func cmdHIncrByFloat(c *client, args [][]byte) {
	sum, err := c.tx.Hash().IncrByFloat(c.scratch[:0], args[1], args[2], args[3])
	if err != nil {
		c.fail(err)
		return
	}
	c.bulk(sum)
	c.keepScratch(sum)
}

// cmdHScan is HSCAN key cursor [MATCH pattern] [COUNT count] [NOVALUES].
func cmdHScan(c *client, args [][]byte) {
	cursor, ok := c.argCursor(args[2])
	if !ok {
		return
	}
	f, ok := c.fields(args[1])
	if !ok {
		return
	}
	noValues := false
	o, ok := c.elementScanOptions(args[3:], f.Len(), &noValues)
	if !ok {
		return
	}
	c.scanReply(func() (next uint64, n int, err error) {
		next, err = f.Scan(cursor, o, func(field []byte, v *types.Item) error {
			c.bulk(field)
			n++
			if noValues {
				return nil
			}
			n++
			return c.item(v)
		})
		return next, n, err
	})
}

// cmdHRandField is HRANDFIELD key [count [WITHVALUES]].
func cmdHRandField(c *client, args [][]byte) {
	if len(args) == 2 {
		c.randomField(args[1])
		return
	}
	count, withValues, ok := c.randomArgs(args, "WITHVALUES")
	if !ok {
		return
	}
	f, ok := c.fields(args[1])
	if !ok {
		return
	}
	pairs := withValues && c.proto == 3
	entry := func(field []byte, v *types.Item) error {
		if pairs {
			c.array(2)
		}
		c.bulk(field)
		if withValues {
			return c.item(v)
		}
		return nil
	}
	perEntry := 1
	if withValues && !pairs {
		perEntry = 2
	}
	c.randomEntries(&f, count, perEntry, entry)
}

func (c *client) randomField(key []byte) {
	f, ok := c.fields(key)
	if !ok {
		return
	}
	if f.Len() == 0 {
		c.null()
		return
	}
	from := len(c.buf)
	c.failFrom(from, f.Random(1, false, func(field []byte, _ *types.Item) error {
		c.bulk(field)
		return nil
	}))
}

// randomArgs reads the count and the one option of HRANDFIELD and ZRANDMEMBER
// with Redis's checks in Redis's order. ok is false if an error was replied.
func (c *client) randomArgs(args [][]byte, option string) (count int64, with, ok bool) {
	if count, ok = c.argCount(args[2]); !ok {
		return 0, false, false
	}
	if len(args) > 4 || len(args) == 4 && !isWord(args[3], option) {
		c.err(errSyntax)
		return 0, false, false
	}
	with = len(args) == 4
	if with && (count < -math.MaxInt64/2 || count > math.MaxInt64/2) {
		c.err(errOutOfRange)
		return 0, false, false
	}
	return count, with, true
}

// argCount parses the count of a command that draws at random.
func (c *client) argCount(arg []byte) (n int64, ok bool) {
	if n, ok = c.argInt(arg); ok && n == math.MinInt64 {
		c.err(errCountRange)
		return 0, false
	}
	return n, ok
}
