package resp

import (
	"encoding/hex"
	"math"
	"strconv"
	"strings"
	"time"

	"bitkv/types"
)

// debugBindings is DEBUG. Inside EXEC it runs with every shard locked.
var debugBindings = map[string]binding{
	"debug": {run: cmdDebug, lock: lockWalk},
}

// debugCommand is one subcommand of DEBUG. args are all arguments: args[2] is
// the first that is its own.
type debugCommand struct {
	run      handler
	min, max int // arguments of its own
}

// debugCommands are the subcommands of DEBUG that mean something here, or that
// test suites rely on.
var debugCommands = map[string]debugCommand{
	"change-repl-id":               {debugNothing, 0, 0},
	"client-eviction":              {debugClientEviction, 0, 0},
	"digest":                       {debugDigest, 0, 0},
	"digest-value":                 {debugDigestValue, 0, math.MaxInt},
	"error":                        {debugError, 1, 1},
	"help":                         {debugHelp, 0, 0},
	"htstats":                      {debugHTStats, 1, 2},
	"htstats-key":                  {debugNot(errNotHashTable), 1, 2},
	"listpack":                     {debugNot(errNotListpack), 1, 1},
	"loadaof":                      {debugReload, 0, 0},
	"log":                          {debugLog, 1, 1},
	"object":                       {debugObject, 1, 1},
	"pause-cron":                   {debugPauseCron, 1, 1},
	"populate":                     {debugPopulate, 1, 3},
	"protocol":                     {debugProtocol, 1, 1},
	"quicklist":                    {debugNot(errNotQuicklist), 1, 2},
	"quicklist-packed-threshold":   {debugPackedThreshold, 1, 1},
	"reload":                       {debugReload, 0, math.MaxInt},
	"replybuffer":                  {debugReplyBuffer, 2, 2},
	"set-active-expire":            {debugSetActiveExpire, 1, 1},
	"set-disable-deny-scripts":     {debugNothing, 1, 1},
	"set-skip-checksum-validation": {debugNothing, 1, 1},
	"sleep":                        {debugSleep, 1, 1},
	"stringmatch-test":             {debugStringMatch, 0, 0},
	"structsize":                   {debugStructSize, 0, 0},
}

func cmdDebug(c *client, args [][]byte) {
	cmd, ok := debugCommands[strings.ToLower(string(args[1]))]
	if n := len(args) - 2; !ok || n < cmd.min || n > cmd.max {
		c.err(errSubcommandSyntax(args[0], args[1]))
		return
	}
	cmd.run(c, args)
}

// debugTx calls fn with a transaction that has the shards of keys locked, or
// all of them if there are none: in EXEC the one that runs, else one of its own.
// It reports whether fn's writes, if any, are committed.
func (c *client) debugTx(write bool, keys [][]byte, fn func(tx *types.Tx)) bool {
	if c.inExec() {
		fn(c.tx)
		return true
	}
	var set types.ShardSet
	for _, key := range keys {
		c.srv.store.AddKey(&set, key)
	}
	if keys == nil {
		c.srv.store.AddAll(&set)
	}
	tx := c.srv.store.Begin(&set, write, c.db)
	ended := false
	defer func() {
		if !ended {
			tx.Rollback()
		}
	}()
	fn(tx)
	ended = true
	seq, err := tx.Commit()
	if err != nil {
		c.fail(err)
		return false
	}
	c.ackSeq = max(c.ackSeq, seq)
	return true
}

func debugNothing(c *client, _ [][]byte) { c.ok() }

// debugNot is a subcommand about a form that no value has.
func debugNot(text string) handler {
	return func(c *client, args [][]byte) {
		c.debugTx(false, args[2:3], func(tx *types.Tx) {
			if !tx.Keyspace().Exists(args[2]) {
				c.err(errNoKey)
				return
			}
			c.err(text)
		})
	}
}

func debugClientEviction(c *client, _ [][]byte) { c.err(errClientEvictOff) }

func debugDigest(c *client, _ [][]byte) {
	c.debugTx(false, nil, func(tx *types.Tx) {
		sum, err := tx.Keyspace().Digest()
		if err != nil {
			c.fail(err)
			return
		}
		c.simple(hex.EncodeToString(sum[:]))
	})
}

func debugDigestValue(c *client, args [][]byte) {
	keys := args[2:]
	c.debugTx(false, keys, func(tx *types.Tx) {
		mark := len(c.buf)
		c.array(len(keys))
		for _, key := range keys {
			sum, err := tx.Keyspace().DigestValue(key)
			if err != nil {
				c.buf = c.buf[:mark]
				c.fail(err)
				return
			}
			c.simple(hex.EncodeToString(sum[:]))
		}
	})
}

