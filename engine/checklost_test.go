package engine

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// change commits what fn does.
func (x *trusted) change(fn func(tx *Tx) error) {
	x.t.Helper()
	tx := beginAll(x.db, true)
	if err := fn(tx); err != nil {
		tx.Rollback()
		x.t.Fatal(err)
	}
	seq, err := tx.Commit()
	if err == nil {
		err = x.db.Ack(seq)
	}
	if err != nil {
		x.t.Fatal(err)
	}
}

// collection makes an empty collection, in a transaction of its own.
func (x *trusted) collection(key string) {
	x.t.Helper()
	x.change(func(tx *Tx) error { return tx.PutCollection(0, []byte(key), Meta{}, tx.NewCollection(OrderHash), nil) })
}

// element puts an element into a collection that is there.
func (x *trusted) element(key, subkey, value string) {
	x.t.Helper()
	x.change(func(tx *Tx) error {
		h, ok := tx.Get(0, []byte(key))
		if !ok {
			return fmt.Errorf("there is no %s", key)
		}
		_, err := tx.PutElement(h.Collection(), []byte(subkey), []byte(value))
		return err
	})
}

// rename gives a collection to another key.
func (x *trusted) rename(from, to string) {
	x.t.Helper()
	x.change(func(tx *Tx) error {
		h, _ := tx.Get(0, []byte(from))
		coll := h.Collection()
		tx.Delete(0, []byte(from))
		return tx.PutCollection(0, []byte(to), Meta{}, coll, nil)
	})
}

// without checks and repairs a copy of the closed database without some of its
// files, which must both say the same.
func (x *trusted) without(gone ...string) (report *CheckReport, left *memFS) {
	x.t.Helper()
	img := x.m.image(crashKept, nil)
	for _, name := range gone {
		if err := img.Remove(filepath.Join(crashDir, name)); err != nil {
			x.t.Fatal(err)
		}
	}
	report, err := Check(img, crashDir, nil)
	if err != nil {
		x.t.Fatal(err)
	}
	repaired, err := Repair(img, crashDir, nil)
	if err != nil {
		x.t.Fatal(err)
	}
	if check, repair := fmt.Sprint(report.Losses), fmt.Sprint(repaired.Found.Losses); check != repair {
		x.t.Errorf("check says %s, repair %s", check, repair)
	}
	return report, img
}

