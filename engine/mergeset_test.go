package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What the set calls dead is what look-ups call dead, and it calls nothing dead that
// has to be kept.
func TestLiveSetAgreesWithLookUps(t *testing.T) {
	known, unknown := 0, 0
	for seed := range uint64(30) {
		r := newMetaRun(t, seed, false)
		r.open()
		db := r.w.db
		for range 100 {
			if err := r.w.step(); err != nil {
				t.Fatal(err)
			}
		}
		// Merged files, in which sequence numbers leave gaps, are among them.
		if err := db.Merge(t.Context(), 0.3); err != nil && !errors.Is(err, ErrMergeRunning) {
			t.Fatal(err)
		}
		for range 50 {
			if err := r.w.step(); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.rotateAndSeal(); err != nil {
			t.Fatal(err)
		}
		db.merge.running.Lock() // no merge moves anything now
		var group []*dataFile
		for _, f := range db.files.Load().all() {
			if f.sealed.Load() {
				group = append(group, f)
			}
		}
		set, err := db.findLive(t.Context(), group)
		if err != nil || set == nil {
			t.Fatalf("seed %d: %v, %v", seed, set, err)
		}
		for _, f := range group {
			k, u := sameAsLookUps(t, db, f, set.of(f))
			known, unknown = known+k, unknown+u
		}
		db.merge.running.Unlock()
		r.close()
	}
	if known < 1000 || unknown == 0 {
		t.Errorf("%d records were known to be dead, and %d dead ones were not: that tests little", known, unknown)
	}
}

// sameAsLookUps holds what is known of a file against look-ups of its records.
// It returns how many dead ones are known, and how many are not.
func sameAsLookUps(t *testing.T, db *DB, f *dataFile, b *liveBits) (known, unknown int) {
	t.Helper()
	live := 0
	_, reason, err := f.scanFrames(fileHeaderBytes, f.meta.dataEnd, func(fr *frame) error {
		if _, err := fr.checkRecords(); err != nil {
			return err
		}
		return fr.eachRecord(func(r *record, seq uint64, offset int64, size int) error {
			var batch mergeBatch
			batch.add(r, make([]byte, size), seq, offset)
			batch.items[0].r.key = r.key // the bytes of the record are not there
			batch.judge(db, f, 0)
			verdict := batch.items[0].verdict
			switch dead := b.dead(r.kind, seq); {
			case dead && verdict != recordDead:
				t.Errorf("%s: record %d of kind %d is called dead, but is %d", f.name(), seq, r.kind, verdict)
			case dead:
				known++
			case verdict == recordDead:
				unknown++
				// Collections of a keyspace that was cleared go in the background.
				element := r.kind == kindElemPut && db.colls.get(CollectionID(r.coll)) != nil
				if b != nil && !b.morePuts && (element || r.kind == kindPut || r.kind == kindExpire) {
					t.Errorf("%s: record %d of kind %d is not called dead, but is", f.name(), seq, r.kind)
				}
			default:
				live++
			}
			return nil
		})
	})
	if err != nil || reason != "" {
		t.Fatalf("%s: %v %s", f.name(), err, reason)
	}
	if db.nothingToCopy(f, b, 0) && live > 0 {
		t.Errorf("%s has %d records to be kept, but is not to be read", f.name(), live)
	}
	return known, unknown
}

// A file without a live record is merged without reading it; one with a record that
// has to be kept is read.
func TestMergeDoesNotReadDeadFiles(t *testing.T) {
	for _, c := range []struct {
		name string
		work func(x *trusted) // what the file has before it is overwritten
		read bool
		want string // value of "kept"
	}{
		{name: "puts", work: func(*trusted) {}, want: "old"},
		{name: "a tombstone that hides a put outside", work: func(x *trusted) { x.delete("kept") }, read: true, want: "-"},
		{name: "an expiry", work: func(x *trusted) { x.expire("kept", 1<<60) }, read: true, want: "old"},
		{name: "a keyspace cleared", work: func(x *trusted) {
			tx := beginAll(x.db, true)
			tx.ClearSpace(0)
			if _, err := tx.Commit(); err != nil {
				x.t.Fatal(err)
			}
		}, read: true, want: "-"},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := newTrusted(t, func(o *Options) { o.DataFileBytes, o.NoMmap = 1<<20, true })
			x.put("kept", "old")
			x.fill("live", 20)
			x.seal()
			c.work(x)
			x.fill("a", 100)
			x.seal()
			x.db.hints.takeAll() // to write one is to read, too
			names := x.names(dataSuffix)
			inside := filepath.Join(crashDir, names[1])
			x.fill("a", 100)
			reads := 0
			x.m.setHook(func(call memCall) memFault {
				if call.op == opRead && call.name == inside {
					reads++
				}
				return memFault{}
			})
			number, _, _ := parseFileName(names[1])
			f := x.db.files.Load().get(number)
			x.mergeOf(f)
			x.m.setHook(nil)
			if (reads > 0) != c.read {
				t.Errorf("%d reads of %s, want some: %v", reads, names[1], c.read)
			}
			if x.db.files.Load().get(number) != nil {
				t.Errorf("%s was not merged", names[1])
			}
			for range 2 {
				x.want("kept", c.want)
				x.want("a0099", strings.Repeat("v", 100))
				x.crash(crashLost)
			}
			x.close()
		})
	}
}

