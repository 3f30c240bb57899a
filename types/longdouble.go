package types

import (
	"bytes"
	"math/big"
)

// INCRBYFLOAT computes in C's long double, which on x86 has a mantissa of 64
// bits, and prints it with 17 decimals less the zeros at the end. A big.Float of
// 64 bits, rounded to nearest even, gives the same bits: parsing is done over an
// exact fraction, addition and printing are exactly rounded in package big.
// What differs is the range of the exponent, which is checked here: beyond it
// lies infinity, and what strtold would round to zero is refused. (Between the
// two, denormal numbers have fewer bits in C; they print as 0 all the same.)

const (
	longDoubleBits   = 64
	longDoubleMaxExp = 16384 // |x| < 2^16384
	// longDoubleZeroExp: half of the smallest denormal number is 2 to this; what
	// is not larger rounds to 0.
	longDoubleZeroExp = -16446
	// maxFloatLen bounds the text of a number, as Redis's buffer does.
	maxFloatLen = 5*1024 - 1
	// maxTextExp is beyond every exponent, decimal or binary, that the digits
	// of a text could bring back into the range.
	maxTextExp = 100_000
)

// IncrByFloat adds to a float as Redis does on x86, in 64-bit-mantissa long
// doubles, and appends the new value in its form to dst. incr is the argument as
// it came: ErrNotFloat if it is not a number.
func (s String) IncrByFloat(dst, key, incr []byte) ([]byte, error) {
	tx := s.tx
	h, ok := tx.forWrite(tx.db, key)
	sum := new(big.Float).SetPrec(longDoubleBits)
	if ok {
		v, err := tx.valueOf(&h)
		if err != nil {
			return dst, err
		}
		if sum, err = tx.floatOf(&v); err != nil {
			return dst, err
		}
	}
	delta, isFloat := parseLongDouble(incr)
	if !isFloat {
		return dst, ErrNotFloat
	}
	if sum.IsInf() || delta.IsInf() {
		return dst, ErrNaN
	}
	if sum.Add(sum, delta); sum.MantExp(nil) > longDoubleMaxExp {
		return dst, ErrNaN
	}
	text := appendLongDouble(tx.scratch[:0], sum)
	tx.scratch = text
	m := tx.putMeta(tagString|tagText, h.ExpireMs, &h, ok)
	if err := tx.overwrite(key, text, m, &h, ok); err != nil {
		return dst, err
	}
	tx.signalModified(tx.db, key, EventString, "incrbyfloat")
	return append(dst, text...), nil
}

// floatOf reads a value as a number, or fails with ErrNotFloat.
func (tx *Tx) floatOf(v *Value) (*big.Float, error) {
	if v.Len() > maxFloatLen {
		return nil, ErrNotFloat
	}
	buf, err := v.AppendTo(tx.scratch[:0])
	tx.scratch = buf
	if err != nil {
		return nil, err
	}
	x, ok := parseLongDouble(buf)
	if !ok {
		return nil, ErrNotFloat
	}
	return x, nil
}

// appendLongDouble prints as C's %.17Lf, less trailing zeros.
func appendLongDouble(dst []byte, x *big.Float) []byte {
	base := len(dst)
	dst = x.Append(dst, 'f', 17)
	dst = bytes.TrimRight(dst, "0")
	dst = bytes.TrimSuffix(dst, []byte("."))
	if string(dst[base:]) == "-0" {
		dst = append(dst[:base], '0')
	}
	return dst
}

// parseLongDouble parses a number as Redis does, with strtold: decimal or
// hexadecimal, no space before or after, not NaN, not out of range. Infinity by
// name is a number.
func parseLongDouble(text []byte) (*big.Float, bool) {
	if len(text) == 0 || len(text) > maxFloatLen {
		return nil, false
	}
	negative := text[0] == '-'
	if negative || text[0] == '+' {
		text = text[1:]
	}
	if bytes.EqualFold(text, []byte("inf")) || bytes.EqualFold(text, []byte("infinity")) {
		return new(big.Float).SetInf(negative), true
	}
	exact, ok := parseExact(text)
	if !ok {
		return nil, false
	}
	x := new(big.Float).SetPrec(longDoubleBits).SetRat(exact)
	if exp := x.MantExp(nil); exp > longDoubleMaxExp {
		return nil, false
	} else if x.Sign() != 0 && exp < longDoubleZeroExp+longDoubleBits {
		denominator := new(big.Int).Lsh(big.NewInt(1), -longDoubleZeroExp)
		if exact.Cmp(new(big.Rat).SetFrac(big.NewInt(1), denominator)) <= 0 {
			return nil, false
		}
	}
	if negative {
		x.Neg(x)
	}
	return x, true
}

// parseExact parses an unsigned number as the fraction that it is. It fails too
// if the number is far out of range.
func parseExact(text []byte) (*big.Rat, bool) {
	base, expMark, digitExp := 10, byte('e'), 1
	if len(text) > 2 && text[0] == '0' && lower(text[1]) == 'x' {
		base, expMark, digitExp, text = 16, 'p', 4, text[2:]
	}
	digits := make([]byte, 0, len(text))
	i, point := 0, -1
	for ; i < len(text); i++ {
		if text[i] == '.' && point < 0 {
			point = len(digits)
			continue
		}
		if !isDigit(text[i], base) {
			break
		}
		digits = append(digits, text[i])
	}
	if len(digits) == 0 {
		return nil, false
	}
	exp := 0
	if point >= 0 {
		exp = -digitExp * (len(digits) - point)
	}
	if i < len(text) {
		if lower(text[i]) != expMark {
			return nil, false
		}
		n, ok := parseExp(text[i+1:])
		if !ok {
			return nil, false
		}
		exp += n
	}
	mantissa, ok := new(big.Int).SetString(string(digits), base)
	if !ok {
		return nil, false
	}
	return scale(mantissa, base, exp)
}

// scale returns mantissa * b^exp, where b is 10 or, for hexadecimal, 2.
func scale(mantissa *big.Int, base, exp int) (*big.Rat, bool) {
	x := new(big.Rat).SetInt(mantissa)
	if mantissa.Sign() == 0 || exp == 0 {
		return x, true
	}
	if exp > maxTextExp || exp < -maxTextExp {
		return nil, false
	}
	factor := new(big.Int)
	if base == 16 {
		factor.Lsh(big.NewInt(1), uint(max(exp, -exp)))
	} else {
		factor.Exp(big.NewInt(10), big.NewInt(int64(max(exp, -exp))), nil)
	}
	if exp > 0 {
		return x.SetInt(mantissa.Mul(mantissa, factor)), true
	}
	return x.SetFrac(mantissa, factor), true
}

// parseExp parses an exponent; one that is far out of range becomes one that is
// out of range.
func parseExp(text []byte) (n int, ok bool) {
	negative := len(text) > 0 && text[0] == '-'
	if negative || len(text) > 0 && text[0] == '+' {
		text = text[1:]
	}
	if len(text) == 0 {
		return 0, false
	}
	for _, c := range text {
		if !isDigit(c, 10) {
			return 0, false
		}
		n = min(n*10+int(c-'0'), 10*maxTextExp)
	}
	if negative {
		n = -n
	}
	return n, true
}

func isDigit(c byte, base int) bool {
	return '0' <= c && c <= '9' || base == 16 && 'a' <= lower(c) && lower(c) <= 'f'
}
