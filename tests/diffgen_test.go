package tests

import (
	"errors"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
)

// gen makes boundary-biased random commands. Nothing it makes depends on when it
// runs: relative times are long or not positive, absolute ones far away or past,
// and EXPIRE's GT and LT get times that no other option uses, so that two
// servers that are milliseconds apart must agree.
type gen struct {
	*rand.Rand
	payloads []string // of DUMP
	sorts    bool     // SORT is among the commands
	sortsRO  bool     // SORT_RO is, too
}

// newGen returns a generator of its own sequence of commands.
func newGen(seed, sequence uint64) gen {
	return gen{Rand: rand.New(rand.NewPCG(seed, sequence))}
}

// pick returns one of the words.
func (g gen) pick(words ...string) string { return words[g.IntN(len(words))] }

// chance is true once in n times.
func (g gen) chance(n int) bool { return g.IntN(n) == 0 }

// keys are few, so that commands meet each other's values.
var keys = []string{
	"a", "b", "c", "d", "e", "f", "k1", "k2", "k3", "{t}1", "{t}2", "", "\x00bin\r\n\xff",
	strings.Repeat("long", 100), "key:1", "key:2", "key:10", "KEY:1",
}

func (g gen) key() string {
	if g.chance(15) {
		return g.anyKey()
	}
	return keys[g.IntN(len(keys))]
}

// typedKeys are those that the commands of a type mostly use, so that not every
// command is one on the wrong type.
var typedKeys = map[string][]string{
	"string": keys,
	"hash":   {"h1", "h2", "{h}3", "{h}4"},
	"list":   {"l1", "l2", "{l}3", "{l}4"},
	"set":    {"s1", "s2", "{s}3", "{s}4"},
	"zset":   {"z1", "z2", "{z}3", "{z}4"},
	"bits":   {"b1", "b2", "{b}3", "a"},
	"hll":    {"p1", "p2", "{p}3"},
	"geo":    {"g1", "g2", "{g}3"},
}

// types are the names in typedKeys, in an order.
var types = []string{"string", "hash", "list", "set", "zset", "bits", "hll", "geo"}

// anyKey is a key of any type.
func (g gen) anyKey() string {
	of := typedKeys[types[g.IntN(len(types))]]
	return of[g.IntN(len(of))]
}

// of is a key of a type, but for one in twenty.
func (g gen) of(kind string) string {
	if g.chance(20) {
		return g.anyKey()
	}
	return typedKeys[kind][g.IntN(len(typedKeys[kind]))]
}

// limits are the integers near which commands change their minds.
var limits = []string{
	"0", "1", "-1", "2", "-2", "7", "10", "-10", "100", "127", "128", "255", "256", "9999", "10000",
	"2147483647", "2147483648", "-2147483648", "-2147483649", "4294967295", "4294967296",
	"9223372036854775807", "9223372036854775806", "9223372036854775808", "-9223372036854775808",
	"-9223372036854775807", "-9223372036854775809", "18446744073709551615", "18446744073709551616",
	"99999999999999999999", "-0", "+1", "01", "1.0", " 1", "1 ", "", "abc", "0x10", "1e3", "1\x00",
}

func (g gen) int() string {
	switch g.IntN(5) {
	case 0:
		return limits[g.IntN(len(limits))]
	case 1:
		return strconv.FormatInt(int64(g.Uint64()), 10)
	default:
		return strconv.Itoa(g.IntN(200) - 100)
	}
}

var floats = []string{
	"0", "1", "-1", "0.1", "-0.1", "1.5", "3.14159265358979", "1e10", "1e-10", "1e17", "1e18", "1e19", "-1e20",
	"123456789.123456789", "0.00000000000000001", "1e-17", "1e-18", "5e-324", "1.7976931348623157e308", "1e308",
	"9007199254740993", "9223372036854775807", "18446744073709551615", "inf", "-inf", "+inf", "nan", "infinity",
	"1e5000", "abc", "", " 1", "1 ", "1x", ".5", "5.", "-.5", "+2", "0x10", "0x1p-2", "1e", "--1", "-0", "-0.0", "1_000",
}

func (g gen) float() string {
	if g.chance(3) {
		return g.inRange(floats[g.IntN(len(floats))])
	}
	return strconv.FormatFloat(float64(g.IntN(2_000_000)-1_000_000)/float64(int(1)<<g.IntN(12)), 'f', -1, 64)
}

