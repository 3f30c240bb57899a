package resp

import (
	"errors"

	"bitkv/types"
)

// hllBindings are the commands of HyperLogLogs.
var hllBindings = map[string]binding{
	"pfadd":      {run: cmdPFAdd},
	"pfcount":    {run: cmdPFCount},
	"pfdebug":    {run: cmdPFDebug},
	"pfmerge":    {run: cmdPFMerge},
	"pfselftest": {run: cmdPFSelfTest},
}

func cmdPFAdd(c *client, args [][]byte) {
	changed, err := c.tx.HLL().Add(args[1], args[2:])
	c.doneOrFail(changed, err)
}

func cmdPFCount(c *client, args [][]byte) {
	n, err := c.tx.HLL().Count(args[1:])
	c.intOrFail(int64(n), err)
}

func cmdPFMerge(c *client, args [][]byte) {
	if err := c.tx.HLL().Merge(args[1], args[2:]); err != nil {
		c.fail(err)
		return
	}
	c.ok()
}

// cmdPFDebug is PFDEBUG DECODE | ENCODING | GETREG | TODENSE key. Redis looks at
// the key before the subcommand.
func cmdPFDebug(c *client, args [][]byte) {
	h, key := c.tx.HLL(), args[2]
	encoding, err := h.Encoding(key)
	if err != nil {
		c.failHLL(err)
		return
	}
	switch sub := args[1]; {
	case isWord(sub, "GETREG"):
		registers, err := h.Registers(key)
		if err != nil {
			c.failHLL(err)
			return
		}
		c.array(len(registers))
		for _, value := range registers {
			c.int(int64(value))
		}
	case isWord(sub, "DECODE"):
		text, err := h.Decode(nil, key)
		if err != nil {
			c.failHLL(err)
			return
		}
		c.bulk(text)
	case isWord(sub, "ENCODING"):
		c.simple(encoding)
	case isWord(sub, "TODENSE"):
		converted, err := h.ToDense(key)
		c.doneOrFail(converted, err)
	default:
		c.err(errPFDebug(sub))
	}
}

// failHLL replies the error of a command that has its own words for a key that
// does not exist.
func (c *client) failHLL(err error) {
	if errors.Is(err, types.ErrNoKey) {
		c.err(errNoHLL)
		return
	}
	c.fail(err)
}

func cmdPFSelfTest(c *client, _ [][]byte) {
	if err := types.HLLSelfTest(); err != nil {
		c.err(errSelfTest(err))
		return
	}
	c.ok()
}