// debugError replies with an error of the caller's words.
func debugError(c *client, args [][]byte) { c.err(string(args[2])) }

func debugHTStats(c *client, args [][]byte) {
	db, ok := parseInt(args[2])
	switch {
	case !ok:
		c.err(errNotInt)
		return
	case db < 0 || db >= int64(c.srv.store.Databases()):
		c.err(errDBOutOfRange)
		return
	}
	expires, _ := c.srv.store.ExpireStats(int(db))
	var b []byte
	b = append(b, "[Dictionary HT]\n"...)
	b = appendTreeStats(b, c.srv.store.Size(int(db)))
	b = append(b, "[Expires HT]\n"...)
	b = appendTreeStats(b, expires)
	c.verbatim("txt", string(b))
}

// appendTreeStats says as much about an index as can be said of a tree where
// Redis has a hash table.
func appendTreeStats(b []byte, keys int) []byte {
	b = append(b, "Hash table 0 stats (main hash table):\n"...)
	if keys == 0 {
		return append(b, "No stats available for empty dictionaries\n"...)
	}
	b = append(b, " number of elements: "...)
	b = strconv.AppendInt(b, int64(keys), 10)
	return append(b, "\n (an ordered tree: there are no buckets)\n"...)
}

func debugLog(c *client, args [][]byte) {
	c.srv.log.Warn("DEBUG LOG: " + string(args[2]))
	c.ok()
}

func debugObject(c *client, args [][]byte) {
	key := args[2]
	c.debugTx(false, args[2:3], func(tx *types.Tx) {
		k := tx.Keyspace()
		encoding, ok, err := k.Encoding(key)
		if err != nil {
			c.fail(err)
			return
		}
		if !ok {
			c.err(errNoKey)
			return
		}
		refs, _, err := k.RefCount(key)
		if err != nil {
			c.fail(err)
			return
		}
		size, _ := k.MemoryUsage(key, defaultMemorySamples)
		idle, _ := k.IdleSeconds(key)
		lru := (time.Now().Unix() - idle) & (1<<24 - 1)
		b := append([]byte(nil), "Value at:0x0 refcount:"...)
		b = strconv.AppendInt(b, refs, 10)
		b = append(b, " encoding:"...)
		b = append(b, encoding...)
		b = append(b, " serializedlength:"...)
		b = strconv.AppendInt(b, size, 10)
		b = append(b, " lru:"...)
		b = strconv.AppendInt(b, lru, 10)
		b = append(b, " lru_seconds_idle:"...)
		b = strconv.AppendInt(b, idle, 10)
		c.simple(string(b))
	})
}

func debugPauseCron(c *client, args [][]byte) {
	n, ok := parseInt(args[2])
	if !ok {
		c.err(errNotInt)
		return
	}
	c.srv.admin.cronPaused.Store(n != 0)
	c.srv.store.SetActiveExpire(n == 0 && !c.srv.admin.expireOff.Load())
	c.ok()
}

func debugSetActiveExpire(c *client, args [][]byte) {
	n, ok := parseInt(args[2])
	if !ok {
		n = 0 // as C's atoi
	}
	c.srv.admin.expireOff.Store(n == 0)
	c.srv.store.SetActiveExpire(n != 0 && !c.srv.admin.cronPaused.Load())
	c.ok()
}

// populateBatch is how many keys DEBUG POPULATE writes in one transaction.
const populateBatch = 1000

// maxPopulateBytes bounds the size of the values of DEBUG POPULATE.
const maxPopulateBytes = 512 << 20

func debugPopulate(c *client, args [][]byte) {
	count, ok := parseInt(args[2])
	size := int64(0)
	if ok && len(args) == 5 {
		size, ok = parseInt(args[4])
	}
	if !ok || count < 0 || size < 0 || size > maxPopulateBytes {
		c.err(errNotPositiveInt)
		return
	}
	if c.inExec() {
		c.err(errDebugPopulateTx)
		return
	}
	prefix := []byte("key")
	if len(args) > 3 {
		prefix = args[3]
	}
	for from := int64(0); from < count; from += populateBatch {
		var failed error
		committed := c.debugTx(true, nil, func(tx *types.Tx) {
			for i := from; i < min(from+populateBatch, count) && failed == nil; i++ {
				failed = populateKey(tx, prefix, i, int(size))
			}
		})
		if !committed {
			return
		}
		if failed != nil {
			c.fail(failed)
			return
		}
	}
	c.ok()
}

