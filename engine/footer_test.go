package engine

import (
	"strings"
	"testing"
)

// A footer that is not what MANIFEST says is told in words.
func TestFooterSaysOtherwise(t *testing.T) {
	uuid := [16]byte{1}
	m := fileMeta{
		number: 3, kind: fileLog, salt: 5, sealed: true, dataEnd: 200, size: 200 + footerBytes,
		minSeq: 7, maxSeq: 8, records: 2, tombstones: 1, recordBytes: 90, tombBytes: 30,
	}
	b := encodeFooter(&m, uuid)
	if _, reason := decodeFooter(b, m, uuid); reason != "" {
		t.Fatalf("the right one: %s", reason)
	}
	listed := m
	listed.records, listed.recordBytes = 3, 120
	_, reason := decodeFooter(b, listed, uuid)
	for _, want := range []string{
		"the footer says 2 records (90 bytes), 1 of them tombstones (30 bytes), with sequence numbers 7 to 8, in the bytes before 200",
		"MANIFEST says 3 records (120 bytes), 1 of them",
	} {
		if !strings.Contains(reason, want) {
			t.Errorf("got %q, want %q in it", reason, want)
		}
	}
}
