package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// fakeServer answers every command with the reply for its name, after before, if that is
// not nil, has returned.
func fakeServer(t *testing.T, replies map[string]string, before func(command string)) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go answer(c, replies, before)
		}
	}()
	return &server{kind: bitkv, port: l.Addr().(*net.TCPAddr).Port, dir: t.TempDir()}
}

func answer(c net.Conn, replies map[string]string, before func(command string)) {
	defer func() { _ = c.Close() }()
	in := &conn{replies: bufio.NewReader(c)}
	for {
		command, err := in.reply(0)
		if err != nil {
			return
		}
		if before != nil {
			before(command)
		}
		name, _, _ := strings.Cut(command, " ")
		if _, err := io.WriteString(c, replies[name]); err != nil {
			return
		}
	}
}

// watchers counts what those who watch an overwriting ask.
type watchers struct {
	mu         sync.Mutex // guards following
	infos      int
	gets, sets int           // since the second INFO: whoever asks again has seen the first
	enough     chan struct{} // closed when they have seen enough
}

// saw is called before a command is answered. The values that are overwritten are not
// answered for before every watcher has seen the merge.
func (w *watchers) saw(command string) {
	if strings.HasPrefix(command, "SET ") && strings.HasSuffix(command, "v") {
		<-w.enough
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch name, _, _ := strings.Cut(command, " "); {
	case name == "INFO":
		w.infos++
	case w.infos < 2:
	case name == "GET":
		w.gets++
	default:
		w.sets++
	}
	// Of three commands the second was begun, and has ended, in the merge.
	if min(w.gets, w.sets) == 3 {
		select {
		case <-w.enough:
		default:
			close(w.enough)
		}
	}
}

func TestOverwriteSeesWhatTheServerSays(t *testing.T) {
	const info = "live_bytes:1000\r\nmerge_running:1\r\n"
	w := &watchers{enough: make(chan struct{})}
	s := fakeServer(t, map[string]string{
		"GET": "$1\r\nx\r\n", "SET": "+OK\r\n", "INFO": "$34\r\n" + info + "\r\n",
	}, w.saw)
	got, err := s.overwrite(t.Context(), 10, 1000)
	if err != nil {
		t.Fatal(err)
	}
	if got.merging != 1 || len(got.get[1]) == 0 || len(got.set[1]) == 0 || len(got.space) == 0 || got.space[0] < 0 {
		t.Errorf("got merging %v, %d and %d times, space %v: want a merge all the time",
			got.merging, len(got.get[1]), len(got.set[1]), got.space)
	}
}

func TestOverwriteReportsAnErrorOfTheServer(t *testing.T) {
	s := fakeServer(t, map[string]string{
		"GET": "$1\r\nx\r\n", "SET": "-OOM no\r\n", "INFO": "$34\r\nlive_bytes:1000\r\nmerge_running:1\r\n\r\n",
	}, nil)
	if _, err := s.overwrite(t.Context(), 10, 1000); err == nil || !strings.Contains(err.Error(), "OOM no") {
		t.Errorf("got %v, want the server's error", err)
	}
}

func TestProbeTellsTheTwoPhasesApart(t *testing.T) {
	for phase, running := range []bool{false, true} {
		ctx, cancel := context.WithCancel(t.Context())
		s := fakeServer(t, map[string]string{"GET": "$1\r\nx\r\n"}, func(string) { cancel() })
		var merging atomic.Bool
		merging.Store(running)
		var times [2][]float64
		if err := s.probe(ctx, 10, &merging, &times, "GET"); err != nil {
			t.Fatal(err)
		}
		if len(times[phase]) != 1 || len(times[1-phase]) != 0 {
			t.Errorf("merging %v: %d times without and %d with a merge", running, len(times[0]), len(times[1]))
		}
	}
}

func TestMean(t *testing.T) {
	if got := mean([]float64{1, 2, 6}); got != 3 {
		t.Errorf("mean = %v, want 3", got)
	}
}
