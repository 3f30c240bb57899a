package tests

import (
	"slices"
	"strconv"
)

// Random commands on the bits of strings, HyperLogLogs.

// bytewise makes a command that looks into a string, or sets it.
func (g gen) bytewise() []string {
	k := g.of("bits")
	if isHLL(k) {
		return []string{"BITCOUNT", k}
	}
	switch g.IntN(10) {
	case 0:
		return []string{"SET", k, g.value()}
	case 1:
		return []string{"GET", k}
	default:
		return g.bits(k, g.of("bits"))
	}
}

// bit is the number of a bit, near the edges of bytes, chunks and the limit.
func (g gen) bit() string {
	switch g.IntN(6) {
	case 0:
		return g.int()
	case 1:
		return strconv.Itoa(8*bigSizes[g.IntN(len(bigSizes))] - 9 + g.IntN(18))
	case 2:
		return g.pick("8388607", "8388608", "4294967295", "4294967296")
	default:
		return strconv.Itoa(g.IntN(600))
	}
}

// bits makes a command on the bits of strings.
func (g gen) bits(k, l string) []string {
	switch g.IntN(8) {
	case 0:
		return []string{"SETBIT", k, g.bit(), g.pick("0", "1", "1", "2", "-1", "x")}
	case 1:
		return []string{"GETBIT", k, g.bit()}
	case 2:
		return append([]string{"BITCOUNT", k}, g.bitRange()...)
	case 3:
		return append([]string{"BITPOS", k, g.pick("0", "1", "1", "0", "2", "")}, g.bitRange()...)
	case 4:
		return append([]string{"BITOP", g.pick("AND", "or", "XOR", "BOGUS"), k, l}, g.options(
			func() []string { return []string{g.key()} })...)
	case 5:
		return []string{"BITOP", "NOT", k, l}
	default:
		return append([]string{g.pick("BITFIELD", "BITFIELD", "BITFIELD_RO"), k}, g.fields()...)
	}
}

// bitRange makes the arguments of a range, not always all of them.
func (g gen) bitRange() []string {
	index := g.offset
	unit := g.pick("BIT", "BYTE", "bit", "BOGUS")
	if unit != "BYTE" && g.chance(2) {
		index = g.bit
	}
	return []string{index(), index(), unit}[:g.IntN(4)]
}

// fields makes the operations of BITFIELD.
func (g gen) fields() []string {
	field := func() []string {
		kind := g.pick("u", "i") + strconv.Itoa(1+g.IntN(64))
		if g.chance(20) {
			kind = g.pick("u0", "i65", "u64", "x8", "", "u", "i-1")
		}
		return []string{kind, g.pick("", "", "#") + g.bit()}
	}
	return g.options(
		func() []string { return append([]string{g.cased("GET")}, field()...) },
		func() []string { return append(append([]string{g.cased("SET")}, field()...), g.int()) },
		func() []string { return append(append([]string{g.cased("INCRBY")}, field()...), g.int()) },
		func() []string { return []string{g.cased("OVERFLOW"), g.pick("WRAP", "SAT", "FAIL", "sat", "BOGUS")} },
	)
}

// isHLL reports whether a key is for HyperLogLogs, whose bytes only sketch changes:
// what PFADD leaves of one with a damaged body is nobody's promise.
func isHLL(key string) bool { return slices.Contains(typedKeys["hll"], key) }

// sketch makes a command about a HyperLogLog.
func (g gen) sketch() []string {
	k := g.of("hll")
	switch g.IntN(12) {
	case 0, 1, 2, 3:
		return g.some([]string{"PFADD", k}, func() string { return g.pick(g.int(), g.value(), g.member()) })
	case 4:
		args := []string{"PFADD", k}
		for range g.IntN(400) {
			args = append(args, g.int())
		}
		return args
	case 5, 6:
		return []string{"PFCOUNT", k}
	case 7:
		return g.someKeys([]string{"PFCOUNT"}, "hll")
	case 8:
		return g.someKeys([]string{"PFMERGE", k}, "hll")
	case 9:
		return []string{"GET", k}
	case 10:
		if g.chance(4) {
			// Only the header: what a damaged body counts is nobody's promise.
			return []string{"SETRANGE", k, g.pick("0", "3", "5", "12"), g.pick("\x00", "\xff", "Y")}
		}
		return []string{"STRLEN", k}
	default:
		return []string{"PFDEBUG", g.pick("ENCODING", "DECODE", "GETREG", "TODENSE", "BOGUS"), k}
	}
}