// wantLoss checks what a report says of its only loss.
func wantLoss(t *testing.T, report *CheckReport, want string) {
	t.Helper()
	if len(report.Losses) != 1 {
		t.Fatalf("the losses are %v", report.Losses)
	}
	if got := report.Losses[0].String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Of lost elements it is said what key has the collection, as that is now.
func TestLossNamesTheKeysOfElements(t *testing.T) {
	x := newTrusted(t, nil)
	for _, key := range []string{"hash", "deleted", "overwritten", "from", "changed", ""} {
		x.collection(key)
	}
	x.seal()
	lost := x.names(dataSuffix)[1]
	x.element("hash", "a", "1")
	x.element("deleted", "a", "1")
	x.element("overwritten", "a", "1")
	x.element("from", "a", "1")
	x.element("changed", "a", "1")
	x.element("hash", "b", "2")
	x.element("", "a", "1")
	x.seal()
	x.delete("deleted")
	x.put("overwritten", "by a string")
	x.rename("from", "to")
	x.element("changed", "a", "3")
	x.seal()
	x.put("k", "v")
	x.close()
	hints := x.names(hintSuffix)
	want := lost + `: 7 records are lost, 4 elements of 3 collections: "hash", "to", ""; 1 superseded element; ` +
		`2 elements of collections that are gone`
	report, _ := x.without(lost)
	wantLoss(t, report, want)
	if w := report.Warnings(); len(w) != 1 || !strings.Contains(w[0], "collections are without their lost elements") {
		t.Errorf("the warnings are %q", w)
	}
	// The same is found where the data must be read, because there are no hint files.
	its := strings.TrimSuffix(lost, dataSuffix) + hintSuffix
	hints = slices.DeleteFunc(hints, func(name string) bool { return name == its })
	report, left := x.without(append(hints, lost)...)
	wantLoss(t, report, want)
	x.m = left
	x.open()
	x.change(func(tx *Tx) error {
		for key, want := range map[string]int{"hash": 0, "to": 0, "changed": 1} {
			if h, ok := tx.Get(0, []byte(key)); !ok || h.Collection().Len() != want {
				t.Errorf("%s: %v, %+v", key, ok, h)
			}
		}
		return nil
	})
}

// The head of a collection may be lost with its elements, or be what is lost alone.
func TestLossOfWholeCollections(t *testing.T) {
	x := newTrusted(t, nil)
	x.put("k", "v")
	x.seal()
	lost := x.names(dataSuffix)[1]
	for i := range lossNames + 2 {
		x.collection(fmt.Sprintf("c%02d", i))
		x.element(fmt.Sprintf("c%02d", i), "a", "1")
	}
	x.seal()
	x.collection("c00")
	x.close()
	report, _ := x.without(lost)
	names := `"c01", "c02", "c03", "c04", "c05", "c06", "c07", "c08", "c09", "c10" and 1 more`
	wantLoss(t, report, lost+`: 24 records are lost, of 12 keys (1 superseded): `+names+
		`; 11 elements of 11 collections: `+names+`; 1 element of collections that are gone`)
}

// In a merged file, the head of a collection may be beside a lost element in the
// damaged frame.
func TestLossOfAnElementOfAMergedFile(t *testing.T) {
	x := newTrusted(t, func(o *Options) { o.DataFileBytes = 1 << 20 })
	x.collection("hash")
	for i := range 20 {
		x.element("hash", fmt.Sprintf("f%02d", i), strings.Repeat("v", 50))
	}
	x.seal()
	x.merge(0)
	x.close()
	for _, name := range x.names(dataSuffix) {
		if records, _ := storedRecords(t, x.m, name); len(records) == 21 {
			x.damage(name, func(b []byte) []byte { b[records["f07"].offset+30] ^= 1; return b })
			report, _ := x.without()
			wantLoss(t, report, name+`: 1 record is lost, 1 element of 1 collection: "hash"`)
			return
		}
	}
	t.Errorf("no file has all records: %q", x.names(dataSuffix))
}

// A lost record is no loss if a newer one replaces it that is kept.
func TestLossOfSupersededRecords(t *testing.T) {
	inSpace1 := func(x *trusted, key string) {
		x.change(func(tx *Tx) error { return tx.Put(1, []byte(key), Meta{}, []byte("v")) })
	}
	later := map[string]func(x *trusted){
		"overwritten": func(x *trusted) { x.put("overwritten", "new") },
		"deleted":     func(x *trusted) { x.delete("deleted") },
		"expires":     func(x *trusted) { x.expire("expires", 1<<50) },
		"cleared":     func(x *trusted) { x.change(func(tx *Tx) error { tx.ClearSpace(1); return nil }) },
	}
	tests := []struct {
		keys, want string
		warnings   int
	}{
		{"overwritten", `1 record is lost, of 1 key (1 superseded)`, 0},
		{"deleted", `1 record is lost, of 1 key (1 superseded)`, 0},
		{"cleared", `1 record is lost, of 1 key (1 superseded)`, 0},
		{"expires", `1 record is lost, of 1 key: "expires"`, 1},
		{"only", `1 record is lost, of 1 key: "only"`, 1},
		{"only overwritten only cleared", `4 records are lost, of 3 keys (2 superseded): "only"`, 1},
	}
	for _, tt := range tests {
		x := newTrusted(t, nil)
		x.put("k", "v")
		x.seal()
		lost := x.names(dataSuffix)[1]
		keys := strings.Fields(tt.keys)
		for _, key := range keys {
			if key == "cleared" {
				inSpace1(x, key)
			} else {
				x.put(key, strings.Repeat("old", 100)) // SetExpire writes a short value anew
			}
		}
		x.seal()
		x.put("other", "v")
		for _, key := range keys {
			if fn := later[key]; fn != nil {
				fn(x)
			}
		}
		x.close()
		report, _ := x.without(lost)
		wantLoss(t, report, lost+": "+tt.want)
		if w := report.Warnings(); len(w) != tt.warnings {
			t.Errorf("%s: the warnings are %q", tt.keys, w)
		}
	}
}

// Where it is not known what was cleared, nothing is taken for cleared.
func TestLossOfASpaceMap(t *testing.T) {
	x := newTrusted(t, nil)
	x.change(func(tx *Tx) error { return tx.Put(1, []byte("k"), Meta{}, []byte("v")) })
	x.seal()
	lost := x.names(dataSuffix)[1]
	x.change(func(tx *Tx) error { tx.ClearSpace(1); return nil })
	x.change(func(tx *Tx) error { return tx.Put(1, []byte("fresh"), Meta{}, []byte("v")) })
	x.close()
	report, _ := x.without(lost)
	wantLoss(t, report, lost+`: 2 records are lost, of 1 key: "fresh"; 1 change of keyspaces as a whole`)
	if w := strings.Join(report.Warnings(), "\n"); !strings.Contains(w, "may be as before") {
		t.Errorf("the warnings are %q", w)
	}
}
