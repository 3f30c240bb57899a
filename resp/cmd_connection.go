package resp

import (
	"math"
	"time"
)

// connectionBindings are the commands about the connection, transactions
// included.
var connectionBindings = map[string]binding{
	"auth":    {run: cmdAuth},
	"discard": {run: cmdDiscard},
	"echo":    {run: cmdEcho},
	"exec":    {run: cmdExec},
	"hello":   {run: cmdHello},
	"monitor": {run: cmdMonitor},
	"multi":   {run: cmdMulti},
	"ping":    {run: cmdPing},
	"quit":    {run: cmdQuit},
	"reset":   {run: cmdReset},
	"role":    {run: cmdRole},
	"select":  {run: cmdSelect},
	"unwatch": {run: cmdUnwatch},
	"wait":    {run: cmdWait},
	"watch":   {run: cmdWatch},

	"client|caching":      {run: cmdClientCaching},
	"client|getname":      {run: cmdClientGetName},
	"client|getredir":     {run: cmdClientGetRedir},
	"client|help":         {run: cmdClientHelp},
	"client|id":           {run: cmdClientID},
	"client|info":         {run: cmdClientInfo},
	"client|kill":         {run: cmdClientKill},
	"client|list":         {run: cmdClientList},
	"client|no-evict":     {run: cmdClientNoEvict},
	"client|no-touch":     {run: cmdClientNoTouch},
	"client|pause":        {run: cmdClientPause},
	"client|reply":        {run: cmdClientReply},
	"client|setinfo":      {run: cmdClientSetInfo},
	"client|setname":      {run: cmdClientSetName},
	"client|trackinginfo": {run: cmdClientTrackingInfo},
	"client|unblock":      {run: cmdClientUnblock},
	"client|unpause":      {run: cmdClientUnpause},
}

func cmdPing(c *client, args [][]byte) {
	switch len(args) {
	case 1:
		c.simple("PONG")
	case 2:
		c.bulk(args[1])
	default:
		c.err(errArity(c.cmd.name))
	}
}

func cmdEcho(c *client, args [][]byte) { c.bulk(args[1]) }

func cmdQuit(c *client, _ [][]byte) {
	c.ok()
	c.closeAfterReply()
}

func cmdSelect(c *client, args [][]byte) {
	db, ok := parseInt(args[1])
	switch {
	case !ok:
		c.err(errNotInt)
	case db != int64(int32(db)):
		c.err(errInt32Range)
	case db < 0 || db >= c.srv.config.Load().Databases:
		c.err(errDBRange)
	default:
		c.selectDB(int(db))
		c.ok()
	}
}

func cmdAuth(c *client, args [][]byte) {
	user, password := defaultUser, args[1]
	switch {
	case len(args) > 3:
		c.err(errSyntax)
		return
	case len(args) == 3:
		user, password = string(args[1]), args[2]
	case c.srv.config.Load().RequirePass == "":
		c.err(errNoAuthConfig)
		return
	}
	if c.authenticate(user, password) {
		c.ok()
	} else {
		c.wrongPassword()
	}
}

func cmdHello(c *client, args [][]byte) {
	proto := int64(c.proto)
	if len(args) > 1 {
		var ok bool
		if proto, ok = parseInt(args[1]); !ok {
			c.err(errProtoNotInt)
			return
		}
		if proto != 2 && proto != 3 {
			c.err(errNoProto)
			return
		}
	}
	var user, password, name []byte
	for i := 2; i < len(args); i++ {
		switch left := len(args) - i - 1; {
		case isWord(args[i], "AUTH") && left >= 2:
			user, password = args[i+1], args[i+2]
			i += 2
		case isWord(args[i], "SETNAME") && left >= 1:
			name = args[i+1]
			if !isPrintableWord(name) {
				c.err(errClientName)
				return
			}
			i++
		default:
			c.err(errHelloOption(args[i]))
			return
		}
	}
	if user != nil && !c.authenticate(string(user), password) {
		c.wrongPassword()
		return
	}
	if c.mustAuth(c.srv.config.Load()) {
		c.err(errHelloNoAuth)
		return
	}
	if name != nil {
		c.setName(name)
	}
	c.setProto(int(proto))
	c.hello()
}

// hello appends HELLO's reply.
func (c *client) hello() {
	c.mapHeader(7)
	c.bulkString("server")
	c.bulkString("redis")
	c.bulkString("version")
	c.bulkString(RedisVersion)
	c.bulkString("proto")
	c.int(int64(c.proto))
	c.bulkString("id")
	c.int(c.id)
	c.bulkString("mode")
	c.bulkString("standalone")
	c.bulkString("role")
	c.bulkString("master")
	c.bulkString("modules")
	c.array(0)
}

func cmdReset(c *client, _ [][]byte) {
	if c.has(clientMulti) {
		c.endMulti()
	}
	c.unwatch()
	c.srv.stopMonitor(c)
	c.unset(clientReplyOff | clientReplySkip | clientReplySkipNext | clientNoEvict | clientNoTouch)
	c.selectDB(0)
	c.setProto(2)
	c.setName(nil)
	if c.srv.config.Load().RequirePass == "" {
		c.set(clientAuthenticated)
	} else {
		c.unset(clientAuthenticated)
		c.strangeMs.Store(c.srv.nowMs.Load())
	}
	c.simple("RESET")
}

func cmdMonitor(c *client, _ [][]byte) {
	if c.inExec() {
		c.err(errMonitorInExec)
		return
	}
	if c.has(clientMonitor) {
		return // Redis does not answer the second one
	}
	c.holdOutput()
	c.srv.startMonitor(c)
	c.ok()
}

func cmdRole(c *client, _ [][]byte) {
	c.array(3)
	c.bulkString("master")
	c.int(0)
	c.array(0)
}

// cmdWait waits for replicas, of which there are none: for the whole timeout,
// or, without one, until the client is unblocked.
func cmdWait(c *client, args [][]byte) {
	replicas, ok := parseInt(args[1])
	if !ok {
		c.err(errNotInt)
		return
	}
	ms, ok := c.timeoutMs(args[2])
	if !ok {
		return
	}
	if replicas <= 0 || c.inExec() {
		c.int(0)
		return
	}
	c.park(parking{
		deadline: deadlineIn(ms),
		resume:   func(c *client, _ bool) { c.int(0) },
	})
}

// timeoutMs parses a timeout in milliseconds, counted from now. It reports false
// after an error reply.
func (c *client) timeoutMs(arg []byte) (ms int64, ok bool) {
	ms, ok = parseInt(arg)
	switch {
	case !ok:
		c.err(errTimeoutNotInt)
	case ms < 0:
		c.err(errTimeoutSign)
	case ms > math.MaxInt64-time.Now().UnixMilli():
		c.err(errTimeoutRange)
	default:
		return min(ms, maxTimeoutMs), true
	}
	return 0, false
}

// maxTimeoutMs is a hundred years: much more would overflow a time.Duration.
const maxTimeoutMs = 100 * 365 * 24 * 3600 * 1000

// deadlineIn is when ms milliseconds will have passed; for 0, which means never,
// the zero time.
func deadlineIn(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.Now().Add(time.Duration(ms) * time.Millisecond)
}

// isPrintableWord reports whether s can stand in a line of CLIENT LIST: it has
// printable ASCII only, and no space.
func isPrintableWord(s []byte) bool {
	for _, ch := range s {
		if ch < '!' || ch > '~' {
			return false
		}
	}
	return true
}
