package resp

import (
	"testing"

	"bitkv/internal/testenv"
)

// T14: Close waits for every goroutine, whatever the clients are at, with either
// driver.
func TestCloseLeavesNoGoroutine(t *testing.T) {
	for _, driver := range []string{driverNet, driverAuto} {
		t.Run(driver, func(t *testing.T) {
			testenv.LeavesNoGoroutine(t, "bitkv/resp", func(begun func() int) {
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
				if begun() == 0 {
					t.Fatal("a server has no goroutine: this test does not see them")
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}
