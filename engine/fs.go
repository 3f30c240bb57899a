package engine

import "io"

// FS is the only door to the file system, so that a test can fail, freeze or
// forget any call. OSFS is the real one. All methods are safe for concurrent
// use. Paths are as the operating system writes them.
type FS interface {
	// Create makes a new file for reading and writing; it fails if it exists.
	Create(name string) (File, error)
	// Open opens an existing file, for writing too unless readOnly.
	Open(name string, readOnly bool) (File, error)
	// Remove unlinks a file.
	Remove(name string) error
	// Rename moves a file over another one in one step.
	Rename(oldName, newName string) error
	// Link makes newName a second name of oldName's file.
	Link(oldName, newName string) error
	// List returns the names in a directory, sorted.
	List(dir string) ([]string, error)
	// MkdirAll makes a directory and its parents.
	MkdirAll(dir string) error
	// SyncDir makes the names in a directory durable: after Create, Rename,
	// Link and Remove.
	SyncDir(dir string) error
	// Lock takes an exclusive lock on a file, made if it is missing and never
	// removed. It returns ErrLocked at once if another process holds it.
	Lock(name string) (io.Closer, error)
	// FreeBytes is the room left on the file system of dir.
	FreeBytes(dir string) (int64, error)
}

// File is an open file. ReadAt and WriteAt are safe for concurrent use.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Size is the length in bytes.
	Size() (int64, error)
	// Truncate sets the length.
	Truncate(size int64) error
	// Preallocate reserves room on the disk for the bytes up to size and
	// extends the length to it. New bytes read as zeros.
	Preallocate(size int64) error
	// Sync makes the contents and the length durable.
	Sync() error
	// Map maps the first size bytes for reading, until Unmap. A file system
	// that cannot map returns errors.ErrUnsupported; the caller then uses
	// ReadAt.
	Map(size int64) ([]byte, error)
	// Unmap gives back what Map returned.
	Unmap(mapped []byte) error
}

// ResidentFile is a File that knows what of it is in memory, for when it is not
// mapped: of a map the operating system is asked. It is optional; of another File
// all is taken to be in memory.
type ResidentFile interface {
	// InMemory reports whether n bytes at offset can be read without waiting for
	// the disk.
	InMemory(offset int64, n int) bool
}

// AheadFile is a File that can be told of reads before they are done. It is optional.
type AheadFile interface {
	// ReadAhead has the system begin to read n bytes at offset into memory, and does
	// not wait for that. It may be ignored.
	ReadAhead(offset int64, n int)
}
