package resp

import (
	"math"

	"bitkv/types"
)

// listBindings are the commands of lists, but for those that wait
// (cmd_list_blocking.go).
var listBindings = map[string]binding{
	"lindex":    {run: cmdLIndex},
	"linsert":   {run: cmdLInsert},
	"llen":      {run: cmdLLen},
	"lmove":     {run: cmdLMove},
	"lmpop":     {run: cmdLMPop},
	"lpop":      {run: cmdLPop},
	"lpos":      {run: cmdLPos},
	"lpush":     {run: cmdLPush},
	"lpushx":    {run: cmdLPushX},
	"lrange":    {run: cmdLRange},
	"lrem":      {run: cmdLRem},
	"lset":      {run: cmdLSet},
	"ltrim":     {run: cmdLTrim},
	"rpop":      {run: cmdRPop},
	"rpoplpush": {run: cmdRPopLPush},
	"rpush":     {run: cmdRPush},
	"rpushx":    {run: cmdRPushX},
}

// elements finds a list for reading. ok is false if an error was replied.
func (c *client) elements(key []byte) (e types.Elements, ok bool) {
	e, err := c.tx.List().Find(key)
	if err != nil {
		c.fail(err)
	}
	return e, err == nil
}

func cmdLPush(c *client, args [][]byte)  { c.listPush(args, types.Left, false) }
func cmdRPush(c *client, args [][]byte)  { c.listPush(args, types.Right, false) }
func cmdLPushX(c *client, args [][]byte) { c.listPush(args, types.Left, true) }
func cmdRPushX(c *client, args [][]byte) { c.listPush(args, types.Right, true) }

func (c *client) listPush(args [][]byte, side types.Side, mustExist bool) {
	n, err := c.tx.List().Push(args[1], side, args[2:], mustExist)
	c.intOrFail(n, err)
}

func cmdLPop(c *client, args [][]byte) { c.listPop(args, types.Left) }
func cmdRPop(c *client, args [][]byte) { c.listPop(args, types.Right) }

// listPop is LPOP and RPOP key [count].
func (c *client) listPop(args [][]byte, side types.Side) {
	if len(args) > 3 {
		c.err(errArity(c.cmdName()))
		return
	}
	count := int64(1)
	if len(args) == 3 {
		var ok bool
		if count, ok = parseInt(args[2]); !ok || count < 0 {
			c.err(errNotPositiveInt)
			return
		}
	}
	taken, err := c.tx.List().Take(args[1], side, count)
	from := len(c.buf)
	switch {
	case err != nil:
		c.fail(err)
	case !taken.Found() && len(args) == 3:
		c.nullArray()
	case !taken.Found():
		c.null()
	case len(args) == 3:
		c.failFrom(from, c.takeAll(&taken))
	default:
		c.failFrom(from, c.takeOne(&taken))
	}
}

// takeOne appends the only element that is taken, and removes it.
func (r *reply) takeOne(taken *types.Taken) error {
	v := taken.One()
	if err := r.item(&v); err != nil {
		return err
	}
	return taken.Remove()
}

// takeAll appends the elements that are taken as an array, and removes them.
func (r *reply) takeAll(taken *types.Taken) error {
	r.array(taken.Len())
	if err := taken.Each(r.item); err != nil {
		return err
	}
	return taken.Remove()
}

func cmdLLen(c *client, args [][]byte) {
	if e, ok := c.elements(args[1]); ok {
		c.int(int64(e.Len()))
	}
}

func cmdLIndex(c *client, args [][]byte) {
	e, ok := c.elements(args[1])
	if !ok {
		return
	}
	if e.Len() == 0 {
		c.null()
		return
	}
	index, ok := c.argInt(args[2])
	if !ok {
		return
	}
	v, ok := e.At(index)
	if !ok {
		c.null()
		return
	}
	c.failFrom(len(c.buf), c.item(&v))
}

