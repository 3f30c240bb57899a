package tests

import (
	"math"
	"strconv"
	"strings"
)

// zset makes a command about sorted sets.
func (g gen) zset() []string {
	k := g.of("zset")
	switch g.IntN(32) {
	case 0, 1, 2, 3, 4:
		return g.zadd(k)
	case 5, 6:
		return []string{"ZINCRBY", k, g.score(), g.member()}
	case 7, 8:
		return g.some([]string{"ZREM", k}, g.member)
	case 9:
		return []string{g.pick("ZCARD", "ZSCORE", "ZRANK"), k}
	case 10:
		return []string{"ZCOUNT", k, g.scoreBound(), g.scoreBound()}
	case 11:
		return g.lex()
	case 12:
		return []string{"ZSCORE", k, g.member()}
	case 13:
		return g.some([]string{"ZMSCORE", k}, g.member)
	case 14:
		return []string{g.pick("ZRANK", "ZREVRANK"), k, g.member()}
	case 15, 16, 17:
		return g.zrange([]string{"ZRANGE", k})
	case 18:
		return g.zrange([]string{"ZRANGESTORE", g.of("zset"), k})
	case 19, 20, 21:
		return g.oldRange(k)
	case 22:
		return append([]string{g.pick("ZPOPMIN", "ZPOPMAX"), k}, g.options(func() []string { return []string{g.pick("1", "2", "0", "-1", "100", "abc", "9223372036854775807")} })...)
	case 23:
		args := g.someKeys([]string{"ZMPOP", ""}, "zset")
		args[1] = g.numKeys(len(args) - 2)
		return append(append(args, g.pick("MIN", "MAX", "min", "BOGUS")), g.options(func() []string { return []string{g.cased("COUNT"), g.count1()} })...)
	case 24:
		return g.zremrange(k)
	case 25, 26, 27:
		return g.zcombine(k)
	case 28:
		return g.scan("ZSCAN", k)
	case 29, 30:
		return g.lex()
	default:
		return []string{"OBJECT", "ENCODING", k}
	}
}

// score is mostly a small number, so that scores are equal at times.
func (g gen) score() string {
	switch g.IntN(12) {
	case 0:
		return g.float()
	case 1:
		return g.inRange(g.pick("inf", "-inf", "+inf", "Inf", "1e308", "-1e308", "1.7976931348623157e308", "5e-324", "-0", "0", "nan", "0.1", "0.2", "1e17", "9007199254740993", "123456789012345678"))
	case 2:
		return g.inRange(strconv.FormatFloat(math.Float64frombits(g.Uint64()), 'g', -1, 64))
	default:
		return strconv.Itoa(g.IntN(12) - 3)
	}
}

func (g gen) zadd(k string) []string {
	args := append([]string{"ZADD", k}, g.zaddOptions()...)
	for range 1 + g.IntN(4) {
		args = append(args, g.score(), g.member())
	}
	return args
}

func (g gen) zaddOptions() []string {
	if g.chance(2) {
		return nil
	}
	return g.options(g.word("NX"), g.word("XX"), g.word("GT"), g.word("LT"), g.word("CH"), g.word("INCR"))
}

func (g gen) scoreBound() string {
	bound := g.score()
	switch g.IntN(6) {
	case 0:
		return "(" + bound
	case 1:
		return g.pick("-inf", "+inf", "(-inf", "(+inf", "abc", "(", "", "((1", "[1", "nan", " 1", "-Inf")
	default:
		return bound
	}
}

func (g gen) lexBound() string {
	if g.chance(4) {
		return g.pick("-", "+", "-", "+", "[", "(", "", "a", "[\xff", "-a", "+a")
	}
	return g.pick("[", "(") + g.member()
}

