package resp

import (
	"fmt"
	"math"
	"strconv"
	"testing"

	"bitkv/internal/testenv"
)

// TestZSetAllocations: reading a sorted set of either form, and changing a score
// that is there, allocates nothing.
func TestZSetAllocations(t *testing.T) {
	c := newLocalClient(t, t.TempDir())
	c.do(words("zadd small 1 a 2 b 3 c"))
	for i := range 300 {
		c.do(words(fmt.Sprintf("zadd large %d m%d", i, i)))
	}
	for _, line := range []string{
		"zscore small a", "zscore large m7", "zscore nokey m", "zmscore large m1 m2 m3", "zcard large", "zrank small b", "zrank large m77",
		"zrevrank large m77", "zcount large 10 20", "zrangebyscore large 10 (20 limit 1 2", "zrange large 0 9 withscores", "zrange small 0 -1",
		"zrevrange large 0 9", "zlexcount small - +", "zincrby small 1 a", "zincrby large 1 m7", "zadd small 1 a", "zadd large 1.5 m8",
	} {
		args := words(line)
		c.do(args)
		if n := testenv.Allocations(func() { c.do(args) }); n != 0 && !underRace {
			t.Errorf("%s allocates %v times", line, n)
		}
	}
}

func TestParseScoreBound(t *testing.T) {
	for _, row := range []struct {
		text string
		want string // "error", or the bound as formatted here
	}{
		{"1", "1"},
		{"(1", "(1"},
		{"-1.5", "-1.5"},
		{"", "0"},
		{"(", "(0"},
		{"inf", "+Inf"},
		{"(-inf", "(-Inf"},
		{"+infinity", "+Inf"},
		{"1e400", "+Inf"},
		{"-1e400", "-Inf"},
		{"1e-400", "0"},
		{" 1", "1"},
		{"\t\n(1", "error"},
		{"( 1", "(1"},
		{" ", "error"},
		{"1 ", "error"},
		{"0x10", "16"},
		{"0x1p-1", "0.5"},
		{"0x", "error"},
		{"1_0", "error"},
		{"nan", "error"},
		{"1e", "error"},
		{".", "error"},
		{"+", "error"},
		{"((1", "error"},
		{"1\x00junk", "1"},
		{"\x00", "0"},
		{"9223372036854775807", "9.223372036854775807e+18"},
	} {
		score, ex, ok := parseScoreBound([]byte(row.text))
		got := "error"
		if ok {
			if got = strconv.FormatFloat(score, 'g', -1, 64); ex {
				got = "(" + got
			}
		}
		if row.text == "9223372036854775807" {
			row.want = strconv.FormatFloat(math.MaxInt64, 'g', -1, 64)
		}
		if got != row.want {
			t.Errorf("%q: %s, want %s", row.text, got, row.want)
		}
	}
}

func TestParseLexBound(t *testing.T) {
	for text, want := range map[string]string{
		"-": "-1", "+": "1", "[a": "[a", "(a": "(a", "[": "[", "(": "(", "": "error", "a": "error", "-a": "error", "+a": "error",
		"[\x00a": "[\x00a", "-\x00a": "-1",
	} {
		b, ok := parseLexBound([]byte(text))
		got := "error"
		switch {
		case ok && b.Open != 0:
			got = strconv.Itoa(int(b.Open))
		case ok && b.Ex:
			got = "(" + string(b.Member)
		case ok:
			got = "[" + string(b.Member)
		}
		if got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestDoubleText is what clients see of a score.
func TestDoubleText(t *testing.T) {
	for f, want := range map[float64]string{
		0: "0", 1: "1", -1: "-1", 0.1: "0.10000000000000001", 1e15: "1000000000000000", 1e16: "10000000000000000", 1e17: "1e+17",
		-1e17: "-1e+17", 999999999999999: "999999999999999", 1e-5: "1.0000000000000001e-05", 1e300: "1.0000000000000001e+300",
		math.Inf(1): "inf", math.Inf(-1): "-inf", 3.5: "3.5", 5e-324: "4.9406564584124654e-324",
	} {
		if got := string(appendDouble(nil, f)); got != want {
			t.Errorf("%v: %s, want %s", f, got, want)
		}
	}
	if got := string(appendDouble(nil, math.Copysign(0, -1))); got != "-0" {
		t.Errorf("minus zero is %s", got)
	}
}
