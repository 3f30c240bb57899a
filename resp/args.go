package resp

import (
	"math"
	"strconv"
)

// The parsers of arguments accept exactly what Redis accepts, which is neither
// what C's nor what Go's own functions do.

// parseInt parses a decimal int64 as Redis does: no plus sign, no spaces, no
// leading zeros, no minus zero.
func parseInt(b []byte) (n int64, ok bool) {
	digits, negative := b, false
	if len(digits) > 0 && digits[0] == '-' {
		digits, negative = digits[1:], true
	}
	if len(digits) == 0 || len(digits) > len("9223372036854775808") {
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

// parseCursor parses the cursor of SCAN as C's strtoul does, which Redis uses
// there: a sign is allowed, the empty string is 0, a zero byte ends the number.
func parseCursor(b []byte) (cursor uint64, ok bool) {
	negative := false
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		negative = b[0] == '-'
		b = b[1:]
		if len(b) == 0 || b[0] == 0 {
			return 0, false
		}
	}
	for _, ch := range b {
		if ch == 0 {
			break
		}
		digit := uint64(ch - '0')
		if digit > 9 || cursor > (math.MaxUint64-digit)/10 {
			return 0, false
		}
		cursor = cursor*10 + digit
	}
	if negative {
		cursor = -cursor
	}
	return cursor, true
}

// parseFloat parses a float64 as Redis does: decimal or hexadecimal, with or
// without an exponent, and inf and infinity in any case; no spaces, no NaN, and
// nothing that overflows or that is not zero and becomes it.
func parseFloat(b []byte) (f float64, ok bool) {
	if len(b) == 0 || len(b) >= maxFloatBytes {
		return 0, false
	}
	hex, exponent, nonZero := false, false, false
	for i, ch := range b {
		switch {
		case ch == '_': // Go's syntax, not C's
			return 0, false
		case ch == 'x' || ch == 'X':
			hex = true
		case ch == 'p' || ch == 'P', !hex && i > 0 && (ch == 'e' || ch == 'E'):
			exponent = true
		case !exponent && ch != '0' && isHexDigit(ch):
			nonZero = true
		}
	}
	s := string(b)
	if hex && !exponent {
		s += "p0" // Go wants an exponent there, C does not
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) || f == 0 && nonZero {
		return 0, false
	}
	return f, true
}

// maxFloatBytes is the longest text that Redis takes for a floating-point number.
const maxFloatBytes = 5 << 10

func isHexDigit(ch byte) bool {
	return '0' <= ch && ch <= '9' || 'a' <= ch|0x20 && ch|0x20 <= 'f'
}

// isWord reports whether arg is word, whatever the case of their letters.
func isWord(arg []byte, word string) bool {
	if len(arg) != len(word) {
		return false
	}
	for i, ch := range arg {
		if lower(ch) != lower(word[i]) {
			return false
		}
	}
	return true
}

// lower is the lower case of an ASCII letter, and any other byte as it is.
func lower(ch byte) byte {
	if 'A' <= ch && ch <= 'Z' {
		return ch + ('a' - 'A')
	}
	return ch
}

// lowerASCII returns a copy of b with its ASCII letters in lower case.
func lowerASCII(b []byte) []byte {
	folded := make([]byte, len(b))
	for i, ch := range b {
		folded[i] = lower(ch)
	}
	return folded
}
