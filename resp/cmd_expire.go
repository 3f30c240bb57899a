package resp

import "bitkv/types"

// expireBindings are the commands that set, tell or remove an expiry.
var expireBindings = map[string]binding{
	"expire":      {run: cmdExpire},
	"expireat":    {run: cmdExpireAt},
	"expiretime":  {run: cmdExpireTime},
	"persist":     {run: cmdPersist},
	"pexpire":     {run: cmdPExpire},
	"pexpireat":   {run: cmdPExpireAt},
	"pexpiretime": {run: cmdPExpireTime},
	"pttl":        {run: cmdPTTL},
	"ttl":         {run: cmdTTL},
}

// parseExpireCond reads the options of EXPIRE and its kin. errText is empty if
// they are good.
func parseExpireCond(args [][]byte) (cond types.ExpireCond, errText string) {
	for _, arg := range args {
		switch {
		case isWord(arg, "NX"):
			cond |= types.ExpireNX
		case isWord(arg, "XX"):
			cond |= types.ExpireXX
		case isWord(arg, "GT"):
			cond |= types.ExpireGT
		case isWord(arg, "LT"):
			cond |= types.ExpireLT
		default:
			return 0, errUnsupportedOption(arg)
		}
	}
	const both = types.ExpireGT | types.ExpireLT
	switch {
	case cond&types.ExpireNX != 0 && cond != types.ExpireNX:
		return 0, errExpireNXOther
	case cond&both == both:
		return 0, errExpireGTLT
	}
	return cond, ""
}

func (c *client) expire(args [][]byte, unit types.ExpireUnit) {
	cond, errText := parseExpireCond(args[3:])
	if errText != "" {
		c.err(errText)
		return
	}
	n, ok := c.argInt(args[2])
	if !ok {
		return
	}
	atMs, err := c.tx.ExpireMs(n, unit)
	if err != nil {
		c.err(errExpireTime(c.cmdName()))
		return
	}
	c.oneIf(c.tx.Keyspace().Expire(args[1], atMs, cond))
}

func cmdExpire(c *client, args [][]byte) { c.expire(args, types.Seconds) }

func cmdPExpire(c *client, args [][]byte) { c.expire(args, types.Millis) }

func cmdExpireAt(c *client, args [][]byte) { c.expire(args, types.AtSeconds) }

func cmdPExpireAt(c *client, args [][]byte) { c.expire(args, types.AtMillis) }

func cmdTTL(c *client, args [][]byte) { c.int(c.tx.Keyspace().TTL(args[1])) }

func cmdPTTL(c *client, args [][]byte) { c.int(c.tx.Keyspace().PTTL(args[1])) }

func cmdExpireTime(c *client, args [][]byte) { c.int(c.tx.Keyspace().ExpireTime(args[1])) }

func cmdPExpireTime(c *client, args [][]byte) { c.int(c.tx.Keyspace().PExpireTime(args[1])) }

func cmdPersist(c *client, args [][]byte) { c.oneIf(c.tx.Keyspace().Persist(args[1])) }
