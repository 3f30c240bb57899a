package resp

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// step is one line sent and the reply it must have.
type step struct{ send, want string }

func run(t *testing.T, c *testConn, steps []step) {
	t.Helper()
	for _, e := range steps {
		c.want(e.send, e.want)
	}
}

const (
	okReply   = "+OK\r\n"
	queued    = "+QUEUED\r\n"
	execAbort = "-EXECABORT Transaction discarded because of previous errors.\r\n"
	noMulti   = "-ERR EXEC without MULTI\r\n"
)

func TestMulti(t *testing.T) {
	s := startServer(t, nil)
	for _, tt := range []struct {
		name  string
		steps []step
	}{
		{"empty", []step{{"MULTI", okReply}, {"EXEC", "*0\r\n"}}},
		{"results in order", []step{
			{"MULTI", okReply},
			{"SET a 1", queued},
			{"INCR a", queued},
			{"GET a", queued},
			{"GET none", queued},
			{"EXEC", "*4\r\n+OK\r\n:2\r\n$1\r\n2\r\n$-1\r\n"},
		}},
		{"one command fails", []step{
			{"MULTI", okReply},
			{"SET b x", queued},
			{"INCR b", queued},
			{"GET b", queued},
			{"EXEC", "*3\r\n+OK\r\n-ERR value is not an integer or out of range\r\n$1\r\nx\r\n"},
		}},
		{"nested", []step{
			{"MULTI", okReply},
			{"MULTI", "-ERR MULTI calls can not be nested\r\n"},
			{"WATCH a", "-ERR WATCH inside MULTI is not allowed\r\n"},
			{"PING", queued},
			{"EXEC", "*1\r\n+PONG\r\n"},
		}},
		{"unknown command", []step{
			{"MULTI", okReply},
			{"NOSUCH", "-ERR unknown command 'NOSUCH', with args beginning with: \r\n"},
			{"SET c 1", queued},
			{"EXEC", execAbort},
			{"EXISTS c", ":0\r\n"},
		}},
		{"wrong arity", []step{
			{"MULTI", okReply},
			{"GET", "-ERR wrong number of arguments for 'get' command\r\n"},
			{"EXEC", execAbort},
			{"EXEC", noMulti},
		}},
		{"wrong arity of EXEC", []step{
			{"MULTI", okReply},
			{"EXEC x", "-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command\r\n"},
			{"EXEC", noMulti},
		}},
		{"discard", []step{
			{"DISCARD", "-ERR DISCARD without MULTI\r\n"},
			{"MULTI", okReply},
			{"SET d 1", queued},
			{"DISCARD", okReply},
			{"EXISTS d", ":0\r\n"},
			{"EXEC", noMulti},
		}},
		{"select inside", []step{
			{"MULTI", okReply},
			{"SELECT 3", queued},
			{"SET e 3", queued},
			{"EXEC", "*2\r\n+OK\r\n+OK\r\n"},
			{"GET e", "$1\r\n3\r\n"},
			{"SELECT 0", okReply},
			{"EXISTS e", ":0\r\n"},
		}},
		{"all keys inside", []step{
			{"FLUSHALL", okReply},
			{"MULTI", okReply},
			{"SET f 1", queued},
			{"KEYS *", queued},
			{"FLUSHDB", queued},
			{"DBSIZE", queued},
			{"EXEC", "*4\r\n+OK\r\n*1\r\n$1\r\nf\r\n+OK\r\n:0\r\n"},
		}},
		{"wait does not wait", []step{{"MULTI", okReply}, {"WAIT 1 0", queued}, {"EXEC", "*1\r\n:0\r\n"}}},
		{"reset", []step{{"MULTI", okReply}, {"SET g 1", queued}, {"RESET", "+RESET\r\n"}, {"EXEC", noMulti}}},
	} {
		t.Run(tt.name, func(t *testing.T) { run(t, s.dial(t), tt.steps) })
	}
}

