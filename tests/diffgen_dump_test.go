package tests

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// restore makes DUMP and RESTORE, of what the other server or this one dumped
// or of what has been damaged.
func (g gen) restore() []string {
	if g.chance(5) {
		return []string{"DUMP", g.anyKey()}
	}
	payload := oldPayloads[g.IntN(len(oldPayloads))]
	if len(g.payloads) > 0 && !g.chance(4) {
		payload = g.payloads[g.IntN(len(g.payloads))]
	}
	if g.sorts && isTiny(payload) {
		payload = oldPayloads[0]
	}
	switch g.IntN(16) {
	case 0:
		payload = payload[:g.IntN(len(payload))]
	case 1:
		at := g.IntN(len(payload))
		payload = payload[:at] + string(payload[at]^(1<<g.IntN(8))) + payload[at+1:]
	case 2:
		payload += "\x00"
	}
	ttl := g.pick("0", "0", "0", "0", "1000000", "4102444800000", "-1", "abc", "9223372036854775807")
	opts := g.options(g.word("REPLACE"), g.word("REPLACE"), g.word("REPLACE"),
		func() []string { return []string{g.cased("IDLETIME"), g.pick("0", "100", "-1", "abc")} },
		func() []string { return []string{g.cased("FREQ"), g.pick("0", "255", "256", "-1")} },
		func() []string { return []string{g.pick("BOGUS", "FREQ")} })
	if ttl == "4102444800000" {
		opts = append(opts, "ABSTTL")
	}
	return append([]string{"RESTORE", g.anyKey(), ttl, payload}, opts...)
}

// isTiny reports whether a payload has the score 5e-324: see inRange.
func isTiny(payload string) bool {
	return strings.Contains(payload, "4.9406564584124654e-324") || strings.Contains(payload, "d\x01\x00\x00\x00\x00\x00\x00\x00")
}

// oldPayloads are what RESTORE gets beside what servers dump now: of every type and
// from older versions, and some that are none.
var oldPayloads = []string{
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
	// Bytes behind the value.
	"\x02\x02\x01\x61\x03\x35\x34\x38\x09\x00\x00\x1a\x97\x51\x80\x5f\x3d\xa7\x00",
	"\x01\x02\x01\x61\xc0\x05\x7a\x7a\x09\x00\x3f\x0d\x41\x57\x9c\x0c\xa3\x8c",
	"\x00\x03\x66\x6f\x6f\x0d\x00\xd1\xe0\xb0\x68\x4a\x74\xcd\x57",
	"foo",
}

// makePayloads returns what both servers dump of values of every form.
func makePayloads(t *testing.T, servers ...*server) []string {
	t.Helper()
	many := func(n int, each func(i int) string) []string {
		var out []string
		for i := range n {
			out = append(out, strings.Fields(each(i))...)
		}
		return out
	}
	number := strconv.Itoa
	word := func(i int) string { return fmt.Sprintf("m%d", i) }
	pair := func(i int) string { return fmt.Sprintf("m%d %d", i, i) }
	scored := func(i int) string { return fmt.Sprintf("%d.5 m%d", i%7, i) }
	values := [][]string{
		{"SET", "v", "1"},
		{"SET", "v", "-70000"},
		{"SET", "v", "12345678901"},
		{"SET", "v", "text"},
		{"SET", "v", ""},
		{"SET", "v", strings.Repeat("ab", 5000)},
		{"APPEND", "v", "9223372036854775808"},
		{"SETRANGE", "v", "20000", "x"},
		append([]string{"SADD", "v"}, many(20, number)...),
		{"SADD", "v", "1", "70000"},
		{"SADD", "v", "1", "7000000000"},
		append([]string{"SADD", "v"}, many(20, word)...), append([]string{"SADD", "v"}, many(600, number)...),
		append([]string{"RPUSH", "v"}, many(20, word)...), append([]string{"RPUSH", "v"}, many(600, word)...),
		{"RPUSH", "v", "1", "-1", "128", "40000", "9000000", "3000000000", "9223372036854775807", strings.Repeat("x", 100), strings.Repeat("y", 9000)},
		append([]string{"HSET", "v"}, many(20, pair)...), append([]string{"HSET", "v"}, many(600, pair)...),
		append([]string{"ZADD", "v"}, many(20, scored)...), append([]string{"ZADD", "v"}, many(200, scored)...),
		{"ZADD", "v", "inf", "a", "-inf", "b", "-0", "c", "5e-324", "d"},
		append([]string{"PFADD", "v"}, many(20, number)...), append([]string{"PFADD", "v"}, many(3000, number)...),
	}
	var payloads []string
	for _, s := range servers {
		w := s.wire(t)
		for _, args := range values {
			for _, command := range [][]string{{"DEL", "v"}, args, {"DUMP", "v"}} {
				v, err := w.do(command...)
				if err != nil || v.kind == '-' {
					t.Fatalf("%.100q: %.100q, %v", command, v.raw, err)
				}
				if command[0] == "DUMP" {
					payloads = append(payloads, v.text)
				}
			}
		}
		if _, err := w.do("FLUSHALL"); err != nil {
			t.Fatal(err)
		}
	}
	return payloads
}
