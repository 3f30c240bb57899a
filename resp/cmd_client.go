package resp

import (
	"strconv"
	"strings"
)

func cmdClientID(c *client, _ [][]byte) { c.int(c.id) }

func cmdClientGetName(c *client, _ [][]byte) {
	c.mu.Lock()
	name := c.name
	c.mu.Unlock()
	if name == "" {
		c.null()
		return
	}
	c.bulkString(name)
}

func cmdClientSetName(c *client, args [][]byte) {
	if !isPrintableWord(args[2]) {
		c.err(errClientName)
		return
	}
	c.setName(args[2])
	c.ok()
}

func (c *client) setName(name []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.name = string(name)
}

func cmdClientSetInfo(c *client, args [][]byte) {
	var field *string
	switch {
	case isWord(args[2], "LIB-NAME"):
		field = &c.libName
	case isWord(args[2], "LIB-VER"):
		field = &c.libVer
	default:
		c.err(errClientInfoName(args[2]))
		return
	}
	if !isPrintableWord(args[3]) {
		c.err(errClientInfo(args[2]))
		return
	}
	c.mu.Lock()
	*field = string(args[3])
	c.mu.Unlock()
	c.ok()
}

func cmdClientInfo(c *client, args [][]byte) {
	c.noteRunning(args)
	c.verbatim("txt", string(c.appendInfo(nil)))
}

func cmdClientList(c *client, args [][]byte) {
	c.noteRunning(args)
	keep := func(*client) bool { return true }
	switch {
	case len(args) == 2:
	case len(args) == 4 && isWord(args[2], "TYPE"):
		kind, ok := parseClientType(args[3])
		if !ok {
			c.err(errClientType(args[3]))
			return
		}
		keep = kind.matches
	case len(args) > 3 && isWord(args[2], "ID"):
		c.listIDs(args[3:])
		return
	default:
		c.err(errSyntax)
		return
	}
	var list []byte
	c.srv.eachClient(func(other *client) bool {
		if keep(other) && !other.has(clientCloseASAP) { // killed: in Redis it is gone
			list = other.appendInfo(list)
		}
		return true
	})
	c.verbatim("txt", string(list))
}

// listIDs is CLIENT LIST ID.
func (c *client) listIDs(ids [][]byte) {
	var list []byte
	for _, arg := range ids {
		id, ok := parseInt(arg)
		if !ok {
			c.err(errClientID)
			return
		}
		if other := c.srv.clients.get(id); other != nil && !other.has(clientCloseASAP) {
			list = other.appendInfo(list)
		}
	}
	c.verbatim("txt", string(list))
}

// clientType is what CLIENT LIST and KILL call a type.
type clientType uint8

const (
	anyClient     clientType = iota
	normalClient             // everyone: no client is a replica, a master or a subscriber
	replicaClient            // of these there are none
	masterClient
	pubsubClient
)

func parseClientType(arg []byte) (clientType, bool) {
	switch {
	case isWord(arg, "NORMAL"):
		return normalClient, true
	case isWord(arg, "SLAVE"), isWord(arg, "REPLICA"):
		return replicaClient, true
	case isWord(arg, "PUBSUB"):
		return pubsubClient, true
	case isWord(arg, "MASTER"):
		return masterClient, true
	}
	return anyClient, false
}

func (t clientType) matches(*client) bool { return t <= normalClient }

// flagLetters are the letters of CLIENT LIST, in Redis's order.
var flagLetters = []struct {
	flag   clientFlags
	letter byte
}{
	{clientMonitor, 'O'},
	{clientMulti, 'x'},
	{clientBlocked, 'b'},
	{clientCloseAfterReply, 'c'},
	{clientCloseASAP, 'A'},
	{clientUnix, 'U'},
	{clientNoEvict, 'e'},
	{clientNoTouch, 'T'},
}

