package resp

import (
	"bitkv/types"
)

// blockingListBindings are the commands of lists that wait.
var blockingListBindings = map[string]binding{
	"blmove":     {run: cmdBLMove},
	"blmpop":     {run: cmdBLMPop},
	"blpop":      {run: cmdBLPop},
	"brpop":      {run: cmdBRPop},
	"brpoplpush": {run: cmdBRPopLPush},
}

func cmdBLPop(c *client, args [][]byte) { c.blockingPop(args, takeLeft) }
func cmdBRPop(c *client, args [][]byte) { c.blockingPop(args, takeRight) }

// blockingPop is BLPOP and BRPOP key [key ...] timeout.
func (c *client) blockingPop(args [][]byte, take takeFunc) {
	last := len(args) - 1
	deadline, ok := c.argWait(args[last])
	if !ok {
		return
	}
	c.takeOrWait(&blocking{typeName: "list", keys: args[1:last], take: take, none: (*reply).nullArray}, deadline)
}

func takeLeft(tx *types.Tx, r *reply, key, _ []byte) (bool, error) {
	return takePair(tx, r, key, types.Left)
}

func takeRight(tx *types.Tx, r *reply, key, _ []byte) (bool, error) {
	return takePair(tx, r, key, types.Right)
}

// takePair takes an element off a list and appends the list's name and it.
func takePair(tx *types.Tx, r *reply, key []byte, side types.Side) (done bool, err error) {
	taken, err := tx.List().Take(key, side, 1)
	if err != nil || !taken.Found() {
		return false, err
	}
	r.array(2)
	r.bulk(key)
	return true, r.takeOne(&taken)
}

// cmdBLMove is BLMOVE source destination LEFT|RIGHT LEFT|RIGHT timeout.
func cmdBLMove(c *client, args [][]byte) {
	if m, ok := c.moveArgs(args); ok {
		c.blockingMove(&m, args[5])
	}
}

func cmdBRPopLPush(c *client, args [][]byte) {
	c.blockingMove(&listMove{src: args[1], dst: args[2], from: types.Right, to: types.Left}, args[3])
}

func (c *client) blockingMove(m *listMove, timeout []byte) {
	deadline, ok := c.argWait(timeout)
	if !ok {
		return
	}
	from, to := m.from, m.to
	take := func(tx *types.Tx, r *reply, key, also []byte) (bool, error) {
		move := listMove{src: key, dst: also, from: from, to: to}
		return move.take(tx, r)
	}
	c.takeOrWait(&blocking{
		typeName: "list", keys: [][]byte{m.src}, also: m.dst, take: take, none: (*reply).null,
	}, deadline)
}

// cmdBLMPop is BLMPOP timeout numkeys key [key ...] LEFT|RIGHT [COUNT count].
func cmdBLMPop(c *client, args [][]byte) {
	o, ok := c.mpopArgs(args[2:], "LEFT", "RIGHT")
	if !ok {
		return
	}
	deadline, ok := c.argWait(args[1])
	if !ok {
		return
	}
	m := newListMPop(&o)
	take := func(tx *types.Tx, r *reply, key, _ []byte) (bool, error) { return m.take(tx, r, key) }
	c.takeOrWait(&blocking{typeName: "list", keys: o.keys, take: take, none: (*reply).nullArray}, deadline)
}
