package tests

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A transcript is a file of blocks: commands, a line "----", and the exact bytes
// of their replies. It runs against the oracle and against our server, each time
// on a fresh one, over RESP2 and over RESP3; go test -run Transcript -update
// writes the replies anew, always from the oracle and never from ours.
//
// Replies are written one line per CRLF. An empty line is a lone backslash, and
// bytes that are not printable ASCII, and the backslash, are escaped as in Go.
// Where RESP3 differs, a line "---- resp3" and its form follow.
//
// Lines before the first "----" of a block:
//
//	# a comment
//	SET k "v\x00" 'x' {ab*3}  a command, quoted as in redis-cli; {ab*3} is ababab
//	@b GET k                  on connection b, made at its first use; else on main
//
// and in the place of a command, after @b or not:
//
//	!raw "*1\r\n$4\r\n" PING  sends the words as they are, joined, and reads no reply
//	!send GET k               sends a command and reads no reply
//	!read 2                   reads two replies
//	!silent                   shows <silent> if nothing comes for a moment
//	!eof                      reads until the server closes and shows <closed>
//	!until :0 EXISTS k        repeats a command until its reply is that one line
//	!info clients blocked_clients:1  asks INFO until the section has the line
//	!late 200                 reads a reply, which must not come earlier than 200 ms
//	                          after the block has begun
//	!close                    closes the connection
//	!pipe                     the commands that follow in this block are sent at once
//
// and lines about the file (at its top) or the block:
//
//	!args --requirepass x     more arguments for the server
//	!resp 2                   this file is for one protocol only
//	!resp3-hello none         RESP3 connections do not start with HELLO 3
//	!sort                     the lines of the block's replies are shown sorted
//	!mask "regexp" "with"     is applied to the replies of the block (of the file)
//	!ours REASON              the oracle does not know this or differs: see REASON
//
// Seconds that pass between two commands, of a time to live and of idleness, are
// allowed for: see sameTimes. Nothing else in a transcript may depend on how soon a
// command follows another one. What waits is seen to wait by !info: a server may take
// commands of several connections in another order than they were sent in.
var update = flag.Bool("update", false, "rewrite the transcripts from the oracle")

// block is one set of commands and the replies to them.
type block struct {
	line  int      // of the file, of its first line
	head  []string // its lines up to "----", as they are
	steps []step
	masks []mask
	pipe  bool
	sort  bool
	want  map[int][]string // by protocol
}

// step is one line of a block that does something.
type step struct {
	line int
	conn string
	op   string // "" for a command, else what follows the exclamation mark
	args []string
}

type mask struct {
	re   *regexp.Regexp
	with string
}

// transcript is a parsed file.
type transcript struct {
	path   string
	args   []string
	protos []int
	hello  bool
	ours   string // why it is not for the oracle, or empty
	masks  []mask
	blocks []*block
}

func TestTranscripts(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, path := range paths {
		tr, err := parseTranscript(path)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(path), ".txt")
		t.Run(name, func(t *testing.T) {
			if *update {
				tr.update(t)
				return
			}
			for _, k := range []kind{oracle, ours} {
				if k.name == oracle.name && tr.ours != "" || k.name == ours.name && tr.ours != "" && !k.isOurs() {
					continue
				}
				for _, proto := range tr.protos {
					t.Run(fmt.Sprintf("%s/resp%d", k.name, proto), func(t *testing.T) {
						t.Parallel()
						tr.check(t, k, proto)
					})
				}
			}
		})
	}
}

// check runs every block and compares; a difference does not stop the file.
func (tr *transcript) check(t *testing.T, k kind, proto int) {
	t.Helper()
	p := tr.player(t, k, proto)
	began := time.Now()
	for _, b := range tr.blocks {
		got, want := p.play(b), b.want[proto]
		if !slices.Equal(got, want) && !b.sameTimes(got, want, time.Since(began)) {
			tr.report(t, b, strings.Join(got, "\n"), want)
		}
	}
	p.srv.alive(t)
}

// sameTimes reports whether replies differ in seconds alone that may have passed
// between two commands: those left to a key or a field, and those for which a key has
// been idle. passed is how long the transcript has been running.
func (b *block) sameTimes(got, want []string, passed time.Duration) bool {
	if b.sort {
		return false
	}
	slack := int64(passed/time.Second) + 1
	for _, s := range b.steps {
		for range s.replies() {
			g, w := replyLines(got), replyLines(want)
			if g != w || !s.sameTimes(got[:g], want[:w], slack) {
				return false
			}
			got, want = got[g:], want[w:]
		}
	}
	return slices.Equal(got, want)
}

