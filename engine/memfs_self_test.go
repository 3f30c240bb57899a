package engine

import (
	"errors"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
)

// mustCreate makes the file /d/a.
func mustCreate(t *testing.T, m *memFS) File {
	t.Helper()
	if err := m.MkdirAll("/d"); err != nil {
		t.Fatal(err)
	}
	f, err := m.Create("/d/a")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func mustWrite(t *testing.T, f File, s string, off int64) {
	t.Helper()
	if _, err := f.WriteAt([]byte(s), off); err != nil {
		t.Fatal(err)
	}
}

func TestMemFSForgetsWhatWasNotSynced(t *testing.T) {
	m := newMemFS()
	f := mustCreate(t, m)
	mustWrite(t, f, "one", 0)
	rng := rand.New(rand.NewPCG(1, 1))

	if _, ok := m.image(crashLost, rng).contents("/d/a"); ok {
		t.Error("a name survived without SyncDir")
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	if err := m.SyncDir("/d"); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, f, "two", 3)
	for mode, want := range map[crashMode]string{crashLost: "one", crashKept: "onetwo", crashKill: "onetwo"} {
		got, _ := m.image(mode, rng).contents("/d/a")
		if string(got) != want {
			t.Errorf("%v: got %q, want %q", mode, got, want)
		}
	}
	killed := m.image(crashKill, rng)
	got, _ := killed.image(crashLost, rng).contents("/d/a")
	if string(got) != "one" {
		t.Errorf("power cut after a kill: got %q, want one", got)
	}
}

func TestMemFSFailedSyncDropsWhatWasPending(t *testing.T) {
	m := newMemFS()
	f := mustCreate(t, m)
	if err := m.SyncDir("/d"); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, f, "one", 0)
	m.setHook(func(c memCall) memFault {
		if c.op == opSync {
			return memFault{err: syscall.EIO}
		}
		return memFault{}
	})
	if err := f.Sync(); !errors.Is(err, syscall.EIO) {
		t.Fatalf("got %v, want EIO", err)
	}
	m.setHook(nil)
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	if got, _ := m.image(crashKept, rng).contents("/d/a"); len(got) != 0 {
		t.Errorf("dropped pages came back: %q", got)
	}
	if got, _ := m.contents("/d/a"); string(got) != "one" {
		t.Errorf("the page cache lost %q", got)
	}
}

func TestMemFSTearsAtSectors(t *testing.T) {
	m := newMemFS()
	f := mustCreate(t, m)
	if err := m.SyncDir("/d"); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, f, strings.Repeat("x", 100), 0)
	mustWrite(t, f, strings.Repeat("y", 2000), 100)
	for seed := range uint64(200) {
		for _, mode := range []crashMode{crashTorn, crashReordered} {
			got, _ := m.image(mode, rand.New(rand.NewPCG(seed, 2))).contents("/d/a")
			for i := 1; i < len(got); i++ {
				if got[i] != got[i-1] && i%memSector != 0 && i != 100 {
					t.Fatalf("seed %d %v: bytes change at %d", seed, mode, i)
				}
			}
			if n := len(got); mode == crashTorn && n%memSector != 0 && n != 100 && n != 2100 {
				t.Fatalf("seed %d: torn at %d", seed, n)
			}
		}
	}
}

func TestMemFSFullDisk(t *testing.T) {
	m := newMemFS()
	m.capacity = 1000
	f := mustCreate(t, m)
	if err := f.Preallocate(900); err != nil {
		t.Fatal(err)
	}
	n, err := f.WriteAt(make([]byte, 300), 800)
	if n != 200 || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("got %d, %v; want 200, ENOSPC", n, err)
	}
	if err := f.Preallocate(1001); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("got %v, want ENOSPC", err)
	}
	if err := m.Remove("/d/a"); err != nil {
		t.Fatal(err)
	}
	if free, err := m.FreeBytes("/d"); free != 1000 || err != nil {
		t.Fatalf("got %d, %v; want 1000", free, err)
	}
}
