package engine

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Preallocate implements File. Blocks are reserved, so that later writes within
// size cannot fail for lack of space, and the length is extended, so that a sync
// of them need not change it.
func (f osFile) Preallocate(size int64) error {
	now, err := f.Size()
	if err != nil || now >= size {
		return err
	}
	for {
		err = unix.Fallocate(int(f.Fd()), 0, now, size-now)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return f.Truncate(size)
	}
	if err != nil {
		// What it found room for, a file system may leave in the file (ext4 does).
		return errors.Join(&os.PathError{Op: "fallocate", Path: f.Name(), Err: err}, f.Truncate(now))
	}
	return nil
}

// Sync implements File. fdatasync writes the length too if it changed, but not
// the time stamps, which nothing here depends on.
func (f osFile) Sync() error {
	for {
		err := unix.Fdatasync(int(f.Fd()))
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return &os.PathError{Op: "fdatasync", Path: f.Name(), Err: err}
		}
		return nil
	}
}

// lockHolder returns the process that has a lock on f, as the system lists it; 0 if it
// does not.
func lockHolder(f *os.File) (pid int) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return 0
	}
	locks, err := os.ReadFile("/proc/locks")
	if err != nil {
		return 0
	}
	return holderOf(string(locks), fmt.Sprintf("%02x:%02x:%d", unix.Major(st.Dev), unix.Minor(st.Dev), st.Ino))
}

// holderOf finds the process that has an flock on a file in the lines of /proc/locks:
//
//	1: FLOCK  ADVISORY  WRITE 4711 fe:00:9977888 0 EOF
//
// One that waits for the lock has an arrow before the first of these words.
func holderOf(locks, file string) (pid int) {
	for line := range strings.Lines(locks) {
		w := strings.Fields(line)
		if len(w) < 6 || w[1] != "FLOCK" || w[5] != file {
			continue
		}
		if pid, err := strconv.Atoi(w[4]); err == nil {
			return pid
		}
	}
	return 0
}
