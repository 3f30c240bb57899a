package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"bitkv/resp"
)

// Daemonize yes, as of Redis: the server goes on in the background, in a session of
// its own and without a terminal. A Go program cannot fork, so it starts itself again,
// and waits until that process serves: then it ends with 0, and if that one failed, with
// 1 and its one line.

// starterVar is the variable of the environment that tells a process that another one
// waits for its start, at the end of the pipe of that number.
const starterVar = "DAEMON_STARTER_FD"

// serves is what is written to the pipe when the server is ready; else the error is.
const serves = "ok\n"

// wantsDaemon reports whether this process is to go on in the background: not if it
// does already, nor, as in Redis, under a service manager that the configuration names.
func wantsDaemon(cfg *resp.Settings) bool {
	return cfg.Daemonize && os.Getenv(starterVar) == "" && (os.Getenv("NOTIFY_SOCKET") == "" || !notifies(cfg))
}

// daemonize starts the program again with the same arguments, in the same directory,
// and waits until it serves or ends. config is what was read from standard input.
func (p *process) daemonize(config []byte) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("daemonize: %w", err)
	}
	ours, theirs, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("daemonize: %w", err)
	}
	defer func() { _ = ours.Close() }() // it was only read
	cmd := exec.Command(self, p.args...)
	cmd.Env = append(p.environ, starterVar+"=3")
	cmd.ExtraFiles = []*os.File{theirs} // the first one is 3
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if len(config) > 0 {
		cmd.Stdin = bytes.NewReader(config)
	}
	err = cmd.Start()
	if closeErr := theirs.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("daemonize: %w", err)
	}
	said, err := io.ReadAll(ours)
	switch {
	case err != nil:
		return fmt.Errorf("daemonize: %w", err)
	case string(said) == serves:
		return nil
	case len(said) > 0:
		return errors.New(strings.TrimSuffix(string(said), "\n"))
	}
	return fmt.Errorf("daemonize: the server ended before it was ready: %w", cmd.Wait())
}

// starter is the process that waits for the start of this one; nil if none does.
type starter struct{ pipe *os.File }

// findStarter returns what the environment says of it.
func findStarter() *starter {
	fd, err := strconv.Atoi(os.Getenv(starterVar))
	if err != nil {
		return nil
	}
	return &starter{os.NewFile(uintptr(fd), "starter")}
}

// tell says once how the start went: an error, or nil for a server that is ready.
// Nobody is there to hear of an error of its own, for the starter waits for the end of
// the pipe, and has it if this process ends.
func (s *starter) tell(err error) {
	if s == nil || s.pipe == nil {
		return
	}
	text := serves
	if err != nil {
		text = oneLine(err) + "\n"
	}
	_, _ = s.pipe.WriteString(text)
	_ = s.pipe.Close()
	s.pipe = nil
}
