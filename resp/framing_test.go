package resp

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tidwall/redcon"
)

// frameAll feeds input to a framer in reads of at most step bytes and returns
// the commands it found, and the violation that ended it, if one did. ahead says
// that it looks ahead.
func frameAll(input []byte, step int, lim frameLimits, ahead bool) (cmds []string, bad error) {
	var f framer
	f.rewind()
	l := lookahead{table: theTable()}
	for len(input) > 0 {
		n := min(step, len(input))
		n = copy(f.space(), input[:n])
		input = input[n:]
		f.filled(n)
		for {
			if ahead && len(f.ahead) == 0 {
				l.reset()
				f.look(&l, lim)
			}
			whole, err := f.next(lim)
			if err != nil {
				return cmds, err
			}
			if !whole {
				break
			}
			cmds = append(cmds, string(bytes.Join(f.args, []byte("|"))))
			f.consume()
		}
		f.tidy()
	}
	return cmds, nil
}

func TestFraming(t *testing.T) {
	free := frameLimits{maxBulk: 512 << 20}
	noAuth := frameLimits{maxBulk: 512 << 20, noAuth: true}
	for _, tt := range []struct {
		name, input string
		lim         frameLimits
		cmds        string // joined by spaces
		bad         error
	}{
		{"one", "*1\r\n$4\r\nPING\r\n", free, "PING", nil},
		{"two", line("GET", "a") + line("SET", "b", "c"), free, "GET|a SET|b|c", nil},
		{"empty argument", line("ECHO", ""), free, "ECHO|", nil},
		{"no count", "*0\r\n*-1\r\n" + line("PING"), free, "PING", nil},
		{"very negative count", "*-9223372036854775808\r\n" + line("PING"), free, "PING", nil},
		{"count not a number", "*a\r\n", free, "", errCount},
		{"empty count", "*\r\n", free, "", errCount},
		{"count with zero", "*01\r\n", free, "", errCount},
		{"count with plus", "*+1\r\n", free, "", errCount},
		{"count too large", "*2147483648\r\n", free, "", errCount},
		{"count of 64 bits", "*9223372036854775807\r\n", free, "", errCount},
		{"largest count", "*2147483647\r\n", free, "", nil},
		{"length of 64 bits", "*1\r\n$9223372036854775807\r\nx", free, "", errBulk},
		{"length too large", "*1\r\n$536870913\r\n", free, "", errBulk},
		{"largest length", "*1\r\n$536870912\r\n", free, "", nil},
		{"negative length", "*1\r\n$-1\r\n", free, "", errBulk},
		{"length with plus", "*1\r\n$+4\r\nPING\r\n", free, "", errBulk},
		{"length with zero", "*1\r\n$04\r\nPING\r\n", free, "", errBulk},
		{"not a length", "*1\r\n:4\r\nPING\r\n", free, "", protocolError("expected '$', got ':'")},
		{"empty length line", "*1\r\n\r\n", free, "", protocolError("expected '$', got '\r'")},
		{"zero byte for a length", "*1\r\n\x00\r\n", free, "", protocolError("expected '$', got '")},
		{"line ends are not looked at", "*1\r\n$4\r\nPINGxxPING\r\n", free, "PING PING", nil},
		{"nor after the CR", "*1\rx$4\ryPING\r\n", free, "PING", nil},
		{"good before bad", line("PING") + "*1\r\n$x\r\n", free, "PING", errBulk},
		{"count before AUTH", "*11\r\n", noAuth, "", errCountNoAuth},
		{"ten before AUTH", "*10\r\n", noAuth, "", nil},
		{"length before AUTH", "*1\r\n$16385\r\n", noAuth, "", errBulkNoAuth},
		{"16 KiB before AUTH", "*1\r\n$16384\r\n", noAuth, "", nil},
		{"header too long", "*" + strings.Repeat("1", maxInlineBytes), free, "", errBigCount},
		{"length too long", "*1\r\n$" + strings.Repeat("1", maxInlineBytes), free, "", errBigBulk},

		{"inline", "PING\r\nGET  a \n", free, "PING GET|a", nil},
		{"inline, empty lines", "\r\n\n  \r\nPING\n", free, "PING", nil},
		{"inline, not a length", "$4\r\nPING\r\n", free, "$4 PING", nil},
		{"inline, quoted", `SET "a b" 'c\'d\n' "\x41\n\"" ""` + "\n", free, "SET|a b|c'd\\n|A\n\"|", nil},
		{"inline, bad hex", `ECHO "\xg1\q"` + "\n", free, "ECHO|xg1q", nil},
		{"inline, quote in a word", `PING a"b c"` + "\n", free, "PING|ab c", nil},
		{"inline, open quote", "PING \"a\r\n", free, "", errUnbalancedQuot},
		{"inline, open single quote", "PING 'a\\'\r\n", free, "", errUnbalancedQuot},
		{"inline, text behind a quote", "PING \"a\"b\r\n", free, "", errUnbalancedQuot},
		{"inline, zero byte", "PING a\x00b c\n", free, "PING|a", nil},
		{
			"inline, as long as may be", "ECHO " + strings.Repeat("x", 60<<10) + "\n", free,
			"ECHO|" + strings.Repeat("x", 60<<10), nil,
		},
		{"inline, too long", strings.Repeat("x", maxInlineBytes+1), free, "", errBigInline},
		{"inline, too long with its end", strings.Repeat("x", maxInlineBytes+1) + "\n", free, "", errBigInline},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, step := range []int{1, 2, 3, 7, 1 << 20} {
				for _, ahead := range []bool{false, true} {
					cmds, bad := frameAll([]byte(tt.input), step, tt.lim, ahead)
					if got := strings.Join(cmds, " "); got != tt.cmds || !errors.Is(bad, tt.bad) {
						t.Errorf("in steps of %d, ahead %t:\n got %.80q, %v\nwant %.80q, %v",
							step, ahead, got, bad, tt.cmds, tt.bad)
					}
				}
			}
		})
	}
}

