package engine

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// What a caller can decide on. Compare with errors.Is.
var (
	// ErrClosed is returned by every method of a database that was closed.
	ErrClosed = errors.New("engine: closed")
	// ErrNotFound is returned by Get for a key that does not exist or expired.
	ErrNotFound = errors.New("engine: key not found")
	// ErrLocked is returned by Open when somebody has the directory open. The error is
	// a LockedError where it is known who.
	ErrLocked = errors.New("engine: in use by another process")
	// ErrVersion is returned by Open for a directory written in a newer format.
	// Nothing in it was changed.
	ErrVersion = errors.New("engine: written by a newer version")
	// ErrCorrupt marks bytes on disk that are not what was written. The error
	// says which file and offset. It is never answered with data.
	ErrCorrupt = errors.New("engine: corrupt")
	// ErrUnfinishedBackup is returned by Open, Check and Repair for a directory in which
	// Backup was cut off: it is no database, and there is nothing to repair.
	ErrUnfinishedBackup = errors.New("engine: a backup that was not finished")
	// ErrReadOnly is returned by Open for a directory that cannot be written.
	ErrReadOnly = errors.New("engine: directory is read-only")
	// ErrTooLarge is returned for a key, a value or a transaction over a limit.
	ErrTooLarge = errors.New("engine: too large")
	// ErrNoSpace is returned for a write while the disk is full. Reads go on,
	// and writes go on by themselves once there is room.
	ErrNoSpace = errors.New("engine: no space left on device")
	// ErrFailed is returned for writes after a write or a sync failed in a way
	// that leaves the state of the disk unknown. It wraps the cause.
	ErrFailed = errors.New("engine: storage failed, writes are refused")
	// ErrMergeRunning is returned by Merge while another merge runs.
	ErrMergeRunning = errors.New("engine: a merge is already running")
)

// LockedError says which process has a directory open. It matches ErrLocked.
type LockedError struct {
	PID int // as this process sees it
}

// Error implements error.
func (e *LockedError) Error() string {
	if e.PID == os.Getpid() {
		return "engine: already open in this process"
	}
	return fmt.Sprintf("engine: in use by another process (pid %d)", e.PID)
}

// Is reports that a LockedError is an ErrLocked.
func (e *LockedError) Is(target error) bool { return target == ErrLocked }

// CorruptError says where bytes are not what was written. It matches ErrCorrupt. What
// to do about it is for the program to say: see Check and Repair.
type CorruptError struct {
	File   string // base name
	Offset int64
	Reason string // what was expected and what was found
}

// Error implements error.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("engine: %s is corrupt at offset %d: %s", e.File, e.Offset, e.Reason)
}

// Is reports that a CorruptError is an ErrCorrupt.
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }

// errPrefix begins the text of every error of this package.
const errPrefix = "engine: "

// errorf is fmt.Errorf for an error whose cause may be of this package, too: the text
// names the package once, where it begins.
func errorf(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	rest := strings.TrimPrefix(err.Error(), errPrefix)
	once := strings.ReplaceAll(strings.TrimPrefix(rest, errPrefix), ": "+errPrefix, ": ")
	if once == rest {
		return err
	}
	return &namedOnce{errPrefix + once, err}
}

// namedOnce is an error with another text.
type namedOnce struct {
	text string
	err  error
}

// Error implements error.
func (e *namedOnce) Error() string { return e.text }

// Unwrap returns the error as it was.
func (e *namedOnce) Unwrap() error { return e.err }

// bareText is the text of an error where it is said elsewhere whose it is.
func bareText(err error) string {
	return strings.TrimPrefix(errorf(errPrefix+"%w", err).Error(), errPrefix)
}
