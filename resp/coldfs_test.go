package resp

import (
	"errors"
	"sync"
	"sync/atomic"

	"bitkv/types"
)

// coldFS is a file system that a test can tell that nothing of a file is in memory,
// and of which it can hold reads back.
type coldFS struct {
	types.FS
	warm  atomic.Bool // everything is in memory after all
	reads atomic.Int64
	held  atomic.Int64 // reads that are held back
	// damaged: what is read has a bit flipped.
	damaged atomic.Bool

	mu   sync.Mutex // guards following
	gate chan struct{}
}

func newColdFS() *coldFS { return &coldFS{FS: types.OSFS()} }

// block holds reads back until the function it returns is called.
func (s *coldFS) block() (release func()) {
	gate := make(chan struct{})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gate = gate
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.gate = nil
		close(gate)
	})
}

func (s *coldFS) Create(name string) (types.File, error) { return s.file(s.FS.Create(name)) }

func (s *coldFS) Open(name string, readOnly bool) (types.File, error) {
	return s.file(s.FS.Open(name, readOnly))
}

func (s *coldFS) file(f types.File, err error) (types.File, error) {
	if err != nil {
		return nil, err
	}
	return &coldFile{f, s}, nil
}

type coldFile struct {
	types.File
	fs *coldFS
}

// Map implements types.File: what is mapped the system would be asked about.
func (f *coldFile) Map(int64) ([]byte, error) { return nil, errors.ErrUnsupported }

// InMemory says what the engine asks a file that is not mapped.
func (f *coldFile) InMemory(int64, int) bool { return f.fs.warm.Load() }

// ReadAt implements types.File.
func (f *coldFile) ReadAt(p []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	gate := f.fs.gate
	f.fs.mu.Unlock()
	if gate != nil {
		f.fs.held.Add(1)
		<-gate
		f.fs.held.Add(-1)
	}
	f.fs.reads.Add(1)
	n, err := f.File.ReadAt(p, off)
	if n > 0 && f.fs.damaged.Load() {
		p[n/2] ^= 1
	}
	return n, err
}
