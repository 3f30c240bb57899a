package types

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Rows as redis-server 7.0.15 answers them, by KEYS and, folded, CONFIG GET.
var globTests = []struct {
	pattern, s string
	want       bool
}{
	{"", "", true},
	{"", "a", false},
	{"*", "", false}, // KEYS and SCAN take "*" alone for no pattern
	{"**", "", false},
	{"*", "a", true},
	{"a*", "a", true},
	{"a**", "a", true},
	{"h?llo", "hello", true},
	{"h?llo", "hllo", false},
	{"h*llo", "heeeello", true},
	{"h[ae]llo", "hillo", false},
	{"h[^e]llo", "hallo", true},
	{"h[^e]llo", "hello", false},
	{"h[a-b]llo", "hbllo", true},
	{"[z-a]", "m", true},            // a reversed range is turned round
	{"[a-]", "-", false},            // ] ends the range, and nothing the class
	{"[a-]", "^", true},             // it goes from ] to a
	{"[a-", "-", true},              // the class ends with the pattern
	{"[a", "a", true},               // so here
	{"[a", "b", false},              //
	{"[", "a", false},               // an empty class
	{"[]", "]", false},              // ] closes at once
	{"[^", "a", true},               // an empty class, negated
	{"[^]", "a", true},              //
	{"[]]", "]", false},             // an empty class, then a byte
	{"[\\]]", "]", true},            // an escape in a class
	{"[\\", "\\", true},             // a last backslash is itself
	{"[\\a-c]", "b", false},         // an escaped byte begins no range
	{"[\\a-c]", "-", true},          //
	{"\\*", "*", true},              //
	{"\\*", "a", false},             //
	{"a\\", "a\\", true},            // a last backslash is itself
	{"\\", "\\", true},              //
	{"a[", "a", false},              // the pattern goes on, the string does not
	{"*a", "a", true},               //
	{"*?", "", false},               //
	{"*[\x01-\xff]", "\x02", false}, // signed bytes: -1 to 1
	{"*[\x01-\xff]", "\x00", true},  //
	{"[\x80-\xff]", "\x90", true},   //
	{"a*b*c", "aXbXbXc", true},      // only the nearest * goes back
	{"a*bc*d", "abbcbcxd", true},    //
	{"A", "a", false},               //
}

func TestMatch(t *testing.T) {
	for _, tt := range globTests {
		if got := Match([]byte(tt.pattern), []byte(tt.s)); got != tt.want {
			t.Errorf("Match(%q, %q) = %v, want %v", tt.pattern, tt.s, got, tt.want)
		}
	}
}

func TestMatchFold(t *testing.T) {
	tests := []struct {
		pattern, s string
		want       bool
	}{
		{"MaxMem*", "maxmemory", true},
		{"[A-C]", "b", true},
		{"[a-c]", "B", true},
		{"[^A]", "a", false},
		{"[\\A]", "a", false}, // an escape in a class does not fold
		{"\\A", "a", true},
		{"[Z-\x80]", "y", false}, // C's tolower makes the byte 0x80 positive
		{"\xc4", "\xe4", false},  // ASCII only
	}
	for _, tt := range tests {
		if got := MatchFold([]byte(tt.pattern), []byte(tt.s)); got != tt.want {
			t.Errorf("MatchFold(%q, %q) = %v, want %v", tt.pattern, tt.s, got, tt.want)
		}
	}
}

// matchReference is the obvious matcher: every * tries every length. It takes
// exponential time and shares only the elements of one byte with Match.
func matchReference(pattern, s []byte, fold bool) bool {
	if len(s) == 0 {
		return len(pattern) == 0
	}
	var rest func(p, i int) bool
	rest = func(p, i int) bool {
		if p == len(pattern) {
			return i == len(s)
		}
		if pattern[p] == '*' {
			for ; i <= len(s); i++ {
				if rest(p+1, i) {
					return true
				}
			}
			return false
		}
		if i == len(s) {
			return false
		}
		next, ok := matchOne(pattern, p, s[i], fold)
		return ok && rest(next, i+1)
	}
	return rest(0, 0)
}

func TestMatchAgainstReference(t *testing.T) {
	alphabet := rapid.SliceOfN(rapid.SampledFrom([]byte("abB*?[]^-\\\xff")), 0, 10)
	rapid.Check(t, func(t *rapid.T) {
		pattern, s := alphabet.Draw(t, "pattern"), alphabet.Draw(t, "s")
		fold := rapid.Bool().Draw(t, "fold")
		if got, want := match(pattern, s, fold), matchReference(pattern, s, fold); got != want {
			t.Fatalf("match(%q, %q, %v) = %v, want %v", pattern, s, fold, got, want)
		}
	})
}

func FuzzMatch(f *testing.F) {
	for _, tt := range globTests {
		f.Add([]byte(tt.pattern), []byte(tt.s), false)
	}
	f.Fuzz(func(t *testing.T, pattern, s []byte, fold bool) {
		got := match(pattern, s, fold)
		if len(pattern) > 12 || len(s) > 12 {
			return // the reference would take too long; not panicking is enough
		}
		if want := matchReference(pattern, s, fold); got != want {
			t.Fatalf("match(%q, %q, %v) = %v, want %v", pattern, s, fold, got, want)
		}
		prefix, whole := literalPrefix(pattern)
		if got && !fold && !strings.HasPrefix(string(s), string(prefix)) {
			t.Fatalf("%q matches %q but has the literal prefix %q", pattern, s, prefix)
		}
		if whole && !fold && got != (string(s) == string(prefix)) {
			t.Fatalf("%q is literally %q, yet match with %q is %v", pattern, prefix, s, got)
		}
	})
}

// TestMatchIsNotExponential is the regression test for patterns with many stars.
// A matcher that backtracks over all of them needs longer than the universe has
// lasted; 10 s leaves room for any machine.
func TestMatchIsNotExponential(t *testing.T) {
	pattern := []byte(strings.Repeat("*a", 100) + "*b")
	s := []byte(strings.Repeat("a", 20_000))
	done := make(chan bool, 1)
	go func() { done <- Match(pattern, s) }()
	select {
	case got := <-done:
		if got {
			t.Fatal("matched without a b")
		}
	case <-time.After(time.Minute):
		t.Fatal("still matching after a minute")
	}
}

func TestLiteralPrefix(t *testing.T) {
	tests := []struct {
		pattern, prefix string
		whole           bool
	}{
		{"", "", true},
		{"user:42:*", "user:42:", false},
		{"a\\*b?", "a*b", false},
		{"a\\", "a\\", true},
		{"abc", "abc", true},
		{"[a]", "", false},
	}
	for _, tt := range tests {
		prefix, whole := literalPrefix([]byte(tt.pattern))
		if string(prefix) != tt.prefix || whole != tt.whole {
			t.Errorf("literalPrefix(%q) = %q, %v, want %q, %v", tt.pattern, prefix, whole, tt.prefix, tt.whole)
		}
	}
}

func TestMatchStopsWhereRedisDoes(t *testing.T) {
	s := bytes.Repeat([]byte("a"), 3000)
	for _, c := range []struct {
		stars int
		want  bool
	}{{1000, true}, {1001, false}, {2500, false}} {
		if got := Match(bytes.Repeat([]byte("*?"), c.stars), s); got != c.want {
			t.Errorf("a pattern of %d stars: got %v, want %v", c.stars, got, c.want)
		}
	}
}
