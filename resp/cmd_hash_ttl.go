package resp

import "bitkv/types"

// hashTTLBindings are the commands for the expiry of the fields of a hash, which
// came with Redis 7.4.
var hashTTLBindings = map[string]binding{
	"hexpire":      {run: cmdHExpire},
	"hexpireat":    {run: cmdHExpireAt},
	"hexpiretime":  {run: cmdHExpireTime},
	"hpersist":     {run: cmdHPersist},
	"hpexpire":     {run: cmdHPExpire},
	"hpexpireat":   {run: cmdHPExpireAt},
	"hpexpiretime": {run: cmdHPExpireTime},
	"hpttl":        {run: cmdHPTTL},
	"httl":         {run: cmdHTTL},
}

// fieldArgs reads FIELDS numfields field ..., which must be all of args. badCount
// is the error for a number that is none.
func fieldArgs(args [][]byte, badCount string) (fields [][]byte, errText string) {
	if len(args) < 2 || !isWord(args[0], "FIELDS") {
		return nil, errFieldsMissing
	}
	n, ok := parseInt(args[1])
	switch {
	case !ok || n < 1:
		return nil, badCount
	case n != int64(len(args)-2):
		return nil, errFieldsCount
	}
	return args[2:], ""
}

// refuseHash replies an error, unless the key holds something else than a hash:
// then that is the error, for Redis looks there first.
func (c *client) refuseHash(key []byte, errText string) {
	if err := c.tx.Hash().Check(key); err != nil {
		c.fail(err)
		return
	}
	c.err(errText)
}

func cmdHExpire(c *client, args [][]byte) { c.expireFields(args, types.Seconds) }

func cmdHPExpire(c *client, args [][]byte) { c.expireFields(args, types.Millis) }

func cmdHExpireAt(c *client, args [][]byte) { c.expireFields(args, types.AtSeconds) }

func cmdHPExpireAt(c *client, args [][]byte) { c.expireFields(args, types.AtMillis) }

// expireFields is HEXPIRE key time [NX | XX | GT | LT] FIELDS numfields field ...
// and its kin.
func (c *client) expireFields(args [][]byte, unit types.ExpireUnit) {
	atMs, errText := c.fieldExpireMs(args[2], unit)
	if errText != "" {
		c.refuseHash(args[1], errText)
		return
	}
	cond, rest := fieldCond(args[3]), args[3:]
	if cond != 0 {
		rest = rest[1:]
	}
	fields, errText := fieldArgs(rest, errFieldsPositive)
	if errText != "" {
		c.refuseHash(args[1], errText)
		return
	}
	from := len(c.buf)
	c.array(len(fields))
	c.failFrom(from, c.tx.Hash().Expire(args[1], fields, atMs, cond, c.intResult))
}

// fieldCond reads the one condition that HEXPIRE may have; 0 if arg is none.
func fieldCond(arg []byte) types.ExpireCond {
	switch {
	case isWord(arg, "NX"):
		return types.ExpireNX
	case isWord(arg, "XX"):
		return types.ExpireXX
	case isWord(arg, "GT"):
		return types.ExpireGT
	case isWord(arg, "LT"):
		return types.ExpireLT
	}
	return 0
}

func (c *client) intResult(n int) { c.int(int64(n)) }

// fieldExpireMs reads the time of HEXPIRE and its kin.
func (c *client) fieldExpireMs(arg []byte, unit types.ExpireUnit) (atMs int64, errText string) {
	n, ok := parseInt(arg)
	switch {
	case !ok:
		return 0, errNotInt
	case n < 0:
		return 0, errFieldExpireNegative
	}
	atMs, err := c.tx.ExpireMs(n, unit)
	if err != nil || atMs > types.MaxFieldExpireMs {
		return 0, errExpireTime(c.cmdName())
	}
	return atMs, ""
}

// fieldTimes replies, for every field, with what its expiry is, by convert; -1 if
// it has none and -2 if there is no such field.
func (c *client) fieldTimes(args [][]byte, convert func(atMs int64) int64) {
	fields, errText := fieldArgs(args[2:], errFieldsInteger)
	if errText != "" {
		c.refuseHash(args[1], errText)
		return
	}
	f, ok := c.fields(args[1])
	if !ok {
		return
	}
	c.array(len(fields))
	for _, field := range fields {
		switch atMs, exists := f.ExpireMs(field); {
		case !exists:
			c.int(types.FieldMissing)
		case atMs == 0:
			c.int(types.FieldNoExpiry)
		default:
			c.int(convert(atMs))
		}
	}
}

// roundUpSeconds is how Redis turns the milliseconds of a field into seconds.
func roundUpSeconds(ms int64) int64 { return (ms + 999) / 1000 }

func cmdHTTL(c *client, args [][]byte) {
	c.fieldTimes(args, func(atMs int64) int64 { return roundUpSeconds(atMs - c.tx.NowMs()) })
}

func cmdHPTTL(c *client, args [][]byte) {
	c.fieldTimes(args, func(atMs int64) int64 { return atMs - c.tx.NowMs() })
}

func cmdHExpireTime(c *client, args [][]byte) { c.fieldTimes(args, roundUpSeconds) }

func cmdHPExpireTime(c *client, args [][]byte) {
	c.fieldTimes(args, func(atMs int64) int64 { return atMs })
}

func cmdHPersist(c *client, args [][]byte) {
	fields, errText := fieldArgs(args[2:], errFieldsInteger)
	if errText != "" {
		c.refuseHash(args[1], errText)
		return
	}
	from := len(c.buf)
	c.array(len(fields))
	c.failFrom(from, c.tx.Hash().Persist(args[1], fields, c.intResult))
}
