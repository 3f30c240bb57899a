package tests

import "strconv"

// geo makes a command about places.
func (g gen) geo() []string {
	k, m := g.of("geo"), g.place()
	switch g.IntN(14) {
	case 0, 1, 2, 3:
		args := append([]string{"GEOADD", k}, g.options(g.word("NX"), g.word("XX"), g.word("CH"))...)
		for range 1 + g.IntN(4) {
			args = append(args, g.longitude(), g.latitude(), g.place())
		}
		return args
	case 4:
		return g.some([]string{g.pick("GEOPOS", "GEOHASH"), k}, g.place)
	case 5, 6:
		return append([]string{"GEODIST", k, m, g.place()}, g.options(func() []string { return []string{g.unit()} })...)
	case 7, 8, 9:
		return append([]string{"GEOSEARCH", k}, g.geoOptions(true)...)
	case 10:
		return append([]string{"GEOSEARCHSTORE", g.of("geo"), k}, g.geoOptions(true)...)
	case 11:
		return append([]string{g.pick("GEORADIUS", "GEORADIUS_RO"), k, g.longitude(), g.latitude(), g.distance(), g.unit()}, g.geoOptions(false)...)
	case 12:
		return append([]string{g.pick("GEORADIUSBYMEMBER", "GEORADIUSBYMEMBER_RO"), k, m, g.distance(), g.unit()}, g.geoOptions(false)...)
	default:
		return []string{"ZRANGE", k, "0", "-1", "WITHSCORES"}
	}
}

func (g gen) place() string {
	return g.pick("p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", g.member())
}

func (g gen) longitude() string {
	if g.chance(10) {
		return g.pick("180", "-180", "180.0001", "-180.1", "0", "nan", "abc", "inf", "179.9999", "-0")
	}
	return strconv.FormatFloat(float64(g.IntN(3600000)-1800000)/10000, 'f', -1, 64)
}

func (g gen) latitude() string {
	if g.chance(10) {
		return g.pick("85.05112878", "-85.05112878", "85.0512", "-86", "0", "nan", "abc", "85", "-85")
	}
	return strconv.FormatFloat(float64(g.IntN(1700000)-850000)/10000, 'f', -1, 64)
}

func (g gen) unit() string {
	if g.chance(15) {
		return g.pick("", "parsec", "meters")
	}
	return g.pick("m", "km", "km", "mi", "ft", "KM")
}

func (g gen) distance() string {
	if g.chance(8) {
		return g.pick("0", "-1", "abc", "nan", "inf", "1e10", "0.0001", "20000", "25000")
	}
	return strconv.Itoa(g.IntN(9000))
}

// geoOptions makes what is said of the area and the reply: the area only if the
// command has not said it.
func (g gen) geoOptions(area bool) []string {
	var out []string
	if area {
		out = append(out, g.options(g.fromMember, g.fromPlace)...)
		if len(out) == 0 {
			out = g.fromPlace()
		}
		if g.chance(2) {
			out = append(out, g.cased("BYRADIUS"), g.distance(), g.unit())
		} else {
			out = append(out, g.cased("BYBOX"), g.distance(), g.distance(), g.unit())
		}
	}
	out = append(out, g.options(g.word("WITHCOORD"), g.word("WITHDIST"), g.word("WITHHASH"))...)
	out = append(out, g.options(g.word("ASC"), g.word("DESC"), g.count2)...)
	if !area && g.chance(6) {
		out = append(out, g.cased("STORE"), g.of("geo"))
	}
	return out
}

func (g gen) fromMember() []string { return []string{g.cased("FROMMEMBER"), g.place()} }

func (g gen) fromPlace() []string {
	return []string{g.cased("FROMLONLAT"), g.longitude(), g.latitude()}
}

func (g gen) count2() []string {
	out := []string{g.cased("COUNT"), g.count1()}
	if g.chance(4) {
		return append(out, "ANY")
	}
	return out
}

// distances stores distances, reads who they are of, and forgets them: their last
// bits depend on a system's sine.
func (g gen) distances() group {
	k := g.of("geo")
	search := append([]string{"GEOSEARCHSTORE", "distances", k}, g.geoOptions(true)...)
	if g.chance(2) {
		search = []string{"GEORADIUS", k, g.longitude(), g.latitude(), g.distance(), g.unit(), "STOREDIST", "distances"}
	} else {
		search = append(search, "STOREDIST")
	}
	return group{commands: [][]string{search, {"ZRANGE", "distances", "0", "-1"}, {"DEL", "distances"}}}
}