// inRange returns a float, or another if SORT is among the commands and it leaves the
// range of doubles, or SORT_RO is and it is -0. Redis's SORT asks errno whether a
// conversion went wrong and finds that of an earlier command at times; and -0 keeps
// its sign in a skiplist, which SORT_RO makes there.
func (g gen) inRange(f string) string {
	v, err := strconv.ParseFloat(f, 64)
	switch subnormal := v != 0 && math.Abs(v) < 0x1p-1022; {
	case g.sorts && (subnormal || errors.Is(err, strconv.ErrRange)):
		return "1"
	case g.sortsRO && v == 0 && math.Signbit(v):
		return "0"
	}
	return f
}

// sizes are the lengths around which a value's form changes.
var sizes = []int{0, 1, 2, 20, 43, 44, 45, 46, 63, 64, 65, 127, 255, 256, 1000}

// bigSizes are the same for values that are costly to send, so they are rare.
var bigSizes = []int{4095, 4096, 16383, 16384, 16385, 32768, 32769, 70000}

func (g gen) value() string {
	switch n := g.IntN(12); {
	case n < 4:
		return g.int()
	case n == 4:
		return g.float()
	case n == 5 && g.chance(8):
		return g.bytes(bigSizes[g.IntN(len(bigSizes))])
	case n < 9:
		return g.bytes(sizes[g.IntN(len(sizes))])
	default:
		return g.pick("v", "hello", "foo bar", "\x00", "\r\n", "\xff\xfe", "ohmytext", "mynewtext")
	}
}

// bytes returns n bytes, printable or not.
func (g gen) bytes(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'a' + byte(g.IntN(4))
	}
	if g.chance(3) {
		for i := range b {
			b[i] = byte(g.Uint32())
		}
	}
	return string(b)
}

// offset is an index into a value.
func (g gen) offset() string {
	switch g.IntN(6) {
	case 0:
		return g.int()
	case 1:
		return strconv.Itoa(bigSizes[g.IntN(len(bigSizes))] - 2 + g.IntN(4))
	case 2:
		return g.pick("1048574", "1048575", "1048576", "1048577", "536870911", "536870912", "536870913")
	default:
		return strconv.Itoa(g.IntN(140) - 70)
	}
}

func (g gen) db() string {
	if g.chance(8) {
		return g.pick("15", "16", "-1", "abc", "", "9223372036854775808", "1.0", "0")
	}
	return strconv.Itoa(g.IntN(4))
}

// Times for everything but GT and LT. In seconds; the millisecond forms are a
// thousand times that.
var (
	relative = []string{"1000", "2000", "3000", "86400", "100000", "0", "-1", "-1000", "9223370000000000", "9223372036854775", "9223372036854776", "-9223372036854776"}
	ordered  = []string{"1500", "2500", "3500", "50000", "200000", "-2", "9223360000000000"}
	// SET refuses 0 and less. It keeps a key whose time is past until somebody
	// looks at it, and DBSIZE counts that key or not, as chance has it: so no
	// past times for SET.
	future   = []string{"4102444800", "4102444801", "33177117420", "0", "-1", "9223370000000000", "9223372036854775"}
	absolute = []string{"4102444800", "4102444801", "33177117420", "1", "0", "-1", "1000", "9223370000000000", "9223372036854775"}
)

func (g gen) seconds(from []string) string {
	if g.chance(10) {
		return g.notTime()
	}
	return from[g.IntN(len(from))]
}

func (g gen) millis(from []string) string {
	if g.chance(10) {
		return g.notTime()
	}
	s := from[g.IntN(len(from))]
	if len(s) > 13 { // it would leave 64 bits
		return g.pick("9223372036854775807", "9223372036854775806", "-9223372036854775808", "9223370000000000000")
	}
	if s == "0" {
		return s
	}
	return s + "000"
}

// notTime is a time that every command refuses or that deletes.
func (g gen) notTime() string {
	return g.pick("9223372036854775807", "9223372036854775808", "-9223372036854775808", "abc", "", "1.5", " 1", "+1", "-0", "01", "nan")
}

func (g gen) pattern() string {
	return g.pick("*", "k*", "key:*", "*:1", "?", "??", "[a-c]", "[^a]", "[^a-z]*", "k[1-2]", "\\*", "", "**", "*a*", "{t}?", "[", "[a", "a]", "KEY*", "[\\]]", "*\xff", "\\", "a\\")
}

// options returns some of the words of vocabulary, each group a word or a word
// and its argument.
func (g gen) options(vocabulary ...func() []string) []string {
	var out []string
	for n := g.IntN(4); n > 0; n-- {
		out = append(out, vocabulary[g.IntN(len(vocabulary))]()...)
	}
	return out
}

