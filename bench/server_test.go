package main

import (
	"bufio"
	"strings"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	const tail = " S 1 2 2 0 -1 4194304 9 9 9 9 150 25 0 0 20 0 4 0"
	for name, stat := range map[string]string{
		"plain":                   "77 (redis-server)" + tail,
		"blanks in the name":      "77 (redis server :1)" + tail,
		"parentheses in the name": "77 (a) b (c)" + tail,
	} {
		if got, err := parseStat(stat); err != nil || got != 1750*time.Millisecond {
			t.Errorf("%s: parseStat = %v, %v, want 1.75s", name, got, err)
		}
	}
	for _, bad := range []string{"", "77 (x) S 1 2", strings.Replace("77 (x)"+tail, "150", "many", 1)} {
		if got, err := parseStat(bad); err == nil {
			t.Errorf("parseStat(%q) = %v, want an error", bad, got)
		}
	}
}

func TestParseStatus(t *testing.T) {
	const status = "Name:\tserver\nVmPeak:\t  900 kB\nVmRSS:\t     300 kB\nRssAnon:\t     200 kB\nRssFile:\t     100 kB\nThreads:\t4\n"
	want := memory{rss: 300 << 10, anonymous: 200 << 10}
	if got, err := parseStatus(status); err != nil || got != want {
		t.Errorf("parseStatus = %+v, %v, want %+v", got, err, want)
	}
	for _, bad := range []string{"", "VmRSS: 300 kB\n", "VmRSS: x kB\n"} {
		if got, err := parseStatus(bad); err == nil {
			t.Errorf("parseStatus(%q) = %+v, want an error", bad, got)
		}
	}
}

func TestAppendCommand(t *testing.T) {
	got := string(appendCommand([]byte("before"), "SET", "", "two words"))
	if want := "before*3\r\n$3\r\nSET\r\n$0\r\n\r\n$9\r\ntwo words\r\n"; got != want {
		t.Errorf("appendCommand = %q, want %q", got, want)
	}
}

func TestReply(t *testing.T) {
	for in, want := range map[string]string{
		"+OK\r\n":                       "OK",
		":-12\r\n":                      "-12",
		"$5\r\na\r\nbc\r\n":             "a\r\nbc",
		"$0\r\n\r\n":                    "",
		"$-1\r\n":                       "",
		"*-1\r\n":                       "",
		"*2\r\n$1\r\na\r\n*1\r\n:3\r\n": "a 3",
	} {
		c := &conn{replies: bufio.NewReader(strings.NewReader(in))}
		if got, err := c.reply(0); err != nil || got != want {
			t.Errorf("reply(%q) = %q, %v, want %q", in, got, err, want)
		}
		if n := c.replies.Buffered(); n != 0 {
			t.Errorf("reply(%q) leaves %d bytes", in, n)
		}
	}
	c := &conn{replies: bufio.NewReader(strings.NewReader("-ERR no\r\n"))}
	if got, err := c.reply(0); err != errReply("ERR no") { //nolint:errorlint // the very error, not one that wraps it
		t.Errorf("reply of an error = %q, %v", got, err)
	}
	for _, bad := range []string{"", "\r\n", "+OK", "?3\r\n", "$x\r\n", "$5\r\nab", "*1\r\n-ERR in an array\r\n", strings.Repeat("*1\r\n", 20)} {
		c := &conn{replies: bufio.NewReader(strings.NewReader(bad))}
		if got, err := c.reply(0); err == nil {
			t.Errorf("reply(%q) = %q, want an error", bad, got)
		}
	}
}