// mergeOf merges some files.
func (x *trusted) mergeOf(files ...*dataFile) {
	x.t.Helper()
	x.db.merge.running.Lock()
	defer x.db.merge.running.Unlock()
	if err := x.db.mergeFiles(context.Background(), func() mergeChoice { return mergeChoice{files: files} }); err != nil {
		x.t.Fatal(err)
	}
}

// A mapping of a keyspace that this opening does not have is kept.
func TestMergeKeepsStrayMappings(t *testing.T) {
	x := newTrusted(t, nil)
	tx := beginAll(x.db, true)
	tx.SwapSpaces(1, 2)
	if _, err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	x.seal()
	x.close()
	x.opt.Spaces = 1
	x.open()
	x.merge(0)
	x.put("k", "v")
	x.merge(0)
	x.close()
	x.opt.Spaces = modelSpaces
	x.open()
	if one, two := x.db.spaces[1].Load().id, x.db.spaces[2].Load().id; one != 2 || two != 1 {
		t.Errorf("keyspaces 1 and 2 are %d and %d, want them exchanged", one, two)
	}
	x.want("k", "v")
	x.close()
}

// A merge of few records of many looks them up.
func TestLiveSetIsNotMadeForFewRecords(t *testing.T) {
	x := newTrusted(t, func(o *Options) { o.DataFileBytes = 64 << 10 })
	x.put("few", "v")
	x.seal()
	few := x.db.files.Load().all()[0]
	x.fill("a", liveSetShare)
	for _, want := range []bool{true, false} {
		set, err := x.db.findLive(t.Context(), []*dataFile{few})
		if err != nil || (set != nil) != want {
			t.Errorf("%d records of which one is to be merged: got a set: %v (%v), want %v", x.db.log.nextSeq-1, set != nil, err, want)
		}
		x.fill("b", liveSetShare)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(syscall.EINTR)
	if _, err := x.db.findLive(ctx, []*dataFile{x.db.files.Load().all()[1]}); !errors.Is(err, syscall.EINTR) {
		t.Errorf("got %v from one that was cancelled, want EINTR", err)
	}
	x.close()
}

// A walk over chunks meets what a walk over slots, or over the tree, meets.
func TestEachFromMeetsEverything(t *testing.T) {
	slots, c := newSlotTable(), newCollection(1<<2, 3)
	rng := rand.New(rand.NewPCG(1, 3))
	var used []uint32
	for i := range 5000 {
		key := []byte(strings.Repeat("k", rng.IntN(40)) + fmt.Sprint(i))
		used = append(used, slots.alloc(key, i%7 == 0))
		c.put(key, element{seq: uint64(i + 1)})
		if i%3 == 0 {
			at := rng.IntN(len(used))
			slots.free(used[at])
			used = append(used[:at], used[at+1:]...)
			c.delete(c.At(rng.IntN(c.Len())).Subkey)
		}
	}
	for _, piece := range []int{1, 100, 1 << 20} {
		met := 0
		for next, more := 0, true; more; {
			next, more = slots.eachFrom(next, piece, func(*cell) { met++ })
		}
		seqs := map[uint64]bool{}
		for next, more := 0, true; more; {
			next, more = c.elems.eachFrom(next, piece, func(e *element) { seqs[e.seq] = true })
		}
		if met != slots.len() || len(seqs) != c.Len() {
			t.Errorf("pieces of %d: met %d cells of %d, %d elements of %d", piece, met, slots.len(), len(seqs), c.Len())
		}
	}
}

// A transaction that is rolled back between two pieces of a walk puts the elements that
// it had deleted into other cells. They are found all the same.
func TestLiveSetFindsElementsThatARollbackMoved(t *testing.T) {
	const elements = 3 * liveSetPiece
	subkey := func(i int) []byte { return fmt.Appendf(nil, "%08d", i) }
	for _, order := range []Order{OrderHash, OrderBytes} {
		t.Run(fmt.Sprint(order), func(t *testing.T) {
			x := newTrusted(t, func(o *Options) { o.DataFileBytes = 16 << 20 })
			tx := beginAll(x.db, true)
			c := tx.NewCollection(order)
			for i := range elements {
				if _, err := tx.PutElement(c, subkey(i), fmt.Appendf(nil, "value %08d", i)); err != nil {
					t.Fatal(err)
				}
			}
			if err := tx.PutCollection(0, []byte("c"), Meta{}, c, nil); err != nil {
				t.Fatal(err)
			}
			if _, err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
			rolledBack := 0
			x.db.merge.step = func(s mergeStep) {
				if s != stepPiece {
					return
				}
				rolledBack++
				tx := beginAll(x.db, true)
				for tx.DeleteElementAt(c, 0); c.Len() > 0; {
					tx.DeleteElementAt(c, c.Len()-1)
				}
				tx.Rollback()
			}
			x.merge(0)
			x.db.merge.step = nil
			if rolledBack != 1 {
				t.Errorf("the walk had %d gaps, want one: after a rollback it is to be in one piece", rolledBack)
			}
			for range 2 {
				bad := 0
				tx := beginAll(x.db, false)
				h, _ := tx.Get(0, []byte("c"))
				for i := range elements {
					e, ok := tx.GetElement(h.Collection(), subkey(i))
					if v, err := tx.AppendElementValue(nil, &e); !ok || err != nil || string(v) != fmt.Sprintf("value %08d", i) {
						bad++
					}
				}
				tx.Rollback()
				if bad > 0 {
					t.Fatalf("%d of %d elements are gone, or their values are", bad, elements)
				}
				x.crash(crashLost)
			}
			x.close()
		})
	}
}
