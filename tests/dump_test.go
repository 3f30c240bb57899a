package tests

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// dumpSettings make Redis choose among the encodings that it has.
var dumpSettings = [][]string{
	{
		"list-max-listpack-size", "-2", "list-compress-depth", "0", "hash-max-listpack-entries", "512", "hash-max-listpack-value", "64",
		"set-max-intset-entries", "512", "zset-max-listpack-entries", "128", "zset-max-listpack-value", "64",
	},
	{
		"list-max-listpack-size", "3", "list-compress-depth", "1", "hash-max-listpack-entries", "0", "set-max-intset-entries", "0",
		"zset-max-listpack-entries", "0",
	},
	{
		"list-max-listpack-size", "-1", "hash-max-listpack-entries", "100000", "hash-max-listpack-value", "100000",
		"zset-max-listpack-entries", "100000", "zset-max-listpack-value", "100000",
	},
}

// TestDumpRestore: what DUMP says, here or there, RESTORE takes, here and there,
// and it is the same then.
func TestDumpRestore(t *testing.T) {
	rnd := rand.New(rand.NewPCG(seedOf(t, "BITKV_TEST_SEED"), 0))
	p := startTwin(t, "--enable-debug-command", "yes", "--sanitize-dump-payload", "yes")
	for round := range 60 {
		p.do("FLUSHALL")
		p.do(append([]string{"CONFIG", "SET"}, dumpSettings[round%len(dumpSettings)]...)...)
		for _, kind := range []string{"string", "list", "hash", "set", "zset"} {
			for _, args := range dumpCommands(rnd, kind) {
				p.do(args...)
			}
		}
		for _, key := range []string{"string", "list", "hash", "set", "zset"} {
			p.exchange(key)
		}
	}
}

// exchange restores what each server dumps of a key on both.
func (p *twin) exchange(key string) {
	p.t.Helper()
	digest := p.do("DEBUG", "DIGEST-VALUE", key).raw
	encoding := p.do("OBJECT", "ENCODING", key).raw
	for name, w := range map[string]*wire{"redis": p.ref, "bitkv": p.ours} {
		payload, err := w.do("DUMP", key)
		if err != nil || payload.kind != '$' {
			p.t.Fatalf("DUMP %s: %.100q, %v", key, payload.raw, err)
		}
		if got := p.do("RESTORE", "copy", "0", payload.text, "REPLACE").raw; got != "+OK\r\n" {
			p.t.Fatalf("RESTORE of %s from %s: %q\n%.300q", key, name, got, payload.text)
		}
		if got := p.do("DEBUG", "DIGEST-VALUE", "copy").raw; got != digest {
			p.t.Errorf("%s from %s is another one after RESTORE", key, name)
		}
		if got := p.do("OBJECT", "ENCODING", "copy").raw; got != encoding {
			p.t.Errorf("%s from %s is encoded as %q after RESTORE, %q before", key, name, got, encoding)
		}
	}
}

// dumpCommands make a key named like its type.
func dumpCommands(rnd *rand.Rand, kind string) (commands [][]string) {
	if kind == "string" {
		return [][]string{{"SET", kind, dumpItem(rnd)}}
	}
	n := 1 + rnd.IntN(1<<rnd.IntN(10))
	for i := range n {
		switch item := dumpItem(rnd); kind {
		case "list":
			commands = append(commands, []string{"RPUSH", kind, item})
		case "hash":
			commands = append(commands, []string{"HSET", kind, item, dumpItem(rnd)})
		case "set":
			if n%2 == 0 { // an intset
				item = strconv.FormatInt(rnd.Int64()>>rnd.IntN(64), 10)
			}
			commands = append(commands, []string{"SADD", kind, item})
		case "zset":
			score := []string{fmt.Sprint(i), "inf", "-inf", "1.5e300", "0.1", "-7"}[rnd.IntN(6)]
			commands = append(commands, []string{"ZADD", kind, score, item})
		}
	}
	return commands
}

// dumpItem is a string of a kind that has an encoding of its own somewhere.
func dumpItem(rnd *rand.Rand) string {
	switch rnd.IntN(6) {
	case 0, 1:
		return strconv.FormatInt((rnd.Int64()-rnd.Int64())>>rnd.IntN(64), 10)
	case 2:
		return strings.Repeat(string(rune('a'+rnd.IntN(4))), rnd.IntN(1<<rnd.IntN(17)))
	case 3:
		b := make([]byte, rnd.IntN(1<<rnd.IntN(15)))
		for i := range b {
			b[i] = byte(rnd.Uint32())
		}
		return string(b)
	default:
		return "item" + strconv.Itoa(rnd.IntN(1000))
	}
}
