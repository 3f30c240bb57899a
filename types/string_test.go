package types

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestSetOptions(t *testing.T) {
	const ttl = testEpochMs + 5000
	tests := []struct {
		name   string
		has    bool // whether the key exists, with an expiry
		o      SetOptions
		done   bool
		wantMs int64 // expiry after; -2: no key
	}{
		{"new", false, SetOptions{}, true, -1},
		{"over", true, SetOptions{}, true, -1},
		{"expiry", false, SetOptions{ExpireMs: ttl + 1}, true, ttl + 1},
		{"keep", true, SetOptions{KeepTTL: true}, true, ttl},
		{"keep of none", false, SetOptions{KeepTTL: true}, true, -1},
		{"nx new", false, SetOptions{NX: true, ExpireMs: ttl}, true, ttl},
		{"nx over", true, SetOptions{NX: true}, false, ttl},
		{"xx new", false, SetOptions{XX: true}, false, -2},
		{"xx over", true, SetOptions{XX: true}, true, -1},
		{"in the past", true, SetOptions{ExpireMs: 1}, true, -2},
	}
	s := openTest(t, Options{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.update(0, func(tx *Tx) { tx.Keyspace().FlushDB() })
			want := "(nil)"
			if tt.has {
				want = "old"
				s.setOpt(0, "k", want, SetOptions{ExpireMs: ttl})
			}
			if got := s.setOpt(0, "k", "new", tt.o); got != tt.done {
				t.Errorf("Set returned %v, want %v", got, tt.done)
			}
			switch {
			case tt.wantMs == -2:
				want = "(nil)"
			case tt.done:
				want = "new"
			}
			s.reopen()
			s.want(0, "k", want)
			s.view(0, func(tx *Tx) {
				if got := tx.Keyspace().PExpireTime([]byte("k")); got != tt.wantMs {
					t.Errorf("expiry %d, want %d", got, tt.wantMs)
				}
			})
		})
	}
}

func TestMSetNX(t *testing.T) {
	s := openTest(t, Options{})
	pairs := func(words string) [][]byte { return bytes.Fields([]byte(words)) }
	s.update(0, func(tx *Tx) {
		if err := tx.String().MSet(pairs("a 1 b 2 a 3")); err != nil {
			t.Fatal(err)
		}
		if done, err := tx.String().MSetNX(pairs("c 1 b 5")); done || err != nil {
			t.Errorf("MSetNX over a key: %v, %v", done, err)
		}
		if done, err := tx.String().MSetNX(pairs("c 1 c 2")); !done || err != nil {
			t.Errorf("MSetNX: %v, %v", done, err)
		}
	})
	s.want(0, "a", "3")
	s.want(0, "b", "2")
	s.want(0, "c", "2")
}

func TestReexpire(t *testing.T) {
	s := openTest(t, Options{})
	s.set(0, "k", "v")
	check := func(atMs int64, persist bool, want int64) {
		t.Helper()
		s.update(0, func(tx *Tx) {
			tx.String().Reexpire([]byte("k"), atMs, persist)
			if got := tx.Keyspace().PExpireTime([]byte("k")); got != want {
				t.Errorf("expiry %d, want %d", got, want)
			}
		})
	}
	check(testEpochMs+100, false, testEpochMs+100)
	check(0, true, -1)
	check(testEpochMs-100, false, -2)
	check(testEpochMs+100, false, -2)
}

