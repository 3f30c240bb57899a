package engine

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// fillMany makes a collection of n elements at the key "many", in several data
// files, with values of many lengths, and returns what is in it.
func fillMany(t *testing.T, db *DB, n int) map[string]string {
	t.Helper()
	want := map[string]string{}
	inTx(t, db, func(tx *Tx) {
		if err := tx.PutCollection(0, []byte("many"), Meta{Tag: 1}, tx.NewCollection(OrderHash), nil); err != nil {
			t.Fatal(err)
		}
	})
	for from := 0; from < n; from += 100 {
		inTx(t, db, func(tx *Tx) {
			h, _ := tx.Get(0, []byte("many"))
			for i := from; i < from+100; i++ {
				sub, value := fmt.Sprintf("sub-%d", i), string(bytes.Repeat([]byte{byte(i)}, i%300))
				if _, err := tx.PutElement(h.Collection(), []byte(sub), []byte(value)); err != nil {
					t.Fatal(err)
				}
				want[sub] = value
			}
		})
	}
	return want
}

// readMany reads every element of the key "many" and counts those that fn is given
// correctly.
func readMany(t *testing.T, db *DB, want map[string]string, fetch *Fetch) (read int, err error) {
	t.Helper()
	tx := db.Begin(allShards(db), false)
	defer tx.Rollback()
	if fetch != nil {
		tx.NoWait(fetch)
	}
	h, _ := tx.Get(0, []byte("many"))
	err = tx.ReadMany(func() error {
		var e Element
		for cursor := h.Collection().Up(0); cursor.Next(&e); {
			value, err := tx.AppendElementValue(nil, &e)
			if err != nil {
				return err
			}
			if noted := fetch != nil && fetch.Cold(); !noted && string(value) != want[string(e.Subkey)] {
				t.Fatalf("the value of %s is %q, want %q", e.Subkey, value, want[string(e.Subkey)])
			}
			read++
		}
		return nil
	})
	return read, err
}

func TestReadMany(t *testing.T) {
	const n = 3000
	dir := t.TempDir()
	opt := Options{DataFileBytes: 64 << 10, MergeDeadBytes: -1}
	db := mustOpen(t, dir, opt)
	want := fillMany(t, db, n)
	for range 2 { // from files, their maps and the tail; then from files alone
		if read, err := readMany(t, db, want, nil); read != n || err != nil {
			t.Fatalf("%d elements are read, then %v, want %d", read, err, n)
		}
		// Whether the files are in memory is for the system to say: what it says is
		// not is noted, and zeros take its place.
		for _, pressed := range []bool{false, true} {
			var fetch Fetch
			db.residency.pressed.Store(pressed)
			_, err := readMany(t, db, want, &fetch)
			if err != nil && !errors.Is(err, ErrCold) {
				t.Fatalf("pressed %v: reads without waiting fail: %v", pressed, err)
			}
			fetch.Drop(db)
		}
		mustClose(t, db)
		db = mustOpen(t, dir, opt)
	}
	// The writes of the transaction itself.
	inTx(t, db, func(tx *Tx) {
		h, _ := tx.Get(0, []byte("many"))
		err := tx.ReadMany(func() error {
			for i := range 10 {
				sub := fmt.Appendf(nil, "sub-%d", 20+i)
				if _, err := tx.PutElement(h.Collection(), sub, []byte("another value")); err != nil {
					return err
				}
				e, _ := tx.GetElement(h.Collection(), sub)
				if got, err := tx.AppendElementValue(nil, &e); err != nil || string(got) != "another value" {
					return fmt.Errorf("%s is %q, %w", sub, got, err)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	mustClose(t, db)
}

func TestReadManyFromAFileThatWasCut(t *testing.T) {
	dir := t.TempDir()
	db := mustOpen(t, dir, Options{DataFileBytes: 64 << 10, MergeDeadBytes: -1})
	want := fillMany(t, db, 1000)
	if err := db.rotateAndSeal(); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(dir, dataFileName(1)), 4096); err != nil {
		t.Fatal(err)
	}
	if read, err := readMany(t, db, want, nil); read == 1000 || !errors.Is(err, ErrCorrupt) {
		t.Errorf("%d elements are read, then %v, want an ErrCorrupt", read, err)
	}
	if got := db.Stats().ChecksumErrors; got != 1 {
		t.Errorf("Stats counts %d, want 1", got)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

func TestReadManyLetsOtherPanicsGo(t *testing.T) {
	db := mustOpen(t, t.TempDir(), Options{})
	want := fillMany(t, db, 100)
	tx := db.Begin(allShards(db), false)
	func() {
		defer func() {
			if p := recover(); p != "a bug" {
				t.Errorf("ReadMany panics with %v", p)
			}
		}()
		err := tx.ReadMany(func() error { panic("a bug") })
		t.Errorf("ReadMany returns %v", err)
	}()
	tx.Rollback()
	if read, err := readMany(t, db, want, nil); read != 100 || err != nil {
		t.Errorf("after that %d elements are read, then %v", read, err)
	}
	mustClose(t, db)
}
