package types

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestDumpCRC(t *testing.T) {
	if got := dumpCRC([]byte("123456789")); got != 0xe9c6d914c4b8d9ca {
		t.Errorf("got %x", got)
	}
}

// footer ends a payload in hexadecimal.
func footer(tb testing.TB, text string, version uint16) []byte {
	tb.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		tb.Fatal(err)
	}
	return sealDump(b, version)
}

func sealDump(b []byte, version uint16) []byte {
	b = binary.LittleEndian.AppendUint16(bytes.Clone(b), version)
	return binary.LittleEndian.AppendUint64(b, dumpCRC(b))
}

// contents lists what a payload holds.
func contents(payload []byte) (list []string, err error) {
	body, err := checkDump(payload)
	if err != nil {
		return nil, err
	}
	v, err := newRDBValue(body, 1<<20)
	if err != nil {
		return nil, err
	}
	err = v.each(func(e *rdbEntry) error {
		text := string(e.value)
		switch v.tag {
		case tagHash:
			text = string(e.key) + "=" + text
			if e.expireMs != 0 {
				text += fmt.Sprint("@", e.expireMs)
			}
		case tagSet:
			text = string(e.key)
		case tagZSet:
			text = fmt.Sprint(string(e.key), "=", e.score)
		}
		list = append(list, text)
		return nil
	})
	return list, err
}

// printable is a text with escapes for what cannot be seen.
func printable(s string) string {
	q := strconv.Quote(s)
	return q[1 : len(q)-1]
}

// TestRDBValues reads every encoding that Redis has written since 2.
func TestRDBValues(t *testing.T) {
	tests := []struct{ name, payload, want string }{
		{"string", "0003666f6f", "[foo]"},
		{"empty string", "0000", "[]"},
		{"int8", "00c0ff", "[-1]"},
		{"int16", "00c10080", "[-32768]"},
		{"int32", "00c2ffffff7f", "[2147483647]"},
		{"length of 14 bits", "004003666f6f", "[foo]"},
		{"length of 32 bits", "008000000003666f6f", "[foo]"},
		{"length of 64 bits", "00810000000000000003666f6f", "[foo]"},
		{"compressed", "00c3050a" + "0061e00000", "[aaaaaaaaaa]"},
		{"bytes behind a string", "00016162", "[a]"},
		{"list", "01020161c005", "[a 5]"},
		{"set", "02020161c005", "[a 5]"},
		{"bytes behind a set", "02020161c005" + "026162", "[a 5]"},
		{"zset in text", "0302016103312e35" + "0162ff", "[a=1.5 b=-Inf]"},
		{"zset", "05010161000000000000f83f", "[a=1.5]"},
		{"hash", "040101610162", "[a=b]"},
		{"zipmap with room", "090a" + "01" + "0161" + "0202" + "7879" + "0000" + "ff", "[a=xy]"},
		{"bytes behind an intset", "0b0a" + "02000000" + "01000000" + "ffff" + "00", "[-1]"},
		{"intset of 2 bytes", "0b0c" + "02000000" + "02000000" + "ffff" + "0500", "[-1 5]"},
		{"intset of 4 bytes", "0b0c" + "04000000" + "01000000" + "00000080", "[-2147483648]"},
		{"intset of 8 bytes", "0b10" + "08000000" + "01000000" + "0000000000000080", "[-9223372036854775808]"},
		{"ziplist", "0a13" + "13000000" + "0f000000" + "0300" + "000161" + "03f2" + "02fe80" + "ff", "[a 1 -128]"},
		{"quicklist", "0e020e" + "0e000000" + "0a000000" + "0100" + "000161" + "ff" + "0b" + "0b000000" + "0a000000" + "0000" + "ff", "[a]"},
		{"quicklist 2", "1202" + "010178" + "020a" + "0a000000" + "0100" + "816102" + "ff", "[x a]"},
		{"hash listpack", "100d" + "0d000000" + "0200" + "816102" + "816202" + "ff", "[a=b]"},
		{"zset listpack", "110c" + "0c000000" + "0200" + "816102" + "0301" + "ff", "[a=3]"},
		{"set listpack", "140c" + "0c000000" + "0200" + "816102" + "0501" + "ff", "[a 5]"},
		{"listpack integers", "1422" + "22000000" + "0600" + "dfff02" + "f1008003" + "f200008004" + "f30000008005" +
			"7f01" + "850102030405" + "06" + "ff", `[-1 -32768 -8388608 -2147483648 127 \x01\x02\x03\x04\x05]`},
		{"hash with expiries", "18e803000000000000" + "02" + "0101610162" + "0001630164", "[a=b@1000 c=d]"},
		{"hash with old expiries", "1601" + "43e8" + "01610162", "[a=b@1000]"},
		{"hash listpack with expiries", "19e803000000000000" + "18" + "18000000" + "0600" + "816102" + "816202" +
			"c3e802" + "816302" + "816402" + "0001" + "ff", "[a=b@1000 c=d]"},
	}
	// What is damaged and still has a meaning has the same as in Redis.
	tests = append(tests, []struct{ name, payload, want string }{
		{"a string into the version", "000361", `[a\t\x00]`},
		{"an integer into the version", "00c2ffff", "[655359]"},
		{"a field whose value is the version", "04010161", `[a=\x00\x9c)\xcei\x83q\x85\xc3]`},
		{"compression to nothing", "00c30100" + "61", "[]"},
		{"an encoding in the place of a count", "01c20161" + "0162", "[a b]"},
		{"intset out of order", "0b0e" + "02000000" + "03000000" + "0500" + "0100" + "0300", "[5 1 3]"},
	}...)
	for _, tt := range tests {
		got, err := contents(footer(t, tt.payload, 9))
		if text := printable(fmt.Sprint(got)); err != nil || text != tt.want {
			t.Errorf("%s: %s, %v; want %s", tt.name, text, err, tt.want)
		}
	}
}