// populateKey writes prefix:i, unless it exists, with a value of size bytes; 0
// means as long as it takes.
func populateKey(tx *types.Tx, prefix []byte, i int64, size int) error {
	key := strconv.AppendInt(append(append([]byte(nil), prefix...), ':'), i, 10)
	value := strconv.AppendInt([]byte("value:"), i, 10)
	if size > 0 {
		sized := make([]byte, size)
		copy(sized, value)
		value = sized
	}
	_, err := tx.String().Set(key, value, types.SetOptions{NX: true})
	return err
}

func debugPackedThreshold(c *client, args [][]byte) {
	n, err := parseMemory(string(args[2]))
	if err != nil || n > 4<<30-1<<20 { // 4gb itself would not do
		c.err(errPackedThreshold)
		return
	}
	c.ok()
}

// debugReload is DEBUG RELOAD and LOADAOF: everything written so far is forced
// to the disk. The keydir is not read again: it and the log are one.
func debugReload(c *client, args [][]byte) {
	for _, arg := range args[2:] {
		if !isWord(arg, "MERGE") && !isWord(arg, "NOFLUSH") && !isWord(arg, "NOSAVE") {
			c.err(errReloadOptions)
			return
		}
	}
	if err := c.srv.admin.save(c.srv.store); err != nil {
		c.fail(err)
		return
	}
	c.ok()
}

func debugReplyBuffer(c *client, args [][]byte) {
	switch {
	case isWord(args[2], "PEAK-RESET-TIME"):
		if !isWord(args[3], "NEVER") && !isWord(args[3], "RESET") {
			if _, ok := parseInt(args[3]); !ok {
				c.err(errNotInt)
				return
			}
		}
	case isWord(args[2], "RESIZING"):
	default:
		c.err(errSubcommandSyntax(args[0], args[1]))
		return
	}
	c.ok()
}

// maxDebugSleep bounds DEBUG SLEEP.
const maxDebugSleep = 10 * time.Minute

// debugSleepTime reads the seconds of DEBUG SLEEP as C's strtod does: what follows the
// number does not count, and what begins with none is 0.
func debugSleepTime(arg []byte) time.Duration {
	seconds, _, _ := types.FloatPrefix(arg)
	if math.IsNaN(seconds) {
		return 0
	}
	seconds = max(0, min(seconds, maxDebugSleep.Seconds()))
	return time.Duration(seconds * float64(time.Second))
}

// debugSleep holds up every client that touches data, as a slow command holds
// up the whole of Redis.
func debugSleep(c *client, args [][]byte) {
	d := debugSleepTime(args[2])
	wait := func() {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-c.srv.stop:
		}
	}
	if c.srv.loadedStore() == nil {
		wait()
		c.ok()
		return
	}
	if c.debugTx(true, nil, func(*types.Tx) { wait() }) {
		c.ok()
	}
}

func debugStringMatch(c *client, _ [][]byte) {
	c.simple("Apparently Redis did not crash: test passed")
}

func debugStructSize(c *client, _ [][]byte) {
	c.simple("bits:" + strconv.Itoa(strconv.IntSize))
}

func debugHelp(c *client, _ [][]byte) {
	c.help("DEBUG",
		"DIGEST",
		"    Output a hex signature representing the current DB content.",
		"DIGEST-VALUE <key> [<key> ...]",
		"    Output a hex signature of the values of all the specified keys.",
		"ERROR <string>",
		"    Return a Redis protocol error with <string> as message. Useful for clients",
		"    unit tests to simulate Redis errors.",
		"LOG <message>",
		"    Write <message> to the server log.",
		"HTSTATS <dbid>",
		"    Return index statistics of the specified Redis database.",
		"LOADAOF",
		"    As RELOAD.",
		"OBJECT <key>",
		"    Show low level info about `key` and associated value.",
		"PAUSE-CRON <0|1>",
		"    Stop periodic cron job processing.",
		"POPULATE <count> [<prefix>] [<size>]",
		"    Create <count> string keys named key:<num>. If <prefix> is specified then",
		"    it is used instead of the 'key' prefix.",
		"PROTOCOL <type>",
		"    Reply with a test value of the specified type. <type> can be: string,",
		"    integer, double, bignum, null, array, set, map, attrib, push, verbatim,",
		"    true, false.",
		"RELOAD [option ...]",
		"    Force everything written so far to the disk.",
		"SET-ACTIVE-EXPIRE <0|1>",
		"    Setting it to 0 disables expiring keys in background when they are not",
		"    accessed (otherwise the Redis behavior). Setting it to 1 reenables back the",
		"    default.",
		"SLEEP <seconds>",
		"    Stop the server for <seconds>. Decimals allowed.",
	)
}
