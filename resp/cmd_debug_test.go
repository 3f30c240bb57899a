package resp

import (
	"strings"
	"testing"
	"time"
)

func TestDebugNeedsPermission(t *testing.T) {
	c := startServer(t, nil).dial(t)
	if got := c.do("DEBUG SLEEP 0"); !strings.HasPrefix(got, "-ERR DEBUG command not allowed.") {
		t.Errorf("got %q", got)
	}
	local := startServer(t, func(s *Settings) { s.DebugCommand = AccessLocal }).dial(t)
	local.want("DEBUG SLEEP 0", "+OK\r\n")
}

func TestDebug(t *testing.T) {
	c := debugServer(t)
	c.want("SET k v", "+OK\r\n")
	tests := []struct{ line, want string }{
		{"DEBUG NONSENSE", "-ERR unknown subcommand or wrong number of arguments for 'NONSENSE'. Try DEBUG HELP.\r\n"},
		{"DEBUG SLEEP", "-ERR unknown subcommand or wrong number of arguments for 'SLEEP'. Try DEBUG HELP.\r\n"},
		{"DEBUG SET-ACTIVE-EXPIRE 0", "+OK\r\n"},
		{"DEBUG PAUSE-CRON 1", "+OK\r\n"},
		{"DEBUG PAUSE-CRON 0", "+OK\r\n"},
		{"DEBUG SET-ACTIVE-EXPIRE 1", "+OK\r\n"},
		{"DEBUG QUICKLIST-PACKED-THRESHOLD 100b", "+OK\r\n"},
		{"DEBUG QUICKLIST-PACKED-THRESHOLD 5gb", "-ERR argument must be a memory value bigger than 1 and smaller than 4gb\r\n"},
		{"DEBUG REPLYBUFFER RESIZING 0", "+OK\r\n"},
		{"DEBUG REPLYBUFFER PEAK-RESET-TIME x", "-ERR value is not an integer or out of range\r\n"},
		{"DEBUG SET-DISABLE-DENY-SCRIPTS 1", "+OK\r\n"},
		{"DEBUG LOG hello", "+OK\r\n"},
		{"DEBUG ERROR 'WRONG thing'", "-WRONG thing\r\n"},
		{"DEBUG RELOAD", "+OK\r\n"},
		{"DEBUG RELOAD NOSAVE MERGE", "+OK\r\n"},
		{"DEBUG RELOAD NONSENSE", "-ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.\r\n"},
		{"DEBUG LOADAOF", "+OK\r\n"},
		{"DEBUG HTSTATS 99", "-ERR Out of range database\r\n"},
		{"DEBUG HTSTATS-KEY k", "-ERR The value stored at the specified key is not represented using an hash table\r\n"},
		{"DEBUG HTSTATS-KEY nothing", "-ERR no such key\r\n"},
		{"DEBUG OBJECT nothing", "-ERR no such key\r\n"},
		{"DEBUG LISTPACK k", "-ERR Not a listpack encoded object.\r\n"},
		{"DEBUG POPULATE x", "-ERR value is out of range, must be positive\r\n"},
		{"DEBUG POPULATE 3 p 10", "+OK\r\n"},
		{"GET p:2", "$10\r\nvalue:2\x00\x00\x00\r\n"},
		{"DEBUG POPULATE 2500", "+OK\r\n"},
		{"GET key:2499", "$10\r\nvalue:2499\r\n"},
		{"DBSIZE", ":2504\r\n"},
		{"FLUSHALL", "+OK\r\n"},
		{"DEBUG DIGEST", "+0000000000000000000000000000000000000000\r\n"},
		{"DEBUG DIGEST-VALUE a", "*1\r\n+0000000000000000000000000000000000000000\r\n"},
	}
	for _, tt := range tests {
		c.want(tt.line, tt.want)
	}
	c.do("SET k v")
	if got := c.do("DEBUG OBJECT k"); !strings.HasPrefix(got, "+Value at:0x0 refcount:1 encoding:embstr serializedlength:") {
		t.Errorf("DEBUG OBJECT: %q", got)
	}
	if got := c.do("DEBUG HTSTATS 0"); !strings.Contains(got, "number of elements: 1") {
		t.Errorf("DEBUG HTSTATS: %q", got)
	}
}

