package resp

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"bitkv/internal/testenv"
)

// TestHashAllocations: reading a hash of either form allocates nothing.
func TestHashAllocations(t *testing.T) {
	c := newLocalClient(t, t.TempDir())
	c.do(words("hset small a 1 b 2 c 12345678901234567890"))
	for i := range 300 {
		c.do(words(fmt.Sprintf("hset large f%d 12345678901234567890", i)))
	}
	for _, line := range []string{
		"hget small c", "hget large f77", "hget large nofield", "hget nokey f", "hmget small a b nofield", "hmget large f1 f2 nofield",
		"hexists large f1", "hlen large", "hlen small", "hstrlen large f1",
	} {
		args := words(line)
		c.do(args)
		if n := testenv.Allocations(func() { c.do(args) }); n != 0 {
			t.Errorf("%s allocates %v times", line, n)
		}
	}
}

// TestHugeRandomCounts: a reply of 2^63-1 elements is sent piece by piece. The
// client reads some, the server lives on and has not kept much.
func TestHugeRandomCounts(t *testing.T) {
	s := startServer(t, nil)
	c := s.dial(t)
	c.do("hset h a 1 b 2")
	pairs := "hset big"
	for i := range 200 {
		pairs += fmt.Sprintf(" f%d v%d", i, i)
	}
	c.do(pairs)
	for _, tt := range []struct{ send, head, element string }{
		{"hrandfield h -9223372036854775807", "*9223372036854775807\r\n", "$1\r\n"},
		{"hrandfield h -4611686018427387903 withvalues", "*9223372036854775806\r\n", "$1\r\n"},
		{"hrandfield big -4000000000", "*4000000000\r\n", "$"},
	} {
		w := s.dial(t)
		w.send(tt.send + "\r\n")
		for range 100_000 {
			line, err := w.r.ReadString('\n')
			if err != nil || tt.head != "" && line != tt.head || tt.head == "" && line[0] == '$' && !strings.HasPrefix(line, tt.element) {
				t.Fatalf("%s: %q, %v", tt.send, line, err)
			}
			tt.head = ""
		}
		if got := c.do("ping"); got != "+PONG\r\n" {
			t.Fatalf("%s: the server answers %q beside it", tt.send, got)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestRandomCounts: counts that are a few pieces long come whole, in order with
// what is pipelined behind them, and not at all where replies are off.
func TestRandomCounts(t *testing.T) {
	s := startServer(t, nil)
	c := s.dial(t)
	c.do("hset h a 1")
	const n = 100_000
	want := fmt.Sprintf("*%d\r\n%s", n, strings.Repeat("$1\r\na\r\n", n))
	for _, tt := range []struct{ send, want string }{
		{fmt.Sprintf("hrandfield h -%d\r\nping", n), want + "+PONG\r\n"},
		{fmt.Sprintf("client reply skip\r\nhrandfield h -%d\r\nping", n), "+PONG\r\n"},
		{fmt.Sprintf("multi\r\nhrandfield h -%d\r\nping\r\nexec", n), "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n" + want + "+PONG\r\n"},
		{"multi\r\nhrandfield h -9999999999\r\nping\r\nexec", "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n-" + errOutOfRange + "\r\n+PONG\r\n"},
	} {
		c.send(tt.send + "\r\n")
		got := make([]byte, len(tt.want))
		if _, err := io.ReadFull(c.r, got); err != nil || string(got) != tt.want {
			t.Errorf("%.60q: %.100q, %v", tt.send, got, err)
		}
	}
}

// TestHScanNoValues is of Redis 7.4.
func TestHScanNoValues(t *testing.T) {
	runExchanges(t, []exchange{
		{"hset h a 1 b 2", ":2|"},
		{"hscan h 0 novalues", "*2|$1|0|*2|$1|a|$1|b|"},
		{"hscan h 0 count 1 NOVALUES match a", "*2|$1|0|*1|$1|a|"},
		{"hscan h 0 novalues novalues count", syntax},
		{"hscan nokey 0 novalues", "*2|$1|0|*0|"},
	})
}

// TestDamagedHash: what cannot be read is an error, and the reply has nothing of it.
func TestDamagedHash(t *testing.T) {
	dir := t.TempDir()
	c := newLocalClient(t, dir)
	value := strings.Repeat("0123456789", 10)
	c.do(words("hset small a 1 b " + value))
	c.do(words("hset large a 1 b " + strings.Repeat(value, 50) + " c 2"))
	if err := c.srv.store.Engine().Sync(); err != nil {
		t.Fatal(err)
	}
	damageFiles(t, dir)
	for _, line := range []string{
		"hget small a", "hgetall small", "hlen small", "hset small c 3", "hscan small 0", "hrandfield small 2",
		"hget large b", "hmget large a b", "hgetall large", "hvals large", "hscan large 0",
		"hrandfield large 3 withvalues", "hrandfield large -9 withvalues", "copy large other",
	} {
		if got, want := string(c.do(words(line))), "-"+errCorrupt+"\r\n"; got != want {
			t.Errorf("%s: %.80q, want %q", line, got, want)
		}
	}
	for _, e := range []exchange{
		{"hget large a", "$1\r\n1\r\n"},
		{"hlen large", ":3\r\n"},
		{"hstrlen large b", ":5000\r\n"},
		{"hset large b 5", ":0\r\n"},
		{"hincrby large c 1", ":3\r\n"},
		{"del small", ":1\r\n"},
	} {
		if got := string(c.do(words(e.send))); got != e.reply {
			t.Errorf("%s: %.80q, want %q", e.send, got, e.reply)
		}
	}
}