// listRange reads the two indexes of LRANGE and LTRIM. ok is false if an error
// was replied.
func (c *client) listRange(args [][]byte) (start, stop int64, ok bool) {
	if start, ok = c.argInt(args[2]); !ok {
		return 0, 0, false
	}
	stop, ok = c.argInt(args[3])
	return start, stop, ok
}

func cmdLRange(c *client, args [][]byte) {
	start, stop, ok := c.listRange(args)
	if !ok {
		return
	}
	e, ok := c.elements(args[1])
	if !ok {
		return
	}
	e = e.Slice(start, stop)
	from := len(c.buf)
	c.array(e.Len())
	c.failFrom(from, e.Each(c.item))
}

func cmdLTrim(c *client, args [][]byte) {
	start, stop, ok := c.listRange(args)
	if !ok {
		return
	}
	if err := c.tx.List().Trim(args[1], start, stop); err != nil {
		c.fail(err)
		return
	}
	c.ok()
}

func cmdLSet(c *client, args [][]byte) {
	index, isInt := parseInt(args[2])
	if !isInt { // Redis looks at the key first
		e, ok := c.elements(args[1])
		switch {
		case !ok:
		case e.Len() == 0:
			c.err(errNoKey)
		default:
			c.err(errNotInt)
		}
		return
	}
	if err := c.tx.List().Set(args[1], index, args[3]); err != nil {
		c.fail(err)
		return
	}
	c.ok()
}

// cmdLInsert is LINSERT key BEFORE|AFTER pivot element.
func cmdLInsert(c *client, args [][]byte) {
	after := isWord(args[2], "AFTER")
	if !after && !isWord(args[2], "BEFORE") {
		c.err(errSyntax)
		return
	}
	n, err := c.tx.List().Insert(args[1], after, args[3], args[4])
	c.intOrFail(n, err)
}

func cmdLRem(c *client, args [][]byte) {
	count, ok := c.argInt(args[2])
	if !ok {
		return
	}
	n, err := c.tx.List().Rem(args[1], count, args[3])
	c.intOrFail(n, err)
}

// cmdLPos is LPOS key element [RANK rank] [COUNT count] [MAXLEN len].
func cmdLPos(c *client, args [][]byte) {
	o, all, ok := c.posOptions(args[3:])
	if !ok {
		return
	}
	e, ok := c.elements(args[1])
	if !ok {
		return
	}
	from, n := len(c.buf), 0
	err := e.Pos(args[2], o, func(index int) {
		c.int(int64(index))
		n++
	})
	switch {
	case err != nil:
		c.failFrom(from, err)
	case all:
		c.arrayBefore(from, n)
	case n == 0:
		c.null()
	}
}

// posOptions reads the options of LPOS. all says that the reply is an array; ok is
// false if an error was replied.
func (c *client) posOptions(args [][]byte) (o types.PosOptions, all, ok bool) {
	o = types.PosOptions{Rank: 1, Count: 1}
	for ; len(args) > 0; args = args[2:] {
		if len(args) == 1 {
			c.err(errSyntax)
			return o, false, false
		}
		var to *int64
		var negative string
		switch {
		case isWord(args[0], "RANK"):
			to = &o.Rank
		case isWord(args[0], "COUNT"):
			to, negative, all = &o.Count, errPosCount, true
		case isWord(args[0], "MAXLEN"):
			to, negative = &o.MaxLen, errPosMaxLen
		default:
			c.err(errSyntax)
			return o, false, false
		}
		n, isInt := parseInt(args[1])
		switch {
		case negative != "" && (!isInt || n < 0):
			c.err(negative)
		case !isInt:
			c.err(errNotInt)
		case negative == "" && n == 0:
			c.err(errPosRank)
		default:
			*to = n
			continue
		}
		return o, false, false
	}
	if o.Rank == math.MinInt64 {
		o.Rank = -1 // as Redis 7.0, which cannot negate it
	}
	return o, all, true
}