func TestDebugSleepTime(t *testing.T) {
	for arg, want := range map[string]time.Duration{
		"0": 0, "1": time.Second, "0.25": 250 * time.Millisecond, "0.5s": 500 * time.Millisecond, " 1e-3": time.Millisecond,
		"0x1p-1": 500 * time.Millisecond, "1_000": time.Second, "": 0, "x": 0, "-1": 0, "nan": 0, "-inf": 0,
		"inf": maxDebugSleep, "1e400": maxDebugSleep, "601": maxDebugSleep,
	} {
		if got := debugSleepTime([]byte(arg)); got != want {
			t.Errorf("DEBUG SLEEP %q is %v, want %v", arg, got, want)
		}
	}
}

// DEBUG SLEEP holds up whoever touches data, as in Redis, and ends when the
// server does.
func TestDebugSleep(t *testing.T) {
	srv := startServer(t, func(s *Settings) { s.DebugCommand = AccessYes })
	sleeper, other := srv.dial(t), srv.dial(t)
	began := time.Now()
	sleeper.send("DEBUG SLEEP 0.2\r\n")
	eventually(t, "DEBUG SLEEP runs", func() bool {
		running := false
		srv.eachClient(func(c *client) bool {
			cmd := c.lastCmd.Load()
			running = running || cmd != nil && cmd.name == "debug"
			return true
		})
		return running
	})
	for other.do("SET k v"); time.Since(began) < 200*time.Millisecond; other.do("SET k v") {
		// The first writes may come before the sleep has its locks.
	}
	sleeper.wantReply("+OK\r\n")
	sleeper.send("DEBUG SLEEP 600\r\n")
}

func TestDebugProtocol(t *testing.T) {
	c := debugServer(t)
	tests := []struct{ kind, resp2, resp3 string }{
		{"string", "$11\r\nHello World\r\n", "$11\r\nHello World\r\n"},
		{"integer", ":12345\r\n", ":12345\r\n"},
		{"double", "$5\r\n3.141\r\n", ",3.141\r\n"},
		{"bignum", "$37\r\n1234567999999999999999999999999999999\r\n", "(1234567999999999999999999999999999999\r\n"},
		{"null", "$-1\r\n", "_\r\n"},
		{"array", "*3\r\n:0\r\n:1\r\n:2\r\n", "*3\r\n:0\r\n:1\r\n:2\r\n"},
		{"set", "*3\r\n:0\r\n:1\r\n:2\r\n", "~3\r\n:0\r\n:1\r\n:2\r\n"},
		{"map", "*6\r\n:0\r\n:0\r\n:1\r\n:1\r\n:2\r\n:0\r\n", "%3\r\n:0\r\n#f\r\n:1\r\n#t\r\n:2\r\n#f\r\n"},
		{"verbatim", "$25\r\nThis is a verbatim\nstring\r\n", "=29\r\ntxt:This is a verbatim\nstring\r\n"},
		{"true", ":1\r\n", "#t\r\n"},
		{"false", ":0\r\n", "#f\r\n"},
		{"nonsense", "-ERR Wrong protocol type name. Please use one of the following: string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false\r\n", ""},
	}
	for _, tt := range tests {
		c.want("DEBUG PROTOCOL "+tt.kind, tt.resp2)
	}
	c.want("DEBUG PROTOCOL attrib", "$39\r\nSome real reply following the attribute\r\n")
	c.want("DEBUG PROTOCOL push", "-ERR RESP2 is not supported by this command\r\n")
	c.do("HELLO 3")
	for _, tt := range tests {
		if tt.resp3 != "" {
			c.want("DEBUG PROTOCOL "+tt.kind, tt.resp3)
		}
	}
	c.want("DEBUG PROTOCOL push", ">2\r\n$16\r\nserver-cpu-usage\r\n:42\r\n")
	c.wantReply("$40\r\nSome real reply following the push reply\r\n")
}
