package types

// Patterns are Redis's, odd corners included: a class that is not closed ends
// with the pattern, "[^" alone is any byte, a reversed range is turned round,
// bytes above 127 sort below the others in a range (C's signed char), an escape
// in a class ignores the folding of case, and a pattern that begins with * does
// not match the empty string.
//
// Every element of a pattern but * takes exactly one byte. So when the elements
// after a * fail, only the nearest * can take one byte more: matching with an
// earlier one longer cannot help. That keeps two positions to go back to instead
// of a stack, and the time within len(pattern) * len(s), where backtracking over
// every * needs exponential time for "*a*a*a*a*b".

// maxStars is how many runs of * Redis follows into each other; a pattern that
// needs more matches nothing there, and so here.
const maxStars = 1000

// Match reports whether s matches a pattern of Redis: * ? [abc] [a-z] [^a] and
// \ before a character that is meant as itself. It takes time at most
// proportional to the product of the lengths.
func Match(pattern, s []byte) bool { return match(pattern, s, false) }

// MatchFold is Match without regard to the case of ASCII letters.
func MatchFold(pattern, s []byte) bool { return match(pattern, s, true) }

func match(pattern, s []byte, fold bool) bool {
	if len(s) == 0 {
		return len(pattern) == 0
	}
	p, i := 0, 0
	star, starAt := -1, 0 // the last * met, and where in s it stops taking bytes
	stars := 0            // runs of * met, but for one that ends the pattern
	for i < len(s) {
		if p < len(pattern) && pattern[p] == '*' {
			star, starAt = p, i
			p++
			if p < len(pattern) && pattern[p] != '*' {
				stars++
			}
			if stars > maxStars {
				return false
			}
			continue
		}
		if p < len(pattern) {
			next, ok := matchOne(pattern, p, s[i], fold)
			if ok {
				p, i = next, i+1
				continue
			}
		}
		if star < 0 {
			return false
		}
		starAt++
		p, i = star+1, starAt
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// matchOne matches one byte with the element at p, which is not a *, and returns
// where the next element begins.
func matchOne(pattern []byte, p int, c byte, fold bool) (next int, ok bool) {
	switch pattern[p] {
	case '?':
		return p + 1, true
	case '[':
		return matchClass(pattern, p+1, c, fold)
	case '\\':
		if p+1 < len(pattern) {
			p++
		}
	}
	return p + 1, sameByte(pattern[p], c, fold)
}

// matchClass matches one byte with the class whose [ is before p.
func matchClass(pattern []byte, p int, c byte, fold bool) (next int, ok bool) {
	not := p < len(pattern) && pattern[p] == '^'
	if not {
		p++
	}
	found := false
	for ; p < len(pattern) && pattern[p] != ']'; p++ {
		left := len(pattern) - p
		switch {
		case pattern[p] == '\\' && left >= 2:
			p++
			found = found || pattern[p] == c
		case left >= 3 && pattern[p+1] == '-':
			found = found || inRange(pattern[p], pattern[p+2], c, fold)
			p += 2
		default:
			found = found || sameByte(pattern[p], c, fold)
		}
	}
	return min(p+1, len(pattern)), found != not
}

func inRange(first, last, c byte, fold bool) bool {
	lo, hi, x := int(int8(first)), int(int8(last)), int(int8(c))
	if lo > hi {
		lo, hi = hi, lo
	}
	if fold {
		lo, hi, x = lowerC(lo), lowerC(hi), lowerC(x)
	}
	return lo <= x && x <= hi
}

// lowerC is C's tolower of a signed char, which, with Debian's library, makes all
// negative ones positive but -1.
func lowerC(x int) int {
	if x < -1 {
		return x + 256
	}
	return int(int8(lower(byte(x))))
}

func sameByte(a, b byte, fold bool) bool {
	return a == b || fold && lower(a) == lower(b)
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// literalPrefix returns the bytes that every match of a pattern begins with, and
// whether the pattern matches these bytes alone.
func literalPrefix(pattern []byte) (prefix []byte, whole bool) {
	for p := 0; p < len(pattern); p++ {
		switch pattern[p] {
		case '*', '?', '[':
			return prefix, false
		case '\\':
			if p+1 < len(pattern) {
				p++
			}
		}
		prefix = append(prefix, pattern[p])
	}
	return prefix, true
}
