package main

import (
	"bufio"
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
	"time"
)

// server is one of the two, running.
type server struct {
	name string
	port int
	dir  string
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
}

// startBoth starts redis-server with its append-only file and our server, both
// syncing every second. What was started is returned with an error, too.
func startBoth(ctx context.Context, o options, dir string) ([]*server, error) {
	redis, err := startServer(ctx, "redis", filepath.Join(dir, "redis"), o.redis,
		"--save", "", "--appendonly", "yes", "--appendfsync", "everysec")
	if err != nil {
		return nil, err
	}
	args := append([]string{"--save", "", "--appendfsync", "everysec"}, strings.Fields(o.args)...)
	ours, err := startServer(ctx, "bitkv", filepath.Join(dir, "bitkv"), o.server, args...)
	if err != nil {
		return []*server{redis}, err
	}
	return []*server{redis, ours}, nil
}

func startServer(ctx context.Context, name, dir, bin string, args ...string) (*server, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	args = append([]string{"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", dir}, args...)
	s := &server{name: name, port: port, dir: dir, cmd: exec.CommandContext(ctx, bin, args...), done: make(chan struct{})}
	var out bytes.Buffer
	s.cmd.Stdout, s.cmd.Stderr = &out, &out
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	var waitErr error
	go func() {
		waitErr = s.cmd.Wait()
		close(s.done)
	}()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for s.ping() != nil {
		select {
		case <-s.done:
			return nil, fmt.Errorf("%s ended: %w\n%s", name, waitErr, out.String())
		case <-deadline.C:
			return nil, errors.Join(fmt.Errorf("%s does not answer", name), s.stop())
		case <-tick.C:
		}
	}
	return s, nil
}

// stop kills the process: it has nothing that is wanted.
func (s *server) stop() error {
	if err := s.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-s.done
	return nil
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

func (s *server) dial() (net.Conn, error) {
	return net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", s.port), time.Second)
}

func (s *server) ping() (err error) {
	conn, err := s.dial()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err == nil && line != "+PONG\r\n" {
		err = errors.New(line)
	}
	return err
}

// load sets every key that redis-benchmark -r will ask for, in large batches.
func (s *server) load(ctx context.Context, keys, size int) (err error) {
	conn, err := s.dial()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	const batch = 1000
	value := strings.Repeat("x", size)
	replies := bufio.NewReaderSize(conn, 64<<10)
	for from := 0; from < keys; from += batch {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		n := min(batch, keys-from)
		var buf []byte
		for i := range n {
			buf = fmt.Appendf(buf, "*3\r\n$3\r\nSET\r\n$16\r\nkey:%012d\r\n$%d\r\n%s\r\n", from+i, size, value)
		}
		if _, err := conn.Write(buf); err != nil {
			return err
		}
		for range n {
			line, err := replies.ReadString('\n')
			if err != nil {
				return err
			}
			if line != "+OK\r\n" {
				return fmt.Errorf("%s: SET: %s", s.name, line)
			}
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
	// The name in parentheses may hold spaces; utime and stime are the 12th and
	// 13th fields after it, in ticks of 10 ms.
	_, rest, ok := strings.Cut(string(data), ") ")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 13 {
		return 0, fmt.Errorf("cannot read /proc/stat: %q", data)
	}
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond, errors.Join(err1, err2)
}

// memory is what the server holds of RAM and disk.
type memory struct{ rss, anon, disk int64 }

func (s *server) memory() (memory, error) {
	var m memory
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return m, err
	}
	for line := range strings.Lines(string(data)) {
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
			m.rss = kib << 10
		case "RssAnon:":
			m.anon = kib << 10
		}
	}
	m.disk, err = diskUse(s.dir)
	return m, err
}

// diskUse is the room the files of a directory take: preallocated room counts.
func diskUse(dir string) (int64, error) {
	var total int64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a file that was replaced meanwhile
		}
		if err != nil {
			return err
		}
		total += blocks(info)
		return nil
	})
	return total, err
}