// TestRDBDamage: payloads with a right checksum that lie.
func TestRDBDamage(t *testing.T) {
	tests := []struct{ name, payload string }{
		{"nothing", ""},
		{"a type that is not known", "1e0161"},
		{"a stream", "0f00"},
		{"a module", "070000"},
		{"a string over the end of the payload", "001061"},
		{"a string of 16 EiB", "0081ffffffffffffffff61"},
		{"a string encoding that is not known", "00c4"},
		{"a length that is none", "008261"},
		{"a list of nothing", "0100"},
		{"a list of too many", "01800fffffff0161"},
		{"a set of nothing", "0200"},
		{"a member twice", "020201610161"},
		{"a member twice, once as an integer", "0202c0050135"},
		{"a field twice", "040201610162" + "01610163"},
		{"a score that is no number", "05010161000000000000f87f"},
		{"a score in text that is no number", "03010161fd"},
		{"a score in text that is nonsense", "030101610278" + "79"},
		{"a compressed bomb", "00c3058fffffff" + "0061e00000"},
		{"compression to more than it says", "00c30503" + "0061e00000"},
		{"compression to less than it says", "00c30514" + "0061e00000"},
		{"compression of what was not there", "00c30403" + "00612001"},
		{"compression that is cut", "00c3020a" + "1f61"},
		{"intset of a wrong width", "0b0b" + "03000000" + "01000000" + "000000"},
		{"intset of nothing", "0b08" + "02000000" + "00000000"},
		{"intset of too many", "0b0a" + "02000000" + "00000080" + "0100"},
		{"intset with a member twice", "0b0c" + "02000000" + "02000000" + "0500" + "0500"},
		{"listpack of a wrong length", "140c" + "0d000000" + "0200" + "816102" + "0501" + "ff"},
		{"listpack without an end", "140c" + "0c000000" + "0200" + "816102" + "0501" + "fe"},
		{"listpack of nothing", "1407" + "07000000" + "0000" + "ff"},
		{"listpack with too few entries", "140c" + "0c000000" + "0300" + "816102" + "0501" + "ff"},
		{"listpack with too many entries", "140c" + "0c000000" + "0100" + "816102" + "0501" + "ff"},
		{"listpack with a wrong length to go back", "140a" + "0a000000" + "0100" + "816103" + "ff"},
		{"listpack with an entry over its end", "140a" + "0a000000" + "0100" + "8f6102" + "ff"},
		{"listpack with a head that is none", "1409" + "09000000" + "0100" + "f501" + "ff"},
		{"listpack pair of one", "100a" + "0a000000" + "0100" + "816102" + "ff"},
		{"listpack score that is not a number", "110f" + "0f000000" + "0200" + "816102" + "836e616e04" + "ff"},
		{"ziplist of a wrong tail", "0a0e" + "0e000000" + "0b000000" + "0100" + "000161" + "ff"},
		{"ziplist of a wrong step", "0a10" + "10000000" + "0d000000" + "0200" + "000161" + "01f2" + "ff"},
		{"ziplist with an entry over its end", "0a0e" + "0e000000" + "0a000000" + "0100" + "000261" + "ff"},
		{"ziplist of nothing", "0a0b" + "0b000000" + "0a000000" + "0000" + "ff"},
		{"zipmap that is cut", "0904" + "01" + "0161" + "ff"},
		{"zipmap of a wrong count", "0907" + "02" + "0161" + "0100" + "62" + "ff"},
		{"zipmap with room it does not have", "0907" + "01" + "0161" + "0109" + "62" + "ff"},
		{"quicklist of empty nodes", "0e01" + "0b" + "0b000000" + "0a000000" + "0000" + "ff"},
		{"quicklist of a container that is none", "1201" + "03" + "0178"},
		{"quicklist of an empty element", "1201" + "01" + "00"},
		{"expiry of a field that is too late", "16" + "01" + "8100ffffffffffffff" + "01610162"},
		{"expiry of a field that overflows", "18ffffffffffffffff" + "01" + "05" + "01610162"},
		{"expiry of a field that is no number", "19e803000000000000" + "10" + "10000000" + "0300" + "816102" + "816202" + "816302" + "ff"},
	}
	for _, tt := range tests {
		if got, err := contents(footer(t, tt.payload, 9)); !errors.Is(err, ErrDumpFormat) {
			t.Errorf("%s: %v, %v; want %v", tt.name, got, err, ErrDumpFormat)
		}
	}
	for _, payload := range [][]byte{nil, []byte("short"), footer(t, "000161", 13), append(footer(t, "000161", 9), 0)} {
		if _, err := contents(payload); !errors.Is(err, ErrDumpVersion) {
			t.Errorf("%x: %v, want %v", payload, err, ErrDumpVersion)
		}
	}
}

