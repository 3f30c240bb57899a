package resp

import (
	"math"
	"slices"
	"strconv"

	"github.com/tidwall/redcon"

	"bitkv/types"
)

// keyspaceBindings are the commands for keys of any type, but for those of
// expiry (cmd_expire.go) and OBJECT (cmd_object.go).
var keyspaceBindings = map[string]binding{
	"copy":      {run: cmdCopy},
	"dbsize":    {run: cmdDBSize},
	"del":       {run: cmdDel},
	"exists":    {run: cmdExists},
	"flushall":  {run: cmdFlushAll, lock: lockAll},
	"flushdb":   {run: cmdFlushDB, lock: lockAll},
	"keys":      {run: cmdKeys, lock: lockWalk},
	"move":      {run: cmdMove},
	"randomkey": {run: cmdRandomKey, lock: lockWalk},
	"rename":    {run: cmdRename},
	"renamenx":  {run: cmdRenameNX},
	"scan":      {run: cmdScan, lock: lockWalk},
	"swapdb":    {run: cmdSwapDB, lock: lockAll},
	"touch":     {run: cmdTouch},
	"type":      {run: cmdType},
	"unlink":    {run: cmdDel},
}

// countKeys replies for how many of the keys do is true.
func (c *client) countKeys(keys [][]byte, do func(key []byte) bool) {
	n := 0
	for _, key := range keys {
		if do(key) {
			n++
		}
	}
	c.int(int64(n))
}

// cmdDel is DEL and UNLINK: neither holds others up, however large the value.
func cmdDel(c *client, args [][]byte) { c.countKeys(args[1:], c.tx.Keyspace().Del) }

func cmdExists(c *client, args [][]byte) { c.countKeys(args[1:], c.tx.Keyspace().Exists) }

func cmdTouch(c *client, args [][]byte) { c.countKeys(args[1:], c.tx.Keyspace().Touch) }

func cmdType(c *client, args [][]byte) { c.simple(c.tx.Keyspace().Type(args[1])) }

func cmdDBSize(c *client, _ [][]byte) { c.int(int64(c.srv.store.Size(c.db))) }

func cmdRandomKey(c *client, _ [][]byte) {
	key, ok := c.tx.Keyspace().Random(c.scratch[:0])
	if !ok {
		c.null()
		return
	}
	c.bulk(key)
	c.keepScratch(key)
}

func cmdRename(c *client, args [][]byte) {
	if _, err := c.tx.Keyspace().Rename(args[1], args[2], false); err != nil {
		c.fail(err)
		return
	}
	c.ok()
}

func cmdRenameNX(c *client, args [][]byte) {
	done, err := c.tx.Keyspace().Rename(args[1], args[2], true)
	c.doneOrFail(done, err)
}

// argInt32 parses an integer argument of C's type int. ok is false if an error
// was replied.
func (c *client) argInt32(arg []byte) (n int, ok bool) {
	n64, ok := c.argInt(arg)
	if !ok {
		return 0, false
	}
	if n64 < math.MinInt32 || n64 > math.MaxInt32 {
		c.err(errNotInt32)
		return 0, false
	}
	return int(n64), true
}

// cmdCopy is COPY source destination [DB number] [REPLACE].
func cmdCopy(c *client, args [][]byte) {
	toDB, replace := c.db, false
	for i := 3; i < len(args); i++ {
		switch {
		case isWord(args[i], "REPLACE"):
			replace = true
		case isWord(args[i], "DB") && i+1 < len(args):
			i++
			var ok bool
			if toDB, ok = c.argInt32(args[i]); !ok {
				return
			}
			if toDB < 0 || toDB >= c.srv.store.Databases() {
				c.err(errDBRange)
				return
			}
		default:
			c.err(errSyntax)
			return
		}
	}
	done, err := c.tx.Keyspace().Copy(args[1], args[2], toDB, replace)
	c.doneOrFail(done, err)
}

func cmdMove(c *client, args [][]byte) {
	toDB, ok := c.argInt32(args[2])
	if !ok {
		return
	}
	done, err := c.tx.Keyspace().Move(args[1], toDB)
	c.doneOrFail(done, err)
}

