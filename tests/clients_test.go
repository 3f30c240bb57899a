package tests

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const tooMany = "-ERR max number of clients reached\r\n"

// TestMaxClients fills the server with clients: one more is told so and closed,
// those there are served on, and when one leaves another may come.
func TestMaxClients(t *testing.T) {
	for _, k := range []kind{oracle, ours} {
		t.Run(k.name, func(t *testing.T) {
			s := start(t, k, "--maxclients", "10")
			clients := fill(t, s, 10)
			if got, err := s.wire(t).readToEOF(); err != nil || got != tooMany {
				t.Errorf("the client that is too many: got %q, %v", got, err)
			}
			for _, w := range clients {
				if got, err := w.do("PING"); err != nil || got.raw != "+PONG\r\n" {
					t.Errorf("PING of one that is there: %q, %v", got.raw, err)
				}
			}
			clients[0].close()
			eventually(t, "another client is let in", func() bool { return s.ping() == nil })
		})
	}
}

// fill opens n connections that are served. The connection that waited for the
// server to start may still be on its way out, so it tries again.
func fill(t *testing.T, s *server, n int) []*wire {
	t.Helper()
	var clients []*wire
	eventually(t, fmt.Sprintf("%d clients are served", n), func() bool {
		w := s.wire(t)
		if got, err := w.do("PING"); err != nil || got.raw != "+PONG\r\n" {
			w.close()
			return false
		}
		clients = append(clients, w)
		return len(clients) == n
	})
	return clients
}

// TestFewDescriptors is R11: a server that runs out of file descriptors must not
// spin, must keep enough for its own files, and accept again afterwards.
func TestFewDescriptors(t *testing.T) {
	k := ours
	k.bin = func(t *testing.T) string {
		t.Helper()
		script := filepath.Join(t.TempDir(), "limited")
		text := fmt.Sprintf("#!/bin/sh\nulimit -n 100\nexec '%s' \"$@\"\n", ours.bin(t))
		if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		return script
	}
	s := start(t, k)
	limit, err := s.client(t, 2).ConfigGet(t.Context(), "maxclients").Result()
	if err != nil || limit["maxclients"] == "10000" {
		t.Fatalf("maxclients is %v, %v: it must be below the limit of open files", limit, err)
	}
	var clients []*wire
	refusedOnes := 0
	for range 150 {
		w := s.wire(t)
		clients = append(clients, w)
		if got, err := w.do("SET", "k", strings.Repeat("v", 1000)); err != nil || got.raw != "+OK\r\n" {
			refusedOnes++
		}
	}
	if refusedOnes == 0 || refusedOnes > 110 {
		t.Errorf("%d of 150 clients were refused with 100 file descriptors", refusedOnes)
	}
	before := s.cpu(t)
	time.Sleep(500 * time.Millisecond) // the time over which it might spin
	if used := s.cpu(t) - before; used > 250*time.Millisecond {
		t.Errorf("it used %v of processor time in 500 ms of doing nothing", used)
	}
	for _, w := range clients {
		w.close()
	}
	eventually(t, "clients are let in again", func() bool { return s.ping() == nil })
	w := s.wire(t)
	if got, err := w.do("SAVE"); err != nil || got.raw != "+OK\r\n" {
		t.Errorf("SAVE: %q, %v", got.raw, err)
	}
}
