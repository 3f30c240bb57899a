package resp

import (
	"math"
	"strconv"
	"testing"
)

func TestParseCursor(t *testing.T) {
	good := map[string]uint64{
		"": 0, "0": 0, "+5": 5, "007": 7, "5\x00junk": 5, "-1": math.MaxUint64,
		"18446744073709551615": math.MaxUint64,
	}
	for in, want := range good {
		if got, ok := parseCursor([]byte(in)); !ok || got != want {
			t.Errorf("parseCursor(%q) = %d, %v, want %d", in, got, ok, want)
		}
	}
	for _, in := range []string{"x", "1x", "-", "+", " 1", "1 ", "--1", "18446744073709551616", "-\x00"} {
		if got, ok := parseCursor([]byte(in)); ok {
			t.Errorf("parseCursor(%q) = %d, want none", in, got)
		}
	}
}

func TestParseFloat(t *testing.T) {
	good := map[string]float64{
		"0": 0, "-0": 0, "1": 1, "+1": 1, "-1.5": -1.5, ".5": 0.5, "5.": 5, "1e3": 1000, "1E-2": 0.01,
		"0x10": 16, "0x1p4": 16, "-0xA": -10, "inf": math.Inf(1), "-INF": math.Inf(-1),
		"Infinity": math.Inf(1), "0e999": 0, "5e-324": 5e-324,
	}
	for in, want := range good {
		if got, ok := parseFloat([]byte(in)); !ok || got != want {
			t.Errorf("parseFloat(%q) = %v, %v, want %v", in, got, ok, want)
		}
	}
	for _, in := range []string{"", " 1", "1 ", "1x", "nan", "NaN", "1e999", "-1e999", "1e-999", "1_0", "0x_1p4", "e1", "x", "0x", "--1", "1\x00"} {
		if got, ok := parseFloat([]byte(in)); ok {
			t.Errorf("parseFloat(%q) = %v, want none", in, got)
		}
	}
}

func TestIsWord(t *testing.T) {
	for _, in := range []string{"match", "MATCH", "mAtCh"} {
		if !isWord([]byte(in), "MATCH") {
			t.Errorf("isWord(%q, MATCH) = false", in)
		}
	}
	for _, in := range []string{"", "MATC", "MATCHX", "M4TCH", "ma\x54\x03h", "m\xe1tch"} {
		if isWord([]byte(in), "MATCH") {
			t.Errorf("isWord(%q, MATCH) = true", in)
		}
	}
}

func FuzzParseFloat(f *testing.F) {
	for _, seed := range []string{"0", "-0.0", "1e-400", "0x1p-2", "inf", "nan", "1_0", "0x", "+.e1"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		n, ok := parseFloat(in)
		if !ok {
			return
		}
		if math.IsNaN(n) {
			t.Fatalf("parseFloat(%q) is not a number", in)
		}
		again, ok := parseFloat([]byte(strconv.FormatFloat(n, 'g', -1, 64)))
		if !ok || again != n {
			t.Fatalf("parseFloat(%q) = %v, written and parsed again %v, %v", in, n, again, ok)
		}
	})
}

func FuzzParseCursor(f *testing.F) {
	for _, seed := range []string{"0", "-1", "+1", "18446744073709551616", "1\x00"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		want, err := strconv.ParseUint(string(in), 10, 64)
		if err != nil {
			parseCursor(in) // must not panic
			return
		}
		if got, ok := parseCursor(in); !ok || got != want {
			t.Fatalf("parseCursor(%q) = %d, %v, want %d", in, got, ok, want)
		}
	})
}