// word makes an option without an argument.
func (g gen) word(w string) func() []string {
	return func() []string { return []string{g.cased(w)} }
}

// cased returns a word as it is, in lower case, or in a mixture.
func (g gen) cased(w string) string {
	if w == "" {
		return w
	}
	switch g.IntN(6) {
	case 0:
		return strings.ToLower(w)
	case 1:
		return strings.ToLower(w[:1]) + w[1:]
	default:
		return w
	}
}

func (g gen) setOptions() []string {
	return g.options(
		g.word("NX"), g.word("XX"), g.word("GET"), g.word("KEEPTTL"),
		func() []string { return []string{g.cased("EX"), g.seconds(relative)} },
		func() []string { return []string{g.cased("PX"), g.millis(relative)} },
		func() []string { return []string{g.cased("EXAT"), g.seconds(future)} },
		func() []string { return []string{g.cased("PXAT"), g.millis(future)} },
		func() []string { return []string{g.pick("EX", "BOGUS", "", "PERSIST", "PX")} },
	)
}

func (g gen) getexOptions() []string {
	return g.options(
		g.word("PERSIST"),
		func() []string { return []string{g.cased("EX"), g.seconds(relative)} },
		func() []string { return []string{g.cased("PX"), g.millis(relative)} },
		func() []string { return []string{g.cased("EXAT"), g.seconds(absolute)} },
		func() []string { return []string{g.cased("PXAT"), g.millis(absolute)} },
		func() []string { return []string{g.pick("EX", "BOGUS", "NX")} },
	)
}

// expire makes one of the four commands that set a time to live.
func (g gen) expire() []string {
	from, compared := relative, ordered
	name := g.pick("EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT")
	if strings.HasSuffix(name, "AT") {
		from, compared = absolute, absolute
	}
	opts := g.options(g.word("NX"), g.word("XX"), g.word("GT"), g.word("LT"))
	if g.chance(20) {
		opts = append(opts, g.pick("BOGUS", ""))
	}
	for _, o := range opts {
		if up := strings.ToUpper(o); up == "GT" || up == "LT" {
			from = compared
		}
	}
	when := g.seconds(from)
	if name[0] == 'P' {
		when = g.millis(from)
	}
	return append([]string{name, g.pick(g.key(), g.anyKey()), when}, opts...)
}

// command returns one command about strings and keys.
func (g gen) command() []string {
	k, l := g.key(), g.key()
	switch n := g.IntN(100); {
	case n < 14:
		return append([]string{"SET", k, g.value()}, g.setOptions()...)
	case n < 20:
		return []string{"GET", k}
	case n < 30:
		return g.readOrReplace(k)
	case n < 42:
		return g.change(k, l)
	case n < 52:
		return g.count(k)
	case n < 60:
		return g.expire()
	case n < 66:
		return []string{g.pick("TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME", "PERSIST", "TYPE", "STRLEN"), g.pick(k, g.anyKey())}
	case n < 74:
		return g.many(k, g.pick(l, l, l, g.anyKey()))
	case n < 84:
		return g.keyspace(g.pick(k, g.anyKey()), g.pick(l, g.anyKey()))
	case n < 90:
		return []string{g.pick("MULTI", "EXEC", "EXEC", "EXEC", "DISCARD", "UNWATCH")}
	case n < 93:
		return []string{"WATCH", k, g.anyKey()}
	default:
		return g.aside()
	}
}

func (g gen) readOrReplace(k string) []string {
	switch g.IntN(6) {
	case 0:
		return append([]string{"GETEX", k}, g.getexOptions()...)
	case 1:
		return []string{"GETDEL", k}
	case 2:
		return []string{"GETSET", k, g.value()}
	case 3:
		return []string{g.pick("GETRANGE", "SUBSTR"), k, g.offset(), g.offset()}
	case 4:
		return []string{"SETNX", k, g.value()}
	default:
		if g.chance(2) {
			return []string{"SETEX", k, g.seconds(relative), g.value()}
		}
		return []string{"PSETEX", k, g.millis(relative), g.value()}
	}
}

func (g gen) change(k, l string) []string {
	if isHLL(k) {
		return []string{"GET", k}
	}
	switch g.IntN(5) {
	case 0, 1:
		return []string{"APPEND", k, g.value()}
	case 2, 3:
		return []string{"SETRANGE", k, g.offset(), g.value()}
	default:
		return append([]string{"LCS", g.pick("a", "b", "c"), l}, g.options(g.word("LEN"), g.word("IDX"), g.word("WITHMATCHLEN"),
			func() []string { return []string{"MINMATCHLEN", g.int()} })...)
	}
}

