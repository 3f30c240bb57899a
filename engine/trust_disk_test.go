package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The rows B9 to B15, B26, B27 and B30: what is read from the disk.

// lastData returns the name of the newest data file and the end of its frames.
func (x *trusted) lastData() (name string, end int) {
	x.t.Helper()
	names := x.names(dataSuffix)
	for _, name := range slices.Backward(names) {
		data, _ := x.m.contents(filepath.Join(crashDir, name))
		if end := len(bytes.TrimRight(data, "\x00")); end > fileHeaderBytes {
			return name, end
		}
	}
	x.t.Fatal("no data file holds a frame")
	return "", 0
}

func TestB09HintFileThatIsNotRightIsNotBelieved(t *testing.T) {
	damages := []struct {
		name   string
		damage func(x *trusted, hint string)
	}{
		{"missing", func(x *trusted, hint string) { x.m.setContents(filepath.Join(crashDir, hint), nil) }},
		{"empty", func(x *trusted, hint string) { x.m.setContents(filepath.Join(crashDir, hint), []byte{}) }},
		{"cut", func(x *trusted, hint string) {
			x.damage(hint, func(b []byte) []byte { return b[:len(b)-30] })
		}},
		{"flipped", func(x *trusted, hint string) {
			x.damage(hint, func(b []byte) []byte { b[len(b)/2] ^= 0x10; return b })
		}},
		{"of another file", func(x *trusted, hint string) {
			other, _ := x.m.contents(filepath.Join(crashDir, x.names(hintSuffix)[1]))
			x.m.setContents(filepath.Join(crashDir, hint), other)
		}},
		{"of another database", func(x *trusted, hint string) {
			y := newTrusted(x.t, nil)
			y.fill("other", 60)
			y.close()
			other, _ := y.m.contents(filepath.Join(crashDir, hint))
			x.m.setContents(filepath.Join(crashDir, hint), other)
		}},
		{"pointing outside", func(x *trusted, hint string) {
			x.damage(hint, func([]byte) []byte {
				meta := x.db.manifest.state.files[1]
				var h hintEncoder
				for i := range meta.records {
					h.add(&record{kind: kindPut, key: fmt.Appendf(nil, "a%04d", i), value: make([]byte, 100)}, meta.minSeq+i, 1<<31)
				}
				return encodeHint(&meta, x.db.manifest.uuid, &h)
			})
		}},
	}
	for _, d := range damages {
		t.Run(d.name, func(t *testing.T) {
			x := newTrusted(t, nil)
			x.fill("a", 60)
			x.close()
			d.damage(x, x.names(hintSuffix)[0])
			x.open()
			for i := range 60 {
				x.want(fmt.Sprintf("a%04d", i), strings.Repeat("v", 100))
			}
			x.close()
		})
	}
}

func TestB10RebuildFromDataChecksEverything(t *testing.T) {
	x := newTrusted(t, nil)
	x.fill("a", 60)
	x.close()
	name := x.names(dataSuffix)[0]
	for _, hint := range x.names(hintSuffix) {
		x.m.setContents(filepath.Join(crashDir, hint), nil)
	}
	x.damage(name, func(b []byte) []byte { b[1000] ^= 1; return b })
	if e := x.wantCorrupt(name); e.Offset < fileHeaderBytes || e.Offset > 1000 {
		t.Errorf("the damage is at 1000, the error says %v", e)
	}
}

func TestB11TornTailIsCutAndLogged(t *testing.T) {
	var log bytes.Buffer
	x := newTrusted(t, func(o *Options) {
		o.Sync = SyncNever
		o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	})
	x.put("k", "value")
	x.image(crashKill)
	name, end := x.lastData()
	x.damage(name, func(b []byte) []byte { return append(b[:end], b[end-20:end]...) })
	x.open()
	x.want("k", "value")
	if !strings.Contains(log.String(), "torn tail") || !strings.Contains(log.String(), "bytes=20") {
		t.Errorf("the log does not say that 20 bytes were cut:\n%s", &log)
	}
	if n := strings.Count(log.String(), "was not closed"); n != 1 || !strings.Contains(log.String(), "files=1 records=1 bytes=40 cut_bytes=20 took=") {
		t.Errorf("the log does not say once what was recovered:\n%s", &log)
	}
	x.put("k2", "value")
	x.crash(crashKill)
	x.want("k", "value")
	x.want("k2", "value")
	x.close()
}