// appendInfo appends the client's line of CLIENT LIST. Any goroutine may ask.
func (c *client) appendInfo(b []byte) []byte {
	num := func(name string, n int64) {
		b = append(append(append(b, ' '), name...), '=')
		b = strconv.AppendInt(b, n, 10)
	}
	str := func(name, s string) {
		b = append(append(append(b, ' '), name...), '=')
		b = append(b, s...)
	}
	c.mu.Lock()
	name, libName, libVer := c.name, c.libName, c.libVer
	c.mu.Unlock()
	nowMs := c.srv.nowMs.Load()
	pending := c.out.pending.Load()
	queryLen, queryFree := c.queryLen.Load(), c.queryFree.Load()
	events, cmd := "r", "NULL"
	if pending > 0 {
		events = "rw"
	}
	if last := c.lastCmd.Load(); last != nil {
		cmd = last.name
	}
	b = append(b, "id="...)
	b = strconv.AppendInt(b, c.id, 10)
	str("addr", c.addr)
	str("laddr", c.laddr)
	num("fd", int64(c.fd))
	str("name", name)
	num("age", max(nowMs-c.createdMs, 0)/1000)
	num("idle", max(nowMs-c.lastMs.Load(), 0)/1000)
	str("flags", c.flagString())
	num("db", int64(c.dbSeen.Load()))
	num("sub", 0)
	num("psub", 0)
	num("ssub", 0)
	num("multi", int64(c.queued.Load()))
	num("qbuf", queryLen)
	num("qbuf-free", queryFree)
	num("argv-mem", c.argvMem.Load())
	num("multi-mem", c.multiMem.Load())
	num("rbs", c.replyCap.Load())
	num("rbp", c.replyPeak.Load())
	num("obl", 0)
	num("oll", min(pending, 1))
	num("omem", pending)
	num("tot-mem", c.memory())
	str("events", events)
	str("cmd", cmd)
	str("user", defaultUser)
	num("redir", -1)
	num("resp", int64(c.protoSeen.Load()))
	str("lib-name", libName)
	str("lib-ver", libVer)
	return append(b, '\n')
}

// memory is what a connection holds: its state, its goroutine's stack if it has one,
// its buffers, the values fetched from the disk for it. Any goroutine may ask.
func (c *client) memory() int64 {
	return c.baseBytes + c.queryLen.Load() + c.queryFree.Load() + c.replyCap.Load() +
		c.multiMem.Load() + c.out.pending.Load() + c.cold.fetch.Memory()
}

func (c *client) flagString() string {
	var b strings.Builder
	for _, f := range flagLetters {
		if c.has(f.flag) {
			b.WriteByte(f.letter)
		}
	}
	if b.Len() == 0 {
		return "N"
	}
	return b.String()
}

func cmdClientReply(c *client, args [][]byte) {
	switch {
	case isWord(args[2], "ON"):
		c.unset(clientReplyOff | clientReplySkip)
		c.ok()
	case isWord(args[2], "OFF"):
		c.set(clientReplyOff)
	case isWord(args[2], "SKIP"):
		if !c.has(clientReplyOff) {
			c.set(clientReplySkipNext)
		}
	default:
		c.err(errSyntax)
	}
}

func cmdClientNoEvict(c *client, args [][]byte) { c.switchFlag(clientNoEvict, args[2]) }

func cmdClientNoTouch(c *client, args [][]byte) { c.switchFlag(clientNoTouch, args[2]) }

// switchFlag is a subcommand that takes ON or OFF.
func (c *client) switchFlag(f clientFlags, arg []byte) {
	switch {
	case isWord(arg, "ON"):
		c.set(f)
	case isWord(arg, "OFF"):
		c.unset(f)
	default:
		c.err(errSyntax)
		return
	}
	c.ok()
}

func cmdClientPause(c *client, args [][]byte) {
	mode := pauseAll
	switch {
	case len(args) > 4:
		c.err(errSubcommandSyntax(args[0], args[1]))
		return
	case len(args) == 4 && isWord(args[3], "WRITE"):
		mode = pauseWrite
	case len(args) == 4 && !isWord(args[3], "ALL"):
		c.err(errPauseMode)
		return
	}
	if ms, ok := c.timeoutMs(args[2]); ok {
		c.srv.pauseClients(mode, ms)
		c.ok()
	}
}

