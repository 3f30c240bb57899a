package types

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

func TestLCSWalk(t *testing.T) {
	tests := []struct {
		name, a, b string
		min        int64
		seq        string
		matches    []LCSMatch
	}{
		{"documentation", "ohmytext", "mynewtext", 0, "mytext", []LCSMatch{{4, 7, 5, 8}, {2, 3, 0, 1}}},
		{"minimum length", "ohmytext", "mynewtext", 4, "mytext", []LCSMatch{{4, 7, 5, 8}}},
		{"nothing", "abc", "xyz", 0, "", nil},
		{"empty", "", "xyz", 0, "", nil},
		{"equal", "abc", "abc", 0, "abc", []LCSMatch{{0, 2, 0, 2}}},
		{"gap in b only", "ab", "axb", 0, "ab", []LCSMatch{{1, 1, 2, 2}, {0, 0, 0, 0}}},
		{"one of two equal ways", "ab", "ba", 0, "b", []LCSMatch{{1, 1, 0, 0}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			table := newLCSTable([]byte(tt.a), []byte(tt.b))
			if got := string(table.walk(LCSOptions{}).Seq); got != tt.seq {
				t.Errorf("sequence %q, want %q", got, tt.seq)
			}
			res := table.walk(LCSOptions{Index: true, MinMatchLen: tt.min})
			if !reflect.DeepEqual(res.Matches, tt.matches) || res.Len != len(tt.seq) || res.Seq != nil {
				t.Errorf("got %+v, want matches %+v", res, tt.matches)
			}
		})
	}
}

func TestLCSProperties(t *testing.T) {
	gen := rapid.SliceOfN(rapid.SampledFrom([]byte("abc")), 0, 30)
	rapid.Check(t, func(t *rapid.T) {
		a, b := gen.Draw(t, "a"), gen.Draw(t, "b")
		table := newLCSTable(a, b)
		res := table.walk(LCSOptions{})
		if len(res.Seq) != res.Len || res.Len != lcsLen(a, b) {
			t.Fatalf("lengths %d, %d and %d", len(res.Seq), res.Len, lcsLen(a, b))
		}
		if !isSubsequence(res.Seq, a) || !isSubsequence(res.Seq, b) {
			t.Fatalf("%q is not within %q and %q", res.Seq, a, b)
		}
		var joined []byte
		for _, m := range table.walk(LCSOptions{Index: true}).Matches {
			if string(a[m.AStart:m.AEnd+1]) != string(b[m.BStart:m.BEnd+1]) {
				t.Fatalf("range %+v differs", m)
			}
			joined = append(append([]byte(nil), a[m.AStart:m.AEnd+1]...), joined...)
		}
		if string(joined) != string(res.Seq) {
			t.Fatalf("ranges make %q, want %q", joined, res.Seq)
		}
	})
}

func isSubsequence(sub, s []byte) bool {
	for _, c := range s {
		if len(sub) > 0 && sub[0] == c {
			sub = sub[1:]
		}
	}
	return len(sub) == 0
}
