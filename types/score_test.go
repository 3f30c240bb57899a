package types

import (
	"bytes"
	"cmp"
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"
)

// TestScoreOrder: stored scores are in the order of the numbers, -0 and 0 equal, and
// give them back, sign included.
func TestScoreOrder(t *testing.T) {
	special := []float64{0, math.Copysign(0, -1), 1, -1, math.Inf(1), math.Inf(-1), math.MaxFloat64, math.SmallestNonzeroFloat64, -math.SmallestNonzeroFloat64}
	score := rapid.OneOf(rapid.SampledFrom(special), rapid.Float64())
	rapid.Check(t, func(rt *rapid.T) {
		a, b := score.Draw(rt, "a"), score.Draw(rt, "b")
		if math.IsNaN(a) || math.IsNaN(b) {
			return
		}
		x, y := encodeScore(a), encodeScore(b)
		if got, want := cmp.Compare(scoreOrder(x[:]), scoreOrder(y[:])), cmp.Compare(a, b); got != want {
			rt.Fatalf("%v and %v compare as %d, want %d", a, b, got, want)
		}
		if back, err := decodeScore(x[:]); err != nil || math.Float64bits(back) != math.Float64bits(a) {
			rt.Fatalf("%v came back as %v, %v", a, back, err)
		}
	})
}

func TestScoreDamage(t *testing.T) {
	for _, b := range [][]byte{nil, make([]byte, 7), make([]byte, 9), bytes.Repeat([]byte{0xff}, 8), make([]byte, 8)} {
		if x, err := decodeScore(b); !errors.Is(err, ErrCorrupt) {
			t.Errorf("score %x: %v, %v; want %v", b, x, err, ErrCorrupt)
		}
	}
}

func TestAppendC17g(t *testing.T) {
	for want, x := range map[string]float64{
		"1": 1, "-0": math.Copysign(0, -1), "0.10000000000000001": 0.1, "1e+20": 1e20, "inf": math.Inf(1), "-inf": math.Inf(-1),
		"12345678901234568": 12345678901234568, "1.0000000000000001e-05": 1e-5, "1.5": 1.5, "1e+17": 1e17,
	} {
		if got := string(appendC17g(nil, x)); got != want {
			t.Errorf("%v prints as %s, want %s", x, got, want)
		}
	}
}
