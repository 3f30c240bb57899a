package tests

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// replyTimeout bounds the wait for one reply: it is for a server that hangs, not for
// one that has little of a busy machine.
const replyTimeout = 60 * time.Second

// value is one reply: its exact bytes and what they say.
type value struct {
	raw   string
	kind  byte    // the type byte: one of + - : $ * _ % ~ > , # ( = !
	text  string  // the line, or the bytes of a bulk
	null  bool    // $-1, *-1 or _
	elems []value // of an aggregate; a map's keys and values in turn
}

// wire is a raw connection: bytes out, exact replies in.
type wire struct {
	conn net.Conn
	br   *bufio.Reader
}

func dialWire(addr string) (*wire, error) {
	conn, err := net.DialTimeout("tcp", addr, replyTimeout)
	if err != nil {
		return nil, err
	}
	return &wire{conn: conn, br: bufio.NewReaderSize(conn, 64<<10)}, nil
}

func (w *wire) close() {
	// The peer may have closed already; nothing depends on the result.
	_ = w.conn.Close()
}

// write sends bytes as they are.
func (w *wire) write(b []byte) error {
	if err := w.conn.SetWriteDeadline(time.Now().Add(replyTimeout)); err != nil {
		return err
	}
	_, err := w.conn.Write(b)
	return err
}

// send sends one command.
func (w *wire) send(args ...string) error {
	return w.write(appendCommand(nil, args...))
}

// read reads one reply.
func (w *wire) read() (value, error) {
	if err := w.conn.SetReadDeadline(time.Now().Add(replyTimeout)); err != nil {
		return value{}, err
	}
	return readValue(w.br)
}

// do sends one command and reads its reply.
func (w *wire) do(args ...string) (value, error) {
	if err := w.send(args...); err != nil {
		return value{}, err
	}
	return w.read()
}

// readToEOF reads until the peer closes and returns what came before.
func (w *wire) readToEOF() (string, error) {
	if err := w.conn.SetReadDeadline(time.Now().Add(replyTimeout)); err != nil {
		return "", err
	}
	data, err := io.ReadAll(w.br)
	// A reset is a close, too: unread input makes the kernel send one.
	if err != nil && !errors.Is(err, io.EOF) && !isReset(err) {
		return string(data), err
	}
	return string(data), nil
}

func isReset(err error) bool {
	return strings.Contains(err.Error(), "connection reset by peer") || strings.Contains(err.Error(), "broken pipe")
}

// appendCommand appends a command as an array of bulk strings.
func appendCommand(dst []byte, args ...string) []byte {
	dst = append(dst, '*')
	dst = strconv.AppendInt(dst, int64(len(args)), 10)
	dst = append(dst, '\r', '\n')
	for _, arg := range args {
		dst = append(dst, '$')
		dst = strconv.AppendInt(dst, int64(len(arg)), 10)
		dst = append(dst, '\r', '\n')
		dst = append(dst, arg...)
		dst = append(dst, '\r', '\n')
	}
	return dst
}

// readValue reads one reply of RESP2 or RESP3 and keeps its bytes.
func readValue(br *bufio.Reader) (value, error) {
	var raw bytes.Buffer
	v, err := readInto(br, &raw)
	v.raw = raw.String()
	return v, err
}

func readInto(br *bufio.Reader, raw *bytes.Buffer) (value, error) {
	line, err := br.ReadString('\n')
	raw.WriteString(line)
	if err != nil {
		return value{}, err
	}
	if len(line) < 3 || !strings.HasSuffix(line, "\r\n") {
		return value{}, fmt.Errorf("not a reply line: %q", line)
	}
	v := value{kind: line[0], text: line[1 : len(line)-2]}
	switch v.kind {
	case '+', '-', ':', ',', '#', '(':
		return v, nil
	case '_':
		v.null = true
		return v, nil
	case '$', '=', '!':
		return readBulk(br, raw, v)
	case '*', '~', '>', '%', '|':
		return readAggregate(br, raw, v)
	default:
		return v, fmt.Errorf("unknown reply type: %q", line)
	}
}

func readBulk(br *bufio.Reader, raw *bytes.Buffer, v value) (value, error) {
	n, err := strconv.Atoi(v.text)
	if err != nil || n < -1 {
		return v, fmt.Errorf("bulk length %q", v.text)
	}
	if n == -1 {
		v.null = true
		return v, nil
	}
	data := make([]byte, n+2)
	if _, err := io.ReadFull(br, data); err != nil {
		return v, err
	}
	raw.Write(data)
	if !bytes.HasSuffix(data, []byte("\r\n")) {
		return v, fmt.Errorf("bulk of %d bytes ends in %q", n, data[n:])
	}
	v.text = string(data[:n])
	return v, nil
}

func readAggregate(br *bufio.Reader, raw *bytes.Buffer, v value) (value, error) {
	n, err := strconv.Atoi(v.text)
	if err != nil || n < -1 {
		return v, fmt.Errorf("aggregate length %q", v.text)
	}
	if n == -1 {
		v.null = true
		return v, nil
	}
	switch v.kind {
	case '%':
		n *= 2
	case '|': // attributes, and then the reply that has them
		n = 2*n + 1
	}
	for range n {
		before := raw.Len()
		e, err := readInto(br, raw)
		if err != nil {
			return v, err
		}
		e.raw = string(raw.Bytes()[before:])
		v.elems = append(v.elems, e)
	}
	return v, nil
}

// texts returns the texts of an aggregate's elements.
func (v value) texts() []string {
	out := make([]string, len(v.elems))
	for i, e := range v.elems {
		out[i] = e.text
	}
	return out
}
