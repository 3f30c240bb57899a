package resp

import (
	"strconv"

	"bitkv/types"
)

// setOpBindings are the commands over several sets.
var setOpBindings = map[string]binding{
	"sdiff":       {run: cmdSDiff},
	"sdiffstore":  {run: cmdSDiffStore},
	"sinter":      {run: cmdSInter},
	"sintercard":  {run: cmdSInterCard},
	"sinterstore": {run: cmdSInterStore},
	"sunion":      {run: cmdSUnion},
	"sunionstore": {run: cmdSUnionStore},
}

func cmdSInter(c *client, args [][]byte) { c.combineSets(types.SetInter, args) }
func cmdSUnion(c *client, args [][]byte) { c.combineSets(types.SetUnion, args) }
func cmdSDiff(c *client, args [][]byte)  { c.combineSets(types.SetDiff, args) }

// combineSets is SINTER, SUNION and SDIFF key [key ...].
func (c *client) combineSets(op types.SetOperation, args [][]byte) {
	start, n := len(c.buf), 0
	c.buf = append(c.buf, lateHead...)
	err := c.tx.Set().Combine(op, args[1:], func(member []byte) error {
		n++
		return c.member(member)
	})
	if err != nil {
		c.failFrom(start, err)
		return
	}
	c.lateSetHeader(start, n)
}

// lateHead is room for the head of an aggregate whose length is known when its
// elements are there.
const lateHead = "*9223372036854775807\r\n"

// lateSetHeader is setHeader for n elements that are there already, behind
// lateHead, which stands at start.
func (r *reply) lateSetHeader(start, n int) {
	var few [len(lateHead)]byte
	head := append(few[:0], '*')
	if r.proto == 3 {
		head[0] = '~'
	}
	head = append(strconv.AppendInt(head, int64(n), 10), '\r', '\n')
	size := copy(r.buf[start:], head)
	size += copy(r.buf[start+size:], r.buf[start+len(lateHead):])
	r.buf = r.buf[:start+size]
}

func cmdSInterStore(c *client, args [][]byte) { c.storeSets(types.SetInter, args) }
func cmdSUnionStore(c *client, args [][]byte) { c.storeSets(types.SetUnion, args) }
func cmdSDiffStore(c *client, args [][]byte)  { c.storeSets(types.SetDiff, args) }

// storeSets is SINTERSTORE, SUNIONSTORE and SDIFFSTORE destination key [key ...].
func (c *client) storeSets(op types.SetOperation, args [][]byte) {
	n, err := c.tx.Set().Store(args[1], op, args[2:])
	c.intOrFail(n, err)
}

// cmdSInterCard is SINTERCARD numkeys key [key ...] [LIMIT limit].
func cmdSInterCard(c *client, args [][]byte) {
	numKeys, isInt := parseInt(args[1])
	if !isInt || numKeys < 1 {
		c.err(errNumKeys)
		return
	}
	args = args[2:]
	if numKeys > int64(len(args)) {
		c.err(errManyKeys)
		return
	}
	keys, args := args[:numKeys], args[numKeys:]
	limit := int64(0)
	for ; len(args) > 0; args = args[2:] {
		if len(args) == 1 || !isWord(args[0], "LIMIT") {
			c.err(errSyntax)
			return
		}
		var ok bool
		if limit, ok = parseInt(args[1]); !ok || limit < 0 {
			c.err(errLimitNegative)
			return
		}
	}
	n, err := c.tx.Set().InterCard(keys, limit)
	c.intOrFail(n, err)
}
