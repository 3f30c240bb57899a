package testenv

import (
	"sync"
	"testing"
)

// TestFreePort: nobody gets a port that another test has, though nothing listens on it
// yet. What holds it is the system's, so that a search that begins where the last one
// began stands for one of another process.
func TestFreePort(t *testing.T) {
	const each = 200
	seen := map[int]bool{}
	begin := port.Load()
	for range 3 {
		port.Store(begin)
		for range each {
			n := FreePort(t)
			if n < firstPort || n >= lastPort || seen[n] {
				t.Fatalf("port %d is out of range or given twice", n)
			}
			seen[n] = true
		}
	}
	port.Store(begin)
	var again int
	t.Run("ended", func(t *testing.T) { again = FreePort(t) })
	port.Store(uint32(again - firstPort - 1))
	if n := FreePort(t); n != again {
		t.Errorf("port %d: %d was not given back when its test had ended", n, again)
	}
}

// TestLeavesNoGoroutine: what counts are the goroutines that were begun inside, by
// whichever, run or not; those of others do not.
func TestLeavesNoGoroutine(t *testing.T) {
	var others, own sync.WaitGroup
	others.Add(1)
	go others.Wait()
	LeavesNoGoroutine(t, "sync", func(begun func() int) {
		if n := begun(); n != 0 {
			t.Errorf("%d goroutines, before there is one", n)
		}
		own.Add(1)
		for range 3 {
			go own.Wait()
		}
		if n := begun(); n != 3 {
			t.Errorf("%d goroutines, not 3", n)
		}
		own.Done()
	})
	others.Done()
}
