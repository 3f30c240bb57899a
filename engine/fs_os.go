package engine

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
)

// OSFS is the operating system's file system.
func OSFS() FS { return osFS{} }

type osFS struct{}

// osFile is an *os.File with the calls of File that os does not have. The
// platform's half is in fs_linux.go and fs_other.go.
type osFile struct{ *os.File }

func (osFS) Create(name string) (File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (osFS) Open(name string, readOnly bool) (File, error) {
	mode := os.O_RDWR
	if readOnly {
		mode = os.O_RDONLY
	}
	f, err := os.OpenFile(name, mode, 0)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (osFS) Remove(name string) error { return os.Remove(name) }

func (osFS) Rename(oldName, newName string) error { return os.Rename(oldName, newName) }

func (osFS) Link(oldName, newName string) error { return os.Link(oldName, newName) }

func (osFS) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	sort.Strings(names)
	return names, nil
}

func (osFS) MkdirAll(dir string) error { return os.MkdirAll(dir, 0o755) }

func (osFS) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Lock keeps the lock on an open file description, so the operating system
// drops it when the process ends, however it ends: a lock is never stale. The
// file is not removed, because removing it would let two processes lock two
// different files of the same name. It holds nothing: who is refused has changed
// nothing, and asks the system who has the lock.
func (osFS) Lock(name string) (io.Closer, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	err = lockFile(f)
	if err == nil {
		return f, nil
	}
	if !errors.Is(err, ErrLocked) {
		err = fmt.Errorf("lock %s: %w", name, err)
	} else if pid := lockHolder(f); pid > 0 {
		err = &LockedError{PID: pid}
	}
	return nil, errors.Join(err, f.Close())
}

func (osFS) FreeBytes(dir string) (int64, error) { return freeBytes(dir) }

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
