package resp

import (
	"math"
	"slices"
	"strconv"

	"bitkv/types"
)

// dumpBindings are DUMP and RESTORE.
var dumpBindings = map[string]binding{
	"dump":           {run: cmdDump},
	"restore":        {run: cmdRestore},
	"restore-asking": {run: cmdRestore},
}

// bulkBefore makes a bulk string of what was appended since the reply had the
// length from: it was not known before how long it is.
func (r *reply) bulkBefore(from int) {
	var few [24]byte
	head := append(few[:0], '$')
	head = strconv.AppendInt(head, int64(len(r.buf)-from), 10)
	head = append(head, '\r', '\n')
	r.buf = slices.Insert(r.buf, from, head...)
	r.bulkEnd()
}

func cmdDump(c *client, args [][]byte) {
	from := len(c.buf)
	buf, ok, err := c.tx.Keyspace().Dump(c.buf, args[1])
	c.buf = buf
	if c.present(ok, err) {
		c.bulkBefore(from)
	}
}

// restoreOptions are the options of RESTORE as they come.
type restoreOptions struct {
	types.RestoreOptions
	replace, absTTL bool
}

// restoreArgs reads the options of RESTORE. ok is false if an error was replied.
func (c *client) restoreArgs(args [][]byte) (o restoreOptions, ok bool) {
	o.IdleSec, o.Freq = -1, -1
	for i := 0; i < len(args); i++ {
		more := i+1 < len(args)
		switch arg := args[i]; {
		case isWord(arg, "REPLACE"):
			o.replace = true
		case isWord(arg, "ABSTTL"):
			o.absTTL = true
		case isWord(arg, "IDLETIME") && more && o.Freq < 0:
			i++
			if o.IdleSec, ok = c.argInt(args[i]); !ok {
				return o, false
			}
			if o.IdleSec < 0 {
				c.err(errIdleTime)
				return o, false
			}
		case isWord(arg, "FREQ") && more && o.IdleSec < 0:
			i++
			if o.Freq, ok = c.argInt(args[i]); !ok {
				return o, false
			}
			if o.Freq < 0 || o.Freq > math.MaxUint8 {
				c.err(errFreq)
				return o, false
			}
		default:
			c.err(errSyntax)
			return o, false
		}
	}
	return o, true
}

// cmdRestore is RESTORE key ttl payload [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ
// frequency], and RESTORE-ASKING, which a cluster's nodes say to each other.
func cmdRestore(c *client, args [][]byte) {
	o, ok := c.restoreArgs(args[4:])
	if !ok {
		return
	}
	k := c.tx.Keyspace()
	if !o.replace && k.Taken(args[1]) {
		c.err(errBusyKey)
		return
	}
	ttl, ok := c.argInt(args[2])
	if !ok {
		return
	}
	if ttl < 0 {
		c.err(errRestoreTTL)
		return
	}
	if o.ExpireMs = ttl; ttl != 0 && !o.absTTL {
		o.ExpireMs += c.tx.NowMs() // a sum that does not fit is in the past, as in Redis
	}
	if err := k.Restore(args[1], args[3], o.RestoreOptions); err != nil {
		c.fail(err)
		return
	}
	c.ok()
}
