package resp

import (
	"strings"
	"testing"
)

// A client that sends all of a pipeline before it reads a single reply gets to
// the end of it, although requests and replies are far more than sockets hold.
func TestLongPipeline(t *testing.T) {
	for _, driver := range []string{driverNet, driverAuto} {
		t.Run(driver, func(t *testing.T) { longPipeline(t, driver) })
	}
}

func longPipeline(t *testing.T, driver string) {
	t.Helper()
	s := startServer(t, func(set *Settings) { set.IODriver = driver })
	c := s.dial(t)
	c.want("SET k "+strings.Repeat("x", 400), okReply)
	const n = 200_000
	before := heapBytes()
	c.send(strings.Repeat("GET k"+strings.Repeat(" ", 94)+"\n", n))
	if grown := heapBytes() - before; grown > 100<<20 {
		t.Errorf("a pipeline of 20 MB, unread, takes %d bytes", grown)
	}
	for i := range n {
		if got := c.reply(); len(got) != 400+len("$400\r\n\r\n") {
			t.Fatalf("reply %d: %.40q", i, got)
		}
	}
	c.want("PING", "+PONG\r\n")
}

// What waits behind such a pipeline is limited as the query buffer is.
func TestLongPipelineHasALimit(t *testing.T) {
	for _, driver := range []string{driverNet, driverAuto} {
		t.Run(driver, func(t *testing.T) { longPipelineLimit(t, driver) })
	}
}

func longPipelineLimit(t *testing.T, driver string) {
	t.Helper()
	s := startServer(t, func(set *Settings) {
		set.IODriver = driver
		set.ClientQueryLimit = 4 << 20
	})
	c := s.dial(t)
	c.want("SET k "+strings.Repeat("x", 60_000), okReply)
	written := make(chan error, 1)
	go func() {
		_, err := c.Write([]byte(strings.Repeat("GET k"+strings.Repeat(" ", 94)+"\n", 400_000)))
		written <- err
	}()
	if err := <-written; err == nil {
		t.Error("40 MB of requests were taken, with a limit of 4 MB")
	}
	eventually(t, "the client is closed", func() bool { return s.clients.len() == 0 })
}
