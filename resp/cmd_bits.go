package resp

import "bitkv/types"

// bitBindings are the commands for the bits of strings.
var bitBindings = map[string]binding{
	"bitcount":    {run: cmdBitCount},
	"bitfield":    {run: cmdBitField},
	"bitfield_ro": {run: cmdBitFieldRO},
	"bitop":       {run: cmdBitOp},
	"bitpos":      {run: cmdBitPos},
	"getbit":      {run: cmdGetBit},
	"setbit":      {run: cmdSetBit},
}

// argBitOffset parses the number of a bit. After a #, if bits is not 0, it is the
// number of a field of so many bits. ok is false if an error was replied.
func (c *client) argBitOffset(arg []byte, bits int) (offset int64, ok bool) {
	scale := int64(1)
	if bits > 0 && len(arg) > 0 && arg[0] == '#' {
		arg, scale = arg[1:], int64(bits)
	}
	n, ok := parseInt(arg)
	n *= scale // which may go around, in Redis as well
	if !ok || n < 0 || n>>3 >= c.srv.store.MaxValueBytes() {
		c.err(errBitOffset)
		return 0, false
	}
	return n, true
}

func cmdSetBit(c *client, args [][]byte) {
	offset, ok := c.argBitOffset(args[2], 0)
	if !ok {
		return
	}
	bit, ok := parseInt(args[3])
	if !ok || bit != 0 && bit != 1 {
		c.err(errBitValue)
		return
	}
	was, err := c.tx.String().SetBit(args[1], offset, bit == 1)
	c.doneOrFail(was, err)
}

func cmdGetBit(c *client, args [][]byte) {
	offset, ok := c.argBitOffset(args[2], 0)
	if !ok {
		return
	}
	on, err := c.tx.String().GetBit(args[1], offset)
	c.doneOrFail(on, err)
}

// argBitUnit parses BYTE or BIT. ok is false if an error was replied.
func (c *client) argBitUnit(arg []byte) (inBits, ok bool) {
	switch {
	case isWord(arg, "BIT"):
		return true, true
	case isWord(arg, "BYTE"):
		return false, true
	}
	c.err(errSyntax)
	return false, false
}

// cmdBitCount is BITCOUNT key [start end [BYTE | BIT]]. Like Redis 7.0 it does not
// look at its arguments if there is no key.
func cmdBitCount(c *client, args [][]byte) {
	v, found, err := c.tx.String().Get(args[1])
	if err != nil || !found {
		c.intOrFail(0, err)
		return
	}
	r := types.BitRange{End: -1}
	switch len(args) {
	case 2:
	case 4, 5:
		var ok bool
		if r.Start, ok = c.argInt(args[2]); !ok {
			return
		}
		if r.End, ok = c.argInt(args[3]); !ok {
			return
		}
		if len(args) == 4 || r.Start < 0 && r.End < 0 && r.Start > r.End {
			break // Redis does not look at the unit of such a range
		}
		if r.InBits, ok = c.argBitUnit(args[4]); !ok {
			return
		}
	default:
		c.err(errSyntax)
		return
	}
	n, err := v.BitCount(r)
	c.intOrFail(n, err)
}

// cmdBitPos is BITPOS key bit [start [end [BYTE | BIT]]]. Like cmdBitCount it may
// not look at all arguments.
func cmdBitPos(c *client, args [][]byte) {
	bit, ok := c.argInt(args[2])
	if !ok {
		return
	}
	if bit != 0 && bit != 1 {
		c.err(errBitArgument)
		return
	}
	v, found, err := c.tx.String().Get(args[1])
	if err != nil || !found {
		c.intOrFail(-bit, err)
		return
	}
	r, ok := c.bitPosRange(args)
	if !ok {
		return
	}
	pos, err := v.BitPos(bit == 1, r)
	if pos < 0 && bit == 0 && len(args) < 5 && !r.Empty(v.Len()) {
		pos = int64(v.Len()) * 8 // without an end the string goes on with zeros
	}
	c.intOrFail(pos, err)
}

// bitPosRange parses the range of BITPOS. ok is false if an error was replied.
func (c *client) bitPosRange(args [][]byte) (r types.BitRange, ok bool) {
	r.End = -1
	if len(args) > 6 {
		c.err(errSyntax)
		return r, false
	}
	if len(args) > 3 {
		if r.Start, ok = c.argInt(args[3]); !ok {
			return r, false
		}
	}
	if len(args) > 5 {
		if r.InBits, ok = c.argBitUnit(args[5]); !ok {
			return r, false
		}
	}
	if len(args) > 4 {
		if r.End, ok = c.argInt(args[4]); !ok {
			return r, false
		}
	}
	return r, true
}

