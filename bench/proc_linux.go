package main

import (
	"io/fs"
	"os/exec"
	"syscall"
)

// blocks is the room a file takes on the disk.
func blocks(info fs.FileInfo) int64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Blocks * 512
	}
	return info.Size()
}

// ownGroup gives the process a group of its own: Redis forks to rewrite its
// append-only file, and the child has to end with it.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// killGroup ends a process and its children.
func killGroup(pid int) error { return syscall.Kill(-pid, syscall.SIGKILL) }
