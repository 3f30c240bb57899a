package main

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"bitkv/internal/testenv"
)

// TestDaemonize: the command ends when the server serves, which goes on without it.
func TestDaemonize(t *testing.T) {
	for _, tt := range []struct {
		name  string
		stdin bool // the configuration comes from there
	}{{name: "file"}, {"standard input", true}} {
		t.Run(tt.name, func(t *testing.T) {
			dir, port := t.TempDir(), testenv.FreePort(t)
			pidFile, logFile := filepath.Join(dir, "pid"), filepath.Join(dir, "log")
			text := strings.Join([]string{
				"daemonize yes", "bind 127.0.0.1", "port " + strconv.Itoa(port), "dir " + filepath.Join(dir, "data"),
				"pidfile " + pidFile, "logfile " + logFile,
			}, "\n") + "\n"
			var r *running
			if tt.stdin {
				r = launch(t, nil, text, "-")
			} else {
				file := filepath.Join(dir, "conf")
				if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
				r = launch(t, nil, "", file)
			}
			if code := r.exit(); code != 0 || r.out() != "" || r.errors() != "" {
				log, _ := os.ReadFile(logFile)
				t.Fatalf("exit code %d, %q, %q\n%s", code, r.out(), r.errors(), log)
			}
			r.port = port
			if got := r.ask("CONFIG GET daemonize"); !strings.Contains(got, "yes") {
				t.Errorf("CONFIG GET daemonize: %q", got)
			}
			data, err := os.ReadFile(pidFile)
			pid, numErr := strconv.Atoi(strings.TrimSpace(string(data)))
			if err != nil || numErr != nil {
				t.Fatalf("pidfile: %q, %v", data, err)
			}
			t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) }) // it may have ended
			if sid, err := unix.Getsid(pid); err != nil || sid != pid {
				t.Errorf("its session is %d (%v), want its own, %d", sid, err, pid)
			}
			if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			// Its last word: nothing of it comes into the directory after that.
			var log []byte
			for deadline := time.Now().Add(patience); !strings.Contains(string(log), "bye bye"); time.Sleep(time.Millisecond) {
				if log, err = os.ReadFile(logFile); err != nil || time.Now().After(deadline) {
					t.Fatalf("it does not end: %v\n%s", err, log)
				}
			}
			if _, err := os.Stat(pidFile); !os.IsNotExist(err) {
				t.Errorf("pidfile is left: %v", err)
			}
			if strings.Count(string(log), "is starting") != 1 || strings.Contains(string(log), starterVar) {
				t.Errorf("log:\n%s", log)
			}
		})
	}
}

// TestDaemonizeFails: what the server in the background ends with is what the command
// says, once, with exit code 1.
func TestDaemonizeFails(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := strconv.Itoa(taken.Addr().(*net.TCPAddr).Port)
	r := launch(t, nil, "", "--daemonize", "yes", "--port", port, "--bind", "127.0.0.1", "--dir", t.TempDir())
	if code := r.exit(); code != 1 || r.out() != "" || strings.Count(r.errors(), "\n") != 1 || !strings.Contains(r.errors(), "address already in use") {
		t.Errorf("exit code %d, %q, %q; want 1 and a line about the address", code, r.out(), r.errors())
	}
}

// TestDaemonizeUnderSupervision: a service manager that is to be told keeps the server
// in the foreground.
func TestDaemonizeUnderSupervision(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r := launch(t, []string{"NOTIFY_SOCKET=" + socket}, "", "--daemonize", "yes", "--supervised", "auto",
		"--port", strconv.Itoa(testenv.FreePort(t)), "--bind", "127.0.0.1", "--dir", t.TempDir())
	if err := l.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	n, err := l.Read(buf)
	if err != nil || string(buf[:n]) != "READY=1" {
		t.Fatalf("told %q, %v\n%s%s", buf[:n], err, r.out(), r.errors())
	}
	if code := r.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
