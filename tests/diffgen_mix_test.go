package tests

import "strings"

// group is commands that are kept together, one after the other on one
// connection. See sameAfter for what that allows to be checked.
type group struct {
	commands [][]string
	loose    bool // the second command picks at random, the third shows what it left
}

// about makes a command about a type: one of types.
func (g gen) about(kind string) []string {
	switch kind {
	case "hash":
		return g.hash()
	case "list":
		return g.list()
	case "set":
		return g.set()
	case "zset":
		return g.zset()
	case "bits":
		return g.bytewise()
	case "hll":
		return g.sketch()
	case "geo":
		return g.geo()
	default:
		return g.command()
	}
}

// single returns one command of any family. It does not wait.
func (g gen) single() []string {
	switch g.IntN(10) {
	case 0:
		if g.sorts {
			return g.sort()
		}
	case 1:
		return g.restore()
	}
	return g.about(types[g.IntN(len(types))])
}

// group returns what comes next in a session that is mostly about one type.
func (g gen) group(focus string) group {
	switch n := g.IntN(100); {
	case n < 60:
		return alone(g.about(focus))
	case n < 75:
		return alone(g.command())
	case n < 88:
		return alone(g.single())
	case n < 90:
		return alone(g.restore())
	case n < 92:
		return group{commands: g.weights()}
	case n < 94:
		return g.waiting()
	case n < 95 || focus == "hash" && n < 98:
		return g.picks()
	case focus == "geo" && n < 98:
		return g.distances()
	case n < 96:
		return g.pops()
	case n < 98:
		return alone(g.broken(g.about(focus)))
	default:
		return alone(g.fill(focus))
	}
}

func alone(command []string) group { return group{commands: [][]string{command}} }

// picks asks for random entries after asking for all.
func (g gen) picks() group {
	s, h, z := g.of("set"), g.of("hash"), g.of("zset")
	n := g.randomCount()
	switch g.IntN(6) {
	case 0:
		return group{commands: [][]string{{"SMEMBERS", s}, {"SRANDMEMBER", s, n}}}
	case 1:
		return group{commands: [][]string{{"SMEMBERS", s}, {"SRANDMEMBER", s}}}
	case 2:
		return group{commands: [][]string{{"HKEYS", h}, {"HRANDFIELD", h, n}}}
	case 3:
		return group{commands: [][]string{{"HGETALL", h}, {"HRANDFIELD", h, n, g.cased("WITHVALUES")}}}
	case 4:
		return group{commands: [][]string{{"ZRANGE", z, "0", "-1"}, {"ZRANDMEMBER", z, n}}}
	default:
		return group{commands: [][]string{{"ZRANGE", z, "0", "-1", "WITHSCORES"}, {"ZRANDMEMBER", z, n, g.cased("WITHSCORES")}}}
	}
}

// pops takes random members out of a set, and then the rest: the servers take
// different ones.
func (g gen) pops() group {
	k := g.of("set")
	pop := []string{"SPOP", k, g.pick("0", "1", "2", "5", "100", "1000000", "-1", "abc", "9223372036854775807", "9223372036854775808")}
	if g.chance(3) {
		pop = pop[:2]
	}
	return group{commands: [][]string{{"SMEMBERS", k}, pop, {"SMEMBERS", k}, {"DEL", k}}, loose: true}
}

// randomCount is how many random entries to ask for: negative ones are answered
// in full, so they are small or refused.
func (g gen) randomCount() string {
	return g.pick("0", "1", "-1", "3", "-3", "5", "-5", "100", "-100", "200", "-300", "1000000", "9223372036854775807",
		"-9223372036854775808", "-9223372036854775809", "9223372036854775808", "abc", "", "1.5")
}

