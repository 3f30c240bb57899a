package types

// Match reports whether s matches a pattern of Redis: * ? [abc] [a-z] [^a] and
// \ before a character that is meant as itself. It takes time at most
// proportional to the product of the lengths.
func Match(pattern, s []byte) bool { panic("Y") }

// MatchFold is Match without regard to the case of ASCII letters.
func MatchFold(pattern, s []byte) bool { panic("Y") }
