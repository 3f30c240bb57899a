package resp

import (
	"fmt"
	"io"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestConnectionCommands(t *testing.T) {
	s := startServer(t, nil)
	c := s.dial(t)
	run(t, c, []step{
		{"PING", "+PONG\r\n"},
		{"PING x", "$1\r\nx\r\n"},
		{"PING a b", "-ERR wrong number of arguments for 'ping' command\r\n"},
		{"ECHO ''", "$0\r\n\r\n"},
		{"SELECT 15", okReply},
		{"SELECT 16", "-ERR DB index is out of range\r\n"},
		{"SELECT a", "-ERR value is not an integer or out of range\r\n"},
		{"CLIENT GETNAME", "$-1\r\n"},
		{"CLIENT SETNAME n", okReply},
		{"CLIENT GETNAME", "$1\r\nn\r\n"},
		{"CLIENT SETNAME 'a b'", "-ERR Client names cannot contain spaces, newlines or special characters.\r\n"},
		{"CLIENT SETINFO LIB-NAME lib", okReply},
		{"CLIENT SETINFO lib-ver 1.0", okReply},
		{"CLIENT SETINFO LIB-NAME 'a b'", "-ERR LIB-NAME cannot contain spaces, newlines or special characters.\r\n"},
		{"CLIENT SETINFO x y", "-ERR Unrecognized option 'x'\r\n"},
		{"CLIENT NO-TOUCH on", okReply},
		{"CLIENT NO-EVICT ON", okReply},
		{"CLIENT NO-EVICT x", "-ERR syntax error\r\n"},
		{"CLIENT GETREDIR", ":-1\r\n"},
		{"CLIENT FOO", "-ERR unknown subcommand 'FOO'. Try CLIENT HELP.\r\n"},
		{"CLIENT", "-ERR wrong number of arguments for 'client' command\r\n"},
		{"HELLO 4", "-NOPROTO unsupported protocol version\r\n"},
		{"HELLO x", "-ERR Protocol version is not an integer or out of range\r\n"},
		{"HELLO 3 AUTH a", "-ERR Syntax error in HELLO option 'AUTH'\r\n"},
		{"HELLO 3 AUTH a b", "-WRONGPASS invalid username-password pair or user is disabled.\r\n"},
		{"AUTH x", "-ERR AUTH <password> called without any password configured for the default user. " +
			"Are you sure your configuration is correct?\r\n"},
		{"AUTH default x", okReply},
		{"ROLE", "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n"},
		{"RESET", "+RESET\r\n"},
		{"CLIENT GETNAME", "$-1\r\n"},
		{"HELLO 3 SETNAME m", fmt.Sprintf("%%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$%d\r\n%s\r\n$5\r\nproto\r\n:3\r\n"+
			"$2\r\nid\r\n:1\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n",
			len(RedisVersion), RedisVersion)},
		{"CLIENT GETNAME", "$1\r\nm\r\n"},
		{"GET none", "_\r\n"},
	})
	c.want("QUIT", okReply)
	c.wantClosed()
}

func TestAuth(t *testing.T) {
	s := startServer(t, func(set *Settings) { set.RequirePass = "secret" })
	c := s.dial(t)
	const noAuth = "-NOAUTH Authentication required.\r\n"
	const wrong = "-WRONGPASS invalid username-password pair or user is disabled.\r\n"
	run(t, c, []step{
		{"PING", noAuth},
		{"EXEC", "-EXECABORT Transaction discarded because of: NOAUTH Authentication required.\r\n"},
		{"NOSUCH", "-ERR unknown command 'NOSUCH', with args beginning with: \r\n"},
		{"AUTH x", wrong},
		{"AUTH secret2", wrong},
		{"AUTH other secret", wrong},
		{"PING", noAuth},
		{"AUTH secret", okReply},
		{"PING", "+PONG\r\n"},
		{"RESET", "+RESET\r\n"},
		{"PING", noAuth},
		{"AUTH default secret", okReply},
		{"PING", "+PONG\r\n"},
	})
	c = s.dial(t)
	if got := c.do("HELLO 3"); !strings.HasPrefix(got, "-NOAUTH HELLO must be called") {
		t.Errorf("HELLO without AUTH: %q", got)
	}
	if got := c.do("HELLO 3 AUTH default secret SETNAME x"); !strings.HasPrefix(got, "%7\r\n") {
		t.Errorf("HELLO with AUTH: %q", got)
	}
}

// TestStranger checks that a connection that needs AUTH and does not get to it
// is closed, also one that sends a byte now and then.
func TestStranger(t *testing.T) {
	s := startServer(t, func(set *Settings) { set.RequirePass = "secret" })
	friend, stranger, again := s.dial(t), s.dial(t), s.dial(t)
	friend.want("AUTH secret", okReply)
	stranger.send("AU")
	run(t, again, []step{{"AUTH secret", okReply}, {"RESET", "+RESET\r\n"}})
	s.clients.get(3).strangeMs.Add(strangerMs) // as if it were long after the others
	s.checkClients(time.Now().UnixMilli() + strangerMs + 1000)
	stranger.wantClosed()
	friend.want("PING", "+PONG\r\n")
	again.want("AUTH secret", okReply)
}

// TestAuthDelay checks that guessing gets slower, for one address only.
func TestAuthDelay(t *testing.T) {
	var g authGuard
	now := time.Unix(1000, 0)
	var total time.Duration
	for range 100 {
		total += g.failure("a", now)
	}
	if total < time.Minute {
		t.Errorf("100 guesses cost %v", total)
	}
	if d := g.failure("b", now); d != 0 {
		t.Errorf("the first failure of another address costs %v", d)
	}
	if d := g.failure("a", now.Add(2*forgetAfter)); d != 0 {
		t.Errorf("a failure long after costs %v", d)
	}
	for i := range 3 * maxGuardHosts {
		g.failure(fmt.Sprint(i), now)
	}
	if len(g.failed) > maxGuardHosts {
		t.Errorf("%d addresses remembered", len(g.failed))
	}

	s := startServer(t, func(set *Settings) { set.RequirePass = "secret" })
	c := s.dial(t)
	begin := time.Now()
	for range freeFailures + 2 {
		c.do("AUTH wrong")
	}
	if took := time.Since(begin); took < 3*firstDelay {
		t.Errorf("%d guesses took %v", freeFailures+2, took)
	}
	c.want("AUTH secret", okReply)

	// Without requirepass there is nothing to guess, and nothing is counted.
	s = startServer(t, nil)
	c = s.dial(t)
	for range freeFailures + 2 {
		c.want("AUTH nobody x", "-"+errWrongPass+"\r\n")
	}
	if n := len(s.guard.failed); n != 0 {
		t.Errorf("%d addresses are remembered without a password", n)
	}
}

func TestClientList(t *testing.T) {
	s := startServer(t, nil)
	c, other := s.dial(t), s.dial(t)
	run(t, other, []step{{"SELECT 3", okReply}, {"CLIENT SETNAME o", okReply}, {"CLIENT SETINFO LIB-NAME l", okReply}, {"MULTI", okReply}, {"GET a", queued}})
	list := c.do("CLIENT LIST")
	lines := strings.Split(strings.TrimSpace(list), "\n")[1:]
	want := []*regexp.Regexp{
		regexp.MustCompile(`^id=1 addr=127\.0\.0\.1:\d+ laddr=127\.0\.0\.1:\d+ fd=\d+ name= age=\d+ idle=\d+ flags=N db=0 sub=0 psub=0 ` +
			`ssub=0 multi=-1 qbuf=13 qbuf-free=\d+ argv-mem=10 multi-mem=0 rbs=\d+ rbp=\d+ obl=0 oll=0 omem=0 tot-mem=\d+ ` +
			`events=r cmd=client\|list user=default redir=-1 resp=2 lib-name= lib-ver=$`),
		regexp.MustCompile(`^id=2 .* name=o .* flags=x db=3 .* multi=1 qbuf=0 .* multi-mem=[1-9]\d* .* cmd=get .* lib-name=l lib-ver=$`),
	}
	if len(lines) != len(want) {
		t.Fatalf("%d lines: %q", len(lines), lines)
	}
	for i, re := range want {
		if got := strings.TrimSpace(lines[i]); !re.MatchString(got) {
			t.Errorf("line %d is %q", i, got)
		}
	}
	if got := c.do("CLIENT INFO"); !strings.Contains(got, "id=1 ") || !strings.Contains(got, "cmd=client|info") {
		t.Errorf("CLIENT INFO: %s", got)
	}
	for _, e := range []struct{ cmd, ids string }{
		{"CLIENT LIST ID 2", "2"},
		{"CLIENT LIST ID 2 1 7", "2 1"},
		{"CLIENT LIST TYPE normal", "1 2"},
		{"CLIENT LIST TYPE replica", ""},
		{"CLIENT LIST TYPE pubsub", ""},
	} {
		var ids []string
		for _, m := range regexp.MustCompile(`(?m)^id=(\d+)`).FindAllStringSubmatch(c.do(e.cmd), -1) {
			ids = append(ids, m[1])
		}
		if got := strings.Join(ids, " "); got != e.ids {
			t.Errorf("%s: %q, want %q", e.cmd, got, e.ids)
		}
	}
	run(t, c, []step{
		{"CLIENT LIST TYPE x", "-ERR Unknown client type 'x'\r\n"},
		{"CLIENT LIST ID a", "-ERR Invalid client ID\r\n"},
		{"CLIENT LIST x", "-ERR syntax error\r\n"},
	})
}

func TestClientKill(t *testing.T) {
	s := startServer(t, nil)
	c := s.dial(t)
	bystander := s.dial(t) // whom no filter below that names nobody may hit
	run(t, c, []step{
		{`CLIENT KILL ""`, "-ERR No such client\r\n"},
		{`CLIENT KILL ADDR ""`, ":0\r\n"},
		{`CLIENT KILL LADDR ""`, ":0\r\n"},
		{`CLIENT KILL SKIPME no ADDR ""`, ":0\r\n"},
		{`CLIENT KILL USER ""`, "-ERR No such user ''\r\n"},
		{`CLIENT KILL TYPE ""`, "-ERR Unknown client type ''\r\n"},
		{`CLIENT KILL ID ""`, "-ERR client-id should be greater than 0\r\n"},
		{`CLIENT KILL MAXAGE ""`, "-ERR maxage is not an integer or out of range\r\n"},
		{`CLIENT KILL SKIPME ""`, "-ERR syntax error\r\n"},
		{"CLIENT KILL 1.1.1.1:1", "-ERR No such client\r\n"},
		{"CLIENT KILL ID 99", ":0\r\n"},
		{"CLIENT KILL ID 0", "-ERR client-id should be greater than 0\r\n"},
		{"CLIENT KILL ID a", "-ERR client-id should be greater than 0\r\n"},
		{"CLIENT KILL MAXAGE 0", "-ERR maxage should be greater than 0\r\n"},
		{"CLIENT KILL MAXAGE x", "-ERR maxage is not an integer or out of range\r\n"},
		{"CLIENT KILL TYPE x", "-ERR Unknown client type 'x'\r\n"},
		{"CLIENT KILL TYPE pubsub", ":0\r\n"},
		{"CLIENT KILL USER x", "-ERR No such user 'x'\r\n"},
		{"CLIENT KILL SKIPME x", "-ERR syntax error\r\n"},
		{"CLIENT KILL ID 1 x", "-ERR syntax error\r\n"},
		{"CLIENT KILL MAXAGE 1000", ":0\r\n"},
	})
	bystander.want("PING", "+PONG\r\n")
	bystander.want("QUIT", okReply)
	eventually(t, "the bystander is gone", func() bool { return s.clients.len() == 1 })
	kill := func(how func(victim *testConn) string, reply string) {
		t.Helper()
		victim := s.dial(t)
		victim.want("PING", "+PONG\r\n")
		c.want(how(victim), reply)
		victim.wantClosed()
		eventually(t, "it is gone", func() bool { return s.clients.len() == 1 })
	}
	kill(func(v *testConn) string { return "CLIENT KILL " + v.LocalAddr().String() }, okReply)
	kill(func(v *testConn) string { return "CLIENT KILL ADDR " + v.LocalAddr().String() }, ":1\r\n")
	kill(func(v *testConn) string { return "CLIENT KILL LADDR " + v.RemoteAddr().String() }, ":1\r\n")
	kill(func(v *testConn) string { return "CLIENT KILL ID " + clientIDOf(v) + " TYPE normal USER default" }, ":1\r\n")
	kill(func(v *testConn) string { return "CLIENT KILL TYPE normal" }, ":1\r\n")
	c.want("CLIENT KILL TYPE normal SKIPME no", ":1\r\n")
	c.wantClosed()

	// Who did not authenticate is the default user as well.
	s = startServer(t, func(set *Settings) { set.RequirePass = "secret" })
	c, stranger := s.dial(t), s.dial(t)
	c.want("AUTH secret", okReply)
	stranger.want("PING", "-NOAUTH Authentication required.\r\n")
	c.want("CLIENT KILL USER default", ":1\r\n")
	stranger.wantClosed()
}

func TestClientReply(t *testing.T) {
	s := startServer(t, nil)
	for _, e := range []struct{ send, want string }{
		{"CLIENT REPLY ON\nPING\n", "+OK\r\n+PONG\r\n"},
		{"CLIENT REPLY OFF\nPING\nGET\nCLIENT REPLY ON\nPING\n", "+OK\r\n+PONG\r\n"},
		{"CLIENT REPLY SKIP\nPING a\nPING b\n", "$1\r\nb\r\n"},
		{"CLIENT REPLY OFF\nCLIENT REPLY SKIP\nPING\nCLIENT REPLY ON\n", "+OK\r\n"},
		{"MULTI\nCLIENT REPLY OFF\nPING\nEXEC\nPING\nCLIENT REPLY ON\n", "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n"},
		{"MULTI\nCLIENT REPLY SKIP\nPING a\nEXEC\nPING b\nPING c\n", "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n$1\r\na\r\n$1\r\nc\r\n"},
		{"CLIENT REPLY SKIP\nWAIT 1 10\nPING\n", "+PONG\r\n"},
	} {
		c := s.dial(t)
		c.send(e.send + "QUIT\n")
		b := make([]byte, 0, 256)
		for {
			n, err := c.r.Read(b[len(b):cap(b)])
			b = b[:len(b)+n]
			if err != nil {
				break
			}
		}
		if got := string(b); got != e.want+okReply {
			t.Errorf("%q\n got %q\nwant %q", e.send, got, e.want+okReply)
		}
	}
}

func TestUnixSocketAndIdleTimeout(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	s := startServer(t, func(set *Settings) { set.Port, set.UnixSocket, set.UnixSocketPerm = 0, path, 0o700 })
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := &testConn{t, conn, newReader(conn)}
	if got := c.do("CLIENT LIST"); !strings.Contains(got, "addr="+path+":0 laddr="+path+":0 ") || !strings.Contains(got, " flags=U ") {
		t.Errorf("a client of a unix socket is listed as %s", got)
	}
	c.send("CONFIG SET timeout 1\r\n") // which may be over before the reply is sent
	if err := conn.SetDeadline(time.Now().Add(3 * patience)); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(c.r); err != nil || len(b) > 0 && string(b) != okReply {
		t.Errorf("got %q, %v; want the end of the connection after a second without a command", b, err)
	}
}

// TestIdleShrink checks that an idle client gives back its buffers and goes on.
func TestIdleShrink(t *testing.T) {
	s := startServer(t, nil)
	c := s.dial(t)
	c.send(strings.Repeat(line("ECHO", strings.Repeat("x", 1000)), 300))
	for range 300 {
		c.reply()
	}
	mine := s.clients.get(1)
	eventually(t, "the buffers are given back", func() bool {
		return mine.queryFree.Load() == 0 && mine.replyCap.Load() == 0
	})
	c.want("PING", "+PONG\r\n")
	c.send("PI") // the beginning of a command stays
	eventually(t, "it has come", func() bool { return mine.queryLen.Load() == 2 })
	mine.out.shrink.Store(true)
	mine.interrupt()
	eventually(t, "the client has looked", func() bool { return !mine.out.shrink.Load() })
	c.send("NG\r\n")
	c.wantReply("+PONG\r\n")
}

func TestMonitor(t *testing.T) {
	s := startServer(t, func(set *Settings) { set.RequirePass = "secret" })
	c, m := s.dial(t), s.dial(t)
	m.want("AUTH secret", okReply)
	c.want("AUTH secret", okReply)
	m.want("MONITOR", okReply)
	for _, cmd := range []string{
		"SELECT 3", `SET "a\x00\xff b\n\"" 1`, "AUTH secret", "AUTH default secret", "HELLO 2 AUTH default secret SETNAME q",
		"MULTI", "INCR n", "EXEC", "CONFIG GET port", "NOSUCH", "GET", "PING",
	} {
		c.do(cmd)
	}
	addr := regexp.QuoteMeta(c.LocalAddr().String())
	for _, want := range []string{
		`"SELECT" "3"`, `"SET" "a\x00\xff b\n\"" "1"`, `"AUTH" "(redacted)"`, `"AUTH" "(redacted)" "(redacted)"`,
		`"HELLO" "2" "AUTH" "(redacted)" "(redacted)" "SETNAME" "q"`, `"MULTI"`, `"INCR" "n"`, `"EXEC"`, `"PING"`,
	} {
		re := regexp.MustCompile(`^\+\d+\.\d{6} \[3 ` + addr + `\] ` + regexp.QuoteMeta(want) + "\r\n$")
		if got := m.reply(); !re.MatchString(got) {
			t.Errorf("got %q, want %s", got, want)
		}
	}
	m.send("RESET\n")
	for m.reply() != "+RESET\r\n" {
	}
	if n := s.feed.n.Load(); n != 0 {
		t.Errorf("%d monitors left", n)
	}
}

// TestSlowMonitor checks that a monitor that does not read is closed, and holds
// up nobody until then.
func TestSlowMonitor(t *testing.T) {
	s := startServer(t, func(set *Settings) { set.ClientOutput[ClassNormal].HardBytes = 1 << 20 })
	m, c := s.dial(t), s.dial(t)
	m.want("MONITOR", okReply)
	big := line("ECHO", strings.Repeat("x", 100_000))
	for range 1000 {
		c.send(big)
		c.reply()
		if s.stats.outputLimitKills.Load() == 1 {
			eventually(t, "the monitor is gone", func() bool { return s.clients.len() == 1 && s.feed.n.Load() == 0 })
			return
		}
	}
	t.Error("100 MB are queued for a monitor, with a limit of 1 MB")
}

func TestProtectedModeText(t *testing.T) {
	s := startServer(t, nil)
	here, there := net.Pipe() // an address that is not local
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.admitNet(there)
	}()
	b := make([]byte, 2000)
	n, _ := here.Read(b)
	<-done
	if got := string(b[:n]); n != 0 && !strings.HasPrefix(got, "-DENIED Redis is running in protected mode") {
		t.Errorf("got %q", got)
	}
	if s.clients.len() != 0 || s.stats.rejectedConns.Load() != 1 {
		t.Error("a client from elsewhere was let in")
	}
}
