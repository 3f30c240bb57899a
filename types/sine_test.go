package types

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// exactSine is the sine, or the cosine, to 300 bits.
func exactSine(x *big.Float, cosine bool) *big.Float {
	const precision = 300
	term := new(big.Float).SetPrec(precision).SetInt64(1)
	sum := new(big.Float).SetPrec(precision)
	for n := range 80 {
		if n > 0 {
			term.Mul(term, x)
			term.Quo(term, new(big.Float).SetInt64(int64(n)))
		}
		switch {
		case (n%2 == 0) != cosine:
		case n%4 >= 2:
			sum.Sub(sum, term)
		default:
			sum.Add(sum, term)
		}
	}
	return sum
}

// TestSine: sine and cosine are the doubles next to the exact numbers, and arcsine
// is, too: the numbers half-way to its neighbours have sines on either side.
func TestSine(t *testing.T) {
	const seed = 1
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	args := []float64{0, 1e-300, 1e-9, math.Pi, -math.Pi, math.Pi / 2, math.Pi / 4, -math.Pi / 4, 1, 0.5, 1. / 128}
	for range 3_000 {
		x := (rnd.Float64()*2 - 1) * math.Pi
		if rnd.IntN(3) == 0 {
			x *= math.Pow(10, -8*rnd.Float64())
		}
		args = append(args, x)
	}
	wrong := 0
	for _, x := range args {
		exact := new(big.Float).SetFloat64(x)
		wantSine, _ := exactSine(exact, false).Float64()
		wantCosine, _ := exactSine(exact, true).Float64()
		if math.Float64bits(sine(x)) != math.Float64bits(wantSine) || cosine(x) != wantCosine {
			wrong++
			t.Logf("sine and cosine of %v: %v and %v, want %v and %v", x, sine(x), cosine(x), wantSine, wantCosine)
		}
		y := min(math.Abs(x)/3.1, 1)
		got := arcsine(y)
		above := exactSine(halfWay(got, math.Inf(1)), false)
		below := exactSine(halfWay(got, math.Inf(-1)), false)
		if z := new(big.Float).SetFloat64(y); z.Cmp(above) > 0 && got < math.Pi/2 || z.Cmp(below) < 0 {
			wrong++
			t.Logf("arcsine of %v: %v", y, got)
		}
	}
	if wrong > 2 {
		t.Errorf("%d of %d are not the nearest", wrong, len(args))
	}
	if !math.IsNaN(arcsine(1.5)) || !math.IsNaN(arcsine(math.NaN())) {
		t.Errorf("arcsine of 1.5 and NaN: %v, %v", arcsine(1.5), arcsine(math.NaN()))
	}
}

// halfWay is the number between x and the next one in a direction.
func halfWay(x, direction float64) *big.Float {
	sum := new(big.Float).SetPrec(300).SetFloat64(x)
	sum.Add(sum, new(big.Float).SetFloat64(math.Nextafter(x, direction)))
	return sum.Quo(sum, big.NewFloat(2))
}
