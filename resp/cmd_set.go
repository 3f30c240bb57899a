package resp

import "bitkv/types"

// setOptions are the options of SET and GETEX. Their expiry is kept as it came:
// Redis looks at the number only after it knows that the options fit together.
type setOptions struct {
	types.SetOptions
	get     bool
	persist bool
	expire  []byte // nil: none
	unit    types.ExpireUnit
}

// parseSetOptions reads the options of SET, or those of GETEX. ok is false if
// one is not known or does not go with one before it.
func parseSetOptions(args [][]byte, getEx bool) (o setOptions, ok bool) {
	for i := 0; i < len(args); i++ {
		arg := args[i]
		switch {
		case !getEx && isWord(arg, "NX") && !o.XX:
			o.NX = true
		case !getEx && isWord(arg, "XX") && !o.NX:
			o.XX = true
		case !getEx && isWord(arg, "GET"):
			o.get = true
		case !getEx && isWord(arg, "KEEPTTL") && o.expire == nil:
			o.KeepTTL = true
		case getEx && isWord(arg, "PERSIST") && o.expire == nil:
			o.persist = true
		default:
			unit, isExpire := expireOption(arg)
			again := o.expire != nil && o.unit != unit
			if !isExpire || again || o.KeepTTL || o.persist || i+1 == len(args) {
				return o, false
			}
			i++
			o.expire, o.unit = args[i], unit
		}
	}
	return o, true
}

// expireOption returns the unit of an option that is followed by an expiry.
func expireOption(arg []byte) (unit types.ExpireUnit, ok bool) {
	switch {
	case isWord(arg, "EX"):
		return types.Seconds, true
	case isWord(arg, "PX"):
		return types.Millis, true
	case isWord(arg, "EXAT"):
		return types.AtSeconds, true
	case isWord(arg, "PXAT"):
		return types.AtMillis, true
	default:
		return 0, false
	}
}

// argExpire parses an expiry that must be positive into Unix milliseconds. ok is
// false if an error was replied.
func (c *client) argExpire(arg []byte, unit types.ExpireUnit) (atMs int64, ok bool) {
	n, ok := c.argInt(arg)
	if !ok {
		return 0, false
	}
	atMs, err := c.tx.PositiveExpireMs(n, unit)
	if err != nil {
		c.err(errExpireTime(c.cmdName()))
		return 0, false
	}
	return atMs, true
}

// cmdSet replies to SET GET before it writes, as cmdGetSet does.
func cmdSet(c *client, args [][]byte) {
	if len(args) == 3 { // no options, as with most
		if _, err := c.tx.String().Set(args[1], args[2], types.SetOptions{}); err != nil {
			c.fail(err)
			return
		}
		c.ok()
		return
	}
	o, ok := parseSetOptions(args[3:], false)
	if !ok {
		c.err(errSyntax)
		return
	}
	if o.expire != nil {
		if o.ExpireMs, ok = c.argExpire(o.expire, o.unit); !ok {
			return
		}
	}
	from := len(c.buf)
	if o.get {
		if _, ok := c.get(args[1]); !ok {
			return
		}
	}
	done, err := c.tx.String().Set(args[1], args[2], o.SetOptions)
	switch {
	case err != nil:
		c.buf = c.buf[:from]
		c.fail(err)
	case o.get: // has replied
	case done:
		c.ok()
	default:
		c.null()
	}
}

func cmdSetNX(c *client, args [][]byte) {
	done, err := c.tx.String().Set(args[1], args[2], types.SetOptions{NX: true})
	c.doneOrFail(done, err)
}

func cmdSetEx(c *client, args [][]byte) { c.setEx(args, types.Seconds) }

func cmdPSetEx(c *client, args [][]byte) { c.setEx(args, types.Millis) }

func (c *client) setEx(args [][]byte, unit types.ExpireUnit) {
	atMs, ok := c.argExpire(args[2], unit)
	if !ok {
		return
	}
	if _, err := c.tx.String().Set(args[1], args[3], types.SetOptions{ExpireMs: atMs}); err != nil {
		c.fail(err)
		return
	}
	c.ok()
}

// cmdGetEx looks at the key before it looks at the expiry: a missing key is null
// even with a bad one.
func cmdGetEx(c *client, args [][]byte) {
	o, ok := parseSetOptions(args[2:], true)
	if !ok {
		c.err(errSyntax)
		return
	}
	v, found, err := c.tx.String().Get(args[1])
	if !c.present(found, err) {
		return
	}
	if o.expire != nil {
		if o.ExpireMs, ok = c.argExpire(o.expire, o.unit); !ok {
			return
		}
	}
	if c.value(&v, len(c.buf)) && (o.expire != nil || o.persist) {
		c.tx.String().Reexpire(args[1], o.ExpireMs, o.persist)
	}
}
