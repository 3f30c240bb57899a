package resp

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestLookaheadLimits checks that a command which has been looked ahead at is
// taken by the limits that hold when its turn comes.
func TestLookaheadLimits(t *testing.T) {
	s := startServer(t, func(set *Settings) { set.RequirePass = "secret" })
	c := s.dial(t)
	c.want("AUTH secret", okReply)
	many := []string{"DEL", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10"}
	c.send(line(many...) + line("RESET") + line(many...))
	c.wantReply(":0\r\n")
	c.wantReply("+RESET\r\n")
	c.wantReply("-ERR Protocol error: unauthenticated multibulk length\r\n")
	c.wantClosed()
}

// TestLookaheadInterrupted checks commands behind those that stop a pipeline.
func TestLookaheadInterrupted(t *testing.T) {
	s := startServer(t, nil)
	c, other := s.dial(t), s.dial(t)
	c.send(line("SET", "a", "1") + line("BLPOP", "list", "0") + line("INCR", "a") + line("INCR", "a"))
	c.wantReply(okReply)
	eventually(t, "the client is parked", func() bool { return s.stats.blocked.Load() == 1 })
	other.want("INCR a", ":2\r\n")
	other.want("LPUSH list x", ":1\r\n")
	c.wantReply("*2\r\n$4\r\nlist\r\n$1\r\nx\r\n")
	c.wantReply(":3\r\n")
	c.wantReply(":4\r\n")

	other.want("CLIENT PAUSE 100000 WRITE", okReply)
	c.send(line("GET", "a") + line("INCR", "a") + line("GET", "a"))
	c.wantReply("$1\r\n4\r\n")
	eventually(t, "the client is held back", func() bool { return s.stats.blocked.Load() == 1 })
	other.want("CLIENT UNPAUSE", okReply)
	c.wantReply(":5\r\n")
	c.wantReply("$1\r\n5\r\n")

	c.send(line("GET", "a") + line("QUIT") + line("INCR", "a"))
	c.wantReply("$1\r\n5\r\n")
	c.wantReply(okReply)
	c.wantClosed()
	other.want("GET a", "$1\r\n5\r\n")
}

// lookaheadCommand makes a random command on one of 30 keys that begin with prefix.
func lookaheadCommand(rnd *rand.Rand, prefix string) string {
	key := func() string { return fmt.Sprintf("%s:%d", prefix, rnd.IntN(30)) }
	switch rnd.IntN(14) {
	case 0:
		return line("SET", key(), strings.Repeat("v", rnd.IntN(300)))
	case 1:
		return line("MSET", key(), "1", key(), "2", key(), "3")
	case 2:
		return line("MGET", key(), key(), key())
	case 3:
		return line("INCR", key())
	case 4:
		return line("MULTI")
	case 5:
		return line("EXEC")
	case 6:
		return line("SELECT", fmt.Sprint(rnd.IntN(2)))
	case 7:
		return "GET " + key() + "\r\n"
	case 8:
		return line("NoSuchCommand", "x")
	case 9:
		return line("get")
	case 10:
		return line("LPUSH", key(), "x")
	case 11:
		return line("DEL", key())
	case 12:
		return line("APPEND", key(), strings.Repeat("a", 20_000))
	default:
		return line("GeT", key())
	}
}

// TestPipelinesOfManyClients checks that clients which send pipelines at the same
// time get what each would get alone, one command at a time.
func TestPipelinesOfManyClients(t *testing.T) {
	const seed, clients, commands = 4711, 5, 400
	t.Logf("seed %d", seed)
	s := startServer(t, func(set *Settings) { set.DebugCommand = AccessYes })
	fill := s.dial(t)
	for db := range 2 { // so many that keys are warmed
		fill.want(fmt.Sprintf("SELECT %d", db), okReply)
		fill.want(fmt.Sprintf("DEBUG POPULATE %d", leastWarmSize), okReply)
	}
	var conns [clients]*testConn
	var cmds, want [clients][]string
	for i := range conns {
		conns[i] = s.dial(t)
		alone := s.dial(t)
		rnd, same := rand.New(rand.NewPCG(seed, uint64(i))), rand.New(rand.NewPCG(seed, uint64(i)))
		for range commands {
			cmds[i] = append(cmds[i], lookaheadCommand(rnd, fmt.Sprint("together", i)))
			alone.send(lookaheadCommand(same, fmt.Sprint("alone", i)))
			want[i] = append(want[i], alone.reply())
		}
	}
	rnd := rand.New(rand.NewPCG(seed, clients))
	for at := 0; at < commands; {
		n := min(1+rnd.IntN(40), commands-at)
		for i, c := range conns {
			c.send(strings.Join(cmds[i][at:at+n], ""))
		}
		for i, c := range conns {
			for k := at; k < at+n; k++ {
				if got := c.reply(); got != want[i][k] {
					t.Fatalf("client %d, command %d, %.60q:\n got %.80q\nwant %.80q", i, k, cmds[i][k], got, want[i][k])
				}
			}
		}
		at += n
	}
}
