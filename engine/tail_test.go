package engine

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

// putWithoutAck commits value without waiting for the disk.
func putWithoutAck(t *testing.T, db *DB, key string, value []byte) uint64 {
	t.Helper()
	tx := db.BeginKey([]byte(key), true)
	if err := tx.Put(0, []byte(key), Meta{}, value); err != nil {
		t.Fatal(err)
	}
	seq, err := tx.Commit()
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

func hasBuffer(buffers [][]byte, b []byte) bool {
	for _, free := range buffers {
		if &free[0] == &b[0] {
			return true
		}
	}
	return false
}

// The buffer of a chunk is used again, but not while or after a reader had the
// chunk pinned when it left the tail.
func TestTailBuffers(t *testing.T) {
	for _, pinned := range []bool{false, true} {
		t.Run(fmt.Sprintf("pinned=%v", pinned), func(t *testing.T) {
			db, _ := hookedDB(t, SyncAlways)
			defer mustClose(t, db)
			l := db.log
			l.mu.Lock()
			defer l.mu.Unlock()
			c := l.addChunkLocked(1)
			if pinned && !c.pin() {
				t.Fatal("a chunk of the tail cannot be pinned")
			}
			l.addChunkLocked(1)
			l.dropTailLocked(l.active, false)
			if chunks := *l.active.tail.Load(); len(chunks) != 1 || chunks[0] == c {
				t.Fatalf("the tail has %d chunks", len(chunks))
			}
			if got := hasBuffer(l.spares.free, c.buf); got == pinned {
				t.Errorf("its buffer is among the %d spare ones: %v", len(l.spares.free), got)
			}
			if c.pin() != pinned {
				t.Errorf("it can be pinned after it left the tail: %v", !pinned)
			}
			want := int64(1+len(l.spares.free)) * db.tailBufferBytes()
			if got := db.mem.tail.Load(); got != want {
				t.Errorf("%d bytes of buffers are counted, want %d", got, want)
			}
			if next := l.addChunkLocked(1); (&next.buf[0] == &c.buf[0]) == pinned {
				t.Error("the next chunk has the buffer of one that is pinned, or no buffer is used again")
			}
		})
	}
}

func TestTailBuffersTrim(t *testing.T) {
	var s tailBuffers
	for range 2 * maxSpareBuffers {
		s.put(make([]byte, 1))
	}
	if len(s.free) != maxSpareBuffers {
		t.Fatalf("%d buffers, want %d", len(s.free), maxSpareBuffers)
	}
	s.trim()
	var used [][]byte
	for range 5 {
		used = append(used, s.get())
	}
	for _, b := range used {
		s.put(b)
	}
	if got, want := s.trim(), maxSpareBuffers-5; got != want || len(s.free) != 5 {
		t.Errorf("gave up %d, %d left; want %d and 5", got, len(s.free), want)
	}
	if got := s.trim(); got != 5 || s.get() != nil {
		t.Errorf("gave up %d, want 5", got)
	}
}

// Values are read right after their commits while buffers of the tail go round.
func TestReadsFromTail(t *testing.T) {
	db, _ := hookedDB(t, SyncAlways)
	defer mustClose(t, db)
	const keys = 50
	value := func(key, round int) []byte {
		return bytes.Repeat(fmt.Appendf(nil, "%02d:%05d ", key, round), 3000)
	}
	var stop atomic.Bool
	var readers sync.WaitGroup
	for first := range 2 {
		readers.Go(func() {
			for i := first; !stop.Load(); i++ {
				key := i % keys
				got, err := db.Get(fmt.Appendf(nil, "key%02d", key))
				if errors.Is(err, ErrNotFound) {
					continue
				}
				if err != nil || len(got) != 27000 || !bytes.Equal(got[:9], got[26991:]) || !bytes.HasPrefix(got, fmt.Appendf(nil, "%02d:", key)) {
					t.Errorf("key %d: got %d bytes, %v", key, len(got), err)
					return
				}
			}
		})
	}
	for round := range 8 {
		for key := range keys {
			seq := putWithoutAck(t, db, fmt.Sprintf("key%02d", key), value(key, round))
			if key%20 == 19 {
				if err := db.Ack(seq); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	stop.Store(true)
	readers.Wait()
}