// argSide reads LEFT or RIGHT. ok is false if an error was replied.
func (c *client) argSide(arg []byte) (side types.Side, ok bool) {
	switch {
	case isWord(arg, "LEFT"):
		return types.Left, true
	case isWord(arg, "RIGHT"):
		return types.Right, true
	}
	c.err(errSyntax)
	return 0, false
}

// listMove is what LMOVE and its kin do.
type listMove struct {
	src, dst []byte
	from, to types.Side
}

// take moves an element and appends it. done is false if there is none.
func (m *listMove) take(tx *types.Tx, r *reply) (done bool, err error) {
	value, ok, err := tx.List().Move(m.src, m.dst, m.from, m.to)
	if ok {
		r.bulk(value)
	}
	return ok, err
}

// moveArgs reads LMOVE's source destination LEFT|RIGHT LEFT|RIGHT. ok is false if
// an error was replied.
func (c *client) moveArgs(args [][]byte) (m listMove, ok bool) {
	m.src, m.dst = args[1], args[2]
	if m.from, ok = c.argSide(args[3]); ok {
		m.to, ok = c.argSide(args[4])
	}
	return m, ok
}

func cmdLMove(c *client, args [][]byte) {
	if m, ok := c.moveArgs(args); ok {
		c.listMove(&m)
	}
}

func cmdRPopLPush(c *client, args [][]byte) {
	c.listMove(&listMove{src: args[1], dst: args[2], from: types.Right, to: types.Left})
}

func (c *client) listMove(m *listMove) {
	done, err := m.take(c.tx, &c.reply)
	c.present(done, err)
}

// mpopOptions are the arguments of LMPOP and ZMPOP.
type mpopOptions struct {
	keys   [][]byte
	second bool // the second word: RIGHT or MAX
	count  int64
}

// mpopArgs reads numkeys key [key ...] first|second [COUNT count]. ok is false if
// an error was replied.
func (c *client) mpopArgs(args [][]byte, first, second string) (o mpopOptions, ok bool) {
	numKeys, isInt := parseInt(args[0])
	if !isInt || numKeys < 1 {
		c.err(errNumKeys)
		return o, false
	}
	if numKeys >= int64(len(args)-1) {
		c.err(errSyntax)
		return o, false
	}
	o.keys, args = args[1:1+numKeys], args[1+numKeys:]
	o.second = isWord(args[0], second)
	if !o.second && !isWord(args[0], first) {
		c.err(errSyntax)
		return o, false
	}
	for args = args[1:]; len(args) > 0; args = args[2:] {
		if o.count != 0 || len(args) == 1 || !isWord(args[0], "COUNT") {
			c.err(errSyntax)
			return o, false
		}
		if o.count, isInt = parseInt(args[1]); !isInt || o.count < 1 {
			c.err(errPopCount)
			return o, false
		}
	}
	o.count = max(o.count, 1)
	return o, true
}

// listMPop pops from one list for LMPOP and BLMPOP.
type listMPop struct {
	side  types.Side
	count int64
}

func newListMPop(o *mpopOptions) listMPop {
	if o.second {
		return listMPop{types.Right, o.count}
	}
	return listMPop{types.Left, o.count}
}

// take takes elements off a list and appends the list's name and them. done is
// false if there is no list.
func (m *listMPop) take(tx *types.Tx, r *reply, key []byte) (done bool, err error) {
	taken, err := tx.List().Take(key, m.side, m.count)
	if err != nil || !taken.Found() {
		return false, err
	}
	r.array(2)
	r.bulk(key)
	return true, r.takeAll(&taken)
}

// cmdLMPop is LMPOP numkeys key [key ...] LEFT|RIGHT [COUNT count].
func cmdLMPop(c *client, args [][]byte) {
	o, ok := c.mpopArgs(args[1:], "LEFT", "RIGHT")
	if !ok {
		return
	}
	m, from := newListMPop(&o), len(c.buf)
	for _, key := range o.keys {
		done, err := m.take(c.tx, &c.reply, key)
		if err != nil {
			c.failFrom(from, err)
			return
		}
		if done {
			return
		}
	}
	c.nullArray()
}