func TestIncrBy(t *testing.T) {
	tests := []struct {
		old   string
		delta int64
		want  string
		err   error
	}{
		{"(nil)", 5, "5", nil},
		{"10", -20, "-10", nil},
		{"9223372036854775806", 1, "9223372036854775807", nil},
		{"9223372036854775807", 1, "", ErrOverflow},
		{"-9223372036854775808", -1, "", ErrOverflow},
		{"-1", math.MinInt64, "", ErrOverflow},
		{"0", math.MinInt64, "-9223372036854775808", nil},
		{"abc", 1, "", ErrNotInteger},
		{"", 1, "", ErrNotInteger},
		{" 1", 1, "", ErrNotInteger},
		{"1 ", 1, "", ErrNotInteger},
		{"01", 1, "", ErrNotInteger},
		{"1.0", 1, "", ErrNotInteger},
		{"123456789012345678901", 1, "", ErrNotInteger},
		{string(pattern(20_000)), 1, "", ErrNotInteger},
	}
	s := openTest(t, Options{})
	for _, tt := range tests {
		s.update(0, func(tx *Tx) {
			key := []byte("k")
			tx.Keyspace().Del(key)
			want := tt.want
			if tt.old != "(nil)" {
				o := SetOptions{ExpireMs: testEpochMs + 777}
				if _, err := tx.String().Set(key, []byte(tt.old), o); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := tx.String().IncrBy(key, tt.delta); !errors.Is(err, tt.err) {
				t.Errorf("%.30q + %d: %v, want %v", tt.old, tt.delta, err, tt.err)
			}
			if tt.err != nil {
				want = tt.old
			}
			if got := getIn(t, tx, "k"); got != want {
				t.Errorf("%.30q + %d = %.30q, want %.30q", tt.old, tt.delta, got, want)
			}
			if got := tx.Keyspace().PExpireTime(key); tt.old != "(nil)" && got != testEpochMs+777 {
				t.Errorf("%.30q: the expiry is %d", tt.old, got)
			}
		})
	}
}

func TestIncrByFloat(t *testing.T) {
	s := openTest(t, Options{})
	tests := []struct {
		old, incr, want string
		err             error
	}{
		{"(nil)", "1.5", "1.5", nil},
		{"10.50", "0.1", "10.6", nil},
		{"5.0e3", "200", "5200", nil},
		{"abc", "1", "", ErrNotFloat},
		{"1", "abc", "", ErrNotFloat},
		{"1", " 1", "", ErrNotFloat},
		{"1", "inf", "", ErrNaN},
		{"inf", "1", "", ErrNaN},
		{"inf", "x", "", ErrNotFloat},
		{"1", "nan", "", ErrNotFloat},
		{string(pattern(20_000)), "1", "", ErrNotFloat},
	}
	for _, tt := range tests {
		s.update(0, func(tx *Tx) {
			tx.Keyspace().Del([]byte("k"))
			want := tt.want
			if tt.old != "(nil)" {
				if _, err := tx.String().Set([]byte("k"), []byte(tt.old), SetOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			got, err := tx.String().IncrByFloat([]byte("sum "), []byte("k"), []byte(tt.incr))
			if !errors.Is(err, tt.err) || string(got) != "sum "+tt.want {
				t.Errorf("%.30q + %q: %q, %v, want %q, %v", tt.old, tt.incr, got, err, tt.want, tt.err)
			}
			if tt.err != nil {
				want = tt.old
			}
			if got := getIn(t, tx, "k"); got != want {
				t.Errorf("%.30q + %q left %.30q, want %.30q", tt.old, tt.incr, got, want)
			}
		})
	}
}

func TestRangeOf(t *testing.T) {
	const value = "0123456789"
	edges := []int64{math.MinInt64, -11, -10, -9, -1, 0, 1, 9, 10, 11, math.MaxInt64}
	for _, start := range edges {
		for _, end := range edges {
			// GETRANGE in small steps: an index below the first becomes the first.
			want := ""
			from, to := start, end
			if from < 0 {
				from += 10
			}
			if to < 0 {
				to += 10
			}
			if start >= 0 || end >= 0 || start <= end {
				for i := range int64(10) {
					if i >= max(from, 0) && i <= max(to, 0) {
						want += value[i : i+1]
					}
				}
			}
			a, b := rangeOf(10, start, end)
			if got := value[a:b]; got != want {
				t.Errorf("[%d, %d] is %q, want %q", start, end, got, want)
			}
			if a, b := rangeOf(0, start, end); a != b {
				t.Errorf("[%d, %d] of an empty string is not empty", start, end)
			}
		}
	}
}

func TestLengthLimit(t *testing.T) {
	s := openTest(t, Options{MaxValueBytes: 100})
	s.set(0, "k", strings.Repeat("x", 100))
	s.update(0, func(tx *Tx) {
		v, key := tx.String(), []byte("k")
		check := func(name string, err error) {
			t.Helper()
			if !errors.Is(err, ErrTooLong) {
				t.Errorf("%s: %v, want %v", name, err, ErrTooLong)
			}
		}
		_, err := v.Append(key, []byte("x"))
		check("Append", err)
		_, err = v.Append([]byte("new"), make([]byte, 101))
		check("Append to a new key", err)
		_, err = v.SetRange(key, 100, []byte("x"))
		check("SetRange", err)
		_, err = v.SetRange(key, math.MaxInt64, []byte("x"))
		check("SetRange at the largest offset", err)
		_, err = v.Set(key, make([]byte, 101), SetOptions{})
		check("Set", err)
		check("MSet", v.MSet([][]byte{[]byte("a"), nil, []byte("b"), make([]byte, 101)}))
		if tx.Keyspace().Exists([]byte("a")) {
			t.Error("MSet failed and wrote a key")
		}
		if _, err := v.SetRange(key, -1, nil); !errors.Is(err, ErrOffset) {
			t.Errorf("SetRange at -1: %v, want %v", err, ErrOffset)
		}
		if n, err := v.SetRange(key, math.MaxInt64, nil); n != 100 || err != nil {
			t.Errorf("SetRange of nothing: %d, %v", n, err)
		}
		if n, err := v.SetRange([]byte("missing"), 50, nil); n != 0 || err != nil || tx.Keyspace().Exists([]byte("missing")) {
			t.Errorf("SetRange of nothing into nothing: %d, %v", n, err)
		}
	})
	s.SetMaxValueBytes(101)
	s.update(0, func(tx *Tx) {
		if n, err := tx.String().Append([]byte("k"), []byte("y")); n != 101 || err != nil {
			t.Errorf("Append with a higher limit: %d, %v", n, err)
		}
	})
}

// TestSetRangeFarBehindTheEnd: a hole costs neither memory nor disk.
func TestSetRangeFarBehindTheEnd(t *testing.T) {
	s := openTest(t, Options{})
	const offset = 500 << 20
	s.set(0, "k", "begin")
	s.update(0, func(tx *Tx) {
		if n, err := tx.String().SetRange([]byte("k"), offset, []byte("end")); n != offset+3 || err != nil {
			t.Fatalf("SetRange: %d, %v", n, err)
		}
	})
	s.reopen()
	s.view(0, func(tx *Tx) {
		if n, err := tx.String().Len([]byte("k")); n != offset+3 || err != nil {
			t.Errorf("Len: %d, %v", n, err)
		}
		for _, tt := range []struct {
			start, end int64
			want       string
		}{
			{0, 7, "begin\x00\x00\x00"},
			{-5, -1, "\x00\x00end"},
			{chunkBytes - 2, chunkBytes + 1, "\x00\x00\x00\x00"},
			{offset + 1, math.MaxInt64, "nd"},
		} {
			v, err := tx.String().GetRange([]byte("k"), tt.start, tt.end)
			if err != nil {
				t.Fatal(err)
			}
			got, err := v.AppendTo([]byte("> "))
			if err != nil || string(got) != "> "+tt.want {
				t.Errorf("[%d, %d]: %q, %v, want %q", tt.start, tt.end, got, err, tt.want)
			}
		}
	})
}

// TestStringModel does random commands on one string, small and large, and
// compares every reply and the value with a plain byte slice.
func TestStringModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := openTest(t, Options{})
		var model []byte
		exists := false
		key := []byte("k")
		// Sizes and offsets around the places where something changes.
		size := rapid.OneOf(
			rapid.IntRange(0, 20),
			rapid.IntRange(chunkBytes-3, chunkBytes+3),
			rapid.IntRange(2*chunkBytes-3, 2*chunkBytes+3),
			rapid.IntRange(0, 5*chunkBytes),
		)
		for range rapid.IntRange(1, 15).Draw(rt, "commands") {
			command := rapid.SampledFrom([]string{
				"set", "append", "setrange", "getrange", "del", "reopen", "rollback", "rename", "copy",
			}).Draw(rt, "command")
			n := size.Draw(rt, "size")
			offset := size.Draw(rt, "offset")
			switch command {
			case "set":
				model, exists = pattern(n), true
				s.set(0, "k", string(model))
			case "append":
				model, exists = append(bytes.Clone(model), pattern(n)...), true
				s.update(0, func(tx *Tx) {
					if got, err := tx.String().Append(key, pattern(n)); err != nil || got != int64(len(model)) {
						rt.Fatalf("Append: %d, %v, want %d", got, err, len(model))
					}
				})
			case "setrange":
				if n > 0 {
					model, exists = patched(model, offset, pattern(n)), true
				}
				s.update(0, func(tx *Tx) {
					if got, err := tx.String().SetRange(key, int64(offset), pattern(n)); err != nil || got != int64(len(model)) {
						rt.Fatalf("SetRange: %d, %v, want %d", got, err, len(model))
					}
				})
			case "getrange":
				from, to := rangeOf(int64(len(model)), int64(offset), int64(offset+n))
				s.view(0, func(tx *Tx) {
					v, err := tx.String().GetRange(key, int64(offset), int64(offset+n))
					if err != nil {
						rt.Fatal(err)
					}
					if got, err := v.AppendTo(nil); err != nil || !bytes.Equal(got, model[from:to]) {
						rt.Fatalf("GetRange %d+%d: wrong bytes, %v", offset, n, err)
					}
				})
			case "del":
				s.update(0, func(tx *Tx) { tx.Keyspace().Del(key) })
				model, exists = nil, false
			case "reopen":
				s.reopen()
			case "rollback":
				var set ShardSet
				s.AddKey(&set, key)
				tx := s.Begin(&set, true, 0)
				if _, err := tx.String().SetRange(key, int64(offset), pattern(n)); err != nil {
					rt.Fatal(err)
				}
				if _, err := tx.String().Append(key, pattern(n)); err != nil {
					rt.Fatal(err)
				}
				tx.Rollback()
			case "rename", "copy":
				if !exists {
					continue
				}
				s.update(0, func(tx *Tx) {
					other := []byte("other")
					if command == "copy" {
						if _, err := tx.Keyspace().Copy(key, other, 0, true); err != nil {
							rt.Fatal(err)
						}
						tx.Keyspace().Del(key)
					} else if _, err := tx.Keyspace().Rename(key, other, false); err != nil {
						rt.Fatal(err)
					}
					if _, err := tx.Keyspace().Rename(other, key, false); err != nil {
						rt.Fatal(err)
					}
				})
			}
			want := "(nil)"
			if exists {
				want = string(model)
			}
			if got := s.get(0, "k"); got != want {
				rt.Fatalf("after %s: %d bytes, want %d", command, len(got), len(want))
			}
			if err := s.wholeChunks("k"); err != nil {
				rt.Fatalf("after %s: %v", command, err)
			}
		}
	})
}

