package resp

import "strings"

// objectBindings are the subcommands of OBJECT.
var objectBindings = map[string]binding{
	"object|encoding": {run: cmdObjectEncoding},
	"object|freq":     {run: cmdObjectFreq},
	"object|help":     {run: cmdObjectHelp},
	"object|idletime": {run: cmdObjectIdleTime},
	"object|refcount": {run: cmdObjectRefCount},
}

func cmdObjectEncoding(c *client, args [][]byte) {
	name, ok, err := c.tx.Keyspace().Encoding(args[2])
	if c.present(ok, err) {
		c.bulkString(name)
	}
}

func cmdObjectRefCount(c *client, args [][]byte) {
	n, ok, err := c.tx.Keyspace().RefCount(args[2])
	if c.present(ok, err) {
		c.int(n)
	}
}

// lfu reports whether the access clocks of keys count accesses (LFU) and do not
// tell their time.
func (c *client) lfu() bool {
	return strings.HasSuffix(c.srv.config.Load().MaxMemoryPolicy, "-lfu")
}

func cmdObjectFreq(c *client, args [][]byte) {
	n, ok := c.tx.Keyspace().Freq(args[2])
	switch {
	case !ok:
		c.null()
	case !c.lfu():
		c.err(errFreqNotLFU)
	default:
		c.int(n)
	}
}

func cmdObjectIdleTime(c *client, args [][]byte) {
	n, ok := c.tx.Keyspace().IdleSeconds(args[2])
	switch {
	case !ok:
		c.null()
	case c.lfu():
		c.err(errIdleIsLFU)
	default:
		c.int(n)
	}
}

func cmdObjectHelp(c *client, _ [][]byte) {
	c.help("OBJECT",
		"ENCODING <key>",
		"    Return the kind of internal representation used in order to store the value",
		"    associated with a <key>.",
		"FREQ <key>",
		"    Return the access frequency index of the <key>. The returned integer is",
		"    proportional to the logarithm of the recent access frequency of the key.",
		"IDLETIME <key>",
		"    Return the idle time of the <key>, that is the approximated number of",
		"    seconds elapsed since the last access to the key.",
		"REFCOUNT <key>",
		"    Return the number of references of the value associated with the specified",
		"    <key>.",
	)
}
