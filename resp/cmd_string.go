package resp

import (
	"errors"
	"math"

	"bitkv/types"
)

// stringBindings are the commands of strings. How they read the options of SET
// and GETEX is in cmd_set.go.
var stringBindings = map[string]binding{
	"append":      {run: cmdAppend},
	"decr":        {run: cmdDecr},
	"decrby":      {run: cmdDecrBy},
	"get":         {run: cmdGet},
	"getdel":      {run: cmdGetDel},
	"getex":       {run: cmdGetEx},
	"getrange":    {run: cmdGetRange},
	"getset":      {run: cmdGetSet},
	"incr":        {run: cmdIncr},
	"incrby":      {run: cmdIncrBy},
	"incrbyfloat": {run: cmdIncrByFloat},
	"lcs":         {run: cmdLCS},
	"mget":        {run: cmdMGet},
	"mset":        {run: cmdMSet},
	"msetnx":      {run: cmdMSetNX},
	"psetex":      {run: cmdPSetEx},
	"set":         {run: cmdSet},
	"setex":       {run: cmdSetEx},
	"setnx":       {run: cmdSetNX},
	"setrange":    {run: cmdSetRange},
	"strlen":      {run: cmdStrLen},
	"substr":      {run: cmdGetRange},
}

// value appends a value as a bulk string, straight from where it is. If it
// cannot be read, the reply is cut back to its length from and becomes an error:
// a client never gets a part of it. It reports whether it could be read.
func (c *client) value(v *types.Value, from int) bool {
	c.bulkHeader(v.Len())
	buf, err := v.AppendTo(c.buf)
	if err != nil {
		c.buf = c.buf[:from]
		c.fail(err)
		return false
	}
	c.buf = buf
	c.bulkEnd()
	return true
}

// get appends the value of a key, or null. ok is false if an error was replied.
func (c *client) get(key []byte) (found, ok bool) {
	v := &c.found
	found, err := c.tx.String().Find(key, v)
	switch {
	case err != nil:
		c.fail(err)
		return false, false
	case !found:
		c.null()
		return false, true
	}
	return true, c.value(v, len(c.buf))
}

func cmdGet(c *client, args [][]byte) {
	c.get(args[1])
}

func cmdGetDel(c *client, args [][]byte) {
	if found, ok := c.get(args[1]); found && ok {
		c.tx.Keyspace().Del(args[1])
	}
}

// cmdGetSet replies first: the old value is read from where it is. A write that
// fails puts its error in the reply's place.
func cmdGetSet(c *client, args [][]byte) {
	from := len(c.buf)
	if _, ok := c.get(args[1]); !ok {
		return
	}
	if _, err := c.tx.String().Set(args[1], args[2], types.SetOptions{}); err != nil {
		c.buf = c.buf[:from]
		c.fail(err)
	}
}

func cmdMGet(c *client, args [][]byte) {
	from := len(c.buf)
	c.array(len(args) - 1)
	for _, key := range args[1:] {
		v := &c.found
		ok, err := c.tx.String().Find(key, v)
		switch {
		case err != nil && !errors.Is(err, types.ErrWrongType):
			c.buf = c.buf[:from]
			c.fail(err)
			return
		case err != nil || !ok:
			c.null()
		case !c.value(v, from):
			return
		}
	}
}

func cmdMSet(c *client, args [][]byte) {
	if len(args)%2 == 0 {
		c.err(errArity(c.cmdName()))
		return
	}
	if err := c.tx.String().MSet(args[1:]); err != nil {
		c.fail(err)
		return
	}
	c.ok()
}

func cmdMSetNX(c *client, args [][]byte) {
	if len(args)%2 == 0 {
		c.err(errArity(c.cmdName()))
		return
	}
	done, err := c.tx.String().MSetNX(args[1:])
	c.doneOrFail(done, err)
}

// doneOrFail replies 1 or 0, or the error.
func (c *client) doneOrFail(done bool, err error) {
	if err != nil {
		c.fail(err)
		return
	}
	c.oneIf(done)
}

// oneIf replies 1 if done, else 0.
func (c *client) oneIf(done bool) {
	if done {
		c.int(1)
	} else {
		c.int(0)
	}
}

// present reports whether there is something to reply with: if not, it replied null,
// or the error.
func (c *client) present(ok bool, err error) bool {
	switch {
	case err != nil:
		c.fail(err)
	case !ok:
		c.null()
	}
	return ok && err == nil
}

// intOrFail replies an integer, or the error.
func (c *client) intOrFail(n int64, err error) {
	if err != nil {
		c.fail(err)
		return
	}
	c.int(n)
}

// argInt parses an integer argument. ok is false if an error was replied.
func (c *client) argInt(arg []byte) (n int64, ok bool) {
	if n, ok = parseInt(arg); !ok {
		c.err(errNotInt)
	}
	return n, ok
}

func cmdAppend(c *client, args [][]byte) {
	n, err := c.tx.String().Append(args[1], args[2])
	c.intOrFail(n, err)
}

func cmdStrLen(c *client, args [][]byte) {
	n, err := c.tx.String().Len(args[1])
	c.intOrFail(n, err)
}

// cmdGetRange is GETRANGE, and SUBSTR, its old name.
func cmdGetRange(c *client, args [][]byte) {
	start, ok := c.argInt(args[2])
	if !ok {
		return
	}
	end, ok := c.argInt(args[3])
	if !ok {
		return
	}
	v, err := c.tx.String().GetRange(args[1], start, end)
	if err != nil {
		c.fail(err)
		return
	}
	c.value(&v, len(c.buf))
}

func cmdSetRange(c *client, args [][]byte) {
	offset, ok := c.argInt(args[2])
	if !ok {
		return
	}
	n, err := c.tx.String().SetRange(args[1], offset, args[3])
	c.intOrFail(n, err)
}

func (c *client) incrBy(key []byte, delta int64) {
	n, err := c.tx.String().IncrBy(key, delta)
	c.intOrFail(n, err)
}

func cmdIncr(c *client, args [][]byte) { c.incrBy(args[1], 1) }

func cmdDecr(c *client, args [][]byte) { c.incrBy(args[1], -1) }

func cmdIncrBy(c *client, args [][]byte) {
	if delta, ok := c.argInt(args[2]); ok {
		c.incrBy(args[1], delta)
	}
}

func cmdDecrBy(c *client, args [][]byte) {
	delta, ok := c.argInt(args[2])
	switch {
	case !ok:
	case delta == math.MinInt64: // has no negative
		c.err(errDecrOverflow)
	default:
		c.incrBy(args[1], -delta)
	}
}

func cmdIncrByFloat(c *client, args [][]byte) {
	sum, err := c.tx.String().IncrByFloat(c.scratch[:0], args[1], args[2])
	if err != nil {
		c.fail(err)
		return
	}
	c.bulk(sum)
	c.keepScratch(sum)
}