// sameTimes is that for the lines of one reply; slack is in seconds.
func (s step) sameTimes(got, want []string, slack int64) bool {
	if slices.Equal(got, want) {
		return true
	}
	if s.op != "" {
		return false
	}
	command := strings.ToUpper(s.args[0])
	idle := command == "OBJECT" && len(s.args) > 1 && strings.EqualFold(s.args[1], "IDLETIME")
	if command != "TTL" && command != "HTTL" && !idle {
		return false
	}
	for i := range got {
		g, err1 := strconv.ParseInt(strings.TrimPrefix(got[i], ":"), 10, 64)
		w, err2 := strconv.ParseInt(strings.TrimPrefix(want[i], ":"), 10, 64)
		if idle {
			g, w = w, g
		}
		if got[i] != want[i] && (err1 != nil || err2 != nil || g < 0 || g > w || w-g > slack) {
			return false
		}
	}
	return true
}

// report prints the differences of one block, command by command as far as the
// expected text can be cut into replies, which masks may prevent.
func (tr *transcript) report(t *testing.T, b *block, got string, want []string) {
	t.Helper()
	gotLines, found := strings.Split(got, "\n"), false
	for _, s := range b.steps {
		n := s.replies()
		for range n {
			g, w := replyLines(gotLines), replyLines(want)
			if gotText, wantText := strings.Join(gotLines[:g], "\n"), strings.Join(want[:w], "\n"); gotText != wantText && !b.sort {
				found = true
				t.Errorf("%s:%d: @%s %s %q\ngot:\n%s\nwant:\n%s",
					tr.path, s.line, s.conn, s.op, s.args, indent(gotText), indent(wantText))
			}
			gotLines, want = gotLines[g:], want[w:]
		}
	}
	if !found {
		t.Errorf("%s:%d\ngot:\n%s\nwant:\n%s", tr.path, b.line, indent(got), indent(strings.Join(want, "\n")))
	}
}

// replies returns how many replies a step shows.
func (s step) replies() int {
	switch s.op {
	case "", "silent", "eof", "until", "late":
		return 1
	case "read":
		n, err := strconv.Atoi(s.args[0])
		if err != nil {
			return 0
		}
		return n
	default:
		return 0
	}
}

// replyLines returns how many of the lines are the first reply.
func replyLines(lines []string) int {
	if len(lines) == 0 {
		return 0
	}
	n, err := strconv.Atoi(lines[0][min(1, len(lines[0])):])
	if err != nil || n < 0 {
		return 1
	}
	switch lines[0][0] {
	case '$', '=', '!':
		for i, size := 1, -2; i < len(lines); i++ {
			if size += len(unescape(lines[i])) + 2; size >= n {
				return i + 1
			}
		}
		return len(lines)
	case '%':
		n *= 2
	case '|':
		n = 2*n + 1
	case '*', '~', '>':
	default:
		return 1
	}
	total := 1
	for range n {
		total += replyLines(lines[total:])
	}
	return total
}