func cmdClientUnpause(c *client, _ [][]byte) {
	c.srv.unpauseClients()
	c.ok()
}

func cmdClientUnblock(c *client, args [][]byte) {
	why := wokenTimeout
	switch {
	case len(args) > 4:
		c.err(errSubcommandSyntax(args[0], args[1]))
		return
	case len(args) == 4 && isWord(args[3], "ERROR"):
		why = wokenError
	case len(args) == 4 && !isWord(args[3], "TIMEOUT"):
		c.err(errUnblockReason)
		return
	}
	id, ok := parseInt(args[2])
	if !ok {
		c.err(errNotInt)
		return
	}
	other := c.srv.clients.get(id)
	if other != nil && other.unblock(why) {
		c.int(1)
	} else {
		c.int(0)
	}
}

func cmdClientGetRedir(c *client, _ [][]byte) { c.int(-1) }

func cmdClientCaching(c *client, _ [][]byte) { c.err(errCachingMode) }

func cmdClientTrackingInfo(c *client, _ [][]byte) {
	c.mapHeader(3)
	c.bulkString("flags")
	c.setHeader(1)
	c.bulkString("off")
	c.bulkString("redirect")
	c.int(-1)
	c.bulkString("prefixes")
	c.array(0)
}

func cmdClientHelp(c *client, _ [][]byte) {
	c.help("CLIENT",
		"CACHING (YES|NO)",
		"    Enable/disable tracking of the keys for next command in OPTIN/OPTOUT modes.",
		"GETREDIR",
		"    Return the client ID we are redirecting to when tracking is enabled.",
		"GETNAME",
		"    Return the name of the current connection.",
		"ID",
		"    Return the ID of the current connection.",
		"INFO",
		"    Return information about the current client connection.",
		"KILL <ip:port>",
		"    Kill connection made from <ip:port>.",
		"KILL <option> <value> [<option> <value> [...]]",
		"    Kill connections. Options are:",
		"    * ADDR (<ip:port>|<unixsocket>:0)",
		"      Kill connections made from the specified address",
		"    * LADDR (<ip:port>|<unixsocket>:0)",
		"      Kill connections made to specified local address",
		"    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
		"      Kill connections by type.",
		"    * USER <username>",
		"      Kill connections authenticated by <username>.",
		"    * SKIPME (YES|NO)",
		"      Skip killing current connection (default: yes).",
		"    * ID <client-id>",
		"      Kill connections by client id.",
		"    * MAXAGE <maxage>",
		"      Kill connections older than the specified age.",
		"LIST [options ...]",
		"    Return information about client connections. Options:",
		"    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
		"      Return clients of specified type.",
		"    * ID <client-id> [<client-id> [...]]",
		"      Return clients with the specified ids.",
		"UNPAUSE",
		"    Stop the current client pause, resuming traffic.",
		"PAUSE <timeout> [WRITE|ALL]",
		"    Suspend all, or just write, clients for <timeout> milliseconds.",
		"REPLY (ON|OFF|SKIP)",
		"    Control the replies sent to the current connection.",
		"SETNAME <name>",
		"    Assign the name <name> to the current connection.",
		"SETINFO <option> <value>",
		"    Set client meta attr. Options are:",
		"    * LIB-NAME: the client lib name.",
		"    * LIB-VER: the client lib version.",
		"UNBLOCK <clientid> [TIMEOUT|ERROR]",
		"    Unblock the specified blocked client.",
		"TRACKINGINFO",
		"    Report tracking status for the current connection.",
		"NO-EVICT (ON|OFF)",
		"    Protect current client connection from eviction.",
		"NO-TOUCH (ON|OFF)",
		"    Will not touch LRU/LFU stats when this mode is on.",
	)
}