// waiting makes commands that wait, after one that lets them find something. If
// the key is of another type, or they are queued, they answer at once, too.
func (g gen) waiting() group {
	timeout := g.inRange(g.pick("0", "0.0", "1000", "0.001", "-1", "-0.5", "abc", "", "nan", "inf", "1e400", "9223372036854775807", "1e3", " 1"))
	end, other := g.pick("LEFT", "RIGHT"), g.pick("LEFT", "RIGHT", "left")
	k := g.of("list")
	push := []string{g.pick("LPUSH", "RPUSH"), k, g.value(), g.value()}
	z := g.of("zset")
	add := []string{"ZADD", z, "1", "a", "2", "b"}
	switch g.IntN(10) {
	case 0, 1:
		return group{commands: [][]string{push, {g.pick("BLPOP", "BRPOP"), g.of("list"), k, g.of("list"), timeout}}}
	case 2:
		return group{commands: [][]string{push, {"BRPOPLPUSH", k, g.of("list"), timeout}}}
	case 3:
		return group{commands: [][]string{push, {"BLMOVE", k, g.of("list"), end, other, timeout}}}
	case 4:
		return group{commands: [][]string{push, {"BLMPOP", timeout, "2", g.of("list"), k, end, "COUNT", g.count1()}}}
	case 5:
		return group{commands: [][]string{push, {"BLMPOP", timeout, g.pick("1", "0", "-1", "abc", "3"), k, g.pick("LEFT", "UP", "COUNT")}}}
	case 6, 7:
		return group{commands: [][]string{add, {g.pick("BZPOPMIN", "BZPOPMAX"), g.of("zset"), z, timeout}}}
	case 8:
		return group{commands: [][]string{add, {"BZMPOP", timeout, "2", g.of("zset"), z, g.pick("MIN", "MAX", "max"), "COUNT", g.count1()}}}
	default:
		return alone([]string{g.pick("BLPOP", "BRPOP", "BZPOPMIN", "BZPOPMAX"), g.of("list"), "0.001"})
	}
}

// count1 is a count of which 1 is the least.
func (g gen) count1() string {
	return g.pick("1", "2", "10", "1000", "9223372036854775807", "0", "-1", "abc", "", "9223372036854775808")
}

// scan makes a whole HSCAN, SSCAN or ZSCAN in one step.
func (g gen) scan(name, k string) []string {
	return append([]string{name, k, g.pick("0", "0", "0", "0", "abc", "1.5", "")}, g.options(
		func() []string { return []string{g.cased("MATCH"), g.pick(g.pattern(), "f*", "*1*", "m?")} },
		func() []string { return []string{g.cased("COUNT"), g.pick("100000", "1000000", "0", "-1", "abc")} },
		func() []string { return []string{g.pick("BOGUS", "TYPE", "COUNT")} })...)
}

// fill makes a collection large.
func (g gen) fill(focus string) []string {
	n := []int{10, 100, 130, 300, 520, 600}[g.IntN(6)]
	kind := g.pick("hash", "list", "set", "zset")
	if _, ok := fillNames[focus]; ok {
		kind = focus
	}
	args := []string{fillNames[kind], g.of(kind)}
	for range n {
		switch kind {
		case "hash":
			args = append(args, g.member(), g.small())
		case "zset":
			args = append(args, g.score(), g.member())
		case "set":
			args = append(args, g.member())
		default:
			args = append(args, g.small())
		}
	}
	return args
}

var fillNames = map[string]string{"hash": "HSET", "list": "RPUSH", "set": "SADD", "zset": "ZADD"}

// member is a field or member; a few are long or odd.
func (g gen) member() string {
	switch g.IntN(24) {
	case 0:
		return g.pick("", "\x00", "\xff", "\r\n", "-0", "01", "1.0", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "32768", "-32769", "2147483648")
	case 1:
		if g.chance(6) {
			return strings.Repeat("m", 63+g.IntN(4))
		}
		return "f"
	case 2, 3, 4, 5, 6, 7:
		return "m" + digits[g.IntN(len(digits))] + digits[g.IntN(len(digits))] + digits[g.IntN(len(digits))]
	case 8, 9, 10, 11, 12:
		return digits[g.IntN(len(digits))]
	case 13, 14:
		return digits[g.IntN(len(digits))] + digits[g.IntN(len(digits))]
	default:
		return g.pick("a", "b", "c", "d", "e", "f1", "f2", "f3")
	}
}

var digits = []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}

// small is a value that does not make a collection large, most of the time.
func (g gen) small() string {
	switch g.IntN(20) {
	case 0:
		return g.value()
	case 1:
		return g.float()
	case 2, 3, 4:
		return g.int()
	default:
		return g.member()
	}
}

// some appends up to six of what make returns.
func (g gen) some(to []string, make func() string) []string {
	for range 1 + g.IntN(6) {
		to = append(to, make())
	}
	return to
}

// index is a place in a collection.
func (g gen) index() string {
	switch g.IntN(8) {
	case 0:
		return g.int()
	case 1:
		return g.pick("127", "128", "129", "-128", "-129", "511", "512", "513")
	default:
		return g.pick("0", "1", "-1", "-1", "2", "-2", "3", "5", "-5", "10", "-10", "100", "-100")
	}
}
