package resp

import (
	"math"

	"bitkv/types"
)

// The parsers of arguments accept exactly what Redis accepts, which is neither
// what C's nor what Go's own functions do.

func parseInt(b []byte) (n int64, ok bool) { return types.ParseInt(b) }

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

// parseFloat parses a float64 as Redis does: as C's strtod, but no spaces, no NaN,
// and nothing that overflows or that is not zero and becomes it.
func parseFloat(b []byte) (f float64, ok bool) {
	if len(b) == 0 || len(b) >= maxFloatBytes || isSpace(b[0]) {
		return 0, false
	}
	f, n, inRange := types.FloatPrefix(b)
	return f, n == len(b) && inRange && !math.IsNaN(f)
}

// maxFloatBytes is the longest text that Redis takes for a floating-point number.
const maxFloatBytes = 5 << 10

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