// TestRestoreModel dumps random keys and restores them beside themselves: DEBUG
// DIGEST and the encoding are then those of the original.
func TestRestoreModel(t *testing.T) {
	s := openTest(t, Options{})
	item := rapid.OneOf(
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 100), func(b []byte) string { return string(b) }),
		rapid.Map(rapid.Int64(), func(n int64) string { return strconv.FormatInt(n, 10) }),
		rapid.Map(rapid.IntRange(0, 3*chunkBytes), func(n int) string { return strings.Repeat("x", n) }))
	rapid.Check(t, func(rt *rapid.T) {
		items := rapid.SliceOfNDistinct(item, 1, 200, rapid.ID[string]).Draw(rt, "items")
		tag := rapid.SampledFrom([]uint8{tagString, tagList, tagHash, tagZSet, tagSet}).Draw(rt, "type")
		var payload []byte
		from, to := []byte("from"), []byte("to")
		s.update(0, func(tx *Tx) {
			tx.Keyspace().FlushDB()
			fillKey(rt, tx, tag, from, items)
			var err error
			if payload, _, err = tx.Keyspace().Dump([]byte("before"), from); err != nil {
				rt.Fatal(err)
			}
			payload = payload[len("before"):]
		})
		s.update(0, func(tx *Tx) {
			expireMs := rapid.SampledFrom([]int64{0, testEpochMs + 5000}).Draw(rt, "expiry")
			k := tx.Keyspace()
			if err := k.Restore(to, payload, RestoreOptions{ExpireMs: expireMs, IdleSec: -1, Freq: -1}); err != nil {
				rt.Fatal(err)
			}
			want := max(expireMs, -1)
			if expireMs == 0 {
				want = -1
			}
			if got := k.PExpireTime(to); got != want {
				rt.Fatalf("expiry %d, want %d", got, want)
			}
			k.Persist(to)
			again, _, err := k.Dump(nil, to)
			if err != nil || tag != tagHash && tag != tagSet && !bytes.Equal(payload, again) {
				rt.Fatalf("the second payload differs: %v", err)
			}
			a, err1 := k.DigestValue(from)
			b, err2 := k.DigestValue(to)
			e1, _, err3 := k.Encoding(from)
			e2, _, err4 := k.Encoding(to)
			if err := errors.Join(err1, err2, err3, err4); err != nil || a != b || e1 != e2 {
				rt.Fatalf("digests %x and %x, encodings %s and %s: %v", a, b, e1, e2, err)
			}
		})
	})
}