// unescape undoes escapeBytes and the lone backslash.
func unescape(line string) string {
	if line == `\` {
		return ""
	}
	s, err := strconv.Unquote(`"` + strings.ReplaceAll(line, `"`, `\"`) + `"`)
	if err != nil {
		return line
	}
	return s
}

func indent(s string) string { return "    " + strings.ReplaceAll(s, "\n", "\n    ") }

// update writes the file with the oracle's replies.
func (tr *transcript) update(t *testing.T) {
	t.Helper()
	if tr.ours != "" {
		return
	}
	for _, proto := range tr.protos {
		p := tr.player(t, oracle, proto)
		for _, b := range tr.blocks {
			b.want[proto] = p.play(b)
		}
	}
	var out strings.Builder
	for i, b := range tr.blocks {
		if i > 0 {
			out.WriteString("\n")
		}
		out.WriteString(strings.Join(b.head, "\n") + "\n")
		if len(b.steps) == 0 {
			continue
		}
		first := tr.protos[0]
		out.WriteString("----\n" + strings.Join(b.want[first], "\n") + "\n")
		if last := tr.protos[len(tr.protos)-1]; strings.Join(b.want[last], "\n") != strings.Join(b.want[first], "\n") {
			out.WriteString("---- resp3\n" + strings.Join(b.want[last], "\n") + "\n")
		}
	}
	if err := os.WriteFile(tr.path, []byte(out.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// player is a server with the connections of one run of a transcript.
type player struct {
	t     *testing.T
	tr    *transcript
	srv   *server
	proto int
	conns map[string]*wire
	began time.Time // when the block did
}

func (tr *transcript) player(t *testing.T, k kind, proto int) *player {
	t.Helper()
	return &player{t: t, tr: tr, srv: start(t, k, tr.args...), proto: proto, conns: map[string]*wire{}}
}

// conn returns the connection of a name, made at its first use.
func (p *player) conn(name string) *wire {
	if w := p.conns[name]; w != nil {
		return w
	}
	w := p.srv.wire(p.t)
	p.conns[name] = w
	if p.proto == 3 && p.tr.hello {
		if got, err := w.do("HELLO", "3"); err != nil || got.kind != '%' {
			p.t.Fatalf("HELLO 3: %q, %v", got.raw, err)
		}
	}
	return w
}

// play runs a block and returns the lines of the replies as the file shows
// them, masked.
func (p *player) play(b *block) []string {
	var lines []string
	p.began = time.Now()
	if b.pipe {
		p.sendAll(b)
	}
	for _, s := range b.steps {
		w := p.conn(s.conn)
		if b.pipe && s.op == "" {
			lines = append(lines, p.reply(w))
			continue
		}
		if out := p.step(s, w); out != "" {
			lines = append(lines, out)
		}
	}
	if len(lines) == 0 {
		return nil
	}
	text := strings.Join(lines, "\n")
	for _, m := range slices.Concat(b.masks, p.tr.masks) {
		text = m.re.ReplaceAllString(text, m.with)
	}
	lines = strings.Split(text, "\n")
	if b.sort {
		slices.Sort(lines)
	}
	return lines
}

// sendAll writes the commands of a piped block in one go per connection.
func (p *player) sendAll(b *block) {
	bufs := map[string][]byte{}
	for _, s := range b.steps {
		if s.op == "" {
			bufs[s.conn] = appendCommand(bufs[s.conn], s.args...)
		}
	}
	for name, buf := range bufs {
		if err := p.conn(name).write(buf); err != nil {
			p.t.Errorf("write: %v", err)
		}
	}
}

// step does one step and returns what the file shows for it.
func (p *player) step(s step, w *wire) string {
	switch s.op {
	case "":
		p.must(s, w.send(s.args...))
		return p.reply(w)
	case "send":
		p.must(s, w.send(s.args...))
	case "raw":
		p.must(s, w.write([]byte(strings.Join(s.args, ""))))
	case "read":
		n, err := strconv.Atoi(s.args[0])
		p.must(s, err)
		out := make([]string, n)
		for i := range out {
			out[i] = p.reply(w)
		}
		return strings.Join(out, "\n")
	case "silent":
		return p.silent(w)
	case "eof":
		data, err := w.readToEOF()
		p.must(s, err)
		return strings.TrimPrefix(escapeReply(data)+"\n<closed>", "\n")
	case "until":
		return p.until(s, w)
	case "info":
		p.info(s, w)
	case "late":
		return p.late(s, w)
	case "close":
		w.close()
		delete(p.conns, s.conn)
	default:
		p.t.Fatalf("%s:%d: unknown step !%s", p.tr.path, s.line, s.op)
	}
	return ""
}

func (p *player) must(s step, err error) {
	if err != nil && !isReset(err) {
		p.t.Errorf("%s:%d: %v", p.tr.path, s.line, err)
	}
}

// reply reads one reply; a closed connection is a reply, too.
func (p *player) reply(w *wire) string {
	v, err := w.read()
	switch {
	case err == nil:
		return escapeReply(v.raw)
	case errors.Is(err, io.EOF) || isReset(err):
		return strings.TrimPrefix(escapeReply(v.raw)+"\n<closed>", "\n")
	default:
		return strings.TrimPrefix(escapeReply(v.raw)+"\n<"+err.Error()+">", "\n")
	}
}

// silentFor is how long a connection must say nothing to count as silent. A
// server that would answer does so within a small part of it.
const silentFor = 50 * time.Millisecond

func (p *player) silent(w *wire) string {
	if err := w.conn.SetReadDeadline(time.Now().Add(silentFor)); err != nil {
		p.t.Error(err)
	}
	_, err := w.br.Peek(1)
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return "<silent>"
	case err != nil:
		return "<" + err.Error() + ">"
	default:
		return p.reply(w)
	}
}

// until repeats a command until its reply, as the file shows it, is args[0].
func (p *player) until(s step, w *wire) string {
	deadline := time.Now().Add(replyTimeout)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		p.must(s, w.send(s.args[1:]...))
		got := p.reply(w)
		if got == s.args[0] || time.Now().After(deadline) {
			return got
		}
		<-tick.C
	}
}

// info repeats INFO of the section args[0] until it has the line args[1].
func (p *player) info(s step, w *wire) {
	var got value
	deadline := time.Now().Add(replyTimeout)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !strings.Contains(got.text, "\r\n"+s.args[1]+"\r\n") {
		if time.Now().After(deadline) {
			p.t.Errorf("%s:%d: not within %v: %q in\n%s", p.tr.path, s.line, replyTimeout, s.args[1], got.text)
			return
		}
		<-tick.C
		var err error
		if got, err = w.do("INFO", s.args[0]); err != nil {
			p.t.Fatalf("%s:%d: INFO: %q, %v", p.tr.path, s.line, got.raw, err)
		}
	}
}

// late reads a reply and shows it behind a remark if it has come too early.
func (p *player) late(s step, w *wire) string {
	ms, err := strconv.Atoi(s.args[0])
	p.must(s, err)
	reply := p.reply(w)
	if took := time.Since(p.began); took < time.Duration(ms)*time.Millisecond {
		return fmt.Sprintf("<after %v>\n%s", took, reply)
	}
	return reply
}

// escapeReply returns reply bytes as lines of a transcript. It is injective: a
// line end stands for CRLF and nothing else.
func escapeReply(raw string) string {
	raw = strings.TrimSuffix(raw, "\r\n")
	parts := strings.Split(raw, "\r\n")
	for i, part := range parts {
		q := escapeBytes(part)
		switch {
		case q == "" && len(raw) > 0:
			q = `\`
		case strings.HasPrefix(q, "----"):
			q = `\x2d` + q[1:]
		}
		parts[i] = q
	}
	return strings.Join(parts, "\n")
}

// escapeBytes escapes bytewise, where Go's quoting would decode UTF-8.
func escapeBytes(s string) string {
	var out strings.Builder
	for i := range len(s) {
		switch ch := s[i]; {
		case ch == '\\':
			out.WriteString(`\\`)
		case ch == '\n':
			out.WriteString(`\n`)
		case ch == '\r':
			out.WriteString(`\r`)
		case ch < 0x20 || ch >= 0x7f:
			fmt.Fprintf(&out, `\x%02x`, ch)
		default:
			out.WriteByte(ch)
		}
	}
	return out.String()
}

// parseTranscript reads a file.
func parseTranscript(path string) (*transcript, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	tr := &transcript{path: path, protos: []int{2, 3}, hello: true}
	var b *block
	section := 0 // 0: head; else the protocol whose replies follow
	n := 0
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		n++
		line := lines.Text()
		switch {
		case line == "":
			b, section = nil, 0
			continue
		case line == "----" && b != nil:
			section = 2
			b.want[2], b.want[3] = []string{}, []string{}
			continue
		case line == "---- resp3" && b != nil:
			section = 3
			b.want[3] = []string{}
			continue
		case section == 2:
			b.want[2] = append(b.want[2], line)
			b.want[3] = append(b.want[3], line)
			continue
		case section == 3:
			b.want[3] = append(b.want[3], line)
			continue
		}
		if b == nil {
			b = &block{line: n, want: map[int][]string{}}
			tr.blocks = append(tr.blocks, b)
		}
		b.head = append(b.head, line)
		if err := tr.parseLine(b, n, line); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, n, err)
		}
	}
	return tr, lines.Err()
}

// parseLine takes a line of a block's head.
func (tr *transcript) parseLine(b *block, n int, line string) error {
	if strings.HasPrefix(line, "#") {
		return nil
	}
	s := step{line: n, conn: "main"}
	if strings.HasPrefix(line, "@") {
		name, rest, ok := strings.Cut(line[1:], " ")
		if !ok {
			return errors.New("a connection without a command")
		}
		s.conn, line = name, rest
	}
	words, err := splitWords(line)
	if err != nil {
		return fmt.Errorf("cannot read the words of %q: %w", line, err)
	}
	if len(words) == 0 {
		return errors.New("a line without words")
	}
	if !strings.HasPrefix(line, "!") {
		s.args = words
		b.steps = append(b.steps, s)
		return nil
	}
	s.op, s.args = words[0][1:], words[1:]
	return tr.directive(b, s)
}

// directive takes a line that begins with an exclamation mark.
func (tr *transcript) directive(b *block, s step) error {
	top := len(tr.blocks) == 1 && len(b.steps) == 0
	switch s.op {
	case "mask":
		re, err := regexp.Compile("(?m)" + s.args[0])
		if err != nil {
			return err
		}
		if top {
			tr.masks = append(tr.masks, mask{re, s.args[1]})
		} else {
			b.masks = append(b.masks, mask{re, s.args[1]})
		}
	case "pipe":
		b.pipe = true
	case "sort":
		b.sort = true
	case "args":
		tr.args = append(tr.args, s.args...)
	case "resp":
		proto, err := strconv.Atoi(s.args[0])
		if err != nil {
			return err
		}
		tr.protos = []int{proto}
	case "resp3-hello":
		tr.hello = false
	case "ours":
		tr.ours = strings.Join(s.args, " ")
	case "until":
		if len(s.args) < 2 {
			return errors.New("!until needs a reply and a command")
		}
		b.steps = append(b.steps, s)
	case "info":
		if len(s.args) != 2 {
			return errors.New("!info needs a section and a line")
		}
		b.steps = append(b.steps, s)
	case "late":
		if len(s.args) != 1 {
			return errors.New("!late needs milliseconds")
		}
		b.steps = append(b.steps, s)
	default:
		b.steps = append(b.steps, s)
	}
	return nil
}

var repeated = regexp.MustCompile(`^\{(.*)\*(\d+)\}$`)

// splitWords splits a line as redis-cli does, and expands {x*N}.
func splitWords(line string) ([]string, error) {
	var words []string
	for rest := strings.TrimLeft(line, " "); rest != ""; rest = strings.TrimLeft(rest, " ") {
		var word string
		switch rest[0] {
		case '"':
			quoted, err := strconv.QuotedPrefix(rest)
			if err != nil {
				return nil, err
			}
			if word, err = strconv.Unquote(quoted); err != nil {
				return nil, err
			}
			rest = rest[len(quoted):]
		case '\'':
			end := strings.IndexByte(rest[1:], '\'')
			if end < 0 {
				return nil, errors.New("an open quote")
			}
			word, rest = rest[1:1+end], rest[end+2:]
		default:
			word, rest, _ = strings.Cut(rest, " ")
			if m := repeated.FindStringSubmatch(word); m != nil {
				n, err := strconv.Atoi(m[2])
				if err != nil {
					return nil, err
				}
				word = strings.Repeat(m[1], n)
			}
		}
		words = append(words, word)
	}
	return words, nil
}

// TestEveryCommandHasATranscript asks our server which commands it has and looks
// for each in the transcripts.
func TestEveryCommandHasATranscript(t *testing.T) {
	covered := map[string]bool{}
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		tr, err := parseTranscript(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range tr.blocks {
			for _, s := range b.steps {
				if s.op == "" || s.op == "send" {
					covered[strings.ToLower(s.args[0])] = true
					covered[strings.ToLower(strings.Join(s.args[:min(2, len(s.args))], "|"))] = true
				}
			}
		}
	}
	if !ours.isOurs() {
		return // the oracle has more commands
	}
	w := start(t, ours).wire(t)
	names, err := w.do("COMMAND", "LIST")
	if err != nil || len(names.elems) < 90 {
		t.Fatalf("COMMAND LIST: %.200q, %v", names.raw, err)
	}
	for _, name := range names.texts() {
		if !covered[name] {
			t.Errorf("no transcript has %s", name)
		}
		info, err := w.do("COMMAND", "INFO", name)
		if err != nil || len(info.elems) != 1 || len(info.elems[0].elems) < 10 {
			t.Fatalf("COMMAND INFO %s: %q, %v", name, info.raw, err)
		}
		for _, sub := range info.elems[0].elems[9].elems {
			if name := sub.elems[0].text; !covered[name] {
				t.Errorf("no transcript has %s", name)
			}
		}
	}
}
