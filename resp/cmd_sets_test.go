package resp

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"bitkv/internal/testenv"
)

// TestSetAllocations: commands of one set of either form allocate nothing, once
// there is room.
func TestSetAllocations(t *testing.T) {
	c := newLocalClient(t, t.TempDir())
	c.do(words("sadd small a b c d e"))
	c.do(words("sadd ints 1 2 3 4 5"))
	for i := range 300 {
		c.do(words(fmt.Sprintf("sadd large m%d", i)))
	}
	for _, lines := range []string{
		"sismember small c", "sismember large m77", "sismember ints 3", "sismember nokey f", "smismember large m1 m2 nomember",
		"scard large", "srandmember large", "srandmember small", "sadd small a", "sadd large m1",
		"sadd small new|srem small new", "sadd ints 6|srem ints 6", "sadd large new|srem large new", "sadd large new|spop large|sadd large m1",
		"smove small ints 7|smove ints small 7",
	} {
		// A member may fall where a leaf of the tree is full, and split it each
		// time; not each of five does.
		least := math.Inf(1)
		for _, suffix := range []string{"", "1", "2", "3", "4"} {
			var commands [][][]byte
			for line := range strings.SplitSeq(strings.ReplaceAll(lines, "new", "new"+suffix), "|") {
				commands = append(commands, words(line))
			}
			least = min(least, testenv.Allocations(func() {
				for _, args := range commands {
					c.do(args)
				}
			}))
		}
		if least != 0 && !underRace {
			t.Errorf("%s allocates %v times", lines, least)
		}
	}
}

// TestHugeSRandMember: a reply of 2^63-1 members is sent piece by piece.
func TestHugeSRandMember(t *testing.T) {
	s := startServer(t, nil)
	c := s.dial(t)
	c.do("sadd s a b")
	w := s.dial(t)
	w.send("srandmember s -9223372036854775807\r\n")
	for i := range 100_000 {
		line, err := w.r.ReadString('\n')
		want := "$1\r\n"
		if i == 0 {
			want = "*9223372036854775807\r\n"
		}
		if err != nil || i%2 == 1 && line != "$1\r\n" || i == 0 && line != want {
			t.Fatalf("line %d: %q, %v", i, line, err)
		}
	}
	if got := c.do("ping"); got != "+PONG\r\n" {
		t.Fatalf("the server answers %q beside it", got)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

// TestManySets: operations on more sets than are looked at one by one.
func TestManySets(t *testing.T) {
	runExchanges(t, []exchange{
		{"sadd first a b c d e f g h", ":8|"},
		{"sadd s1 a x", ":2|"},
		{"sadd s2 b x", ":2|"},
		{"sadd s3 c x", ":2|"},
		{"sadd s4 d x", ":2|"},
		{"sadd s5 e x", ":2|"},
		{"sadd s6 1", ":1|"},
		{"sdiff first s1 s2 s3 s4 s5 s6 nokey", "*3|$1|f|$1|g|$1|h|"},
		{"sunion s1 s2 s3 s4 s5 s6 s1", "*7|$1|a|$1|x|$1|b|$1|c|$1|d|$1|e|$1|1|"},
		{"sinter s1 s2 s3 s4 s5", "*1|$1|x|"},
		{"sinter s1 s2 s3 s4 s5 s6", "*0|"},
	})
}

// TestDamagedSet: what cannot be read is an error, and the reply has nothing of it.
func TestDamagedSet(t *testing.T) {
	dir := t.TempDir()
	c := newLocalClient(t, dir)
	c.do(words("sadd small aaaaaaaaaaaaaaaaaaaaaaaaa b"))
	c.do(words("sadd other b"))
	if err := c.srv.store.Engine().Sync(); err != nil {
		t.Fatal(err)
	}
	damageFiles(t, dir)
	for _, line := range []string{
		"smembers small", "sismember small b", "sadd small c", "srem small b", "spop small", "srandmember small -5",
		"sscan small 0", "sinter other small", "sunionstore other small", "smove small other b", "sort small alpha", "copy small third",
	} {
		if got, want := string(c.do(words(line))), "-"+errCorrupt+"\r\n"; got != want {
			t.Errorf("%s: %.80q, want %q", line, got, want)
		}
	}
}
