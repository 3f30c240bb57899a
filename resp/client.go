package resp

import (
	"sync"
	"sync/atomic"
	"time"

	"bitkv/types"
)

// clientFlags are what a client is, or is in. CLIENT LIST prints them.
type clientFlags uint32

// The flags.
const (
	clientMulti           clientFlags = 1 << iota // in MULTI
	clientDirtyExec                               // EXEC will fail: a command could not be queued
	clientMonitor                                 // receives the MONITOR feed
	clientBlocked                                 // parked
	clientUnix                                    // connected by a unix socket
	clientLocal                                   // connected from this machine
	clientCloseAfterReply                         // closed once its replies are sent
	clientCloseASAP                               // closed, its replies dropped
	clientReplyOff                                // CLIENT REPLY OFF
	clientReplySkip                               // CLIENT REPLY SKIP: drops the reply of this command
	clientReplySkipNext                           // becomes clientReplySkip after this command
	clientNoEvict                                 // CLIENT NO-EVICT ON
	clientNoTouch                                 // CLIENT NO-TOUCH ON: reads do not touch access clocks
	clientAuthenticated                           // may run commands
	clientOnDisk                                  // parked until values have been read
	clientInExec                                  // runs a command of an EXEC: must not park
)

// client is one connection's state. Its owner, the
// goroutine or the loop that the driver gave it to, uses it; what
// others may read or change is atomic or under mu.
type client struct {
	reply // the replies of the current batch

	srv *Server
	id  int64
	db  int       // the selected database; change it with selectDB
	tx  *types.Tx // the transaction around the running handler, or nil
	cmd *command  // the row of the running command

	failed  bool          // the running command replied with an error
	ackSeq  uint64        // the highest sequence number that unsent replies depend on
	clock   time.Duration // since the server started; when the last command ended
	shards  types.ShardSet
	keyBuf  []int
	found   types.Value // what get reads
	scratch []byte      // for handlers: use c.scratch[:0], put the grown slice back
	acc     *accounting // shared by the clients of a loop
	ahead   *lookahead  // and so is this

	queue   multiQueue
	watcher *types.Watcher // nil until the first WATCH
	stream  func() bool    // what is left of the running command's reply: see sendStream

	link    link // to the driver
	frame   framer
	out     output
	parking parkState

	cold     coldState // values that it has waited for
	handover handover  // of keys that commands of this client made ready

	// What other goroutines read. The client's owner writes them.
	flags     atomic.Uint32 // clientFlags
	dbSeen    atomic.Int32
	protoSeen atomic.Int32
	lastCmd   atomic.Pointer[command]
	strangeMs atomic.Int64 // since when it has not authenticated, Unix milliseconds
	lastMs    atomic.Int64 // Unix milliseconds of the last time bytes came in
	queued    atomic.Int32 // commands queued in MULTI, -1 outside
	queryLen  atomic.Int64 // bytes in the query buffer
	queryFree atomic.Int64 // and free in it
	argvMem   atomic.Int64 // bytes of the arguments of the running command
	multiMem  atomic.Int64 // bytes of the commands queued in MULTI
	replyCap  atomic.Int64 // size of the reply buffer
	replyPeak atomic.Int64 // most bytes in it lately

	addr, laddr string
	fd          int
	createdMs   int64
	baseBytes   int64 // of memory that it holds without buffers

	mu      sync.Mutex // guards following
	name    string
	libName string
	libVer  string
}

// setProto changes the protocol of the replies.
func (c *client) setProto(proto int) {
	c.proto = proto
	c.protoSeen.Store(int32(proto))
}

// has reports whether any of the flags is set.
func (c *client) has(f clientFlags) bool { return clientFlags(c.flags.Load())&f != 0 }

// set sets flags. Other goroutines than the client's owner may set clientCloseASAP
// alone.
func (c *client) set(f clientFlags) { c.flags.Or(uint32(f)) }

// unset clears flags.
func (c *client) unset(f clientFlags) { c.flags.And(^uint32(f)) }

// selectDB changes the selected database, also of the transaction of an EXEC.
// REQUIRES: 0 <= db < databases.
func (c *client) selectDB(db int) {
	c.db = db
	c.dbSeen.Store(int32(db))
	if c.tx != nil {
		c.tx.SetDB(db)
	}
}

// err appends an error reply and counts it. text is without the minus sign and
// begins with its code ("ERR no such key"); CR and LF in it become spaces.
func (c *client) err(text string) {
	c.failed = true
	if !c.uncounted() {
		c.srv.stats.countError(text)
	}
	c.reply.err(text)
}

// fail appends the reply for an error of package types, in Redis's words. An
// error that has no text of its own is logged and answered as an internal one.
func (c *client) fail(err error) {
	if c.tx != nil && c.tx.IsCold() {
		return // whatever the error is, the command is run again
	}
	text, known := errorText(err)
	if !known && !c.cold.quiet {
		c.srv.log.Error("command failed", "command", c.cmdName(), "client", c.addr, "error", err)
	}
	c.err(text)
}

// cmdName is the name of the running command, for errors and logs.
func (c *client) cmdName() string {
	if c.cmd == nil {
		return ""
	}
	return c.cmd.name
}

// closeAfterReply makes the driver close the connection once the replies so far
// are sent; commands behind this one are not run.
func (c *client) closeAfterReply() { c.set(clientCloseAfterReply) }

// inExec reports that the running command is part of an EXEC: it must not park.
func (c *client) inExec() bool { return c.has(clientInExec) }
