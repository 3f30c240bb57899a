package resp

import (
	"os"
	"runtime"
	"time"

	"bitkv/types"
)

// Values that are not in memory. A command whose value is on the disk must not keep
// its loop, or its shards, waiting. So its transaction never waits
// (types.Tx.NoWait): when the handler returns and the transaction is cold, all that
// it did is taken back, reply included, the client is parked, a goroutine of the
// store's reads what was missing, and the command is dispatched again as if it had
// just come, with these values at hand. Meanwhile other clients go on, on the same
// shards too; the order of this client's commands stays, for those behind it wait.
//
// A pipeline of reads would wait once for each of them. So before the client is
// parked, the reads behind the command are run as well, for what they find missing
// alone: their values are read together with its own.

const (
	// maxAhead is how many commands of a pipeline are looked at, and maxWarmAhead
	// how many in a row that miss nothing end that.
	maxAhead     = 64
	maxWarmAhead = 8
)

// coldState is what a client knows of values that it has waited for.
type coldState struct {
	fetch types.Fetch
	// ahead is how many commands behind the current one fetch has values for.
	ahead int
	// accounted is how many commands of the running EXEC an earlier round of it has
	// accounted for; quiet: the running command is one of these.
	accounted int
	quiet     bool
}

// uncounted reports that the running command will be run again, or was run before:
// what is counted of it is not counted now.
func (c *client) uncounted() bool { return c.cold.quiet || c.tx != nil && c.tx.IsCold() }

// awaitDisk ends a transaction that is cold, takes back the reply from mark on, and
// parks the client until what is missing has been read. The command will be
// dispatched again.
func (c *client) awaitDisk(mark int, cmd *command, args [][]byte) {
	c.noteKeys(cmd, args)
	c.tx.Abandon()
	c.tx = nil
	if c.parking.on {
		c.abandonParking()
	}
	c.takeBack(mark)
	c.cold.ahead = 0
	if !c.has(clientMulti) {
		c.missAhead()
	}
	c.park(parking{retry: true, postponed: true, disk: true})
	c.cold.fetch.Start(c.srv.store.Engine(), func() { c.wake() })
}

// takeBack takes back a reply.
func (c *client) takeBack(mark int) {
	c.buf = c.buf[:mark]
	c.stream = nil
	c.failed = false
}

// noteKeys notes the values of all keys of a command: it has stopped at the first,
// or may do so.
func (c *client) noteKeys(cmd *command, args [][]byte) {
	if len(args) == 0 {
		return
	}
	keys, ok := cmd.keys(c.keyBuf[:0], args)
	c.keyBuf = keys[:0]
	if !ok || len(keys) < 2 && !c.has(clientMulti) {
		return
	}
	for _, i := range keys {
		c.tx.NoteCold(args[i])
	}
}

// gotCold is called when a command is done, and there are values that it, or a
// command before it, waited for.
func (c *client) gotCold() {
	if c.cold.ahead > 0 {
		c.cold.ahead--
		return
	}
	c.cold.fetch.Reset()
}

// dropCold forgets such values, when there is nothing left to run, or a panic.
func (c *client) dropCold() {
	if f := &c.cold.fetch; f.Used() && !c.parking.on {
		if store := c.srv.loadedStore(); store != nil {
			f.Drop(store.Engine())
		}
		f.Reset()
		c.cold.ahead = 0
	}
}

// missAhead runs the reads that are behind the command at the front of the query
// buffer, and were sent as a whole, for what they find missing.
func (c *client) missAhead() {
	f, cmd := &c.frame, c.cmd
	buf, start := f.buf, f.start
	limits := c.frameLimits()
	mark, warm := len(c.buf), 0
	for range maxAhead {
		f.consume()
		whole, err := f.next(limits)
		if err != nil || !whole || c.cold.fetch.Full() || warm >= maxWarmAhead {
			break
		}
		before := c.cold.fetch.Noted()
		if !c.tryRead(f.row, f.args) {
			break
		}
		c.cold.ahead++
		c.takeBack(mark)
		if warm++; c.cold.fetch.Noted() > before {
			warm = 0
		}
	}
	f.buf, f.start = buf, start
	f.rewind()
	c.cmd = cmd
}

// tryRead runs a command that only reads keys; others that have keys are passed
// over. It reports false for what may change the meaning of those behind it.
func (c *client) tryRead(cmd *command, args [][]byte) bool {
	if cmd == nil { // it was not looked up yet
		cmd, _ = c.srv.table.lookup(args)
	}
	if cmd == nil || !cmd.arityOK(len(args)) || cmd.first == 0 || cmd.lock != lockKeys ||
		cmd.flags&(flagBlocking|flagAdmin) != 0 || c.refusal(cmd, c.srv.config.Load()) != "" {
		return false
	}
	if cmd.flags&flagReadonly == 0 || cmd.flags&flagsWrite != 0 {
		return true
	}
	c.cmd = cmd
	c.shards = types.ShardSet{}
	c.addShards(cmd, args)
	c.tx = c.srv.store.Begin(&c.shards, false, c.db)
	c.tx.NoWait(&c.cold.fetch)
	c.tx.SetNoTouch(true) // it is an access when it is run in its turn
	cmd.run(c, args)
	c.tx.Abandon()
	c.tx = nil
	return true
}

// coldProcs gives the scheduler more processors (of GOMAXPROCS) while the disk is
// busy: one for each goroutine that waits in a read, which keeps its own until a
// watchdog takes it away, tens of microseconds later, about as long as a fast disk
// takes for a read. On a machine with two processors and a disk of 90,000 reads a
// second, GET of values on the disk without pipelining went from 71,000 a second to
// 91,000 by it. Changing the number stops the world, for less than a millisecond.
type coldProcs struct {
	reads int64
	until time.Time
	base  int // what GOMAXPROCS was; 0: it has not been raised
}

const (
	// coldProcsReads is how many reads between two ticks raise the number, and
	// coldProcsFor for how long after the last such tick it stays.
	coldProcsReads = 100
	coldProcsFor   = 10 * time.Second
	coldProcsMore  = 2
)

// tick looks at how many reads there have been.
func (p *coldProcs) tick(now time.Time, reads int64) {
	busy := reads-p.reads >= coldProcsReads
	p.reads = reads
	switch {
	case busy:
		p.until = now.Add(coldProcsFor)
		if p.base == 0 && os.Getenv("GOMAXPROCS") == "" { // whoever set it knows better
			p.base = runtime.GOMAXPROCS(0)
			runtime.GOMAXPROCS(p.base + coldProcsMore)
		}
	case now.After(p.until):
		p.restore()
	}
}

// restore puts the number back.
func (p *coldProcs) restore() {
	if p.base != 0 {
		runtime.GOMAXPROCS(p.base)
		p.base = 0
	}
}
