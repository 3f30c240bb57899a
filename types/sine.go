package types

import "math"

// Sines for distances. Go's are within a unit of the last place of the right
// number, those of the C library that Redis uses nearly always the nearest one: a
// distance of 17 digits shows the difference. So these are computed to about 68
// bits and rounded once.
//
// A number is a twin: the unevaluated sum of two doubles, the second at most half
// a unit in the last place of the first. What is exact in it rests on math.FMA.
type twin struct{ hi, lo float64 }

// sumOf adds two numbers without loss. REQUIRES: |a| >= |b|, or a is 0.
func sumOf(a, b float64) twin {
	s := a + b
	return twin{s, b - (s - a)}
}

// productOf multiplies two numbers without loss.
func productOf(a, b float64) twin {
	p := a * b
	return twin{p, math.FMA(a, b, -p)}
}

// plus and times lose no more than about 2^-104 of the result.
func (t twin) plus(u twin) twin {
	s := t.hi + u.hi
	back := s - t.hi
	lost := (t.hi - (s - back)) + (u.hi - back)
	return sumOf(s, lost+t.lo+u.lo)
}

func (t twin) times(u twin) twin {
	p := productOf(t.hi, u.hi)
	return sumOf(p.hi, p.lo+float64(t.hi*u.lo)+float64(t.lo*u.hi))
}

// over divides by a number that is exact.
func (t twin) over(n float64) twin {
	q := t.hi / n
	return sumOf(q, (math.FMA(-q, n, t.hi)+t.lo)/n)
}

// Half a pi, in three parts of which multiples by 1 and 2 are exact.
const (
	halfPi1 = math.Pi / 2
	halfPi2 = 6.123233995736766e-17
	halfPi3 = -1.4973849048591833e-33
)

// The table has sine and cosine of the multiples of 1/sineSteps up to pi/4.
const sineSteps = 64

type sineEntry struct{ sin, cos twin }

var sineTable = makeSineTable()

// makeSineTable adds the series of both up.
func makeSineTable() (table [sineSteps*4/5 + 1]sineEntry) {
	for i := range table {
		x := twin{float64(i) / sineSteps, 0}
		term := twin{1, 0}
		sum := [2]twin{{}, term}
		for n := 1; n < 30; n++ {
			term = term.times(x).over(float64(n))
			if n%4 >= 2 {
				sum[1-n%2] = sum[1-n%2].plus(twin{-term.hi, -term.lo})
			} else {
				sum[1-n%2] = sum[1-n%2].plus(term)
			}
		}
		table[i] = sineEntry{sum[0], sum[1]}
	}
	return table
}

// sineNear returns the sine, or the cosine, of x. REQUIRES: |x| is not above
// pi/4 by more than a little.
func sineNear(x twin, cosine bool) twin {
	negative := x.hi < 0
	if negative {
		x = twin{-x.hi, -x.lo}
	}
	step := math.Round(x.hi * sineSteps)
	entry := &sineTable[int(step)]
	t := x.hi - step/sineSteps // exact
	first, second := entry.sin, entry.cos
	if cosine { // cos(a+t) = cos a cos t - sin a sin t
		first, second = entry.cos, twin{-entry.sin.hi, -entry.sin.lo}
	}
	// first*cos t + second*sin t, |t| <= 1/128.
	square := productOf(t, t)
	q := square.hi
	sinRest := float64(t*q) * (-1.0/6 + q*(1.0/120-q*(1.0/5040)))
	cosRest := float64(q*q) * (1.0/24 - q*(1.0/720-q*(1.0/40320)))
	a := productOf(second.hi, t)
	b := productOf(first.hi, -q/2)
	sum := first.plus(a)
	small := float64(second.hi*(sinRest+x.lo)) + float64(second.lo*t) + float64(first.hi*(cosRest-square.lo/2-float64(t*x.lo))) + b.lo
	sum = sum.plus(sumOf(b.hi, small))
	if negative && !cosine {
		sum = twin{-sum.hi, -sum.lo}
	}
	return sum
}

// sineOf returns the sine, or the cosine, of a number that is not above 2 pi.
func sineOf(x float64, cosine bool) twin {
	quadrant := math.Round(x / halfPi1)
	r := twin{x, 0}
	if quadrant != 0 {
		p, p2 := productOf(quadrant, halfPi1), productOf(quadrant, halfPi2)
		r = sumOf(x-p.hi, 0).plus(twin{-p.lo, 0}).plus(twin{-p2.hi, -p2.lo - quadrant*halfPi3})
	}
	turns := int(quadrant) & 3
	if cosine {
		turns = (turns + 1) & 3
	}
	v := sineNear(r, turns&1 == 1)
	if turns >= 2 {
		v = twin{-v.hi, -v.lo}
	}
	return v
}

// sine, cosine and arcsine return the double next to the result, but for about one
// in ten thousand that lies between two as near. REQUIRES: |x| <= 2 pi.
func sine(x float64) float64 {
	if math.Abs(x) < 1e-9 {
		return x // and what is missing is less than half a unit of its last place
	}
	return sineOf(x, false).hi
}

func cosine(x float64) float64 { return sineOf(x, true).hi }

// arcsine returns the number of which x is the sine; NaN if there is none.
// REQUIRES: x >= 0.
func arcsine(x float64) float64 {
	switch {
	case x < 1e-9 || !(x <= 1):
		return math.Asin(x)
	case x <= 0.5:
		v := arcsineNear(twin{x, 0})
		return v.hi + v.lo
	}
	// asin x = pi/2 - 2 asin sqrt((1-x)/2)
	s := (1 - x) / 2
	if s == 0 {
		return halfPi1
	}
	root := math.Sqrt(s)
	v := arcsineNear(sumOf(root, math.FMA(-root, root, s)/(2*root)))
	v = twin{halfPi1, halfPi2}.plus(twin{-2 * v.hi, -2 * v.lo})
	return v.hi + v.lo
}

// arcsineNear takes one step of Newton's method from Go's result. REQUIRES: x <= 0.5.
func arcsineNear(x twin) twin {
	near := math.Asin(x.hi)
	s := sineOf(near, false)
	c := math.Sqrt(1 - s.hi*s.hi)
	return sumOf(near, (x.hi-s.hi-s.lo+x.lo)/c)
}
