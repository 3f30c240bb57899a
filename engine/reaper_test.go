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

// What was dropped first is taken apart first: a merge counts on it, which waits for a
// number of them.
func TestReaperKeepsTheOrder(t *testing.T) {
	var r reaper // whose loop does not run
	r.init(new(DB))
	want := []dropped{
		{coll: newCollection(1, 0)}, {table: new(table)}, {coll: newCollection(2, 0)}, {table: new(table)}, {table: new(table)},
	}
	r.addCollection(want[0].coll)
	r.addTables([]*table{nil, want[1].table})
	for i, d := range want {
		if i == 1 { // while another one is being taken apart
			r.addCollection(want[2].coll)
			r.addTables([]*table{want[3].table, nil, want[4].table})
		}
		if got, ok := r.next(); got != d || !ok {
			t.Fatalf("number %d: got %v, %v, want %v", i, got, ok, d)
		}
		if left := len(want) - i; i > 0 && r.pending() != left {
			t.Errorf("%d are pending with number %d in work, want %d", r.pending(), i, left)
		}
		r.finished()
	}
	if got, ok := r.next(); ok || r.pending() != 0 {
		t.Errorf("got %v, with %d pending, when there was nothing left", got, r.pending())
	}
}
