package types

import (
	"bytes"
	"math"
	"strconv"
	"strings"
)

// Numbers are read as Redis reads them, which is neither what C's nor what Go's own
// functions do.

// maxIntLen is the length of the longest 64-bit integer: -9223372036854775808.
const maxIntLen = 20

// ParseInt parses a decimal int64 in the one form that Redis's string2ll takes: no
// plus sign, no spaces, no leading zeros, no minus zero.
func ParseInt(b []byte) (n int64, ok bool) {
	digits, negative := b, false
	if len(digits) > 0 && digits[0] == '-' {
		digits, negative = digits[1:], true
	}
	if len(digits) == 0 || len(digits) >= maxIntLen {
		return 0, false
	}
	if digits[0] == '0' {
		return 0, len(b) == 1
	}
	var u uint64 // 19 digits cannot overflow it
	for _, ch := range digits {
		if ch < '0' || ch > '9' {
			return 0, false
		}
		u = u*10 + uint64(ch-'0')
	}
	switch {
	case !negative:
		return int64(u), u <= math.MaxInt64
	case u <= -math.MinInt64:
		return -int64(u), true
	default:
		return 0, false
	}
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
	n, ok := ParseInt(buf)
	if !ok {
		return 0, ErrNotInteger
	}
	return n, nil
}

// FloatPrefix parses the number that a text begins with, as C's strtod does: decimal
// or hexadecimal, inf, infinity or nan, after any white space. n is how much of the
// text that is, 0 if there is no number. inRange is false if the number is so large
// that f is infinity, or so small that f is 0.
func FloatPrefix(text []byte) (f float64, n int, inRange bool) {
	number := bytes.TrimLeft(text, " \t\n\v\f\r")
	begin, negative := len(text)-len(number), false
	if len(number) > 0 && (number[0] == '-' || number[0] == '+') {
		negative = number[0] == '-'
		number = number[1:]
		begin++
	}
	inRange = true
	if f, n = namedFloat(number); n == 0 {
		f, n, inRange = floatDigits(number)
	}
	if n == 0 {
		return 0, 0, true
	}
	if negative {
		f = -f
	}
	return f, begin + n, inRange
}

// namedFloat is FloatPrefix of a number that is a word.
func namedFloat(text []byte) (f float64, n int) {
	for _, name := range []string{"infinity", "inf"} {
		if len(text) >= len(name) && strings.EqualFold(string(text[:len(name)]), name) {
			return math.Inf(1), len(name)
		}
	}
	if len(text) >= 3 && strings.EqualFold(string(text[:3]), "nan") {
		return math.NaN(), 3
	}
	return 0, 0
}

// floatDigits is FloatPrefix of a number without a sign.
func floatDigits(text []byte) (f float64, n int, inRange bool) {
	hex := len(text) >= 2 && text[0] == '0' && text[1]|0x20 == 'x'
	end, isZero := mantissaEnd(text, hex)
	if end == 0 {
		return 0, 0, true
	}
	n = exponentEnd(text, end, hex)
	s := string(text[:n])
	if hex && n == end {
		s += "p0" // Go wants an exponent there, C does not
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, n, err == nil && (f != 0 || isZero)
}

// mantissaEnd returns where the digits that a number begins with end, of which one
// may be a point; 0 if there are none. isZero reports whether they are all 0.
func mantissaEnd(text []byte, hex bool) (end int, isZero bool) {
	if hex {
		end = len("0x")
	}
	digits, zeros, point := 0, 0, false
	for ; end < len(text); end++ {
		ch := text[end]
		if ch == '.' && !point {
			point = true
			continue
		}
		if (ch < '0' || ch > '9') && (!hex || ch|0x20 < 'a' || ch|0x20 > 'f') {
			break
		}
		digits++
		if ch == '0' {
			zeros++
		}
	}
	if digits == 0 {
		return 0, false
	}
	return end, digits == zeros
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