func (g gen) count(k string) []string {
	switch g.IntN(4) {
	case 0:
		return []string{g.pick("INCR", "DECR"), k}
	case 1:
		return []string{"INCRBY", k, g.int()}
	case 2:
		return []string{"DECRBY", k, g.int()}
	default:
		return []string{"INCRBYFLOAT", k, g.float()}
	}
}

func (g gen) many(k, l string) []string {
	switch g.IntN(6) {
	case 0:
		return []string{g.pick("MSET", "MSETNX"), k, g.value(), l, g.value()}
	case 1:
		return []string{"MGET", k, l, g.key()}
	case 2:
		return []string{g.pick("DEL", "UNLINK"), k}
	case 3:
		return []string{g.pick("EXISTS", "TOUCH", "DEL", "UNLINK"), k, l, k}
	case 4:
		return []string{"MSETNX", k, g.value()}
	default:
		return []string{"MSET", k, g.value(), l}
	}
}

func (g gen) keyspace(k, l string) []string {
	switch g.IntN(12) {
	case 0, 1:
		return []string{g.pick("RENAME", "RENAMENX"), k, l}
	case 2, 3:
		return append([]string{"COPY", k, l}, g.options(g.word("REPLACE"), func() []string { return []string{"DB", g.db()} })...)
	case 4:
		return []string{"MOVE", k, g.db()}
	case 5:
		return []string{"SELECT", g.db()}
	case 6:
		if g.chance(3) {
			return []string{"SWAPDB", g.db(), g.db()}
		}
		return []string{"DBSIZE"}
	case 7:
		if g.chance(4) {
			return []string{g.pick("FLUSHDB", "FLUSHDB", "FLUSHALL"), g.pick("ASYNC", "SYNC", "BOGUS")}
		}
		return []string{"KEYS", g.pattern()}
	case 8:
		return []string{"KEYS", g.pattern()}
	case 9:
		return []string{"RANDOMKEY"}
	case 10:
		return append([]string{"SCAN", g.pick("0", "0", "abc", "1.5", "-1x", "")}, g.options(
			func() []string { return []string{"MATCH", g.pattern()} },
			func() []string {
				return []string{"COUNT", g.pick("1000", "10000", "0", "-1", "abc", "9223372036854775808")}
			},
			func() []string {
				return []string{"TYPE", g.pick("string", "hash", "list", "set", "zset", "STRING", "bogus")}
			})...)
	default:
		return []string{"OBJECT", g.pick("ENCODING", "ENCODING", "REFCOUNT", "FREQ", "IDLETIME", "BOGUS"), k}
	}
}

// aside makes commands that are not about data, and broken ones.
func (g gen) aside() []string {
	switch g.IntN(10) {
	case 0:
		return []string{"PING", g.value()}
	case 1:
		return []string{"ECHO", g.value()}
	case 2:
		return []string{"CLIENT", g.pick("GETNAME", "SETNAME", "NO-EVICT", "BOGUS"), g.pick("x", "on", "a b", "")}
	case 3:
		return append([]string{"COMMAND", g.pick("GETKEYS", "GETKEYSANDFLAGS")}, g.single()...)
	case 4:
		return []string{"WAIT", g.pick("0", "abc", "-1"), g.pick("0", "abc", "-1")}
	case 5:
		return []string{g.pick("BOGUS", "", "get ", "\x00", "HGETX", strings.Repeat("x", 130)), g.value()}
	case 6:
		return []string{"HELLO", g.pick("2", "3", "4", "1", "abc", "")}
	case 7:
		return []string{"RESET"}
	default:
		return g.broken(g.single())
	}
}

// broken drops, doubles or adds an argument, or changes the case of the name.
func (g gen) broken(args []string) []string {
	out := append([]string(nil), args...)
	if strings.HasSuffix(strings.ToUpper(out[0]), "RANK") && len(out) == 3 {
		return out[:2] // Redis 7.0 knows no WITHSCORE
	}
	switch g.IntN(4) {
	case 0:
		if len(out) > 1 {
			return out[:len(out)-1]
		}
	case 1:
		return append(out, out[len(out)-1])
	case 2:
		return append(out, g.value())
	}
	out[0] = g.cased(out[0])
	return out
}