// zrange appends the bounds and options of ZRANGE, which may contradict.
func (g gen) zrange(args []string) []string {
	by := g.pick("", "", "BYSCORE")
	bound := g.index
	if by == "BYSCORE" {
		bound = g.scoreBound
	}
	args = append(args, bound(), bound())
	if by != "" {
		args = append(args, g.cased(by))
	}
	return append(args, g.options(g.word("REV"), g.word("WITHSCORES"), g.limit, g.limit,
		func() []string { return []string{g.pick("REV", "BYSCORE", "LIMIT", "BOGUS")} })...)
}

func (g gen) limit() []string {
	return []string{g.cased("LIMIT"), g.pick("0", "1", "2", "-1", g.index()), g.pick("-1", "0", "1", "5", "100", g.index())}
}

// oldRange makes one of the commands that ZRANGE took the place of.
func (g gen) oldRange(k string) []string {
	name := g.pick("ZRANGEBYSCORE", "ZREVRANGEBYSCORE", "ZREVRANGE")
	bound := g.scoreBound
	if name == "ZREVRANGE" {
		bound = g.index
	}
	return append([]string{name, k, bound(), bound()}, g.options(g.word("WITHSCORES"), g.limit)...)
}

// lexKeys hold members of one score: ranges by member are defined for no others.
// Nothing but lex touches them.
var lexKeys = []string{"y1", "{y}2"}

// lex makes a command about a range of members.
func (g gen) lex() []string {
	k := lexKeys[g.IntN(len(lexKeys))]
	switch g.IntN(12) {
	case 0, 1, 2:
		args := []string{"ZADD", k}
		for range 1 + g.IntN(12) {
			args = append(args, "0", g.member())
		}
		return args
	case 3:
		return g.some([]string{"ZREM", k}, g.member)
	case 4, 5:
		return []string{"ZLEXCOUNT", k, g.lexBound(), g.lexBound()}
	case 6:
		return []string{"ZREMRANGEBYLEX", k, g.lexBound(), g.lexBound()}
	case 7, 8:
		return append([]string{g.pick("ZRANGEBYLEX", "ZREVRANGEBYLEX"), k, g.lexBound(), g.lexBound()}, g.options(g.limit, g.limit, g.word("WITHSCORES"))...)
	case 9:
		return append([]string{"ZRANGESTORE", g.of("zset"), k, g.lexBound(), g.lexBound(), "BYLEX"}, g.options(g.word("REV"), g.limit)...)
	case 10:
		return []string{g.pick("ZCARD", "DEL"), k}
	default:
		return append([]string{"ZRANGE", k, g.lexBound(), g.lexBound(), g.cased("BYLEX")}, g.options(g.word("REV"), g.limit, g.limit, g.word("WITHSCORES"))...)
	}
}

func (g gen) zremrange(k string) []string {
	switch g.IntN(2) {
	case 0:
		return []string{"ZREMRANGEBYRANK", k, g.index(), g.pick(g.index(), "0", "1")}
	default:
		return []string{"ZREMRANGEBYSCORE", k, g.scoreBound(), g.scoreBound()}
	}
}

// zcombine makes a union, an intersection or a difference, of sets, too.
func (g gen) zcombine(k string) []string {
	name := g.pick("ZUNION", "ZINTER", "ZDIFF", "ZUNIONSTORE", "ZINTERSTORE", "ZDIFFSTORE", "ZINTERCARD")
	args := []string{name}
	if strings.HasSuffix(name, "STORE") {
		args = append(args, k)
	}
	n := 1 + g.IntN(3)
	args = append(args, g.numKeys(n))
	for range n {
		args = append(args, g.of(g.pick("zset", "zset", "set")))
	}
	weights := func() []string {
		out := []string{g.cased("WEIGHTS")}
		for range n {
			out = append(out, g.pick("1", "2", "-1", "0", "0.5", g.score()))
		}
		return out
	}
	return append(args, g.options(weights, g.word("WITHSCORES"),
		func() []string { return []string{g.cased("AGGREGATE"), g.pick("SUM", "MIN", "MAX", "max", "AVG")} },
		func() []string { return []string{g.cased("LIMIT"), g.pick("0", "1", "3", "-1", "abc")} })...)
}
