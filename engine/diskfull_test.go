package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// limitDisk makes a disk of what is used now and extra bytes more.
func (x *trusted) limitDisk(extra int64) {
	x.t.Helper()
	x.m.mu.Lock()
	defer x.m.mu.Unlock()
	x.m.capacity = x.m.usedLocked() + extra
}

// whenRoom does what finds no room for a moment, in which the background takes it, or
// has not given it back yet. Time is that of synctest.
func (x *trusted) whenRoom(what string, do func() error) {
	x.t.Helper()
	err := do()
	for range 60 {
		if !errors.Is(err, ErrNoSpace) {
			break
		}
		time.Sleep(time.Second)
		err = do()
	}
	if err != nil {
		x.t.Fatalf("%s: %v", what, err)
	}
}

const fullValueBytes = 4000

// putUntilFull puts keys, from fullKey(0) on, with values of so many bytes until the
// disk is full, and returns how many were acknowledged.
func (x *trusted) putUntilFull(valueBytes int) (n int) {
	x.t.Helper()
	for ; n < 100_000; n++ {
		err := x.db.Put(fullKey(n), bytes.Repeat([]byte("v"), valueBytes))
		if errors.Is(err, ErrNoSpace) {
			return n
		}
		if err != nil {
			x.t.Fatalf("put %d: %v, want ErrNoSpace in the end", n, err)
		}
	}
	x.t.Fatal("the disk was never full")
	return 0
}

func fullKey(n int) []byte { return fmt.Appendf(nil, "k%05d", n) }

// deleteFull deletes the keys from from to to, on a full disk.
func (x *trusted) deleteFull(from, to int) {
	x.t.Helper()
	for i := from; i < to; i++ {
		if err := x.db.Delete(fullKey(i)); err != nil {
			x.t.Fatalf("delete %d on a full disk: %v", i, err)
		}
	}
}

// All data is in the active file when the disk is full. That is said, once; deleting
// goes on; and what it frees comes back by itself.
func TestFullDiskComesBackByItself(t *testing.T) {
	for _, tt := range []struct {
		name  string
		extra int64
	}{
		{"room from RESERVE", 24 << 10}, {"room of the active file", 0},
	} {
		for _, kept := range []int{0, 20} {
			t.Run(fmt.Sprintf("%s, %d keys kept", tt.name, kept), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { fullDiskComesBack(t, tt.extra, kept) })
			})
		}
	}
}

func fullDiskComesBack(t *testing.T, extra int64, kept int) {
	t.Helper()
	var log bytes.Buffer
	x := newTrusted(t, func(o *Options) {
		o.Sync, o.DataFileBytes, o.MergeDeadBytes = SyncEverySecond, 1<<20, 1<<40
		o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	})
	synctest.Wait() // for RESERVE
	x.limitDisk(extra)
	n := x.putUntilFull(fullValueBytes)
	for range 500 {
		if err := x.db.Put([]byte("refused"), make([]byte, 3*fullValueBytes)); !errors.Is(err, ErrNoSpace) {
			t.Fatalf("put on a full disk: %v", err)
		}
	}
	if !x.db.Stats().DiskFull {
		t.Error("Stats do not say that the disk is full")
	}
	time.Sleep(2 * time.Second)
	if err := x.db.Put([]byte("refused"), make([]byte, 128<<10)); !errors.Is(err, ErrNoSpace) {
		t.Fatalf("put on a full disk: %v", err)
	}
	if next := x.db.nextFile.Load(); next > 6 {
		t.Errorf("the next file number is %d", next)
	}
	x.deleteFull(kept, n)
	time.Sleep(5 * time.Second)
	if x.db.Stats().DiskFull {
		t.Errorf("Stats still say that the disk is full\n%s", &log)
	}
	for i := range n / 2 {
		x.whenRoom("put", func() error {
			return x.db.Put(fmt.Appendf(nil, "new%05d", i), bytes.Repeat([]byte("w"), fullValueBytes))
		})
	}
	synctest.Wait()
	if full, room := strings.Count(log.String(), "the disk is full"), strings.Count(log.String(), "has room again"); full != 1 || room != 1 {
		t.Errorf("the log says %d times that the disk is full and %d times that it has room again:\n%s", full, room, &log)
	}
	for _, mode := range []crashMode{crashKill, crashKept} {
		x.crash(mode)
		for i := range n {
			value := "-"
			if i < kept {
				value = strings.Repeat("v", fullValueBytes)
			}
			x.want(string(fullKey(i)), value)
		}
		x.want("new00000", strings.Repeat("w", fullValueBytes))
	}
	x.close()
}

