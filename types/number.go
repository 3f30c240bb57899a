package types

import (
	"bytes"
	"errors"
	"math"
	"strconv"
)

// maxIntLen is the length of the longest 64-bit integer: -9223372036854775808.
const maxIntLen = 20

// parseInt parses an integer in the one form that Redis's string2ll takes: no
// sign but a minus, no leading zero, no space, no -0.
func parseInt(b []byte) (n int64, ok bool) {
	if len(b) == 0 || len(b) > maxIntLen {
		return 0, false
	}
	if len(b) == 1 && b[0] == '0' {
		return 0, true
	}
	digits := b
	negative := b[0] == '-'
	if negative {
		digits = b[1:]
	}
	if len(digits) == 0 || digits[0] == '0' {
		return 0, false
	}
	var u uint64
	for _, c := range digits {
		d := uint64(c) - '0'
		if d > 9 || u > math.MaxUint64/10 {
			return 0, false
		}
		u = u*10 + d
		if u < d {
			return 0, false
		}
	}
	if negative {
		return int64(-u), u <= -math.MinInt64
	}
	return int64(u), u <= math.MaxInt64
}

// addInt adds two integers; ok is false if the sum does not fit.
func addInt(a, b int64) (sum int64, ok bool) {
	sum = a + b
	return sum, (sum > a) == (b > 0)
}

// IncrBy adds to an integer; a missing key is 0. INCR, DECR and DECRBY are this
// with another delta.
func (s String) IncrBy(key []byte, delta int64) (int64, error) {
	tx := s.tx
	var v Value
	h := &v.head
	ok := tx.forWriteInto(tx.db, key, h)
	var old int64
	if ok {
		var err error
		if v.to, err = tx.lenOf(h); err != nil {
			return 0, err
		}
		v.tx = tx
		if old, err = tx.intOf(&v); err != nil {
			return 0, err
		}
	}
	sum, fits := addInt(old, delta)
	if !fits {
		return 0, ErrOverflow
	}
	tx.scratch = strconv.AppendInt(tx.scratch[:0], sum, 10)
	m := tx.putMeta(tagString, h.ExpireMs, h, ok)
	if err := tx.overwrite(key, tx.scratch, m, h, ok); err != nil {
		return 0, err
	}
	tx.signalModified(tx.db, key, EventString, "incrby")
	return sum, nil
}

// intOf reads a value as an integer, or fails with ErrNotInteger.
func (tx *Tx) intOf(v *Value) (int64, error) {
	if v.Len() > maxIntLen {
		return 0, ErrNotInteger
	}
	buf, err := v.AppendTo(tx.scratch[:0])
	tx.scratch = buf
	if err != nil {
		return 0, err
	}
	n, ok := parseInt(buf)
	if !ok {
		return 0, ErrNotInteger
	}
	return n, nil
}

// floatPrefix parses the number that a text begins with, as C's strtod does: decimal
// or hexadecimal, inf, or nan, after any white space. ok is false if there is none.
func floatPrefix(text []byte) (f float64, ok bool) {
	text = bytes.TrimLeft(text, " \t\n\v\f\r")
	sign := 0
	if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
		sign = 1
	}
	rest := text[sign:]
	switch {
	case len(rest) >= 3 && bytes.EqualFold(rest[:3], []byte("inf")):
		return math.Inf(1 - 2*bytes.Count(text[:sign], []byte("-"))), true
	case len(rest) >= 3 && bytes.EqualFold(rest[:3], []byte("nan")):
		return math.NaN(), true
	}
	hex := len(rest) >= 2 && rest[0] == '0' && rest[1]|0x20 == 'x'
	n := 0
	if hex {
		n = 2
	}
	n, digits := mantissaEnd(rest, n, hex)
	if digits == 0 {
		return 0, false
	}
	end := exponentEnd(rest, n, hex)
	number := string(text[:sign+end])
	if hex && end == n {
		number += "p0" // Go wants an exponent there, C does not
	}
	f, err := strconv.ParseFloat(number, 64)
	return f, err == nil || errors.Is(err, strconv.ErrRange)
}

// mantissaEnd returns where the digits from i on end, of which one may be a point,
// and how many there are.
func mantissaEnd(text []byte, i int, hex bool) (end, digits int) {
	point := false
	for ; i < len(text); i++ {
		ch := text[i]
		switch {
		case '0' <= ch && ch <= '9', hex && 'a' <= ch|0x20 && ch|0x20 <= 'f':
			digits++
		case ch == '.' && !point:
			point = true
		default:
			return i, digits
		}
	}
	return i, digits
}

// exponentEnd returns where the exponent at i ends; i if there is none.
func exponentEnd(text []byte, i int, hex bool) int {
	letter := byte('e')
	if hex {
		letter = 'p'
	}
	if i == len(text) || text[i]|0x20 != letter {
		return i
	}
	first := i + 1
	if first < len(text) && (text[first] == '-' || text[first] == '+') {
		first++
	}
	end := first
	for end < len(text) && '0' <= text[end] && text[end] <= '9' {
		end++
	}
	if end == first {
		return i
	}
	return end
}
