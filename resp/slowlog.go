package resp

import (
	"bytes"
	"fmt"
	"sync"
	"time"
)

// The slow log keeps the last commands that took long, newest first, with at
// most slowMaxArgs arguments of slowMaxArgBytes bytes each.
const (
	slowMaxArgs     = 32
	slowMaxArgBytes = 128
)

// slowlog is the slow log. Safe for concurrent use.
type slowlog struct {
	mu      sync.Mutex // guards following
	nextID  int64
	entries []slowEntry // oldest first
}

// slowEntry is one command of the slow log.
type slowEntry struct {
	id     int64
	unix   int64 // seconds
	usec   int64
	args   [][]byte
	client string // address
	name   string // of the client
}

// slow is told about every command that ran, was not hidden from the slow log,
// and took at least slowlog-log-slower-than. args are without secrets, and views:
// what is kept is copied.
func (a *admin) slow(c *client, args [][]byte, took time.Duration) {
	c.mu.Lock()
	name := c.name
	c.mu.Unlock()
	e := slowEntry{
		unix:   time.Now().Unix(),
		usec:   took.Microseconds(),
		args:   slowArgs(args),
		client: c.addr,
		name:   name,
	}
	limit := a.srv.config.Load().SlowlogMaxLen
	l := &a.slowlog
	l.mu.Lock()
	defer l.mu.Unlock()
	e.id = l.nextID
	l.nextID++
	l.entries = append(l.entries, e)
	if drop := int64(len(l.entries)) - limit; drop > 0 {
		clear(l.entries[:drop])
		l.entries = l.entries[drop:]
	}
}

// slowArgs copies arguments, cut to what an entry keeps.
func slowArgs(args [][]byte) [][]byte {
	n := min(len(args), slowMaxArgs)
	kept := make([][]byte, n)
	for i := range kept {
		switch arg := args[i]; {
		case i == slowMaxArgs-1 && len(args) > slowMaxArgs:
			kept[i] = fmt.Appendf(nil, "... (%d more arguments)", len(args)-slowMaxArgs+1)
		case len(arg) > slowMaxArgBytes:
			kept[i] = fmt.Appendf(bytes.Clone(arg[:slowMaxArgBytes]), "... (%d more bytes)", len(arg)-slowMaxArgBytes)
		default:
			kept[i] = bytes.Clone(arg)
		}
	}
	return kept
}

// newest returns up to n entries, newest first; all of them if n is negative.
func (l *slowlog) newest(n int64) []slowEntry {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n < 0 || n > int64(len(l.entries)) {
		n = int64(len(l.entries))
	}
	list := make([]slowEntry, 0, n)
	for i := len(l.entries) - 1; int64(len(list)) < n; i-- {
		list = append(list, l.entries[i])
	}
	return list
}

func (l *slowlog) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.entries)
}

func (l *slowlog) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = nil
}

// slowlogBindings are the subcommands of SLOWLOG.
var slowlogBindings = map[string]binding{
	"slowlog|get":   {run: cmdSlowlogGet},
	"slowlog|len":   {run: cmdSlowlogLen},
	"slowlog|reset": {run: cmdSlowlogReset},
	"slowlog|help":  {run: cmdSlowlogHelp},
}

func cmdSlowlogGet(c *client, args [][]byte) {
	count := int64(10)
	switch len(args) {
	case 2:
	case 3:
		n, ok := parseInt(args[2])
		if !ok || n < -1 {
			c.err(errSlowlogCount)
			return
		}
		count = n
	default:
		c.err(errSubcommandSyntax(args[0], args[1]))
		return
	}
	list := c.srv.admin.slowlog.newest(count)
	c.array(len(list))
	for _, e := range list {
		c.array(6)
		c.int(e.id)
		c.int(e.unix)
		c.int(e.usec)
		c.array(len(e.args))
		for _, arg := range e.args {
			c.bulk(arg)
		}
		c.bulkString(e.client)
		c.bulkString(e.name)
	}
}

func cmdSlowlogLen(c *client, _ [][]byte) { c.int(int64(c.srv.admin.slowlog.len())) }

func cmdSlowlogReset(c *client, _ [][]byte) {
	c.srv.admin.slowlog.clear()
	c.ok()
}

func cmdSlowlogHelp(c *client, _ [][]byte) {
	c.help("SLOWLOG",
		"GET [<count>]",
		"    Return top <count> entries from the slowlog (default: 10, -1 mean all).",
		"    Entries are made of:",
		"    id, timestamp, time in microseconds, arguments array, client IP and port,",
		"    client name",
		"LEN",
		"    Return the length of the slowlog.",
		"RESET",
		"    Reset the slowlog.",
	)
}