// A merge by hand gives up what nothing refers to without any room, and says why it
// can do nothing else. So it is for one who opens the full directory.
func TestFullDiskMergeByHand(t *testing.T) {
	for _, reopened := range []bool{false, true} {
		t.Run(fmt.Sprintf("reopened=%v", reopened), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := newTrusted(t, func(o *Options) { o.Sync, o.DataFileBytes = SyncEverySecond, 1<<20 })
				synctest.Wait() // for RESERVE
				x.limitDisk(0)
				n := x.putUntilFull(fullValueBytes)
				x.deleteFull(0, n/10)
				if err := x.db.Merge(context.Background(), 0); !errors.Is(err, ErrNoSpace) || !strings.Contains(err.Error(), "what is live of the least") {
					t.Errorf("a merge of what is mostly live, on a full disk: %v", err)
				}
				x.deleteFull(n/10, n)
				if reopened {
					capacity := x.m.capacity
					x.image(crashKill)
					x.m.capacity = capacity
					x.open()
				}
				x.whenRoom("a merge of what is all dead", func() error { return x.db.Merge(context.Background(), 0.5) })
				if dead := x.db.Stats().DeadBytes; dead > fullValueBytes {
					t.Errorf("the merge left %d dead bytes; %d keys were deleted", dead, n)
				}
				x.put("new", strings.Repeat("w", fullValueBytes))
				x.crash(crashKill)
				x.want("new", strings.Repeat("w", fullValueBytes))
				x.want(string(fullKey(0)), "-")
				x.close()
			})
		})
	}
}

// A merge that fails on a full disk is soon tried again, which the log does not say each
// time.
func TestFullDiskSaysThatMergesFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		x := newTrusted(t, func(o *Options) {
			o.Sync, o.DataFileBytes, o.MergeDeadBytes = SyncEverySecond, 1<<20, 1<<40
			o.Logger = slog.New(slog.NewTextHandler(&log, nil))
		})
		synctest.Wait() // for RESERVE
		x.limitDisk(0)
		n := x.putUntilFull(fullValueBytes)
		x.deleteFull(0, n/7)
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		failed, said := x.db.Stats().Merge.Failures, strings.Count(log.String(), "merge failed")
		if failed < 60 || said < 2 || said > 6 {
			t.Errorf("%d merges failed in five minutes, of which the log tells %d times:\n%s", failed, said, &log)
		}
		x.close()
	})
}

// A next data file that cannot be made is tried again later and later, and takes no
// file numbers.
func TestFullDiskPreparesWithoutHaste(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		x := newTrusted(t, func(o *Options) {
			o.Sync, o.DataFileBytes = SyncNever, 1<<20
			o.Logger = slog.New(slog.NewTextHandler(&log, nil))
		})
		synctest.Wait()
		before := x.db.nextFile.Load()
		tries := 0
		lift := x.fail(syscall.ENOSPC, func(c memCall) bool {
			full := c.op == opCreate && strings.HasSuffix(c.name, dataSuffix)
			if full {
				tries++
			}
			return full
		})
		for i := range 700 {
			x.put(fmt.Sprintf("k%05d", i), strings.Repeat("v", 1000))
			time.Sleep(10 * time.Millisecond)
		}
		if tries == 0 || tries > 10 {
			t.Errorf("%d tries in seven seconds", tries)
		}
		if got := x.db.nextFile.Load(); got != before {
			t.Errorf("the next file number was %d and is %d", before, got)
		}
		if n := strings.Count(log.String(), "waits for room"); n != 1 {
			t.Errorf("%d lines in the log, want 1:\n%s", n, &log)
		}
		lift()
		time.Sleep(longestRoomPause)
		for i := range 700 {
			x.put(fmt.Sprintf("l%05d", i), strings.Repeat("v", 1000))
		}
		x.crash(crashKill)
		x.want("k00699", strings.Repeat("v", 1000))
		x.want("l00699", strings.Repeat("v", 1000))
		x.close()
	})
}
