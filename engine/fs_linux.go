package engine

import (
	"errors"
	"os"

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
		return &os.PathError{Op: "fallocate", Path: f.Name(), Err: err}
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