// fillKey makes a key of items, and of fields that expire.
func fillKey(tb rapid.TB, tx *Tx, tag uint8, key []byte, items []string) {
	tb.Helper()
	var err error
	for i, item := range items {
		if err != nil {
			break
		}
		switch b := []byte(item); tag {
		case tagString:
			_, err = tx.String().Set(key, b, SetOptions{})
		case tagList:
			_, err = tx.List().Push(key, Right, [][]byte{b}, false)
		case tagHash:
			_, err = tx.Hash().Set(key, [][]byte{b, []byte(items[len(items)-1-i])})
		case tagZSet:
			score := float64(i%5) - 2
			if i == 7 {
				score = math.Inf(1)
			}
			_, _, err = tx.ZSet().Add(key, []Scored{{Member: b, Score: score}}, ZAddOptions{})
		case tagSet:
			_, err = tx.Set().Add(key, [][]byte{b})
		}
	}
	if err != nil {
		tb.Fatal(err)
	}
}

// TestDumpFieldTTL: the expiries of fields go with them.
func TestDumpFieldTTL(t *testing.T) {
	s := openTest(t, Options{})
	var payload []byte
	s.update(0, func(tx *Tx) {
		c, err := tx.openWrite([]byte("h"), tagHash)
		if err != nil {
			t.Fatal(err)
		}
		for i, field := range []string{"a", "b", "c", "d"} {
			e := rdbEntry{key: []byte(field), value: []byte("v"), expireMs: []int64{0, testEpochMs + 10, testEpochMs + 2000, testEpochMs + 20}[i]}
			if err := c.restoreField(&e); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.finish(1, "hset"); err != nil {
			t.Fatal(err)
		}
	})
	s.clock.advance(15 * time.Millisecond)
	s.view(0, func(tx *Tx) {
		var err error
		if payload, _, err = tx.Keyspace().Dump(nil, []byte("h")); err != nil {
			t.Fatal(err)
		}
	})
	got, err := contents(payload)
	want := fmt.Sprintf("a=v c=v@%d d=v@%d", testEpochMs+2000, testEpochMs+20)
	if text := strings.Join(sorted(got), " "); err != nil || text != want {
		t.Errorf("%s, %v; want %s", text, err, want)
	}
	if v := binary.LittleEndian.Uint16(payload[len(payload)-10:]); v != 12 {
		t.Errorf("version %d", v)
	}
	s.clock.advance(10 * time.Millisecond)
	s.update(0, func(tx *Tx) {
		k := tx.Keyspace()
		if err := k.Restore([]byte("h2"), payload, RestoreOptions{IdleSec: -1, Freq: -1}); err != nil {
			t.Fatal(err)
		}
		f, err := tx.Hash().Find([]byte("h2"))
		if err != nil || f.Len() != 2 {
			t.Errorf("%d fields, %v; want 2", f.Len(), err)
		}
	})
	s.clock.advance(time.Hour)
	s.update(0, func(tx *Tx) {
		f, err := tx.Hash().Find([]byte("h2"))
		if err != nil || f.Len() != 1 {
			t.Errorf("%d fields, %v; want 1", f.Len(), err)
		}
	})
}

func sorted(list []string) []string {
	slices.Sort(list)
	return list
}

// TestRestoreChangesNothing when the payload is damaged, and uses the clock.
func TestRestoreOptions(t *testing.T) {
	s := openTest(t, Options{})
	k := []byte("k")
	s.set(0, "k", "old")
	good, bad := footer(t, "00026162", 9), footer(t, "00206162", 9)
	s.update(0, func(tx *Tx) {
		keys := tx.Keyspace()
		if err := keys.Restore(k, bad, RestoreOptions{IdleSec: -1, Freq: -1}); !errors.Is(err, ErrDumpFormat) {
			t.Errorf("damaged: %v", err)
		}
	})
	s.want(0, "k", "old")
	s.update(0, func(tx *Tx) {
		keys := tx.Keyspace()
		for _, idle := range []int64{0, 1000, math.MaxInt64} {
			if err := keys.Restore(k, good, RestoreOptions{IdleSec: idle, Freq: -1}); err != nil {
				t.Fatal(err)
			}
			if got, _ := keys.IdleSeconds(k); got != min(idle, maxIdleSec) {
				t.Errorf("idle %d, want %d", got, idle)
			}
		}
		tx.s.SetAccessClock(AccessClock{LFU: true})
		if err := keys.Restore(k, good, RestoreOptions{IdleSec: -1, Freq: 200}); err != nil {
			t.Fatal(err)
		}
		if got, _ := keys.Freq(k); got != 200 {
			t.Errorf("frequency %d", got)
		}
		if err := keys.Restore(k, good, RestoreOptions{ExpireMs: testEpochMs, IdleSec: -1, Freq: -1}); err != nil || keys.Exists(k) {
			t.Errorf("a key whose time has come was made: %v", err)
		}
	})
}

// FuzzRestore: no payload makes RESTORE panic or take much memory, and what it
// takes it can dump again.
func FuzzRestore(f *testing.F) {
	s := openTest(f, Options{MaxValueBytes: 1 << 20})
	for _, text := range []string{
		"0003666f6f", "00c0ff", "00c3050a0061e00000", "01020161c005", "02020161c005", "0302016103312e350162ff",
		"05010161000000000000f83f", "040101610162", "090a0101610202787900" + "00ff",
		"0b0c0200000002000000ffff0500", "0a13130000000f000000030000016103f202fe80ff",
		"0e010e0e0000000a0000000100000161ff", "1202010178020a0a000000010081610" + "2ff",
		"100d0d000000020081610281620" + "2ff", "110c0c00000002008161020301ff", "140c0c00000002008161020501ff",
		"18e803000000000000020101610162000163016" + "4",
		"19e8030000000000001818000000060081610281620" + "2c3e80281630281640" + "20001ff",
	} {
		b, err := hex.DecodeString(text)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		k, s := []byte("k"), *s
		s.tb = t
		s.update(0, func(tx *Tx) {
			keys := tx.Keyspace()
			err := keys.Restore(k, sealDump(body, 12), RestoreOptions{IdleSec: -1, Freq: -1})
			if err != nil {
				if !errors.Is(err, ErrDumpFormat) {
					t.Fatal(err)
				}
				return
			}
			payload, ok, err := keys.Dump(nil, k)
			if err != nil {
				t.Fatal(err)
			}
			if ok {
				if err := keys.Restore(k, payload, RestoreOptions{IdleSec: -1, Freq: -1}); err != nil {
					t.Fatal(err)
				}
			}
			keys.Del(k)
		})
	})
}
