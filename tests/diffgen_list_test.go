package tests

// list makes a command about a list that does not wait.
func (g gen) list() []string {
	k, l := g.of("list"), g.of("list")
	switch g.IntN(24) {
	case 0, 1, 2, 3:
		return g.some([]string{g.pick("LPUSH", "RPUSH"), k}, g.small)
	case 4:
		return g.some([]string{g.pick("LPUSHX", "RPUSHX"), k}, g.small)
	case 5, 6:
		return []string{g.pick("LPOP", "RPOP"), k}
	case 7:
		return []string{g.pick("LPOP", "RPOP"), k, g.pick("0", "1", "2", "3", "200", "-1", "abc", "9223372036854775807", "9223372036854775808", "")}
	case 8:
		return []string{"LLEN", k}
	case 9, 10:
		return []string{"LINDEX", k, g.index()}
	case 11, 12:
		return []string{"LRANGE", k, g.index(), g.index()}
	case 13, 14:
		return []string{"LSET", k, g.index(), g.small()}
	case 15, 16:
		return []string{"LINSERT", k, g.pick("BEFORE", "AFTER", "before", "BOGUS"), g.member(), g.small()}
	case 17:
		return []string{"LREM", k, g.pick("0", "1", "-1", "2", "-2", g.int()), g.member()}
	case 18:
		if g.chance(3) {
			return []string{"LTRIM", k, g.index(), g.index()}
		}
		return []string{"LTRIM", k, g.pick("0", "1", "2"), g.pick("-1", "-2", "300")}
	case 19:
		return g.lpos(k)
	case 20, 21:
		return []string{"LMOVE", k, l, g.pick("LEFT", "RIGHT", "left", "BOGUS"), g.pick("LEFT", "RIGHT", "Right", "")}
	case 22:
		return []string{"RPOPLPUSH", k, l}
	default:
		return g.lmpop(k, l)
	}
}

func (g gen) lpos(k string) []string {
	return append([]string{"LPOS", k, g.member()}, g.options(
		func() []string { return []string{g.cased("RANK"), g.index()} },
		func() []string { return []string{g.cased("COUNT"), g.pick("0", "1", "2", "100", g.int())} },
		func() []string { return []string{g.cased("MAXLEN"), g.pick("0", "1", "10", "1000", g.int())} },
		func() []string { return []string{g.pick("RANK", "BOGUS")} })...)
}

func (g gen) lmpop(k, l string) []string {
	args := []string{"LMPOP", g.pick("2", "2", "2", "1", "3", "0", "-1", "abc", "9223372036854775807"), k, l, g.pick("LEFT", "RIGHT", "right", "UP")}
	return append(args, g.options(
		func() []string { return []string{g.cased("COUNT"), g.count1()} },
		func() []string { return []string{g.pick("COUNT", "BOGUS")} })...)
}
