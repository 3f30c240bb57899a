package resp

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

// serve gives n different clients so many turns each, and returns the nap in the
// period after.
func (cr *crowd) serve(links []*epollLink, n, turns int) time.Duration {
	cr.nap(cr.began + crowdPeriod)
	for range turns {
		for _, k := range links[:n] {
			cr.note(k)
		}
	}
	return cr.nap(cr.began + crowdPeriod)
}

// TestCrowd checks when a loop naps, and for how long.
func TestCrowd(t *testing.T) {
	var cr crowd
	links := make([]*epollLink, 2*crowdLeast)
	for i := range links {
		links[i] = new(epollLink)
	}
	if d := cr.serve(links, crowdLeast-1, 1); d != 0 {
		t.Errorf("a nap of %v for %d clients", d, crowdLeast-1)
	}
	if d := cr.serve(links, crowdLeast-1, 10); d != 0 {
		t.Errorf("a nap of %v for %d clients that had many turns", d, crowdLeast-1)
	}
	if d := cr.serve(links, crowdLeast, 1); d != napLeast {
		t.Errorf("the first nap takes %v, want %v", d, napLeast)
	}
	if d := cr.nap(cr.began + crowdPeriod - 1); d != napLeast {
		t.Errorf("a nap later in the period takes %v, want %v", d, napLeast)
	}
	for range 100 {
		cr.found(crowdLeast / 2)
	}
	if d := cr.nap(cr.began); d != napMost {
		t.Errorf("the naps grow to %v, want %v", d, napMost)
	}
	for range 100 {
		cr.found(crowdLeast/2 + 1)
	}
	if d := cr.nap(cr.began); d != 0 {
		t.Errorf("a nap of %v while more than half of the clients wait", d)
	}
	if d := cr.serve(links, len(links), 2); d != napLeast {
		t.Errorf("the first nap of the next period takes %v, want %v", d, napLeast)
	}
	if d := cr.nap(cr.began + crowdPeriod); d != 0 {
		t.Errorf("a nap of %v after a period without clients", d)
	}
}

// TestCrowdIsServed checks that nothing is lost while a loop naps: of what clients
// send, nor of what they have for others. A crowd pushes to a list, and clients that
// wait for that list, on both loops, get all of it.
func TestCrowdIsServed(t *testing.T) {
	const clients, each, poppers = 2 * crowdLeast, 25, 4
	s := startServer(t, func(set *Settings) { set.IODriver, set.IOThreads = driverEpoll, 2 })
	var wg sync.WaitGroup
	failed := make(chan error, clients+poppers)
	drive := func(times int, command, want string) {
		c := s.dial(t)
		wg.Go(func() {
			for range times {
				_, err := c.Write([]byte(command))
				var got string
				if err == nil {
					got, err = readValue(c.r)
				}
				if err != nil || want != "" && got != want {
					failed <- fmt.Errorf("%q: %q, %w", command, got, err)
					return
				}
			}
		})
	}
	for range poppers {
		drive(clients*each/poppers, line("BLPOP", "list", "0"), "*2\r\n$4\r\nlist\r\n$1\r\nx\r\n")
	}
	for range clients {
		drive(each, line("RPUSH", "list", "x"), "")
	}
	wg.Wait()
	close(failed)
	for err := range failed {
		t.Error(err)
	}
	s.dial(t).want("LLEN list", ":0\r\n")
}
