package engine

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// collect returns the keys from where the iterator is on.
func collect(t *testing.T, it *Iterator) (keys []string) {
	t.Helper()
	for ; it.Valid(); it.Next() {
		keys = append(keys, string(it.Key()))
		if value, err := it.Value(); err != nil || string(value) != "value of "+string(it.Key()) {
			t.Errorf("value of %q: got %q, %v", it.Key(), value, err)
		}
	}
	if err := it.Err(); err != nil {
		t.Error(err)
	}
	return keys
}

func TestIteratorAgainstSortedSlice(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, index := range []IndexType{IndexART, IndexPlar} {
		opt := testOptions()
		opt.Index = index
		db := mustOpen(t, t.TempDir(), opt)
		var all []string
		for range 1500 {
			key := make([]byte, rng.IntN(4))
			for i := range key {
				key[i] = "ab\x00\xff"[rng.IntN(4)]
			}
			all = append(all, string(key))
		}
		slices.Sort(all)
		all = slices.Compact(all)
		for _, key := range all {
			if err := db.Put([]byte(key), []byte("value of "+key)); err != nil {
				t.Fatal(err)
			}
		}
		for _, prefix := range []string{"", "a", "\xff", "\xff\xff", "ab", "b\x00", "zz"} {
			for _, reverse := range []bool{false, true} {
				it := db.NewIterator(IteratorOptions{Prefix: []byte(prefix), Reverse: reverse})
				want := slices.DeleteFunc(slices.Clone(all), func(k string) bool { return !strings.HasPrefix(k, prefix) })
				if reverse {
					slices.Reverse(want)
				}
				it.Rewind()
				if got := collect(t, it); !slices.Equal(got, want) {
					t.Errorf("%s prefix %q reverse %v: got %q, want %q", index, prefix, reverse, got, want)
				}
				for _, seek := range []string{"", "a", "ab", "b", "b\x00\xff", "\xff\xff\xff\xff", "c"} {
					rest := slices.DeleteFunc(slices.Clone(want), func(k string) bool { return !reverse && k < seek || reverse && k > seek })
					it.Seek([]byte(seek))
					if got := collect(t, it); !slices.Equal(got, rest) {
						t.Errorf("%s prefix %q reverse %v seek %q: got %q, want %q", index, prefix, reverse, seek, got, rest)
					}
				}
				it.Close()
			}
		}
		mustClose(t, db)
	}
}

func TestIteratorWhileKeysChange(t *testing.T) {
	db := mustOpen(t, t.TempDir(), testOptions())
	defer mustClose(t, db)
	for i := range 1000 {
		for _, kind := range []string{"stays", "goes"} {
			key := fmt.Sprintf("%04d-%s", i, kind)
			if err := db.Put([]byte(key), []byte("value of "+key)); err != nil {
				t.Fatal(err)
			}
		}
	}
	var met []string
	it := db.NewIterator(IteratorOptions{})
	for it.Rewind(); it.Valid(); it.Next() {
		i := len(met)
		if strings.HasSuffix(string(it.Key()), "stays") {
			met = append(met, string(it.Key()))
		}
		for _, err := range []error{
			db.Delete(fmt.Appendf(nil, "%04d-goes", (i*37)%1000)),
			db.Put(fmt.Appendf(nil, "%04d-comes", (i*53)%1000), []byte("new")),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(met) != 1000 || !slices.IsSorted(met) {
		t.Errorf("%d keys that stay were met, want 1000 in order", len(met))
	}
}

func TestIteratorSkipsExpiredAndEndsAtClose(t *testing.T) {
	now := clockAt(1000)
	opt := testOptions()
	opt.NowMs = now.Load
	db := mustOpen(t, t.TempDir(), opt)
	for i := range 10 {
		key := fmt.Sprint(i)
		if err := db.PutExpire([]byte(key), []byte("value of "+key), 995+int64(i)); err != nil {
			t.Fatal(err)
		}
	}
	it := db.NewIterator(IteratorOptions{})
	it.Rewind()
	if got, want := collect(t, it), []string{"6", "7", "8", "9"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if _, err := db.Get([]byte("5")); !errors.Is(err, ErrNotFound) {
		t.Errorf("an expired key: got %v", err)
	}
	it.Rewind()
	now.Store(1002)
	if _, err := it.Value(); !errors.Is(err, ErrNotFound) {
		t.Errorf("a key that expired at the iterator: got %v", err)
	}
	mustClose(t, db)
	it.Next()
	if it.Valid() || !errors.Is(it.Err(), ErrClosed) {
		t.Errorf("after Close: valid %v, %v", it.Valid(), it.Err())
	}
}

func TestListKeysAndFold(t *testing.T) {
	db := mustOpen(t, t.TempDir(), testOptions())
	defer mustClose(t, db)
	for _, key := range []string{"b", "a", "c"} {
		if err := db.Put([]byte(key), []byte("value of "+key)); err != nil {
			t.Fatal(err)
		}
	}
	keys, err := db.ListKeys()
	if got := fmt.Sprintf("%s", keys); err != nil || got != "[a b c]" {
		t.Errorf("ListKeys: got %s, %v", got, err)
	}
	stop := errors.New("stop")
	got := ""
	err = db.Fold(func(key, value []byte) error {
		got += fmt.Sprintf("%s=%s ", key, value)
		if string(key) == "b" {
			return stop
		}
		return nil
	})
	if want := "a=value of a b=value of b "; got != want || !errors.Is(err, stop) {
		t.Errorf("Fold: got %q, %v, want %q", got, err, want)
	}
}

func TestBatch(t *testing.T) {
	dir := t.TempDir()
	db := mustOpen(t, dir, testOptions())
	b := db.NewBatch(BatchOptions{MaxBytes: 100, Sync: true})
	if err := b.Commit(); err != nil {
		t.Errorf("an empty batch: %v", err)
	}
	steps := []error{
		b.Put([]byte("one"), []byte("1")), b.Put([]byte("two"), []byte("2")), b.Delete([]byte("one")),
		b.PutExpire([]byte("three"), []byte("3"), 1), b.Put([]byte("two"), []byte("22")),
	}
	if err := errors.Join(steps...); err != nil {
		t.Fatal(err)
	}
	if err := b.Put([]byte("large"), make([]byte, 100)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("over the limit: got %v", err)
	}
	if b.Len() != 5 || b.Bytes() != 22 {
		t.Errorf("got %d writes of %d bytes", b.Len(), b.Bytes())
	}
	if _, err := db.Get([]byte("two")); !errors.Is(err, ErrNotFound) {
		t.Errorf("before Commit: got %v", err)
	}
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	if s := db.Stats(); s.SyncedSeq != s.EndSeq || b.Len() != 0 {
		t.Errorf("synced up to %d of %d, %d writes left", s.SyncedSeq, s.EndSeq, b.Len())
	}
	want := dumpDB(t, db)
	mustClose(t, db)
	if err := b.Put([]byte("x"), nil); err != nil {
		t.Fatal(err)
	}
	if err := b.Commit(); !errors.Is(err, ErrClosed) || b.Len() != 1 {
		t.Errorf("after Close: got %v, %d writes left", err, b.Len())
	}
	db = mustOpen(t, dir, testOptions())
	if got := dumpDB(t, db); got != want {
		t.Errorf("after reopening:\n%s\nwant:\n%s", got, want)
	}
	mustClose(t, db)
}