// TestFramingResumes would take minutes with a parser that begins again at
// every read.
func TestFramingResumes(t *testing.T) {
	var b bytes.Buffer
	const n = 300_000
	fmt.Fprintf(&b, "*%d\r\n", n)
	for range n {
		b.WriteString("$1\r\nx\r\n")
	}
	cmds, err := frameAll(b.Bytes(), 16, frameLimits{maxBulk: 1 << 20}, true)
	if err != nil || len(cmds) != 1 || len(cmds[0]) != 2*n-1 {
		t.Fatalf("%d commands, %v", len(cmds), err)
	}
}

// TestFramingMemory checks that the buffer follows what has come, not what was
// promised, and is given back.
func TestFramingMemory(t *testing.T) {
	var f framer
	f.rewind()
	feed := func(s string) {
		t.Helper()
		for len(s) > 0 {
			n := copy(f.space(), s)
			s = s[n:]
			f.filled(n)
			for {
				whole, err := f.next(frameLimits{maxBulk: 512 << 20})
				if err != nil {
					t.Fatal(err)
				}
				if !whole {
					break
				}
				f.consume()
			}
			f.tidy()
		}
	}
	feed("*2\r\n$3\r\nSET\r\n$500000000\r\n")
	if f.space(); cap(f.buf) > 2<<20 {
		t.Errorf("a promise of 500 MB made the buffer %d bytes", cap(f.buf))
	}
	feed(strings.Repeat("x", 10<<20))
	if cap(f.buf) > 24<<20 {
		t.Errorf("10 MB made the buffer %d bytes", cap(f.buf))
	}
	f = framer{}
	f.rewind()
	feed(line("SET", "k", strings.Repeat("x", 3<<20)))
	feed(line("PING"))
	if cap(f.buf) > maxReadAhead {
		t.Errorf("the buffer is still %d bytes after a large command", cap(f.buf))
	}
	f = framer{}
	f.rewind()
	// R7: a long pipeline, every read of which ends in the middle of a command.
	feed(strings.Repeat(line("SET", "key", strings.Repeat("v", 61)), 100_000))
	if cap(f.buf) > maxReadAhead {
		t.Errorf("unaligned reads made the buffer %d bytes", cap(f.buf))
	}
}

func TestQuoteRepr(t *testing.T) {
	in := "a\"\\\n\r\t\a\b\x00\xff é"
	want := `"a\"\\\n\r\t\a\b\x00\xff \xc3\xa9"`
	if got := string(appendRepr(nil, []byte(in))); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	buf, spans, ok := splitQuoted(nil, nil, []byte(want))
	if !ok || len(spans) != 1 || string(buf) != in {
		t.Errorf("read back as %q, %v, %v", buf, spans, ok)
	}
}

// FuzzFraming checks that no input panics, that any way of cutting it into reads
// gives the same commands, looked ahead at or not, and that memory follows the input.
func FuzzFraming(f *testing.F) {
	for _, s := range []string{
		line("SET", "a", "b"), "PING\r\n", "*0\r\n*-1\r\n", "*1\r\n$+4\r\nPING\r\n", "SET 'a\\'' \"\\x00\"\n",
		"*1\r\n$9223372036854775807\r\nx", "*9223372036854775807\r\n", "*2\r\n$0\r\n\r\n$1\r\n\r\r\n",
	} {
		f.Add([]byte(s), uint8(1), true)
		f.Add([]byte(s+s), uint8(3), false)
	}
	f.Fuzz(func(t *testing.T, input []byte, step uint8, noAuth bool) {
		lim := frameLimits{maxBulk: 1 << 20, noAuth: noAuth}
		all, errAll := frameAll(input, len(input)+1, lim, false)
		check := func(step int, ahead bool) {
			cut, errCut := frameAll(input, step, lim, ahead)
			if !errors.Is(errCut, errAll) || strings.Join(all, "\n") != strings.Join(cut, "\n") {
				t.Fatalf("in one piece %q, %v; in reads of %d, ahead %t, %q, %v", all, errAll, step, ahead, cut, errCut)
			}
		}
		check(len(input)+1, true)
		check(int(step)+1, true)
		check(int(step)+1, false)
	})
}

func BenchmarkFraming(b *testing.B) {
	input := []byte(strings.Repeat(line("SET", "key:000000001234", strings.Repeat("v", 64)), 16))
	var f framer
	f.rewind()
	b.ReportAllocs()
	for b.Loop() {
		f.filled(copy(f.space(), input))
		for {
			whole, err := f.next(frameLimits{maxBulk: 1 << 20})
			if err != nil || !whole {
				break
			}
			f.consume()
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/16, "ns/command")
}

// BenchmarkFramingRedcon is what splitting the same commands with redcon costs
// on top, once they are vetted.
func BenchmarkFramingRedcon(b *testing.B) {
	input := []byte(strings.Repeat(line("SET", "key:000000001234", strings.Repeat("v", 64)), 16))
	var args [][]byte
	b.ReportAllocs()
	for b.Loop() {
		for rest := input; len(rest) > 0; {
			_, args, _, rest, _ = redcon.ReadNextCommand(rest, args)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/16, "ns/command")
}
