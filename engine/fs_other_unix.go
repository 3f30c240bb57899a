//go:build unix && !linux

package engine

import "os"

// Preallocate implements File: it extends the length. Room on the disk is not
// reserved where the system has no portable call for it.
func (f osFile) Preallocate(size int64) error {
	now, err := f.Size()
	if err != nil || now >= size {
		return err
	}
	return f.Truncate(size)
}

// Sync implements File. os.File.Sync is a full flush on darwin.
func (f osFile) Sync() error { return f.File.Sync() }

// lockHolder returns the process that has a lock on f: not known here.
func lockHolder(*os.File) (pid int) { return 0 }
