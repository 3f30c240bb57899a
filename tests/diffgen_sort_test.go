package tests

import (
	"slices"
	"strconv"
	"strings"
)

// sort makes SORT of lists, sets and sorted sets.
func (g gen) sort() []string {
	k := g.of(g.pick("list", "set", "zset"))
	pattern := func() string {
		return g.pick("w_*", "w_*", "nosort", "h_*->f", "h_*->g", "*", "#", "w_", "*->", "x*->f", "w_*->", "")
	}
	opts := g.options(
		g.word("ALPHA"), g.word("ALPHA"), g.word("DESC"), g.word("ASC"), g.limit,
		func() []string { return []string{g.cased("BY"), pattern()} },
		func() []string { return []string{g.cased("GET"), pattern()} },
		func() []string { return []string{g.cased("GET"), g.pick("#", pattern())} })
	if g.sortsRO && g.chance(4) {
		return append([]string{"SORT_RO", k}, opts...)
	}
	// See sameSort: what is stored must be the same.
	alphaBy := strings.Contains(strings.ToUpper(strings.Join(opts, " ")), "ALPHA") && slices.ContainsFunc(opts, func(o string) bool { return strings.EqualFold(o, "BY") })
	if g.chance(3) && !alphaBy {
		opts = append(opts, g.cased("STORE"), g.of("list"))
	}
	return append([]string{"SORT", k}, opts...)
}

// weights sets what SORT's patterns find.
func (g gen) weights() [][]string {
	mset := []string{"MSET"}
	var out [][]string
	for i := range 10 {
		if !g.chance(3) {
			mset = append(mset, "w_"+strconv.Itoa(i), g.pick(strconv.Itoa(g.IntN(5)), strconv.Itoa(g.IntN(5)), g.member(), g.float()))
		}
	}
	if len(mset) > 1 {
		out = append(out, mset)
	}
	return append(out, []string{"HSET", "h_" + strconv.Itoa(g.IntN(10)), g.pick("f", "g"), strconv.Itoa(g.IntN(5))})
}
