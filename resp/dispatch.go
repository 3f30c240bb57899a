package resp

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"bitkv/types"
)

// Dispatch: the one path of every command. execute checks in Redis's order
// whether it may run (or is queued, or held back), call runs it between the
// beginning and the commit of its transaction and keeps the books.

// execute handles one command line: a reply is appended, or the client parked. cmd
// is its row, if that is known already, or nil.
func (c *client) execute(cmd *command, args [][]byte) {
	start, muted := len(c.buf), c.muted()
	switch cmd = c.admit(cmd, args); {
	case cmd == nil:
	case c.queues(cmd):
		c.enqueue(cmd, args)
	default:
		c.call(cmd, args)
		if c.handover.on {
			c.handOver()
		}
	}
	if !c.parking.on {
		c.endReply(start, muted)
	}
}

// muted reports whether CLIENT REPLY says that replies are dropped.
func (c *client) muted() bool { return c.has(clientReplyOff | clientReplySkip) }

// endReply is called when the reply of a command, from start on, is complete. It
// drops it if replies were muted when the command began and still are: CLIENT
// REPLY itself changes that in between.
func (c *client) endReply(start int, muted bool) {
	const about = clientReplyOff | clientReplySkip | clientReplySkipNext
	if !c.has(about) {
		return
	}
	if muted && c.muted() {
		c.buf = c.buf[:min(start, len(c.buf))]
		c.stream = nil
	}
	skipNext := c.has(clientReplySkipNext)
	c.unset(clientReplySkip | clientReplySkipNext)
	if skipNext {
		c.set(clientReplySkip)
	}
}

// admit checks whether a command may go on, and looks it up if cmd is nil. It
// returns nil if it may not: then the error is written, or the client parked or
// closed.
func (c *client) admit(cmd *command, args [][]byte) *command {
	var base *command
	if cmd == nil {
		cmd, base = c.srv.table.lookup(args)
	}
	c.cmd = cmd
	if c.lastCmd.Load() != cmd {
		c.lastCmd.Store(cmd)
	}
	if cmd == nil {
		c.rejectUnknown(base, args)
		return nil
	}
	if !cmd.arityOK(len(args)) {
		c.reject(errArity(cmd.name))
		return nil
	}
	cfg := c.srv.config.Load()
	if text := c.refusal(cmd, cfg); text != "" {
		c.reject(text)
		return nil
	}
	if cfg.MaxMemory != 0 && c.srv.freeMemory(cfg) == evictFail && c.denyOOM(cmd) {
		c.reject(errOOM)
		return nil
	}
	if c.has(clientMonitor) && cmd.flags&(flagsWrite|flagReadonly) != 0 {
		c.reject(errReplicaKeys)
		return nil
	}
	if c.pauses(cmd) && c.postpone() {
		return nil
	}
	return cmd
}

// refusal returns why the state of the connection or the server forbids a
// command; "" if nothing does.
func (c *client) refusal(cmd *command, cfg *Settings) string {
	switch {
	case cmd.flags&flagProtected != 0 && !c.mayUseProtected(cmd, cfg):
		return errProtected(cmd)
	case cmd.flags&flagNoAuth == 0 && c.mustAuth(cfg):
		return errNoAuth
	case cmd.flags&flagNoMulti != 0 && c.has(clientMulti):
		return errNotInMulti
	case cmd.flags&flagLoading == 0 && c.srv.loading.Load():
		return c.srv.loadingText()
	}
	return ""
}

// mustAuth reports whether the client has to authenticate before anything else.
func (c *client) mustAuth(cfg *Settings) bool {
	return cfg.RequirePass != "" && !c.has(clientAuthenticated)
}

// mayUseProtected reports whether enable-debug-command or its like allows cmd.
func (c *client) mayUseProtected(cmd *command, cfg *Settings) bool {
	access := cfg.DebugCommand
	if strings.HasPrefix(cmd.name, "module") {
		access = cfg.ModuleCommand
	}
	return access == AccessYes || access == AccessLocal && c.has(clientLocal)
}

// reject answers a command that does not run. In MULTI it makes EXEC fail.
func (c *client) reject(text string) {
	if c.has(clientMulti) {
		c.set(clientDirtyExec)
	}
	if c.cmd != nil {
		c.srv.stats.perCommand[c.cmd.id].rejected.Add(1)
		if c.cmd.name == "exec" {
			c.endMulti()
			c.unwatch()
			text = errExecAbortBecause(text)
		}
	}
	c.err(text)
}

// rejectUnknown answers a command, or a subcommand of base, that does not exist.
func (c *client) rejectUnknown(base *command, args [][]byte) {
	switch {
	case base != nil:
		c.reject(errUnknownSubcommand(args[0], args[1]))
	case isWord(args[0], "POST") || isWord(args[0], "HOST:"):
		// A browser was made to talk to us. Redis closes without a word, too, not
		// even an answer to the commands before.
		c.srv.log.Warn("possible security attack: a client sent POST or Host:, as in cross protocol scripting",
			"client", c.addr)
		c.set(clientCloseASAP)
	default:
		c.reject(errUnknownCommand(args))
	}
}

// call runs a command and keeps the books: statistics, slow log, latency
// monitor, MONITOR. In an EXEC its transaction is open already.
func (c *client) call(cmd *command, args [][]byte) {
	c.cmd, c.failed = cmd, false
	begin := c.clock
	c.runSafely(cmd, args)
	if c.retrying() || c.uncounted() {
		return // as if it had not come yet; or what it did is known
	}
	c.clock = time.Since(c.srv.started)
	if c.parking.on {
		c.suspend(cmd, args, c.clock-begin)
	} else {
		c.account(cmd, args, c.clock-begin)
	}
	if c.srv.feed.n.Load() > 0 && cmd.flags&(flagSkipMonitor|flagAdmin) == 0 {
		c.srv.feedMonitors(c, redact(cmd, args))
	}
}

