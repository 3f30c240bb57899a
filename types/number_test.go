package types

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParseInt(t *testing.T) {
	good := map[string]int64{
		"0": 0, "1": 1, "-1": -1, "10": 10, "-90": -90, "1000000000000000000": 1e18,
		"9223372036854775807":  math.MaxInt64,
		"-9223372036854775808": math.MinInt64,
	}
	for in, want := range good {
		if got, ok := ParseInt([]byte(in)); !ok || got != want {
			t.Errorf("ParseInt(%q) = %d, %v, want %d", in, got, ok, want)
		}
	}
	bad := []string{
		"", "-", "+1", "-0", "00", "01", "-01", " 1", "1 ", "1a", "a", "1\x00", "0x1", "1.0", "1e3", "--1", "٣",
		"9223372036854775808", "-9223372036854775809", "18446744073709551615", "18446744073709551616",
		"99999999999999999999", "100000000000000000000",
	}
	for _, in := range bad {
		if got, ok := ParseInt([]byte(in)); ok {
			t.Errorf("ParseInt(%q) = %d, want none", in, got)
		}
	}
}

// checkParseInt compares with the one text that strconv writes for each integer.
func checkParseInt(t interface{ Fatalf(string, ...any) }, in []byte) {
	n, ok := ParseInt(in)
	want, err := strconv.ParseInt(string(in), 10, 64)
	if canonical := err == nil && strconv.FormatInt(want, 10) == string(in); ok != canonical || ok && n != want {
		t.Fatalf("ParseInt(%q) = %d, %v, strconv: %d, %v", in, n, ok, want, err)
	}
}

func TestParseIntFormsAreCanonical(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		checkParseInt(t, []byte(rapid.StringMatching(`-?[0-9 +]{0,21}`).Draw(t, "in")))
	})
}

func FuzzParseInt(f *testing.F) {
	for _, seed := range []string{"0", "-0", "+1", "-9223372036854775808", "9223372036854775808", "12a"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) { checkParseInt(t, in) })
}

func TestAddInt(t *testing.T) {
	edges := []int64{math.MinInt64, math.MinInt64 + 1, -1, 0, 1, math.MaxInt64 - 1, math.MaxInt64}
	for _, a := range edges {
		for _, b := range edges {
			exact := new(big.Int).Add(big.NewInt(a), big.NewInt(b))
			sum, ok := addInt(a, b)
			if ok != exact.IsInt64() || ok && sum != exact.Int64() {
				t.Errorf("addInt(%d, %d) = %d, %v, want %v", a, b, sum, ok, exact)
			}
		}
	}
}

// sumFloats is what INCRBYFLOAT would make of two texts; "" if one is no number,
// "inf" if the sum is out of range.
func sumFloats(a, b string) string {
	x, ok := parseLongDouble([]byte(a))
	y, ok2 := parseLongDouble([]byte(b))
	if !ok || !ok2 {
		return ""
	}
	if x.IsInf() || y.IsInf() {
		return "inf"
	}
	if x.Add(x, y); x.MantExp(nil) > longDoubleMaxExp {
		return "inf"
	}
	return string(appendLongDouble(nil, x))
}

// Rows as redis-server 7.0.15 on x86-64 answers them.
func TestLongDouble(t *testing.T) {
	tests := []struct{ a, b, want string }{
		{"0", "1.5", "1.5"},
		{"10.50", "0.1", "10.6"},
		{"5.0e3", "2.0e2", "5200"},
		{"3", "1.1", "4.1"},
		{"0.1", "0.2", "0.3"},
		{"1", "-1", "0"},
		{"0", "-0", "0"},
		{"1e-17", "0", "0.00000000000000001"},
		{"5e-18", "0", "0"},
		{"5.1e-18", "0", "0.00000000000000001"},
		{"-4e-18", "0", "0"},
		{"1e30", "0", "1000000000000000000024696061952"},
		{"18446744073709551615", "0", "18446744073709551615"},
		{"18446744073709551617", "0", "18446744073709551616"},
		{"9223372036854775807", "1", "9223372036854775808"},
		{"123456789.123456789", "0", "123456789.12345678899873747"},
		{"0x1p3", "0X1.8P1", "11"},
		{"0x.8", "0", "0.5"},
		{".5", "5.", "5.5"},
		{"0e99999", "1", "1"},
		{"inf", "1", "inf"},
		{"-Infinity", "1", "inf"},
		{"1.18973149535723176502e4932", "1.18973149535723176502e4932", "inf"},
		{"1.2e4932", "0", ""},
		{"1e99999999999999999999", "0", ""},
		{"1e-5000", "0", ""},
		{"1e-99999999999999999999", "0", ""},
		{"0x1p-16446", "0", ""},
		{"0x1p-16445", "0", "0"},
		{"1.82e-4951", "0", ""},
		{"1.83e-4951", "0", "0"},
	}
	for _, tt := range tests {
		if got := sumFloats(tt.a, tt.b); got != tt.want {
			t.Errorf("%s + %s = %q, want %q", tt.a, tt.b, got, tt.want)
		}
	}
	for _, s := range []string{
		"", " 1", "1 ", "1e", "1e+", "0x", "0x1p", ".", "+", "-", "e5", "--1", "+-1", "1_0", "0b1", "nan", "NaN(1)",
		"infin", "1.5.5", "1\x00", "12345678901234567890x", strings.Repeat("1", maxFloatLen+1),
	} {
		if x, ok := parseLongDouble([]byte(s)); ok {
			t.Errorf("parseLongDouble(%.40q) = %v, want none", s, x)
		}
	}
}