// An orderly stop is not taken for another one, nor is a new database.
func TestOrderlyStopIsNotRecovered(t *testing.T) {
	var log bytes.Buffer
	x := newTrusted(t, func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	x.put("k", "value")
	x.close()
	x.open()
	x.want("k", "value")
	x.close()
	if strings.Contains(log.String(), "was not closed") {
		t.Errorf("the log tells of a recovery:\n%s", &log)
	}
}

func TestB12DamageInTheMiddleIsRefused(t *testing.T) {
	t.Run("log", func(t *testing.T) {
		x := newTrusted(t, nil)
		x.fill("a", 5)
		x.image(crashKill)
		name, _ := x.lastData()
		x.damage(name, func(b []byte) []byte { b[300] ^= 1; return b })
		e := x.wantCorrupt(name)
		if e.Offset <= 0 || e.Offset > 300 {
			t.Errorf("got %v, want the offset", e)
		}
	})
	t.Run("log without SYNCED", func(t *testing.T) {
		x := newTrusted(t, nil)
		x.fill("a", 5)
		x.image(crashKill)
		name, _ := x.lastData()
		x.m.setContents(filepath.Join(crashDir, syncMarkName), nil)
		x.damage(name, func(b []byte) []byte { b[300] ^= 1; return b })
		x.wantCorrupt(name)
	})
	t.Run("last frame of the log", func(t *testing.T) {
		x := newTrusted(t, nil)
		x.fill("a", 5)
		x.image(crashKill)
		name, end := x.lastData()
		x.damage(name, func(b []byte) []byte { b[end-1] ^= 1; return b })
		x.wantCorrupt(name)
	})
	t.Run("footer", func(t *testing.T) {
		x := newTrusted(t, nil)
		x.fill("a", 60)
		x.close()
		name := x.names(dataSuffix)[0]
		x.damage(name, func(b []byte) []byte { b[len(b)-10] ^= 1; return b })
		x.wantCorrupt(name)
	})
	t.Run("sealed file cut", func(t *testing.T) {
		x := newTrusted(t, nil)
		x.fill("a", 60)
		x.close()
		name := x.names(dataSuffix)[0]
		x.damage(name, func(b []byte) []byte { return b[:len(b)-1] })
		x.wantCorrupt(name)
	})
}

// What is acknowledged as synced is in SYNCED: damage there is not taken for a torn tail.
func TestB12SyncMarkComesBeforeTheAcknowledgement(t *testing.T) {
	x := newTrusted(t, nil)
	x.put("a", "v")
	synced, marks := uint64(0), 0
	x.m.setHook(func(c memCall) memFault {
		if c.op == opWrite && filepath.Base(c.name) == syncMarkName {
			synced = x.db.log.syncedSeq.Load()
			marks++
		}
		return memFault{}
	})
	x.put("b", "v")
	x.m.setHook(nil)
	if end := x.db.log.endSeq.Load(); marks != 1 || synced >= end {
		t.Errorf("%d marks, with number %d of %d acknowledged before it", marks, synced, end)
	}
	x.close()
}

func TestB13TailOfZeros(t *testing.T) {
	x := newTrusted(t, func(o *Options) { o.Sync, o.NoPreallocate = SyncNever, true })
	x.put("k", "value")
	x.image(crashKill)
	name, _ := x.lastData()
	x.damage(name, func(b []byte) []byte { return append(b, make([]byte, 5000)...) })
	x.open()
	x.want("k", "value")
	x.put("k2", "value")
	x.crash(crashKill)
	x.want("k", "value")
	x.want("k2", "value")
	x.close()
}

func TestB14TornLengthAllocatesNothing(t *testing.T) {
	x := newTrusted(t, func(o *Options) { o.Sync = SyncNever })
	x.put("k", "value")
	salted := x.db.log.active.salted
	x.image(crashKill)
	name, end := x.lastData()
	lengths := map[string]func() []byte{
		"header checksum wrong": func() []byte {
			b := make([]byte, frameHeaderBytes)
			putFrameHeader(b, frameHeader{payloadLen: 1, baseSeq: 2}, salted)
			binary.LittleEndian.PutUint32(b[4:], 1<<31)
			return b
		},
		"header checksum right": func() []byte {
			b := make([]byte, frameHeaderBytes)
			putFrameHeader(b, frameHeader{payloadLen: 1 << 31, baseSeq: 2}, salted)
			return b
		},
	}
	for what, tail := range lengths {
		t.Run(what, func(t *testing.T) {
			y := *x
			y.t, y.m = t, x.m.image(crashKept, nil)
			y.damage(name, func(b []byte) []byte { return append(b[:end], tail()...) })
			before := allocated()
			y.open()
			if got := allocated() - before; got > 32<<20 {
				t.Errorf("opening allocated %d bytes", got)
			}
			y.want("k", "value")
			y.close()
		})
	}
}

func TestB15BatchIsThereWholeOrNotAtAll(t *testing.T) {
	x := newTrusted(t, func(o *Options) { o.Sync = SyncNever })
	x.put("before", "value")
	x.crash(crashKill)
	tx := beginAll(x.db, true)
	for i := range 10 {
		if err := tx.Put(0, fmt.Appendf(nil, "k%d", i), Meta{}, []byte("a value of the batch")); err != nil {
			t.Fatal(err)
		}
	}
	seq, err := tx.Commit()
	if err == nil {
		err = x.db.Ack(seq)
	}
	if err != nil {
		t.Fatal(err)
	}
	x.image(crashKill)
	name, end := x.lastData()
	whole, _ := x.m.contents(filepath.Join(crashDir, name))
	for cut := fileHeaderBytes; cut <= end; cut++ {
		y := *x
		y.m = x.m.image(crashKept, nil)
		y.m.setContents(filepath.Join(crashDir, name), whole[:cut])
		y.open()
		n := y.db.Len(0)
		if want := map[bool]int{false: 1, true: 11}[cut == end]; n != want {
			t.Errorf("cut at %d of %d: %d keys, want %d", cut, end, n, want)
		}
		y.close()
	}
}

func TestB26FileThatWasCutUnderAMapIsAnError(t *testing.T) {
	dir := t.TempDir()
	db, err := Open(dir, Options{DataFileBytes: 64 << 10, MergeDeadBytes: -1})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		if err := db.Put(fmt.Appendf(nil, "k%04d", i), bytes.Repeat([]byte("v"), 200)); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.rotateAndSeal(); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(dir, dataFileName(1)), 4096); err != nil {
		t.Fatal(err)
	}
	failed := 0
	for i := range 1000 {
		got, err := db.Get(fmt.Appendf(nil, "k%04d", i))
		switch {
		case errors.Is(err, ErrCorrupt):
			failed++
		case err != nil:
			t.Errorf("k%04d: got %v, want the value or ErrCorrupt", i, err)
		case !bytes.Equal(got, bytes.Repeat([]byte("v"), 200)):
			t.Errorf("k%04d: wrong value", i)
		}
	}
	if failed < 100 {
		t.Errorf("%d reads failed, want those of most of a file", failed)
	}
	if got := db.Stats().ChecksumErrors; got != int64(failed) {
		t.Errorf("Stats counts %d, want %d", got, failed)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

func TestB27FilesInUseStayAndAreCounted(t *testing.T) {
	// Time stands still, so that nobody else uses the files, to write hint files of them.
	synctest.Test(t, filesInUse)
}

func filesInUse(t *testing.T) {
	t.Helper()
	x := newTrusted(t, nil)
	x.fill("a", 60)
	x.seal()
	it := x.db.NewIterator(IteratorOptions{})
	it.Rewind()
	held := x.db.acquireSealed()
	x.fill("a", 30)
	x.merge(0)
	pinned := x.db.Stats().Merge.PinnedBytes
	var want int64
	for _, f := range held {
		want += f.meta.size
		if _, ok := x.m.contents(filepath.Join(crashDir, f.name())); !ok {
			t.Errorf("%s is in use and was removed", f.name())
		}
	}
	if pinned != want || want == 0 {
		t.Errorf("PinnedBytes is %d, want %d", pinned, want)
	}
	for _, f := range held {
		if err := f.release(); err != nil {
			t.Error(err)
		}
		if _, ok := x.m.contents(filepath.Join(crashDir, f.name())); ok {
			t.Errorf("%s is not in use any more and still there", f.name())
		}
	}
	if got := x.db.Stats().Merge.PinnedBytes; got != 0 {
		t.Errorf("PinnedBytes is %d after everything was released", got)
	}
	// The iterator goes on through the merge.
	n := 0
	for ; it.Valid(); it.Next() {
		if value, err := it.Value(); err != nil || string(value) != strings.Repeat("v", 100) {
			t.Errorf("%s: %q, %v", it.Key(), value, err)
		}
		n++
	}
	if err := it.Err(); err != nil || n != 60 {
		t.Errorf("the iterator met %d keys, %v; want 60", n, err)
	}
	it.Close()
	x.close()
}

func TestB30BitRotIsAnErrorAndCounted(t *testing.T) {
	x := newTrusted(t, nil)
	x.fill("a", 20)
	x.seal()
	loc := func(key string) location {
		s := x.db.shardOf([]byte(key))
		return s.findEntry(0, []byte(key)).loc()
	}
	at := loc("a0003")
	// Rot the disk under the open database: the last byte of the value.
	file := dataFileName(at.file())
	x.m.mu.Lock()
	_, _, node := x.m.lookupLocked(filepath.Join(crashDir, file))
	node.data[at.offset()+50] ^= 4
	x.m.mu.Unlock()
	got, err := x.db.Get([]byte("a0003"))
	var corrupt *CorruptError
	if !errors.As(err, &corrupt) || corrupt.File != file || corrupt.Offset != at.offset() || len(got) > 0 {
		t.Errorf("got %q, %v; want a CorruptError in %s at %d", got, err, file, at.offset())
	}
	if err == nil || !strings.Contains(err.Error(), `read for key "a0003"`) {
		t.Errorf("%v does not say which key was read", err)
	}
	if errors.Is(err, ErrNotFound) {
		t.Error("damage looks like a missing key")
	}
	if n := x.db.Stats().ChecksumErrors; n != 1 {
		t.Errorf("ChecksumErrors is %d, want 1", n)
	}
	x.want("a0004", strings.Repeat("v", 100))

	if err := x.db.Scrub(context.Background(), 0); !errors.Is(err, ErrCorrupt) {
		t.Errorf("scrub: got %v, want ErrCorrupt", err)
	}
	if s := x.db.Stats(); s.Scrub.DamagedFiles != 1 || s.Scrub.Scrubs != 1 || s.ChecksumErrors != 2 {
		t.Errorf("Stats has %+v and %d checksum errors, want 1 damaged file of 1 scrub, and 2", s.Scrub, s.ChecksumErrors)
	}
	// A merge neither copies the damage nor takes the file away.
	if err := x.db.Merge(context.Background(), 0); !errors.Is(err, ErrCorrupt) {
		t.Errorf("merge: got %v, want ErrCorrupt", err)
	}
	if _, ok := x.m.contents(filepath.Join(crashDir, file)); !ok {
		t.Errorf("merge removed the damaged %s", file)
	}
	x.want("a0004", strings.Repeat("v", 100))
	x.close()
}

// A damaged file is counted when it is found, and a pass says when it ends.
func TestScrubCountsAtOnce(t *testing.T) {
	var log strings.Builder
	var x *trusted
	counted := -1
	w := writerFunc(func(b []byte) (int, error) {
		if strings.Contains(string(b), "scrub found damage") {
			counted = x.db.Stats().Scrub.DamagedFiles
		}
		return log.Write(b)
	})
	x = newTrusted(t, func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(w, nil)) })
	x.fill("a", 60)
	x.seal()
	name := x.names(dataSuffix)[0]
	x.m.mu.Lock()
	_, _, node := x.m.lookupLocked(filepath.Join(crashDir, name))
	node.data[1000] ^= 1
	x.m.mu.Unlock()
	if err := x.db.Scrub(context.Background(), 0); !errors.Is(err, ErrCorrupt) {
		t.Errorf("got %v, want ErrCorrupt", err)
	}
	if counted != 1 || !strings.Contains(log.String(), "scrub has ended") || !strings.Contains(log.String(), "damaged=1") {
		t.Errorf("%d counted when it was found; the log:\n%s", counted, log.String())
	}
	x.close()
}

