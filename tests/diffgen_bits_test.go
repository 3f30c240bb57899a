package tests

import "strconv"

// Random commands on the bits of strings, HyperLogLogs, and payloads of DUMP.

// bytewise makes a command that looks into a value.
func (g gen) bytewise(k, l string) []string {
	switch g.IntN(8) {
	case 0, 1:
		return g.hll(k, l)
	case 2:
		return g.restore(k)
	default:
		return g.bits(k, l)
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

// hll makes a command on HyperLogLogs.
func (g gen) hll(k, l string) []string {
	switch g.IntN(6) {
	case 0:
		return []string{"PFCOUNT", k}
	case 1:
		return []string{"PFCOUNT", k, l}
	case 2:
		return []string{"PFMERGE", k, l}
	case 3:
		return []string{"PFDEBUG", g.pick("ENCODING", "TODENSE", "DECODE", "BOGUS"), k}
	default:
		return append([]string{"PFADD", k}, g.options(func() []string { return []string{g.value()} })...)
	}
}

// payloads are what RESTORE gets: of every type, and some that are none.
var payloads = []string{
	"\x00\x03\x66\x6f\x6f\x09\x00\xa3\xbb\x68\x17\x19\x47\xd9\x26",
	"\x00\xc0\xff\x09\x00\xdc\x61\x2f\xe8\xd1\x8e\xfe\x74",
	"\x01\x02\x01\x61\xc0\x05\x09\x00\x97\x51\x26\x45\xa4\x49\xd8\x26",
	"\x02\x02\x01\x61\xc0\x05\x09\x00\x5b\x9d\x97\x1e\x9a\x49\xff\x6e",
	"\x03\x02\x01\x61\x03\x31\x2e\x35\x01\x62\xff\x09\x00\x6b\x27\x16\x6d\x99\x02\x79\xaf",
	"\x05\x01\x01\x61\x00\x00\x00\x00\x00\x00\xf8\x3f\x09\x00\x95\x51\xf9\x43\x10\x6f\x3a\x6b",
	"\x04\x01\x01\x61\x01\x62\x09\x00\xa0\x3f\x14\x7b\xe8\x63\xeb\x8b",
	"\x0b\x0c\x02\x00\x00\x00\x02\x00\x00\x00\xff\xff\x05\x00\x09\x00\x53\xa5\xf7\x9f\xa1\x39\x70\x64",
	"\x12\x02\x01\x01\x78\x02\x0a\x0a\x00\x00\x00\x01\x00\x81\x61\x02\xff\x09\x00\xf7\x76\x86\x3b\x5c\x81\xa8\x6c",
	"\x10\x0d\x0d\x00\x00\x00\x02\x00\x81\x61\x02\x81\x62\x02\xff\x09\x00\x09\xce\x2e\xcb\x7c\x76\x8e\x7d",
	"\x11\x0c\x0c\x00\x00\x00\x02\x00\x81\x61\x02\x03\x01\xff\x09\x00\x44\x4d\xd2\x43\x94\xe4\x59\xd9",
	"\x0a\x13\x13\x00\x00\x00\x0f\x00\x00\x00\x03\x00\x00\x01\x61\x03\xf2\x02\xfe\x80\xff\x09\x00\xdc\x14\x83\xf0\x7d\x8f\x61\xfe",
	"\x01\x00\x09\x00\x8b\x0a\x74\x00\x38\x91\x20\xe7",
	"\x1e\x01\x61\x09\x00\xed\xdd\x1c\xd8\xa1\xd5\xdf\x15",
	"\x02\x02\x01\x61\x01\x61\x09\x00\x87\x4c\x27\xe3\x96\x50\x31\x8b",
	"\x00\x03\x66\x6f\x6f\x0d\x00\xd1\xe0\xb0\x68\x4a\x74\xcd\x57",
	"", "foo",
}

// restore makes a RESTORE, or a DUMP of nothing.
func (g gen) restore(k string) []string {
	if g.chance(10) {
		return []string{"DUMP", "no such key"}
	}
	args := []string{"RESTORE", k, "0", payloads[g.IntN(len(payloads))]}
	opts := g.options(g.word("REPLACE"), g.word("REPLACE"), g.word("REPLACE"), g.word("ABSTTL"),
		func() []string { return []string{"IDLETIME", g.pick("0", "-1", "abc")} },
		func() []string { return []string{"FREQ", g.pick("0", "255", "256", "-1", "abc")} },
		func() []string { return []string{g.pick("BOGUS", "FREQ")} })
	if g.chance(3) {
		args[2] = g.millis(relative)
	}
	return append(args, opts...)
}
