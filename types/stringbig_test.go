package types

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"bitkv/engine"
)

// wholeChunks checks that each chunk of a string is there, and long enough or empty.
func (s *testStore) wholeChunks(key string) error {
	var bad error
	s.view(0, func(tx *Tx) {
		v, _, err := tx.String().Get([]byte(key))
		c := v.head.Collection()
		if bad = err; err != nil || c == nil {
			return
		}
		for n := range (v.Len() + chunkBytes - 1) / chunkBytes {
			k := chunkKey(n)
			if e, ok := tx.eng.GetElement(c, k[:]); !ok || e.Size != 0 && e.Size != chunkLen(n, v.Len()) {
				bad = fmt.Errorf("chunk %d of a string of %d bytes: %v, of %d bytes", n, v.Len(), ok, e.Size)
			}
		}
	})
	return bad
}

// TestLostChunk: where a part of a string was lost with damage, nothing is made up for
// it. The other parts can be read, and what is written over the place is there.
func TestLostChunk(t *testing.T) {
	const length = 3*chunkBytes + 100
	for n, names := range [...]string{"first", "second", "third", "last"} {
		for _, short := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, short=%v", names, short), func(t *testing.T) { lostChunk(t, n, length, short) })
		}
	}
}

func lostChunk(t *testing.T, lost, length int, short bool) {
	t.Helper()
	s, key, chunk := openTest(t, Options{}), []byte("k"), chunkKey(lost)
	value := pattern(length)
	s.set(0, "k", string(value))
	s.update(0, func(tx *Tx) {
		v, _, err := tx.String().Get(key)
		if err != nil {
			t.Fatal(err)
		}
		if !tx.eng.DeleteElement(v.head.Collection(), chunk[:]) {
			t.Fatal("there is no such chunk")
		}
		if short { // what an older transaction wrote
			if _, err := tx.eng.PutElement(v.head.Collection(), chunk[:], value[:10]); err != nil {
				t.Fatal(err)
			}
		}
	})
	corrupt := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, engine.ErrCorrupt) {
			t.Errorf("%s: %v, want ErrCorrupt", what, err)
		}
	}
	at := int64(lost * chunkBytes)
	s.view(0, func(tx *Tx) {
		v, _, err := tx.String().Get(key)
		if err != nil {
			t.Fatal(err)
		}
		_, err = v.AppendTo(nil)
		corrupt("Get", err)
		part := v.Slice(lost*chunkBytes+20, lost*chunkBytes+50)
		_, err = part.AppendTo(nil)
		corrupt("GetRange", err)
		_, err = v.BitCount(BitRange{End: -1})
		corrupt("BitCount", err)
		_, err = tx.String().GetBit(key, 8*(at+30))
		corrupt("GetBit", err)
		for n := range 4 {
			if n == lost {
				continue
			}
			part := v.Slice(n*chunkBytes+20, n*chunkBytes+50)
			if b, err := part.AppendTo(nil); err != nil || !bytes.Equal(b, value[n*chunkBytes+20:n*chunkBytes+50]) {
				t.Errorf("part %d: %q, %v", n, b, err)
			}
		}
	})
	for what, change := range map[string]func(tx *Tx) error{
		"Copy":     func(tx *Tx) error { _, err := tx.Keyspace().Copy(key, []byte("to"), 0, true); return err },
		"SetRange": func(tx *Tx) error { _, err := tx.String().SetRange(key, at+30, []byte("x")); return err },
		"SetBit":   func(tx *Tx) error { _, err := tx.String().SetBit(key, 8*(at+30), true); return err },
		"BitOp":    func(tx *Tx) error { _, err := tx.String().BitOp(BitNot, []byte("to"), [][]byte{key}); return err },
	} {
		var set ShardSet
		s.AddKey(&set, key)
		s.AddKey(&set, []byte("to"))
		tx := s.Begin(&set, true, 0)
		corrupt(what, change(tx))
		tx.Rollback()
	}
	s.update(0, func(tx *Tx) {
		if _, err := tx.String().SetRange(key, at, pattern(length)[at:min(int(at)+chunkBytes, length)]); err != nil {
			t.Errorf("writing over the place: %v", err)
		}
	})
	if got := s.get(0, "k"); got != string(value) {
		t.Error("the string is not what was written")
	}
}