type writerFunc func(b []byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func TestB30ScrubRunsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTrusted(t, func(o *Options) { o.ScrubInterval = time.Hour })
		x.fill("a", 60)
		x.seal()
		time.Sleep(150 * time.Minute)
		if s := x.db.Stats().Scrub; s.Scrubs != 2 || s.DamagedFiles != 0 || s.BytesRead < 8000 {
			t.Errorf("after two and a half hours: %+v, want 2 scrubs of some kilobytes", s)
		}
		x.close()
	})
}

func TestMergeBringsBackNothingAfterManyRounds(t *testing.T) {
	x := newTrusted(t, nil)
	rng := rand.New(rand.NewPCG(7, 7))
	want := map[string]string{}
	for range 30 {
		for range 40 {
			k := fmt.Sprintf("k%02d", rng.IntN(50))
			if rng.IntN(3) == 0 {
				x.delete(k)
				delete(want, k)
				continue
			}
			want[k] = strings.Repeat(fmt.Sprint(rng.IntN(1000)), 1+rng.IntN(40))
			x.put(k, want[k])
		}
		x.merge([]float64{0, 0.2, 0.5, 0.8}[rng.IntN(4)])
		if rng.IntN(3) == 0 {
			x.crash(crashLost)
		}
	}
	for i := range 50 {
		k := fmt.Sprintf("k%02d", i)
		if v, ok := want[k]; ok {
			x.want(k, v)
		} else {
			x.want(k, "-")
		}
	}
	x.close()
}
