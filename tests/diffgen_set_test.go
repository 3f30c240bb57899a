package tests

import "strconv"

// set makes a command about sets.
func (g gen) set() []string {
	k, l := g.of("set"), g.of("set")
	switch g.IntN(20) {
	case 0, 1, 2, 3:
		return g.some([]string{"SADD", k}, g.setMember)
	case 4, 5, 6:
		return g.some([]string{"SREM", k}, g.setMember)
	case 7:
		return []string{"SCARD", k}
	case 8:
		return []string{"SISMEMBER", k, g.setMember()}
	case 9:
		return g.some([]string{"SMISMEMBER", k}, g.setMember)
	case 10:
		return []string{"SMEMBERS", k}
	case 11, 12:
		return []string{"SMOVE", k, l, g.setMember()}
	case 13, 14:
		return g.someKeys([]string{g.pick("SINTER", "SUNION", "SDIFF")}, "set")
	case 15, 16:
		return g.someKeys([]string{g.pick("SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE"), k}, "set")
	case 17:
		args := g.someKeys([]string{"SINTERCARD", ""}, "set")
		args[1] = g.numKeys(len(args) - 2)
		return append(args, g.options(
			func() []string { return []string{g.cased("LIMIT"), g.pick("0", "1", "2", "100", g.int())} },
			func() []string { return []string{g.pick("LIMIT", "BOGUS")} })...)
	case 18:
		return g.scan("SSCAN", k)
	default:
		return []string{"OBJECT", "ENCODING", k}
	}
}

// setMember is an integer twice as often as not, so that a set of integers stays
// one for a while.
func (g gen) setMember() string {
	if g.chance(6) {
		return g.member()
	}
	if g.chance(20) {
		return g.int()
	}
	return strconv.Itoa(g.IntN(60) - 10)
}

// someKeys appends up to four keys.
func (g gen) someKeys(args []string, kind string) []string {
	for range 1 + g.IntN(4) {
		args = append(args, g.of(kind))
	}
	return args
}

// numKeys says how many keys follow, nearly always right.
func (g gen) numKeys(n int) string {
	if g.chance(12) {
		return g.pick("0", "-1", "abc", "1", "9", "9223372036854775807", "")
	}
	return strconv.Itoa(n)
}