func patched(old []byte, offset int, part []byte) []byte {
	b := make([]byte, max(len(old), offset+len(part)))
	copy(b, old)
	copy(b[offset:], part)
	return b
}

func TestLCSCommand(t *testing.T) {
	s := openTest(t, Options{MaxValueBytes: 4 * 101 * 101})
	s.set(0, "a", "ohmytext")
	s.set(0, "b", "mynewtext")
	long := strings.Repeat("x", 100)
	s.set(0, "long", long)
	s.set(0, "longer", long+"y")
	s.view(0, func(tx *Tx) {
		v := tx.String()
		res, err := v.LCS([]byte("a"), []byte("b"), LCSOptions{})
		if err != nil || string(res.Seq) != "mytext" {
			t.Errorf("got %q, %v", res.Seq, err)
		}
		res, err = v.LCS([]byte("a"), []byte("b"), LCSOptions{LenOnly: true})
		if err != nil || res.Len != 6 || res.Seq != nil {
			t.Errorf("got %+v, %v", res, err)
		}
		res, err = v.LCS([]byte("missing"), []byte("b"), LCSOptions{Index: true})
		if err != nil || res.Len != 0 || res.Matches != nil {
			t.Errorf("missing key: %+v, %v", res, err)
		}
		if res, err = v.LCS([]byte("long"), []byte("long"), LCSOptions{}); err != nil || res.Len != 100 {
			t.Errorf("as large as allowed: %d, %v", res.Len, err)
		}
		if _, err = v.LCS([]byte("long"), []byte("longer"), LCSOptions{LenOnly: true}); !errors.Is(err, ErrLCSMemory) {
			t.Errorf("larger than allowed: %v", err)
		}
	})
}

// TestValueOutlivesOtherWrites: a Value is good until its own key is written.
func TestValueOutlivesOtherWrites(t *testing.T) {
	s := openTest(t, Options{})
	big := string(pattern(50_000))
	s.set(0, "k", big)
	s.update(0, func(tx *Tx) {
		v, _, err := tx.String().Get([]byte("k"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.String().Set([]byte("other"), []byte(big), SetOptions{}); err != nil {
			t.Fatal(err)
		}
		if got, err := v.AppendTo(nil); err != nil || string(got) != big {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	})
	s.clock.advance(time.Second)
}
