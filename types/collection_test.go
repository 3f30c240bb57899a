package types

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// entries returns what a key holds, in order, as "subkey=value".
func entriesOf(tb testing.TB, tx *Tx, key string, tag uint8) (list []string) {
	tb.Helper()
	c, err := tx.openRead([]byte(key), tag)
	if err != nil {
		tb.Fatal(err)
	}
	err = c.each(func(subkey []byte, v *Item) error {
		value, err := v.AppendTo(nil)
		if len(value) != v.Len() {
			tb.Errorf("%q: Len is %d, but %d bytes were read", subkey, v.Len(), len(value))
		}
		list = append(list, string(subkey)+"="+string(value))
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return list
}

// fill puts n entries into a Hash or Set and returns what each should give.
func fill(tb testing.TB, tx *Tx, key string, tag uint8, n, valueBytes int) (want []string) {
	tb.Helper()
	c, err := tx.openWrite([]byte(key), tag)
	if err != nil {
		tb.Fatal(err)
	}
	for i := range n {
		name, value := fmt.Sprintf("name%d", i), ""
		if tag == tagHash {
			value = strings.Repeat(strconv.Itoa(i%10), valueBytes)
		}
		if isNew, err := c.put([]byte(name), []byte(value)); err != nil || !isNew {
			tb.Fatalf("put %q: new %v, %v", name, isNew, err)
		}
		want = append(want, name+"="+value)
	}
	if c.len() != n {
		tb.Fatalf("%d entries, want %d", c.len(), n)
	}
	if err := c.finish(int64(n), "hset"); err != nil {
		tb.Fatal(err)
	}
	return want
}

func isSmall(tx *Tx, key string) bool {
	h, ok := tx.eng.Get(keySpace(tx.db), []byte(key))
	return ok && h.Collection() == nil
}

// TestForms: both forms give back what was put in, also after a restart; the
// small one in the order of insertion.
func TestForms(t *testing.T) {
	s := openTest(t, Options{})
	limit := packedMaxEntries
	cases := []struct {
		name       string
		tag        uint8
		n, size    int
		limit      int64
		wantsSmall bool
	}{
		{"one field", tagHash, 1, 0, 512, true},
		{"full hash", tagHash, limit, 10, 512, true},
		{"one field more", tagHash, limit + 1, 10, 512, false},
		{"full bytes", tagHash, 4, 1000, 512, true},
		{"more bytes", tagHash, 5, 1000, 512, false},
		{"settings ask for more bytes", tagHash, 9, 8000, 1 << 40, true},
		{"not for so many", tagHash, 40, 8000, 1 << 40, false},
		{"settings forbid", tagHash, 1, 0, 0, false},
		{"settings allow two", tagHash, 2, 0, 2, true},
		{"settings allow two, three", tagHash, 3, 0, 2, false},
		{"one member", tagSet, 1, 0, 512, true},
		{"full set", tagSet, packedMaxBytes / 10, 0, 512, true},
		{"large set", tagSet, 3000, 0, 5000, false},
	}
	want := map[string][]string{}
	for _, tt := range cases {
		l := defaultCollectionLimits()
		l.HashEntries, l.SetInts = tt.limit, tt.limit
		if tt.limit > 1<<30 {
			l.HashValue = tt.limit
		}
		s.SetCollectionLimits(l)
		s.update(0, func(tx *Tx) { want[tt.name] = fill(t, tx, tt.name, tt.tag, tt.n, tt.size) })
	}
	check := func(when string) {
		s.view(0, func(tx *Tx) {
			for _, tt := range cases {
				got, want := entriesOf(t, tx, tt.name, tt.tag), slices.Clone(want[tt.name])
				if isSmall(tx, tt.name) != tt.wantsSmall {
					t.Errorf("%s: %s: small is %v", when, tt.name, !tt.wantsSmall)
				}
				if !tt.wantsSmall {
					slices.Sort(got)
					slices.Sort(want)
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s: %s: %.300q, want %.300q", when, tt.name, got, want)
				}
			}
		})
	}
	check("at once")
	s.reopen()
	check("after a restart")
}

// TestEmptiedCollections are gone, and say so.
func TestEmptiedCollections(t *testing.T) {
	var events []string
	s := openTest(t, Options{OnEvent: func(e Event) { events = append(events, e.Name) }})
	s.SetEvents(EventHash | EventGeneric | EventNew)
	for _, n := range []int{3, 300} {
		events = nil
		s.update(0, func(tx *Tx) { fill(t, tx, "h", tagHash, n, 1) })
		s.update(0, func(tx *Tx) {
			c, err := tx.openWrite([]byte("h"), tagHash)
			if err != nil {
				t.Fatal(err)
			}
			for i := range n {
				if !c.remove(fmt.Appendf(nil, "name%d", i)) || c.remove([]byte("missing")) {
					t.Fatal("remove is wrong")
				}
			}
			if err := c.finish(int64(n), "hdel"); err != nil {
				t.Fatal(err)
			}
		})
		if want := []string{"new", "hset", "hdel", "del"}; !slices.Equal(events, want) {
			t.Errorf("%d fields: events %q, want %q", n, events, want)
		}
		if s.Size(0) != 0 {
			t.Errorf("%d fields: the key is still there", n)
		}
	}
	if n := s.Stats().Dirty; n != 606 {
		t.Errorf("%d changes, want 606", n)
	}
}

// TestRolledBackGrowth: a transaction that made a small collection large and then
// failed leaves the small one.
func TestRolledBackGrowth(t *testing.T) {
	s := openTest(t, Options{})
	var want []string
	s.update(0, func(tx *Tx) { want = fill(t, tx, "h", tagHash, 100, 1) })
	var set ShardSet
	s.AddAll(&set)
	tx := s.Begin(&set, true, 0)
	c, err := tx.openWrite([]byte("h"), tagHash)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		if _, err := c.put(fmt.Appendf(nil, "more%d", i), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.finish(100, "hset"); err != nil {
		t.Fatal(err)
	}
	if isSmall(tx, "h") {
		t.Error("still small")
	}
	tx.Rollback()
	s.view(0, func(tx *Tx) {
		if got := entriesOf(t, tx, "h", tagHash); !slices.Equal(got, want) || !isSmall(tx, "h") {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// TestCreateReplaces: a result takes the place of a key of any type, its expiry
// included; an empty one deletes it.
func TestCreateReplaces(t *testing.T) {
	s := openTest(t, Options{})
	build := func(tx *Tx, key string, n int) {
		c := tx.create([]byte(key), tagSet)
		for i := range n {
			if _, err := c.put(fmt.Appendf(nil, "m%d", i), nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.replace("sinterstore"); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range []int{0, 2, 2000} {
		s.setOpt(0, "k", "text", SetOptions{ExpireMs: testEpochMs + 1000})
		s.update(0, func(tx *Tx) {
			build(tx, "k", n)
			build(tx, "other", n)
			for _, key := range []string{"k", "other"} {
				h, ok := tx.eng.Get(0, []byte(key))
				if ok != (n > 0) || h.ExpireMs != 0 || ok && len(entriesOf(t, tx, key, tagSet)) != n {
					t.Errorf("%d members, %s: %+v, %v", n, key, h, ok)
				}
			}
		})
	}
}

// TestCollectionsInTheKeyspace: COPY, RENAME, MOVE, TYPE, SCAN TYPE, OBJECT and
// DEBUG DIGEST of both forms of every type.
func TestCollectionsInTheKeyspace(t *testing.T) {
	s := openTest(t, Options{})
	s.update(0, func(tx *Tx) {
		for _, n := range []int{3, 300} {
			fill(t, tx, "hash"+strconv.Itoa(n), tagHash, n, 20)
			fill(t, tx, "set"+strconv.Itoa(n*3), tagSet, n*3, 0)
			fillOrdered(t, tx, "list"+strconv.Itoa(n), tagList, n)
			fillOrdered(t, tx, "zset"+strconv.Itoa(n), tagZSet, n)
		}
		k := tx.Keyspace()
		for key, tag := range map[string]uint8{
			"hash3": tagHash, "hash300": tagHash, "set9": tagSet, "set900": tagSet,
			"list3": tagList, "list300": tagList, "zset3": tagZSet, "zset300": tagZSet,
		} {
			checkKeyspace(t, tx, k, key, tag)
		}
	})
}

// fillOrdered puts n entries into a List or ZSet, with what is known of them here.
func fillOrdered(tb testing.TB, tx *Tx, key string, tag uint8, n int) {
	tb.Helper()
	c, err := tx.openWrite([]byte(key), tag)
	if err != nil {
		tb.Fatal(err)
	}
	for i := range n {
		score := encodeScore(float64(i))
		items := [][]byte{fmt.Appendf(nil, "name%d", i), score[:]}[:c.kind.stride]
		if err := c.makeRoom(1, 30); err != nil {
			tb.Fatal(err)
		}
		switch {
		case c.big == nil:
			c.small.replace(len(c.small.buf), 0, items...)
		case tag == tagList:
			position := listKey(listOrigin + listGap*uint64(i))
			_, err = tx.eng.PutElement(c.big, position[:], items[0])
		default:
			_, err = tx.eng.PutElement(c.big, items[0], items[1])
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	if err := c.finish(int64(n), "push"); err != nil {
		tb.Fatal(err)
	}
}

func checkKeyspace(t *testing.T, tx *Tx, k Keyspace, key string, tag uint8) {
	t.Helper()
	name := kinds[tag].name
	if got := k.Type([]byte(key)); got != name {
		t.Errorf("%s: type %q", key, got)
	}
	if isSmall(tx, key) != (strings.HasSuffix(key, "3") || key == "set9") {
		t.Errorf("%s: small is %v", key, isSmall(tx, key))
	}
	encoding, ok, err := k.Encoding([]byte(key))
	if want := map[uint8]string{tagHash: "listpack", tagSet: "intset", tagList: "quicklist", tagZSet: "listpack"}[tag]; encoding != want || !ok || err != nil {
		t.Errorf("%s: encoding %q, %v, %v; want %q", key, encoding, ok, err, want)
	}
	want, wantList := digestOf(t, k, key), entriesOf(t, tx, key, tag)
	all, _ := k.MemoryUsage([]byte(key), 0)
	if some, ok := k.MemoryUsage([]byte(key), 5); !ok || some > 2*all || some < all/2 {
		t.Errorf("%s: memory %d by samples, %d by all", key, some, all)
	}
	for _, do := range []func() (bool, error){
		func() (bool, error) { return k.Copy([]byte(key), []byte("copy"), 0, true) },
		func() (bool, error) { return k.Rename([]byte("copy"), []byte("moved"), false) },
		func() (bool, error) { return k.Move([]byte("moved"), 1) },
	} {
		if done, err := do(); !done || err != nil {
			t.Errorf("%s: %v, %v", key, done, err)
		}
	}
	tx.SetDB(1)
	if got := digestOf(t, k, "moved"); got != want {
		t.Errorf("%s: digest %x, of the copy %x", key, want, got)
	}
	if got := entriesOf(t, tx, "moved", tag); !slices.Equal(got, wantList) {
		t.Errorf("%s: the copy is %.200q, want %.200q", key, got, wantList)
	}
	k.Scan(0, ScanOptions{Type: name, Count: 1000}, func(key []byte) {
		if string(key) != "moved" {
			t.Errorf("SCAN TYPE %s found %q", name, key)
		}
	})
	k.Del([]byte("moved"))
	tx.SetDB(0)
}

func digestOf(t *testing.T, k Keyspace, key string) [20]byte {
	t.Helper()
	sum, err := k.DigestValue([]byte(key))
	if err != nil {
		t.Error(err)
	}
	return sum
}

// TestDamagedCollections: heads that no command writes are errors.
func TestDamagedCollections(t *testing.T) {
	s := openTest(t, Options{})
	key := []byte("k")
	s.update(0, func(tx *Tx) {
		for _, tag := range []uint8{tagHash, tagZSet} {
			putRaw(t, tx, tag, []byte("\x01a\x01b\x01c"))
			if _, err := tx.openRead(key, tag); !errors.Is(err, ErrCorrupt) {
				t.Errorf("tag %d: openRead: %v", tag, err)
			}
			if _, err := tx.Keyspace().DigestValue(key); !errors.Is(err, ErrCorrupt) {
				t.Errorf("tag %d: digest: %v", tag, err)
			}
		}
		putRaw(t, tx, tagZSet, []byte("\x01a\x01b"))
		if _, err := tx.Keyspace().DigestValue(key); !errors.Is(err, ErrCorrupt) {
			t.Errorf("a score of one byte: digest: %v", err)
		}
		putRaw(t, tx, 9, bytes.Repeat([]byte("x"), 20))
		if _, err := tx.openWrite(key, tagHash); !errors.Is(err, ErrWrongType) {
			t.Errorf("an unknown type: %v", err)
		}
		if _, _, err := tx.Keyspace().Encoding(key); !errors.Is(err, ErrCorrupt) {
			t.Errorf("the encoding of an unknown type: %v", err)
		}
	})
}