func cmdSwapDB(c *client, args [][]byte) {
	var db [2]int
	for i, errText := range []string{errFirstDB, errSecondDB} {
		n, ok := parseInt(args[1+i])
		if !ok || n < math.MinInt32 || n > math.MaxInt32 {
			c.err(errText)
			return
		}
		db[i] = int(n)
	}
	if err := c.tx.Keyspace().SwapDB(db[0], db[1]); err != nil {
		c.fail(err)
		return
	}
	c.ok()
}

// flushArgs checks the one option of FLUSHDB and FLUSHALL. Both its values mean
// the same here: the memory is always given back in the background.
func (c *client) flushArgs(args [][]byte) bool {
	if len(args) == 1 || len(args) == 2 && (isWord(args[1], "SYNC") || isWord(args[1], "ASYNC")) {
		return true
	}
	c.err(errSyntax)
	return false
}

func cmdFlushDB(c *client, args [][]byte) {
	if c.flushArgs(args) {
		c.tx.Keyspace().FlushDB()
		c.ok()
	}
}

func cmdFlushAll(c *client, args [][]byte) {
	if c.flushArgs(args) {
		c.tx.Keyspace().FlushAll()
		c.ok()
	}
}

// arrayBefore puts the head of an array of n elements before those that were
// appended since the reply had the length from: a walk knows the count last.
func (r *reply) arrayBefore(from, n int) {
	var few [24]byte
	head := append(few[:0], '*')
	head = strconv.AppendInt(head, int64(n), 10)
	head = append(head, '\r', '\n')
	r.buf = slices.Insert(r.buf, from, head...)
}

func cmdKeys(c *client, args [][]byte) {
	from, n := len(c.buf), 0
	c.tx.Keyspace().Keys(args[1], func(key []byte) bool {
		c.bulk(key)
		n++
		return true
	})
	c.arrayBefore(from, n)
}

// cmdScan is SCAN cursor [MATCH pattern] [COUNT count] [TYPE type].
func cmdScan(c *client, args [][]byte) {
	cursor, ok := c.argCursor(args[1])
	if !ok {
		return
	}
	o, ok := c.scanOptions(args[2:])
	if !ok {
		return
	}
	keys, n := c.scratch[:0], 0
	next := c.tx.Keyspace().Scan(cursor, o, func(key []byte) {
		keys = redcon.AppendBulk(keys, key)
		n++
	})
	c.array(2)
	c.cursor(next)
	c.array(n)
	c.raw(keys)
	c.keepScratch(keys)
}

// keepScratch puts the slice that a handler took from scratch back, unless it
// has grown so much that it had better be given up.
func (c *client) keepScratch(b []byte) {
	if cap(b) <= maxScratchBytes {
		c.scratch = b[:0]
	}
}

const maxScratchBytes = 64 << 10

// cursor appends a cursor as the bulk string that it is on the wire.
func (r *reply) cursor(cursor uint64) {
	var few [20]byte
	r.bulk(strconv.AppendUint(few[:0], cursor, 10))
}

// argCursor parses the cursor of SCAN and its like. ok is false if an error was
// replied.
func (c *client) argCursor(arg []byte) (cursor uint64, ok bool) {
	if cursor, ok = parseCursor(arg); !ok {
		c.err(errInvalidCursor)
	}
	return cursor, ok
}

// scanOptions reads the options of SCAN. ok is false if an error was replied.
func (c *client) scanOptions(args [][]byte) (o types.ScanOptions, ok bool) {
	for i := 0; i < len(args); i += 2 {
		if i+1 == len(args) {
			c.err(errSyntax)
			return o, false
		}
		arg := args[i+1]
		switch {
		case isWord(args[i], "COUNT"):
			n, ok := c.argInt(arg)
			if !ok {
				return o, false
			}
			if n < 1 {
				c.err(errSyntax)
				return o, false
			}
			o.Count = int(min(n, math.MaxInt32))
		case isWord(args[i], "MATCH"):
			o.Match = arg
		case isWord(args[i], "TYPE"):
			if o.Type = string(arg); o.Type == "" {
				o.Type = "none" // no key has it; "" would mean any type
			}
		default:
			c.err(errSyntax)
			return o, false
		}
	}
	return o, true
}