func TestWatch(t *testing.T) {
	s := startServer(t, nil)
	other := s.dial(t)
	for _, tt := range []struct {
		name, meanwhile, exec string
		before                []step
	}{
		{"untouched", "SET other 1", "*1\r\n+PONG\r\n", []step{{"WATCH k", okReply}}},
		{"changed", "SET k 1", "*-1\r\n", []step{{"WATCH k", okReply}}},
		{"deleted", "DEL k", "*-1\r\n", []step{{"SET k 1", okReply}, {"WATCH k", okReply}}},
		{"one of several", "SET k2 1", "*-1\r\n", []step{{"WATCH k k2 k3", okReply}}},
		{"flushed", "FLUSHALL", "*-1\r\n", []step{{"SET k 1", okReply}, {"WATCH k", okReply}}},
		{"unwatched", "SET k 1", "*1\r\n+PONG\r\n", []step{{"WATCH k", okReply}, {"UNWATCH", okReply}}},
		{
			"forgotten by DISCARD", "SET k 1", "*1\r\n+PONG\r\n",
			[]step{{"WATCH k", okReply}, {"MULTI", okReply}, {"DISCARD", okReply}},
		},
		{"another database", "SET k 1", "*1\r\n+PONG\r\n", []step{{"SELECT 5", okReply}, {"WATCH k", okReply}}},
		{"RESP3", "SET k 1", "_\r\n", []step{{"WATCH k", okReply}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := s.dial(t)
			if tt.name == "RESP3" {
				c.do("HELLO 3")
			}
			run(t, c, tt.before)
			other.do(tt.meanwhile)
			run(t, c, []step{{"MULTI", okReply}, {"PING", queued}, {"EXEC", tt.exec}, {"EXEC", noMulti}})
			run(t, c, []step{{"MULTI", okReply}, {"EXEC", "*0\r\n"}})
		})
	}
	run(t, other, []step{{"WATCH a b a", okReply}, {"WATCH c", okReply}})
	if n, keys := s.stats.watchers.Load(), s.stats.keysWatched.Load(); n != 1 || keys != 3 {
		t.Errorf("%d clients watch %d keys, want 1 and 3", n, keys)
	}
	other.want("UNWATCH", okReply)
	if n, keys := s.stats.watchers.Load(), s.stats.keysWatched.Load(); n != 0 || keys != 0 {
		t.Errorf("%d clients watch %d keys, want none", n, keys)
	}
}

// TestExecIsolation moves one unit between two keys of different shards many
// times over; nobody ever sees it in neither or in both.
func TestExecIsolation(t *testing.T) {
	s := startServer(t, nil)
	setup := s.dial(t)
	run(t, setup, []step{{"MSET from 1000 to 1000", okReply}})
	var wg sync.WaitGroup
	for range 4 {
		wg.Add(2)
		mover, reader := s.dial(t), s.dial(t)
		go func() {
			defer wg.Done()
			for range 300 {
				mover.send("MULTI\nDECR from\nINCR to\nEXEC\n")
				for range 4 {
					if _, err := readValue(mover.r); err != nil {
						t.Error(err)
						return
					}
				}
			}
		}()
		go func() {
			defer wg.Done()
			for range 300 {
				reader.send("MGET from to\n")
				got, err := readValue(reader.r)
				var from, to int
				fields := strings.Fields(got)
				if err != nil || len(fields) != 5 {
					t.Errorf("got %q, %v", got, err)
					return
				}
				fmt.Sscan(fields[2], &from)
				fmt.Sscan(fields[4], &to)
				if from+to != 2000 {
					t.Errorf("from %d and to %d", from, to)
					return
				}
			}
		}()
	}
	wg.Wait()
	setup.want("MGET from to", "*2\r\n$4\r\n-200\r\n$4\r\n2200\r\n")
}

// TestQueueMemory checks that a queue reuses its memory and gives back much.
func TestQueueMemory(t *testing.T) {
	var q multiQueue
	cmd := &command{name: "set", flags: flagWrite}
	args := [][]byte{[]byte("SET"), []byte("key"), []byte("value")}
	fill := func() {
		for range 10 {
			q.add(cmd, args)
		}
		q.reset()
	}
	fill()
	if n := testing.AllocsPerRun(100, fill); n != 0 {
		t.Errorf("a second transaction allocates %v times", n)
	}
	q.add(cmd, [][]byte{make([]byte, 1<<20)})
	args[1][0] = 'K' // the queue has copied
	q.add(cmd, args)
	if q.bytes < 1<<20 || q.flags != flagWrite || string(q.cmds[1].args[1]) != "Key" {
		t.Errorf("queue: %d bytes, flags %v, %q", q.bytes, q.flags, q.cmds[1].args)
	}
	args[1][0] = 'x'
	if string(q.cmds[1].args[1]) != "Key" {
		t.Error("the queue kept a view of the arguments")
	}
	q.reset()
	if cap(q.chunk) > queueChunkBytes || q.bytes != 0 {
		t.Errorf("%d bytes kept", cap(q.chunk))
	}
}
