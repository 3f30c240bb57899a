package resp

import "bitkv/types"

// multiQueue holds the commands between MULTI and EXEC. Arguments are copied to
// chunks, the first of which is kept for the next MULTI.
type multiQueue struct {
	cmds  []queuedCommand
	args  [][]byte // the arguments of all of them; cmds have parts of it
	chunk []byte   // where arguments are copied to now
	bytes int64    // of everything queued
	flags cmdFlags // of all commands together
	once  bool     // one of the commands must not be run twice
}

// queuedCommand is one command of a multiQueue.
type queuedCommand struct {
	cmd  *command
	args [][]byte
}

const (
	queueChunkBytes = 4 << 10
	keepQueued      = 1 << 10 // commands that room is kept for
)

// add queues a command.
func (q *multiQueue) add(cmd *command, args [][]byte) {
	need := 0
	for _, arg := range args {
		need += len(arg)
	}
	if cap(q.chunk)-len(q.chunk) < need {
		q.chunk = make([]byte, 0, max(need, queueChunkBytes))
	}
	first := len(q.args)
	for _, arg := range args {
		at := len(q.chunk)
		q.chunk = append(q.chunk, arg...)
		q.args = append(q.args, q.chunk[at:len(q.chunk):len(q.chunk)])
	}
	q.cmds = append(q.cmds, queuedCommand{cmd, q.args[first:len(q.args):len(q.args)]})
	q.bytes += int64(need + 24*len(args) + 40)
	q.flags |= cmd.flags
	q.once = q.once || cmd.runsOnce()
}

// runsOnce reports whether a command may do something that rolling its transaction
// back does not undo, or may say something else the second time.
func (cmd *command) runsOnce() bool {
	switch cmd.name {
	case "select", "ping", "echo", "time":
		return false
	}
	return !cmd.needsTx() || cmd.flags&flagAdmin != 0
}

// reset empties the queue.
func (q *multiQueue) reset() {
	if cap(q.cmds) > keepQueued || cap(q.args) > 4*keepQueued {
		q.cmds, q.args = nil, nil
	}
	clear(q.args)
	clear(q.cmds)
	if cap(q.chunk) > queueChunkBytes {
		q.chunk = nil
	}
	q.cmds, q.args, q.chunk = q.cmds[:0], q.args[:0], q.chunk[:0]
	q.bytes, q.flags, q.once = 0, 0, false
}

// queues reports whether cmd is queued and not run: inside MULTI, all but those
// that end it or are refused in it.
func (c *client) queues(cmd *command) bool {
	if !c.has(clientMulti) {
		return false
	}
	switch cmd.name {
	case "exec", "discard", "multi", "watch", "quit", "reset":
		return false
	}
	return true
}

// enqueue is what a command does inside MULTI.
func (c *client) enqueue(cmd *command, args [][]byte) {
	if !c.has(clientDirtyExec) { // otherwise it will not run
		c.queue.add(cmd, args)
		c.queued.Store(int32(len(c.queue.cmds)))
		c.multiMem.Store(c.queue.bytes)
	}
	c.simple("QUEUED")
}

// endMulti leaves MULTI, without what was queued.
func (c *client) endMulti() {
	c.unset(clientMulti | clientDirtyExec)
	c.queue.reset()
	c.cold.accounted = 0
	c.queued.Store(-1)
	c.multiMem.Store(0)
}

func cmdMulti(c *client, _ [][]byte) {
	if c.has(clientMulti) {
		c.err(errNestedMulti)
		return
	}
	c.set(clientMulti)
	c.queued.Store(0)
	c.ok()
}

func cmdDiscard(c *client, _ [][]byte) {
	if !c.has(clientMulti) {
		c.err(errDiscardNo)
		return
	}
	c.endMulti()
	c.unwatch()
	c.ok()
}

func cmdWatch(c *client, args [][]byte) {
	if c.has(clientMulti) {
		c.err(errWatchInMulti)
		return
	}
	if c.tx == nil { // Redis lets WATCH through here, but there is no key yet
		c.err(errLoading)
		return
	}
	if c.watcher == nil {
		c.watcher = c.srv.store.NewWatcher()
	}
	before := c.watcher.Len()
	for _, key := range args[1:] {
		c.watcher.Watch(c.tx, key)
	}
	if before == 0 {
		c.srv.stats.watchers.Add(1)
	}
	c.srv.stats.keysWatched.Add(int64(c.watcher.Len() - before))
	c.ok()
}

func cmdUnwatch(c *client, _ [][]byte) {
	c.unwatch()
	c.ok()
}

// unwatch forgets what the client watches. It must not be called while shards
// are locked.
func (c *client) unwatch() {
	if c.watcher == nil {
		return
	}
	if n := c.watcher.Len(); n > 0 {
		c.srv.stats.watchers.Add(-1)
		c.srv.stats.keysWatched.Add(-int64(n))
	}
	c.watcher.Unwatch()
}

// cmdExec runs the queued commands under the union of their locks, as one
// transaction: one frame in the log. If that cannot be committed, none of it
// happened and EXEC itself is the error.
func cmdExec(c *client, _ [][]byte) {
	if !c.has(clientMulti) {
		c.err(errExecNoMulti)
		return
	}
	c.exec()
	if c.retrying() {
		return
	}
	c.endMulti()
	c.unwatch()
}

func (c *client) exec() {
	if c.has(clientDirtyExec) {
		c.err(errExecAbort)
		return
	}
	if c.srv.loadedStore() == nil { // only what is allowed while loading was queued
		c.execQueue()
		return
	}
	mark, db := len(c.buf), c.db
	c.beginExec()
	if c.watcher != nil && c.watcher.DirtyAt(c.tx) {
		c.nullArray()
	} else {
		c.execQueue()
	}
	if c.tx.IsCold() {
		c.selectDB(db) // it will be run from its beginning
		for i := range c.queue.cmds {
			c.noteKeys(c.queue.cmds[i].cmd, c.queue.cmds[i].args)
		}
	}
	c.endTx(mark, c.cmd, nil)
}

// beginExec starts the transaction of an EXEC. One with a command that must not be
// run twice waits for values that are not in memory there and then.
func (c *client) beginExec() {
	store := c.srv.store
	c.shards = types.ShardSet{}
	for i := range c.queue.cmds {
		q := &c.queue.cmds[i]
		c.addShards(q.cmd, q.args)
		if q.cmd.lock == lockWalk {
			store.AddAll(&c.shards)
		}
	}
	if c.watcher != nil {
		c.watcher.AddKeys(&c.shards)
	}
	c.begin(c.queue.flags&flagsWrite != 0)
	if c.queue.once {
		c.tx.MustWait()
	}
}

// execQueue runs the queued commands.
func (c *client) execQueue() {
	exec := c.cmd
	c.set(clientInExec)
	if !c.muted() {
		c.array(len(c.queue.cmds))
	}
	for i := range c.queue.cmds {
		q := &c.queue.cmds[i]
		start, muted := len(c.buf), c.muted()
		c.cold.quiet = i < c.cold.accounted
		c.call(q.cmd, q.args)
		if !c.uncounted() {
			c.cold.accounted = i + 1
		}
		if muted && c.muted() {
			c.buf = c.buf[:start]
		}
		if c.has(clientCloseASAP) {
			break
		}
	}
	c.unset(clientInExec)
	c.cold.quiet = false
	c.cmd, c.failed = exec, false
}
