package resp

import "bitkv/types"

// setTypeBindings are the commands of sets, but for those over several of them
// (cmd_setops.go). (SET is in cmd_set.go.)
var setTypeBindings = map[string]binding{
	"sadd":        {run: cmdSAdd, member: 2},
	"scard":       {run: cmdSCard},
	"sismember":   {run: cmdSIsMember, member: 2},
	"smembers":    {run: cmdSMembers},
	"smismember":  {run: cmdSMIsMember},
	"smove":       {run: cmdSMove},
	"spop":        {run: cmdSPop},
	"srandmember": {run: cmdSRandMember},
	"srem":        {run: cmdSRem, member: 2},
	"sscan":       {run: cmdSScan},
}

// setMembers finds a set for reading. ok is false if an error was replied.
func (c *client) setMembers(key []byte) (m types.Members, ok bool) {
	m, err := c.tx.Set().Find(key)
	if err != nil {
		c.fail(err)
	}
	return m, err == nil
}

func cmdSAdd(c *client, args [][]byte) {
	n, err := c.tx.Set().Add(args[1], args[2:])
	c.intOrFail(n, err)
}

func cmdSRem(c *client, args [][]byte) {
	n, err := c.tx.Set().Rem(args[1], args[2:])
	c.intOrFail(n, err)
}

func cmdSMove(c *client, args [][]byte) {
	done, err := c.tx.Set().Move(args[1], args[2], args[3])
	c.doneOrFail(done, err)
}

func cmdSCard(c *client, args [][]byte) {
	if m, ok := c.setMembers(args[1]); ok {
		c.int(int64(m.Len()))
	}
}

func cmdSIsMember(c *client, args [][]byte) {
	if m, ok := c.setMembers(args[1]); ok {
		c.oneIf(m.Has(args[2]))
	}
}

func cmdSMIsMember(c *client, args [][]byte) {
	m, ok := c.setMembers(args[1])
	if !ok {
		return
	}
	c.array(len(args) - 2)
	for _, member := range args[2:] {
		c.oneIf(m.Has(member))
	}
}

// member appends a member as a bulk string.
func (c *client) member(member []byte) error {
	c.bulk(member)
	return nil
}

func cmdSMembers(c *client, args [][]byte) {
	m, ok := c.setMembers(args[1])
	if !ok {
		return
	}
	from := len(c.buf)
	c.setHeader(m.Len())
	c.failFrom(from, m.Each(c.member))
}

// cmdSPop is SPOP key [count].
func cmdSPop(c *client, args [][]byte) {
	switch len(args) {
	case 2:
		c.setPopOne(args[1])
	case 3:
		c.setPopSome(args[1], args[2])
	default:
		c.err(errSyntax)
	}
}

func (c *client) setPopOne(key []byte) {
	member, ok, err := c.tx.Set().PopOne(key)
	if c.present(ok, err) {
		c.bulk(member)
	}
}

func (c *client) setPopSome(key, countArg []byte) {
	count, ok := parseInt(countArg)
	if !ok || count < 0 {
		c.err(errNotPositiveInt)
		return
	}
	popped, err := c.tx.Set().Pop(key, count)
	if err != nil {
		c.fail(err)
		return
	}
	from := len(c.buf)
	c.setHeader(popped.Len())
	c.failFrom(from, popped.Each(c.bulk))
}

// cmdSRandMember is SRANDMEMBER key [count].
func cmdSRandMember(c *client, args [][]byte) {
	switch len(args) {
	case 2:
		c.setRandomOne(args[1])
	case 3:
		c.setRandomSome(args[1], args[2])
	default:
		c.err(errSyntax)
	}
}

func (c *client) setRandomOne(key []byte) {
	m, ok := c.setMembers(key)
	switch {
	case !ok:
	case m.Len() == 0:
		c.null()
	default:
		c.bulk(m.Any())
	}
}

func (c *client) setRandomSome(key, countArg []byte) {
	count, ok := c.argCount(countArg)
	if !ok {
		return
	}
	m, ok := c.setMembers(key)
	if !ok {
		return
	}
	c.randomEntries(&m, count, 1, func(member []byte, _ *types.Item) error { return c.member(member) })
}

// cmdSScan is SSCAN key cursor [MATCH pattern] [COUNT count].
func cmdSScan(c *client, args [][]byte) {
	cursor, ok := c.argCursor(args[2])
	if !ok {
		return
	}
	m, ok := c.setMembers(args[1])
	if !ok {
		return
	}
	o, ok := c.elementScanOptions(args[3:], m.Len(), nil)
	if !ok {
		return
	}
	c.scanReply(func() (next uint64, n int, err error) {
		next, err = m.Scan(cursor, o, func(member []byte) error {
			n++
			return c.member(member)
		})
		return next, n, err
	})
}
