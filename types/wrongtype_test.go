package types

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"bitkv/engine"
)

// putRaw writes the head of key k as no command of this package would.
func putRaw(t *testing.T, tx *Tx, tag uint8, value []byte) {
	t.Helper()
	if err := tx.eng.Put(keySpace(tx.db), []byte("k"), engine.Meta{Tag: tag}, value); err != nil {
		t.Fatal(err)
	}
}

func TestWrongType(t *testing.T) {
	s := openTest(t, Options{})
	key := []byte("k")
	commands := []struct {
		name string
		run  func(v String) error
	}{
		{"Get", func(v String) error { _, _, err := v.Get(key); return err }},
		{"Len", func(v String) error { _, err := v.Len(key); return err }},
		{"GetRange", func(v String) error { _, err := v.GetRange(key, 0, 1); return err }},
		{"SetRange", func(v String) error { _, err := v.SetRange(key, 0, []byte("x")); return err }},
		{"SetRange of nothing", func(v String) error { _, err := v.SetRange(key, 0, nil); return err }},
		{"Append", func(v String) error { _, err := v.Append(key, nil); return err }},
		{"IncrBy", func(v String) error { _, err := v.IncrBy(key, 1); return err }},
		{"IncrByFloat", func(v String) error { _, err := v.IncrByFloat(nil, key, []byte("1")); return err }},
	}
	for tag, name := range map[uint8]string{tagHash: "hash", tagList: "list", tagSet: "set", tagZSet: "zset", 9: "unknown"} {
		s.update(0, func(tx *Tx) {
			putRaw(t, tx, tag, []byte("some value"))
			if got := tx.Keyspace().Type(key); got != name {
				t.Errorf("tag %d: type %q, want %q", tag, got, name)
			}
			for _, c := range commands {
				if err := c.run(tx.String()); !errors.Is(err, ErrWrongType) {
					t.Errorf("%s of a %s: %v, want %v", c.name, name, err, ErrWrongType)
				}
			}
			if _, err := tx.String().LCS(key, []byte("missing"), LCSOptions{}); !errors.Is(err, ErrLCSType) {
				t.Errorf("LCS of a %s: %v", name, err)
			}
			if _, err := tx.String().Set(key, []byte("v"), SetOptions{}); err != nil || tx.Keyspace().Type(key) != "string" {
				t.Errorf("Set over a %s: %v", name, err)
			}
		})
	}
}

// TestDamagedBigString: a head that names a collection and has no length, or an
// impossible one, is an error and not a crash.
func TestDamagedBigString(t *testing.T) {
	s := openTest(t, Options{})
	for _, value := range [][]byte{nil, []byte("short"), bytes.Repeat([]byte{0xff}, 8), bytes.Repeat([]byte{1}, 9)} {
		s.update(0, func(tx *Tx) {
			c := tx.eng.NewCollection(engine.OrderBytes)
			if err := tx.eng.PutCollection(0, []byte("k"), engine.Meta{Tag: tagString}, c, value); err != nil {
				t.Fatal(err)
			}
			if _, _, err := tx.String().Get([]byte("k")); !errors.Is(err, ErrCorrupt) {
				t.Errorf("length %x: %v, want %v", value, err, ErrCorrupt)
			}
			if _, err := tx.String().Append([]byte("k"), []byte("x")); !errors.Is(err, ErrCorrupt) {
				t.Errorf("length %x: Append: %v, want %v", value, err, ErrCorrupt)
			}
			if !tx.Keyspace().Del([]byte("k")) {
				t.Error("the damaged key cannot be deleted")
			}
		})
	}
}

// TestExpiryFailureIsLoggedOnce until it works again.
func TestExpiryFailureIsLoggedOnce(t *testing.T) {
	var out strings.Builder
	s := openTest(t, Options{Engine: engine.Options{Logger: slog.New(slog.NewTextHandler(&out, nil))}})
	for _, tt := range []struct {
		err  error
		want int // lines so far
	}{
		{ErrNoSpace, 1}, {ErrNoSpace, 1}, {nil, 1}, {ErrFailed, 2}, {nil, 2}, {ErrClosed, 2},
	} {
		if got := s.expiry.report(tt.err); got != (tt.err != nil) {
			t.Errorf("report(%v) = %v", tt.err, got)
		}
		if got := strings.Count(out.String(), "expired keys cannot be removed"); got != tt.want {
			t.Errorf("after %v: %d lines, want %d", tt.err, got, tt.want)
		}
	}
}