var bitOperations = []struct {
	name string
	op   types.BitOperation
}{{"AND", types.BitAnd}, {"OR", types.BitOr}, {"XOR", types.BitXor}, {"NOT", types.BitNot}}

// cmdBitOp is BITOP operation destination source [source ...].
func cmdBitOp(c *client, args [][]byte) {
	for _, o := range bitOperations {
		if !isWord(args[1], o.name) {
			continue
		}
		if o.op == types.BitNot && len(args) != 4 {
			c.err(errBitNot)
			return
		}
		n, err := c.tx.String().BitOp(o.op, args[2], args[3:])
		c.intOrFail(n, err)
		return
	}
	c.err(errSyntax)
}

func cmdBitField(c *client, args [][]byte) {
	if ops, ok := c.fieldOps(args); ok {
		c.bitField(args[1], ops)
	}
}

func cmdBitFieldRO(c *client, args [][]byte) {
	ops, ok := c.fieldOps(args)
	if !ok {
		return
	}
	for i := range ops {
		if ops[i].Kind != types.FieldGet {
			c.err(errBitFieldRO)
			return
		}
	}
	c.bitField(args[1], ops)
}

// bitField does the operations and replies an array of their results.
func (c *client) bitField(key []byte, ops []types.FieldOp) {
	from := len(c.buf)
	err := c.tx.String().BitField(key, ops, func() { c.array(len(ops)) }, func(n int64, ok bool) {
		if ok {
			c.int(n)
		} else {
			c.null()
		}
	})
	if err != nil {
		c.buf = c.buf[:from]
		c.fail(err)
	}
}

// fieldOps parses the operations of BITFIELD: GET type offset, SET type offset
// value, INCRBY type offset increment, and OVERFLOW for those behind it. ok is
// false if an error was replied.
func (c *client) fieldOps(args [][]byte) (ops []types.FieldOp, ok bool) {
	overflow := types.OverflowWrap
	for i := 2; i < len(args); {
		op, left := types.FieldOp{Overflow: overflow}, len(args)-i-1
		switch {
		case isWord(args[i], "GET") && left >= 2:
		case isWord(args[i], "SET") && left >= 3:
			op.Kind = types.FieldSet
		case isWord(args[i], "INCRBY") && left >= 3:
			op.Kind = types.FieldIncrBy
		case isWord(args[i], "OVERFLOW") && left >= 1:
			if overflow, ok = c.argOverflow(args[i+1]); !ok {
				return nil, false
			}
			i += 2
			continue
		default:
			c.err(errSyntax)
			return nil, false
		}
		if op.Signed, op.Bits, ok = parseFieldType(args[i+1]); !ok {
			c.err(errFieldType)
			return nil, false
		}
		if op.Offset, ok = c.argBitOffset(args[i+2], op.Bits); !ok {
			return nil, false
		}
		i += 3
		if op.Kind != types.FieldGet {
			if op.Value, ok = c.argInt(args[i]); !ok {
				return nil, false
			}
			i++
		}
		ops = append(ops, op)
	}
	return ops, true
}

// argOverflow parses the argument of OVERFLOW. ok is false if an error was replied.
func (c *client) argOverflow(arg []byte) (overflow types.FieldOverflow, ok bool) {
	switch {
	case isWord(arg, "WRAP"):
		return types.OverflowWrap, true
	case isWord(arg, "SAT"):
		return types.OverflowSat, true
	case isWord(arg, "FAIL"):
		return types.OverflowFail, true
	}
	c.err(errFieldOverflow)
	return 0, false
}

// parseFieldType parses the type of a field: i1 to i64, u1 to u63.
func parseFieldType(arg []byte) (signed bool, bits int, ok bool) {
	arg = cutText(arg, len(arg))
	if len(arg) == 0 || arg[0] != 'i' && arg[0] != 'u' {
		return false, 0, false
	}
	signed = arg[0] == 'i'
	n, ok := parseInt(arg[1:])
	if !ok || n < 1 || n > 64 || n == 64 && !signed {
		return false, 0, false
	}
	return signed, int(n), true
}
