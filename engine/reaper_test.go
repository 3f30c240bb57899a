package engine

import (
	"testing"
	"testing/synctest"
)

// A merge that waits for the reaper waits for what was dropped before, and for no more.
func TestReaperCatchesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r reaper // whose loop does not run
		r.init(new(DB))
		r.catchUp() // there is nothing to wait for
		waiting := func() <-chan struct{} {
			done := make(chan struct{})
			go func() {
				r.catchUp()
				close(done)
			}()
			synctest.Wait()
			return done
		}
		r.addCollection(newCollection(1, 0))
		first := waiting()
		select {
		case <-first:
			t.Fatal("the collection is not taken apart")
		default:
		}
		r.drain()
		<-first
		r.addTables([]*table{nil, nil}) // there is nothing in these
		<-waiting()
	})
}
