package engine

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"reflect"
	"testing"
)

func sampleRecords() []record {
	return []record{
		{kind: kindPut, tag: 1, space: 3, key: []byte("key"), value: []byte("a value of some length")},
		{kind: kindPut, flags: putHasExpire, expireMs: 1 << 41, key: []byte{}, value: []byte{}},
		{kind: kindPut, flags: putHasExpire | putHasCollection, tag: 255, space: 1<<32 - 1, expireMs: -1, coll: 1<<64 - 1, key: []byte{0}, value: []byte("12345678")},
		{kind: kindExpire, space: 200, key: []byte("k"), expireMs: 5},
		{kind: kindTombstone, space: 1 << 20, key: bytes.Repeat([]byte("k"), 300)},
		{kind: kindElemPut, coll: 77, key: []byte("subkey"), value: []byte("element")},
		{kind: kindElemTombstone, coll: 1 << 40, key: []byte("subkey")},
		{kind: kindSpaceMap, number: 15, space: 1<<20 + 3},
	}
}

func TestRecordRoundTrip(t *testing.T) {
	for _, want := range sampleRecords() {
		b := append(appendRecord(nil, &want), "what follows"...)
		var got record
		n, reason := decodeRecord(b, &got)
		if reason != "" || n != len(b)-len("what follows") {
			t.Errorf("%+v: decoded %d of %d bytes: %s", want, n, len(b), reason)
			continue
		}
		if again := appendRecord(nil, &got); !bytes.Equal(again, b[:n]) {
			t.Errorf("%+v: encodes to %x, then to %x", want, b[:n], again)
		}
	}
}

func TestRecordLengths(t *testing.T) {
	for _, r := range sampleRecords() {
		n := int64(len(appendRecord(nil, &r)))
		var want int64
		switch r.kind {
		case kindPut:
			want = putRecordBytes(r.space, len(r.key), len(r.value), r.flags)
		case kindExpire:
			want = expireRecordBytes(r.space, len(r.key))
		case kindElemPut:
			want = elemRecordBytes(r.coll, len(r.key), len(r.value))
		default:
			continue
		}
		if n != want {
			t.Errorf("%+v: has %d bytes, computed %d", r, n, want)
		}
	}
	if biggest := putRecordBytes(1<<32-1, MaxKeyBytes, maxValueBytes, putHasExpire|putHasCollection) - MaxKeyBytes - maxValueBytes; biggest > maxRecordOverhead {
		t.Errorf("overhead is up to %d, maxRecordOverhead is %d", biggest, maxRecordOverhead)
	}
}

// Each row is one corruption of a good record.
func TestRecordCorruption(t *testing.T) {
	good := appendRecord(nil, &record{kind: kindPut, tag: 1, key: []byte("key"), value: []byte("value")})
	sealCRC := func(b []byte) []byte {
		binary.LittleEndian.PutUint32(b, crc32.Checksum(b[4:], castagnoli))
		return b
	}
	rows := []struct {
		name   string
		reason string
		b      []byte
	}{
		{"empty", "record of unknown kind", nil},
		{"cut in the checksum", "record of unknown kind", good[:3]},
		{"cut in the value", "record is cut short", good[:len(good)-1]},
		{"unknown kind", "record of unknown kind", sealCRC(append([]byte{0, 0, 0, 0, 99}, good[5:]...))},
		{"kind zero", "record of unknown kind", make([]byte, 64)},
		{"unknown flag", "record has unknown flags", sealCRC(append([]byte{0, 0, 0, 0, 1, 4}, good[6:]...))},
		{"varint too long", "record is cut short", sealCRC(append([]byte{0, 0, 0, 0, 3, 0x80, 0}, 1, 'k'))},
		{"key length past the end", "record is cut short", sealCRC([]byte{0, 0, 0, 0, 3, 0, 0xff, 0xff, 0xff, 0x0f, 'k'})},
		{"key length over the limit", "record is cut short", sealCRC([]byte{0, 0, 0, 0, 3, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f})},
	}
	for i := range good {
		b := bytes.Clone(good)
		b[i] ^= 1
		var r record
		if _, reason := decodeRecord(b, &r); reason == "" {
			t.Errorf("bit 0 of byte %d flipped: no error", i)
		}
	}
	for _, row := range rows {
		var r record
		if _, reason := decodeRecord(row.b, &r); reason != row.reason {
			t.Errorf("%s: got %q, want %q", row.name, reason, row.reason)
		}
	}
}