// account records that cmd took so long.
func (c *client) account(cmd *command, args [][]byte, took time.Duration) {
	cfg := c.srv.config.Load()
	c.acc.add(c.srv, cmd, took, cfg.LatencyTracking)
	if c.failed {
		c.srv.stats.perCommand[cmd.id].failed.Add(1)
	}
	c.noteSlow(cmd, args, took, cfg)
}

// noteSlow tells the slow log and the latency monitor that cmd took so long.
func (c *client) noteSlow(cmd *command, args [][]byte, took time.Duration, cfg *Settings) {
	us := took.Microseconds()
	if cfg.SlowlogSlowerThanUs >= 0 && us >= cfg.SlowlogSlowerThanUs && cmd.flags&flagSkipSlowlog == 0 {
		c.srv.admin.slow(c, redact(cmd, args), took)
	}
	if cfg.LatencyThresholdMs > 0 && us >= 1000*cfg.LatencyThresholdMs {
		event := "command"
		if cmd.flags&flagFast != 0 {
			event = "fast-command"
		}
		c.srv.admin.latency(event, took)
	}
}

// runSafely runs a command so that a panic costs this client alone, unless it
// comes from the storage, which may then be in any state.
func (c *client) runSafely(cmd *command, args [][]byte) {
	mark := len(c.buf)
	defer func() {
		if r := recover(); r != nil {
			c.panicked(r, mark)
		}
	}()
	c.run(cmd, args)
}

// run runs a command within its transaction.
func (c *client) run(cmd *command, args [][]byte) {
	if c.tx != nil || !cmd.needsTx() || c.srv.loading.Load() {
		cmd.run(c, args)
		return
	}
	mark, write := len(c.buf), cmd.flags&flagsWrite != 0
	if !cmd.oneKey || !c.beginKey(args[cmd.first], write) {
		c.shards = types.ShardSet{}
		c.addShards(cmd, args)
		c.begin(write)
	}
	if c.has(clientNoTouch) && cmd.name != "touch" {
		c.tx.SetNoTouch(true)
	}
	cmd.run(c, args)
	c.endTx(mark, cmd, args)
}

// nowMs is the time that the running command happens at, in Unix milliseconds.
func (c *client) nowMs() int64 {
	return (c.srv.startedAt.Load() + int64(c.clock)) / int64(time.Millisecond)
}

// needsTx reports whether a command's handler gets a transaction.
func (cmd *command) needsTx() bool {
	return cmd.first != 0 || cmd.findKeys != nil || cmd.lock != lockKeys
}

// addShards adds to c.shards what a command locks. Arguments that make no sense
// lock nothing: the handler refuses them before it touches a key.
func (c *client) addShards(cmd *command, args [][]byte) {
	store := c.srv.store
	if cmd.lock == lockAll || cmd.lock == lockPatterns && namesByPattern(args) {
		store.AddAll(&c.shards)
		return
	}
	keys, ok := cmd.keys(c.keyBuf[:0], args)
	c.keyBuf = keys[:0]
	if !ok {
		return
	}
	for _, i := range keys {
		store.AddKey(&c.shards, args[i])
	}
}

// endTx commits, or has the command wait for the disk. If the commit fails nothing
// of the command happened: its reply, from mark on, is replaced by the error.
func (c *client) endTx(mark int, cmd *command, args [][]byte) {
	tx := c.tx
	if tx.IsCold() {
		c.awaitDisk(mark, cmd, args)
		return
	}
	c.tx = nil
	c.noteReady(tx)
	seq, err := tx.Commit()
	if err != nil {
		c.abandonParking()
		c.buf = c.buf[:mark]
		c.fail(err)
		return
	}
	c.ackSeq = max(c.ackSeq, seq)
	if c.cold.fetch.Used() {
		c.gotCold()
	}
}

// panicked handles a panic of a command whose reply began at mark.
func (c *client) panicked(reason any, mark int) {
	s := c.srv
	s.stats.unexpectedErrors.Add(1)
	storage := throughStorage()
	s.log.Error("panic in a command", "command", c.cmdName(), "client", c.addr,
		"panic", fmt.Sprint(reason), "stack", string(debug.Stack()))
	if tx := c.tx; tx != nil {
		c.tx = nil
		rollBack(tx)
	}
	c.unset(clientInExec)
	c.dropCold()
	c.buf = c.buf[:min(mark, len(c.buf))]
	c.err(errInternal)
	c.closeAfterReply()
	if storage {
		s.askShutdown(ShutdownRequest{Force: true, Err: fmt.Errorf("resp: storage panicked: %v", reason)})
	}
}

// rollBack ends a transaction that a panic has left, as far as it can be.
func rollBack(tx *types.Tx) {
	defer func() {
		// The panic that is being handled says more than one of its consequences.
		_ = recover()
	}()
	tx.Rollback()
}

// throughStorage reports whether the panic being handled passed through the
// packages below this one. REQUIRES: called while recovering.
func throughStorage() bool {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for {
		f, more := frames.Next()
		if strings.Contains(f.Function, "/types.") || strings.Contains(f.Function, "/engine.") {
			return true
		}
		if !more || strings.HasSuffix(f.Function, ".runSafely") {
			return false
		}
	}
}

// argsBytes is the size of a command's arguments.
func argsBytes(args [][]byte) int64 {
	n := 0
	for _, arg := range args {
		n += len(arg)
	}
	return int64(n)
}
