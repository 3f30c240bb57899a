package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// conn is a connection that speaks RESP2. It is for one goroutine.
type conn struct {
	net.Conn
	replies *bufio.Reader
	buf     []byte
}

// dial connects to the server. The caller closes the connection.
func (s *server) dial() (*conn, error) {
	c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", s.port), commandTimeout)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, replies: bufio.NewReaderSize(c, 64<<10)}, nil
}

// appendCommand appends a command in the wire's form.
func appendCommand(buf []byte, args ...string) []byte {
	buf = append(buf, '*')
	buf = strconv.AppendInt(buf, int64(len(args)), 10)
	for _, arg := range args {
		buf = append(buf, "\r\n$"...)
		buf = strconv.AppendInt(buf, int64(len(arg)), 10)
		buf = append(buf, "\r\n"...)
		buf = append(buf, arg...)
	}
	return append(buf, "\r\n"...)
}

// errReply is an error that the server answered.
type errReply string

func (e errReply) Error() string { return "the server answered " + string(e) }

// maxDepth bounds how deep the arrays of a reply may be nested.
const maxDepth = 8

// reply reads one reply: the text of a string, the digits of an integer, nothing
// for a null, and for an array the replies in it, joined by blanks. An error is
// an errReply.
func (c *conn) reply(depth int) (string, error) {
	line, err := c.replies.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimSuffix(line, "\r\n")
	if line == "" || depth > maxDepth {
		return "", fmt.Errorf("not a reply: %q", line)
	}
	rest := line[1:]
	switch line[0] {
	case '+', ':':
		return rest, nil
	case '-':
		return "", errReply(rest)
	}
	n, err := strconv.Atoi(rest)
	if err != nil {
		return "", fmt.Errorf("not a reply: %q: %w", line, err)
	}
	switch {
	case n < 0:
		return "", nil
	case line[0] == '$':
		text := make([]byte, n+2)
		_, err := io.ReadFull(c.replies, text)
		return string(text[:n]), err
	case line[0] == '*':
		parts := make([]string, 0, min(n, 1024))
		for range n {
			part, err := c.reply(depth + 1)
			if err != nil {
				return "", err
			}
			parts = append(parts, part)
		}
		return strings.Join(parts, " "), nil
	}
	return "", fmt.Errorf("not a reply: %q", line)
}

// commandTimeout bounds how long a command, or a batch of them, may take.
const commandTimeout = time.Minute

// do sends one command and returns its reply as text.
func (c *conn) do(args ...string) (string, error) {
	c.buf = appendCommand(c.buf[:0], args...)
	if err := c.SetDeadline(time.Now().Add(commandTimeout)); err != nil {
		return "", err
	}
	if _, err := c.Write(c.buf); err != nil {
		return "", err
	}
	return c.reply(0)
}

// do runs one command on a connection of its own.
func (s *server) do(args ...string) (reply string, err error) {
	c, err := s.dial()
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	reply, err = c.do(args...)
	if err != nil {
		err = fmt.Errorf("%s: %s: %w", s.kind, args[0], err)
	}
	return reply, err
}

// info returns one field of a section of INFO.
func (s *server) info(section, field string) (string, error) {
	text, err := s.do("INFO", section)
	if err != nil {
		return "", err
	}
	value, ok := infoField(text, field)
	if !ok {
		return "", fmt.Errorf("%s: INFO %s has no field %s", s.kind, section, field)
	}
	return value, nil
}

// infoField returns the value of one line of what INFO answered.
func infoField(text, field string) (value string, ok bool) {
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			return strings.TrimSpace(value), true
		}
	}
	return "", false
}

// fill sends n commands in batches: appendTo appends the i'th to buf. It returns
// the first error that the server answered.
func (s *server) fill(ctx context.Context, n int, appendTo func(buf []byte, i int) []byte) (err error) {
	const batchBytes, batchCommands = 64 << 10, 1000
	c, err := s.dial()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	for i := 0; i < n; {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		buf, sent := c.buf[:0], 0
		for ; i < n && sent < batchCommands && len(buf) < batchBytes; i++ {
			buf = appendTo(buf, i)
			sent++
		}
		c.buf = buf
		if err := c.SetDeadline(time.Now().Add(commandTimeout)); err != nil {
			return err
		}
		if _, err := c.Write(buf); err != nil {
			return err
		}
		for range sent {
			if _, err := c.reply(0); err != nil {
				return fmt.Errorf("filling %s: %w", s.kind, err)
			}
		}
	}
	return nil
}
