package tests

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
)

// twin speaks to our server and to the oracle at once.
type twin struct {
	t         *testing.T
	ours, ref *wire
}

func startTwin(t *testing.T, args ...string) *twin {
	t.Helper()
	return &twin{t, start(t, ours, args...).wire(t), start(t, oracle, args...).wire(t)}
}

// do sends a command to both, fails the test if the replies differ, and returns
// the reply.
func (p *twin) do(args ...string) value {
	p.t.Helper()
	want, err := p.ref.do(args...)
	if err != nil {
		p.t.Fatalf("oracle: %v", err)
	}
	got, err := p.ours.do(args...)
	if err != nil {
		p.t.Fatalf("%.200q: %v", args, err)
	}
	if got.raw != want.raw {
		p.t.Fatalf("%.300q\ngot:  %.300q\nwant: %.300q", args, got.raw, want.raw)
	}
	return got
}

// TestHyperLogLogBytes: the same commands leave the same bytes as in Redis, through
// the sparse form, the change to the dense one, merges and cached counts.
func TestHyperLogLogBytes(t *testing.T) {
	rnd := rand.New(rand.NewPCG(seedOf(t, "BITKV_TEST_SEED"), 0))
	p := startTwin(t)
	for round := range 12 {
		p.do("FLUSHALL")
		p.do("CONFIG", "SET", "hll-sparse-max-bytes", []string{"3000", "0", "100", "20000"}[round%4])
		key := func() string { return "h" + strconv.Itoa(rnd.IntN(4)) }
		for range 60 {
			switch k := key(); rnd.IntN(8) {
			case 0:
				p.do("PFCOUNT", k)
			case 1:
				p.do("PFCOUNT", k, key(), key())
			case 2:
				p.do("PFMERGE", k, key(), key())
			case 3:
				p.do("PFMERGE", k)
			default:
				args := []string{"PFADD", k}
				for range rnd.IntN(1 << rnd.IntN(11)) {
					args = append(args, strconv.Itoa(rnd.IntN(1<<rnd.IntN(30))))
				}
				p.do(args...)
			}
			for i := range 4 {
				p.do("GET", "h"+strconv.Itoa(i))
			}
		}
		for i := range 4 {
			k := "h" + strconv.Itoa(i)
			p.do("OBJECT", "ENCODING", k)
			p.do("PFDEBUG", "ENCODING", k)
			p.do("PFDEBUG", "DECODE", k)
			p.do("PFDEBUG", "GETREG", k)
			p.do("GET", k)
			p.do("PFDEBUG", "TODENSE", k)
			p.do("PFCOUNT", k)
		}
	}
}

// TestHyperLogLogElements: elements of every length have the hash they have there.
func TestHyperLogLogElements(t *testing.T) {
	p := startTwin(t)
	for n := range 40 {
		element := make([]byte, n)
		for i := range element {
			element[i] = byte(250 + i*7)
		}
		p.do("PFADD", "h", string(element))
		p.do("GET", "h")
	}
}

// TestHyperLogLogDamaged writes over HyperLogLogs and compares what the two make of
// it. Where the codes do not cover the registers, Redis counts them only when it
// has to: PFADD may go on there, and we do so, too, as long as it makes sense.
func TestHyperLogLogDamaged(t *testing.T) {
	rnd := rand.New(rand.NewPCG(seedOf(t, "BITKV_TEST_SEED"), 0))
	p := startTwin(t)
	for range 400 {
		p.do("DEL", "h")
		args := []string{"PFADD", "h"}
		for range rnd.IntN(1 << rnd.IntN(12)) {
			args = append(args, strconv.Itoa(rnd.IntN(1<<30)))
		}
		p.do(args...)
		n := p.do("STRLEN", "h").raw
		length, err := strconv.Atoi(n[1 : len(n)-2])
		if err != nil {
			t.Fatal(err)
		}
		for range 1 + rnd.IntN(5) {
			p.do("SETRANGE", "h", fmt.Sprint(rnd.IntN(length)), string([]byte{byte(rnd.IntN(256))}))
		}
		p.do("PFCOUNT", "h")
		p.do("GET", "h")
		p.do("PFCOUNT", "h", "h")
		p.do("PFDEBUG", "ENCODING", "h")
		args = []string{"PFADD", "h"}
		for range rnd.IntN(30) {
			args = append(args, strconv.Itoa(rnd.IntN(1<<30)))
		}
		if cutCode(p.do("GET", "h").text) {
			continue // Redis reads and writes behind the end
		}
		p.do(args...)
		p.do("GET", "h")
	}
}

// cutCode reports whether the last code of a sparse HyperLogLog is one of two bytes that
// has only one.
func cutCode(sketch string) bool {
	const header, sparse = 16, 1
	if len(sketch) < header || sketch[4] != sparse {
		return false
	}
	at := header
	for at < len(sketch) {
		if sketch[at]&0xc0 == 0x40 {
			at++
		}
		at++
	}
	return at > len(sketch)
}