// TestPutValue: what finds a value without decoding agrees with what decodes.
func TestPutValue(t *testing.T) {
	for _, r := range []record{
		{kind: kindPut, key: []byte("key"), value: []byte("a value")},
		{kind: kindPut, tag: 9, space: 1<<32 - 1, key: bytes.Repeat([]byte("k"), 200), value: bytes.Repeat([]byte("v"), 20_000)},
		{kind: kindPut, space: 1, key: []byte{}, value: []byte{}},
	} {
		b := append(appendRecord(nil, &r), "what follows"...)
		n := len(b) - len("what follows")
		if value, ok := putValue(b, r.space, r.key, len(r.value)); !ok || !bytes.Equal(value, r.value) || cap(value) != len(value) {
			t.Errorf("value of %d bytes: found %v, %d bytes", len(r.value), ok, len(value))
		}
		if _, ok := putValue(b[:n-1], r.space, r.key, len(r.value)); ok {
			t.Errorf("value of %d bytes: found in a record that is cut short", len(r.value))
		}
		if _, ok := putValue(b, r.space^1, r.key, len(r.value)); ok {
			t.Errorf("value of %d bytes: found in another keyspace", len(r.value))
		}
		other := append([]byte("x"), r.key...)[:max(len(r.key), 1)]
		if _, ok := putValue(b, r.space, other, len(r.value)); ok {
			t.Errorf("value of %d bytes: found for another key", len(r.value))
		}
		if _, ok := putValue(b, r.space, r.key, len(r.value)+1); ok {
			t.Errorf("value of %d bytes: found as one of another length", len(r.value))
		}
		for i := range n {
			b[i] ^= 1 << (i % 8)
			if _, ok := putValue(b, r.space, r.key, len(r.value)); ok {
				t.Errorf("value of %d bytes: found though byte %d is wrong", len(r.value), i)
			}
			b[i] ^= 1 << (i % 8)
		}
	}
	for _, r := range sampleRecords()[1:] {
		if _, ok := putValue(appendRecord(nil, &r), r.space, r.key, len(r.value)); ok {
			t.Errorf("%+v: taken for a put of a value alone", r)
		}
	}
}

func TestFrameHeader(t *testing.T) {
	want := frameHeader{flags: frameMerged, payloadLen: 12345, baseSeq: 1 << 60, knownSynced: 99}
	salted := saltCRC(7)
	b := make([]byte, frameHeaderBytes)
	putFrameHeader(b, want, salted)
	if got, reason := decodeFrameHeader(b, salted); reason != "" || got != want {
		t.Errorf("got %+v, %q, want %+v", got, reason, want)
	}
	for i := range b {
		for bit := range 8 {
			c := bytes.Clone(b)
			c[i] ^= 1 << bit
			if _, reason := decodeFrameHeader(c, salted); reason == "" {
				t.Errorf("bit %d of byte %d flipped: no error", bit, i)
			}
		}
	}
	if _, reason := decodeFrameHeader(b, saltCRC(8)); reason == "" {
		t.Error("a frame of another file is taken")
	}
	if _, reason := decodeFrameHeader(make([]byte, frameHeaderBytes), salted); reason == "" {
		t.Error("zeros are taken for a frame")
	}
	if _, reason := decodeFrameHeader(b[:frameHeaderBytes-1], salted); reason == "" {
		t.Error("a short header is taken")
	}
}

func FuzzRecord(f *testing.F) {
	for _, r := range sampleRecords() {
		f.Add(appendRecord(nil, &r))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		// With its checksum made right, more inputs get further.
		if len(b) > 4 {
			binary.LittleEndian.PutUint32(b, crc32.Checksum(b[4:], castagnoli))
		}
		var r record
		n, reason := decodeRecord(b, &r)
		if reason != "" {
			return
		}
		if again := appendRecord(nil, &r); !bytes.Equal(again, b[:n]) {
			t.Fatalf("%x decodes to %+v, which encodes to %x", b[:n], r, again)
		}
	})
}

func TestFileNames(t *testing.T) {
	rows := []struct {
		name   string
		number uint32
		suffix string
		ok     bool
	}{
		{dataFileName(1), 1, dataSuffix, true},
		{dataFileName(4294967294), 4294967294, dataSuffix, true},
		{hintFileName(12), 12, hintSuffix, true},
		{hintFileName(12) + tmpSuffix, 12, hintSuffix + tmpSuffix, true},
		{"0000000000.data", 0, "", false},
		{"1.data", 0, "", false},
		{"00000000001.data", 0, "", false},
		{"0000000001.dat", 0, "", false},
		{"9999999999.data", 0, "", false},
		{"+000000001.data", 0, "", false},
		{"0000000001", 0, "", false},
		{manifestName, 0, "", false},
		{lockName, 0, "", false},
	}
	for _, row := range rows {
		number, suffix, ok := parseFileName(row.name)
		if number != row.number || suffix != row.suffix || ok != row.ok {
			t.Errorf("%s: got %d, %q, %v, want %d, %q, %v", row.name, number, suffix, ok, row.number, row.suffix, row.ok)
		}
	}
}

func TestFooter(t *testing.T) {
	m := fileMeta{
		number: 3, kind: fileLog, salt: 5, createdMs: 7, sealed: true, dataEnd: 1000, size: 1000 + footerBytes,
		minSeq: 10, maxSeq: 20, records: 11, tombstones: 2, recordBytes: 700, tombBytes: 30,
	}
	uuid := [16]byte{1, 2, 3}
	b := encodeFooter(&m, uuid)
	open := fileMeta{number: 3, kind: fileLog, salt: 5, createdMs: 7}
	if got, reason := decodeFooter(b, open, uuid); reason != "" || !reflect.DeepEqual(got, m) {
		t.Errorf("got %+v, %q, want %+v", got, reason, m)
	}
	if _, reason := decodeFooter(b, m, uuid); reason != "" {
		t.Errorf("the same sealed file: %s", reason)
	}
	other := m
	other.records++
	if _, reason := decodeFooter(b, other, uuid); reason == "" {
		t.Error("a footer that differs from MANIFEST is taken")
	}
	if _, reason := decodeFooter(b, m, [16]byte{9}); reason == "" {
		t.Error("a footer of another database is taken")
	}
	for i := range b {
		c := bytes.Clone(b)
		c[i] ^= 0x10
		if _, reason := decodeFooter(c, m, uuid); reason == "" {
			t.Errorf("byte %d changed: no error", i)
		}
	}
}
