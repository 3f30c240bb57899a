package resp

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

// ours returns the stacks of the goroutines that run this package, but for tests.
func ours() (stacks []string) {
	buf := make([]byte, 4<<20)
	for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(stack, "bitkv/resp.") && !strings.Contains(stack, "_test.go") {
			stacks = append(stacks, stack)
		}
	}
	return stacks
}

// T14: Close waits for every goroutine, whatever the clients are at, with either
// driver.
func TestCloseLeavesNoGoroutine(t *testing.T) {
	before := len(ours())
	for _, driver := range []string{driverNet, driverAuto} {
		t.Run(driver, func(t *testing.T) {
			s := startServer(t, func(set *Settings) { set.IODriver = driver })
			s.dial(t).want("PING", "+PONG\r\n")
			s.dial(t).want("MONITOR", "+OK\r\n")
			s.dial(t).want("MULTI", "+OK\r\n")
			s.dial(t).send("WAIT 1 0\r\n")
			s.dial(t).send("*2\r\n$4\r\nECHO\r\n$100\r\nhalf")
			eventually(t, "a client is parked", func() bool { return s.stats.blocked.Load() == 1 })
			paused := s.dial(t)
			paused.want("CLIENT PAUSE 100000 ALL", "+OK\r\n")
			paused.send("PING\r\n")
			eventually(t, "another is paused", func() bool { return s.stats.blocked.Load() == 2 })
			if len(ours()) == before {
				t.Fatal("a server has no goroutine: this test does not see them")
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			// One that has said that it is done may need a moment to be gone.
			for deadline := time.Now().Add(patience); len(ours()) > before; runtime.Gosched() {
				if time.Now().After(deadline) {
					t.Fatalf("left after Close:\n%s", strings.Join(ours(), "\n\n"))
				}
			}
		})
	}
}