// The oracle's RESTORE says what C's strtod makes of these.
func TestFloatPrefix(t *testing.T) {
	tests := []struct {
		text string
		want float64
		ok   bool
	}{
		{"1_000", 1, true},
		{"1e", 1, true},
		{"1e+", 1, true},
		{"1e5", 1e5, true},
		{"1e_2", 1, true},
		{"1x", 1, true},
		{"0x10", 16, true},
		{"0x1p3", 8, true},
		{"0x1_0", 1, true},
		{"-0X.8p", -0.5, true},
		{"0x", 0, false},
		{" 5", 5, true},
		{"5 ", 5, true},
		{"+3", 3, true},
		{"-.5e1z", -5, true},
		{"1\x002", 1, true},
		{"1.5.5", 1.5, true},
		{"1e400", math.Inf(1), true},
		{"-1e400", math.Inf(-1), true},
		{"1e-400", 0, true},
		{"5.", 5, true},
		{"inf", math.Inf(1), true},
		{"-Infinityx", math.Inf(-1), true},
		{"", 0, false},
		{"abc", 0, false},
		{".", 0, false},
		{"-", 0, false},
		{"_1", 0, false},
		{"in", 0, false},
		{"e5", 0, false},
	}
	for _, tt := range tests {
		if got, n, _ := FloatPrefix([]byte(tt.text)); got != tt.want || n > 0 != tt.ok {
			t.Errorf("FloatPrefix(%q) = %v, %d; want %v, %v", tt.text, got, n, tt.want, tt.ok)
		}
	}
	if got, n, _ := FloatPrefix([]byte("-nan")); !math.IsNaN(got) || n != 4 {
		t.Errorf("-nan is %v, %d", got, n)
	}
}

// Where C's strtod ends, and whether it says that the number is out of range.
func TestFloatPrefixEnd(t *testing.T) {
	tests := []struct {
		text    string
		n       int
		inRange bool
	}{
		{"1_000", 1, true},
		{"1e+", 1, true},
		{"-1.5e-5x", 7, true},
		{"0x1_0", 3, true},
		{"-0X.8p", 5, true},
		{"0x1p3p", 5, true},
		{" \t\n\v\f\r-1 ", 8, true},
		{"1\x002", 1, true},
		{"1.5.5", 3, true},
		{"info", 3, true},
		{"-Infinityx", 9, true},
		{"NaNo", 3, true},
		{"x", 0, true},
		{"-0e999", 6, true},
		{"4e-324", 6, true},
		{"1e-400", 6, false},
		{"1e400", 5, false},
		{"0x1p-2000", 9, false},
		{"0x1p2000z", 8, false},
	}
	for _, tt := range tests {
		if _, n, inRange := FloatPrefix([]byte(tt.text)); n != tt.n || inRange != tt.inRange {
			t.Errorf("FloatPrefix(%q) ends at %d, in range: %v; want %d, %v", tt.text, n, inRange, tt.n, tt.inRange)
		}
	}
}

func FuzzLongDouble(f *testing.F) {
	for _, s := range []string{"1.5", "-0x1.8p3", "1e4931", "1e-4951", "inf", "0e9"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		x, ok := parseLongDouble(text)
		if !ok || x.IsInf() {
			return
		}
		printed := appendLongDouble(nil, x)
		if _, ok := parseLongDouble(printed); !ok {
			t.Fatalf("%q prints as %q, which is no number", text, printed)
		}
		// A double is exact in a long double, so both must agree on the nearest.
		if want, err := strconv.ParseFloat(string(text), 64); err == nil && want != 0 {
			exact, _ := parseExact([]byte(strings.TrimLeft(string(text), "+-")))
			if got, _ := exact.Float64(); got != math.Abs(want) {
				t.Fatalf("parseExact(%q) = %v, want %v", text, got, want)
			}
		}
	})
}
