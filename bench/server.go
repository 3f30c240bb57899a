package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// kind is which of the two programs a server is.
type kind string

const (
	redis kind = "redis"
	bitkv kind = "bitkv"
)

// startTimeout bounds how long a server may load its data.
const startTimeout = 5 * time.Minute

// server is one of the two, running.
type server struct {
	kind   kind
	port   int
	dir    string
	bin    string
	args   []string // what it was started with
	cmd    *exec.Cmd
	out    *bytes.Buffer // what it printed; to be read after done only
	done   chan struct{} // closed when the process has ended
	status error         // of the process, after done
}

// startServer starts a server, and returns when it answers. Both kinds keep
// everything on disk and sync every second, unless the arguments say otherwise.
func startServer(ctx context.Context, o options, k kind, dir string, args ...string) (*server, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	choose := o.port
	if choose == nil {
		choose = freePort
	}
	port, err := choose()
	if err != nil {
		return nil, err
	}
	s := &server{kind: k, port: port, dir: dir}
	s.args = []string{"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", dir, "--save", "", "--appendfsync", "everysec"}
	switch k {
	case redis:
		s.bin = o.redis
		s.args = append(s.args, "--appendonly", "yes")
	case bitkv:
		s.bin = o.server
		s.args = append(s.args, strings.Fields(o.args)...)
	}
	s.args = append(s.args, args...)
	return s, s.run(ctx)
}

// run starts the process and waits for its first PONG.
func (s *server) run(ctx context.Context) error {
	s.out, s.done = new(bytes.Buffer), make(chan struct{})
	s.cmd = exec.CommandContext(ctx, s.bin, s.args...)
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.out
	ownGroup(s.cmd)
	s.cmd.Cancel = func() error { return killGroup(s.cmd.Process.Pid) }
	if err := s.cmd.Start(); err != nil {
		return err
	}
	go func() {
		s.status = s.cmd.Wait()
		close(s.done)
	}()
	deadline := time.NewTimer(startTimeout)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for s.ping() != nil {
		select {
		case <-s.done:
			return fmt.Errorf("%s ended: %w\n%s", s.kind, s.status, s.out)
		case <-deadline.C:
			return errors.Join(fmt.Errorf("%s does not answer", s.kind), s.stop())
		case <-tick.C:
		}
	}
	return nil
}

// stop kills the process and its children: it has nothing that is wanted.
// Stopping it again does nothing.
func (s *server) stop() error {
	select {
	case <-s.done:
		return nil
	default:
	}
	// A group that is gone has been waited for, or is about to be.
	if err := killGroup(s.cmd.Process.Pid); err != nil && !errors.Is(err, syscall.ESRCH) && s.alive() {
		return err
	}
	<-s.done
	return nil
}

// terminate asks the process to end, so that its data is whole, and waits.
func (s *server) terminate() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-s.done:
		return nil
	case <-time.After(time.Minute):
		return errors.Join(fmt.Errorf("%s does not end", s.kind), s.stop())
	}
}

// restart ends the process in an orderly way and starts it again on its data. It
// returns the time from the start of the process to its first PONG.
func (s *server) restart(ctx context.Context) (time.Duration, error) {
	if err := s.terminate(); err != nil {
		return 0, err
	}
	begin := time.Now()
	err := s.run(ctx)
	return time.Since(begin), err
}

// alive reports whether the process has not ended by itself.
func (s *server) alive() bool {
	select {
	case <-s.done:
		return false
	default:
		return true
	}
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

// ping reports whether the server serves: not while it loads.
func (s *server) ping() error {
	_, err := s.do("PING")
	return err
}

// settle waits until neither server works for itself any more: a rewrite of the
// append-only file, a merge, memory that is given back. It gives up waiting after
// a while, for a machine that is never quiet.
func settle(ctx context.Context, servers ...*server) error {
	const step, rewriting, working = 40 * time.Millisecond, 2 * time.Minute, 10 * time.Second
	err := waitUntil(ctx, step, rewriting, func() (bool, error) {
		for _, s := range servers {
			if r, err := s.info("persistence", "aof_rewrite_in_progress"); err != nil || r != "0" {
				return false, err
			}
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	last := make([]time.Duration, len(servers))
	first := true
	return waitUntil(ctx, step, working, func() (bool, error) {
		idle := !first
		first = false
		for i, s := range servers {
			now, err := s.cpu()
			if err != nil {
				return false, err
			}
			idle = idle && now-last[i] <= 10*time.Millisecond // a tick is what looking costs
			last[i] = now
		}
		return idle, nil
	})
}

// waitUntil asks every step whether something is done. That it is not after most
// is no error.
func waitUntil(ctx context.Context, step, most time.Duration, done func() (bool, error)) error {
	for deadline := time.Now().Add(most); time.Now().Before(deadline); {
		if ok, err := done(); err != nil || ok {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(step):
		}
	}
	return nil
}

// cpu is the processor time the server has used.
func (s *server) cpu() (time.Duration, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	return parseStat(string(data))
}

// parseStat reads user and system time from a /proc/PID/stat.
func parseStat(stat string) (time.Duration, error) {
	// The name in parentheses may hold blanks and parentheses; utime and stime are
	// the 12th and 13th fields after it, in ticks of 10 ms.
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("cannot read processor times from %q", stat)
	}
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond, errors.Join(err1, err2)
}

// memory is what the server holds of RAM, in bytes. Anonymous memory is what is
// not file-backed: the kernel can not take it back.
type memory struct{ rss, anonymous float64 }

func (s *server) memory() (memory, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return memory{}, err
	}
	return parseStatus(string(data))
}

// parseStatus reads VmRSS and RssAnon from a /proc/PID/status.
func parseStatus(status string) (memory, error) {
	var m memory
	for line := range strings.Lines(status) {
		fields := strings.Fields(line)
		if len(fields) != 3 || fields[2] != "kB" {
			continue
		}
		kib, err := strconv.ParseInt(fields[1], 10, 64)
		if err != nil {
			return m, err
		}
		switch fields[0] {
		case "VmRSS:":
			m.rss = float64(kib << 10)
		case "RssAnon:":
			m.anonymous = float64(kib << 10)
		}
	}
	if m.rss == 0 || m.anonymous == 0 {
		return m, fmt.Errorf("no VmRSS or RssAnon in %q", status)
	}
	return m, nil
}

// disk is the room the server's files take: preallocated room counts.
func (s *server) disk() (float64, error) {
	var total int64
	err := filepath.WalkDir(s.dir, func(_ string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a file that was replaced meanwhile
		}
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		total += blocks(info)
		return nil
	})
	return float64(total), err
}
