package engine

import (
	"cmp"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
)

// memFS is a file system in memory that knows what a power cut would leave of
// it. A file has three sides: data, what a read sees; durable, what is on the
// disk for certain; and pending, the writes between the two, in order. A sync
// makes pending durable; a sync that fails forgets pending, as Linux does: the
// next one then "succeeds" and the bytes are on no disk. A directory has the
// same three sides for its names, and only SyncDir makes those durable.
//
// Every call goes through the hook, which can fail it or take a crash image.
type memFS struct {
	// mu guards everything below, the nodes and the directories included.
	mu    sync.Mutex
	dirs  map[string]*memDir
	locks map[string]bool
	// capacity is the size of the disk; 0 means no limit.
	capacity int64
	// hook, when not nil, is called before each call takes effect, with mu
	// held. It may call imageLocked.
	hook  func(memCall) memFault
	calls int
	// readOnly makes every change fail with EROFS.
	readOnly bool
}

// memOp names a method of FS or File.
type memOp string

const (
	opCreate      memOp = "create"
	opOpen        memOp = "open"
	opRemove      memOp = "remove"
	opRename      memOp = "rename"
	opLink        memOp = "link"
	opList        memOp = "list"
	opMkdir       memOp = "mkdir"
	opSyncDir     memOp = "syncdir"
	opLock        memOp = "lock"
	opFree        memOp = "free"
	opRead        memOp = "read"
	opWrite       memOp = "write"
	opTruncate    memOp = "truncate"
	opPreallocate memOp = "preallocate"
	opSync        memOp = "sync"
	opSize        memOp = "size"
)

// changes reports whether the call can change what a crash leaves.
func (op memOp) changes() bool {
	switch op {
	case opCreate, opRemove, opRename, opLink, opMkdir, opSyncDir,
		opWrite, opTruncate, opPreallocate, opSync:
		return true
	default:
		return false
	}
}

// memCall is one call of a method, as the hook sees it.
type memCall struct {
	n    int // the number of calls before this one
	op   memOp
	name string
	size int // bytes to read or write
}

func (c memCall) String() string {
	return fmt.Sprintf("call %d: %s %s (%d bytes)", c.n, c.op, filepath.Base(c.name), c.size)
}

// memFault is what the hook makes of a call. The zero value lets it pass.
type memFault struct {
	err error
	// short is how many bytes a failing write still writes.
	short int
}

// memDir is a directory: names to nodes.
type memDir struct {
	names   map[string]*memNode
	durable map[string]*memNode
	pending []memDirOp
}

// memDirOp sets name to node, or removes it if node is nil; and it removes from.
// A rename is one operation: it is durable whole or not at all.
type memDirOp struct {
	name string
	node *memNode
	from string
}

func (op memDirOp) apply(names map[string]*memNode) {
	if op.from != "" {
		delete(names, op.from)
	}
	if op.node == nil {
		delete(names, op.name)
		return
	}
	names[op.name] = op.node
}

// memNode is the contents of a file.
type memNode struct {
	data    []byte
	durable []byte
	pending []memWrite
}

// memWrite is a write of data at off or, if data is nil, a change of the length
// to off.
type memWrite struct {
	off  int64
	data []byte
}

func newMemFS() *memFS {
	return &memFS{dirs: map[string]*memDir{}, locks: map[string]bool{}}
}

// enterLocked counts a call and asks the hook about it.
func (m *memFS) enterLocked(op memOp, name string, size int) memFault {
	c := memCall{n: m.calls, op: op, name: name, size: size}
	m.calls++
	if m.hook != nil {
		if f := m.hook(c); f.err != nil {
			f.err = &fs.PathError{Op: string(op), Path: name, Err: f.err}
			return f
		}
	}
	if m.readOnly && (op.changes() && op != opSync || op == opLock) {
		return memFault{err: &fs.PathError{Op: string(op), Path: name, Err: syscall.EROFS}}
	}
	return memFault{}
}

// setHook replaces the hook.
func (m *memFS) setHook(hook func(memCall) memFault) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hook = hook
}

// lookupLocked finds the directory and the node of a name. Both may be nil.
func (m *memFS) lookupLocked(name string) (*memDir, string, *memNode) {
	d := m.dirs[filepath.Dir(filepath.Clean(name))]
	base := filepath.Base(name)
	if d == nil {
		return nil, base, nil
	}
	return d, base, d.names[base]
}

func (d *memDir) change(op memDirOp) {
	op.apply(d.names)
	d.pending = append(d.pending, op)
}

func notExist(op memOp, name string) error {
	return &fs.PathError{Op: string(op), Path: name, Err: fs.ErrNotExist}
}

// usedLocked is the disk space in use by all files that have a name.
func (m *memFS) usedLocked() int64 {
	seen := map[*memNode]bool{}
	var used int64
	for _, d := range m.dirs {
		for _, n := range d.names {
			if !seen[n] {
				seen[n] = true
				used += int64(len(n.data))
			}
		}
	}
	return used
}

// Create implements FS.
func (m *memFS) Create(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f := m.enterLocked(opCreate, name, 0); f.err != nil {
		return nil, f.err
	}
	d, base, n := m.lookupLocked(name)
	if d == nil {
		return nil, notExist(opCreate, name)
	}
	if n != nil {
		return nil, &fs.PathError{Op: string(opCreate), Path: name, Err: fs.ErrExist}
	}
	n = &memNode{}
	d.change(memDirOp{name: base, node: n})
	return &memFile{fs: m, node: n, name: name}, nil
}

// Open implements FS.
func (m *memFS) Open(name string, readOnly bool) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f := m.enterLocked(opOpen, name, 0); f.err != nil {
		return nil, f.err
	}
	if m.readOnly && !readOnly {
		return nil, &fs.PathError{Op: string(opOpen), Path: name, Err: syscall.EROFS}
	}
	_, _, n := m.lookupLocked(name)
	if n == nil {
		return nil, notExist(opOpen, name)
	}
	return &memFile{fs: m, node: n, name: name, readOnly: readOnly}, nil
}

// Remove implements FS.
func (m *memFS) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f := m.enterLocked(opRemove, name, 0); f.err != nil {
		return f.err
	}
	d, base, n := m.lookupLocked(name)
	if n == nil {
		return notExist(opRemove, name)
	}
	d.change(memDirOp{name: base})
	return nil
}

// Rename implements FS. Both names must be in one directory.
func (m *memFS) Rename(oldName, newName string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f := m.enterLocked(opRename, newName, 0); f.err != nil {
		return f.err
	}
	d, from, n := m.lookupLocked(oldName)
	to, base, _ := m.lookupLocked(newName)
	if n == nil {
		return notExist(opRename, oldName)
	}
	if d != to {
		return &fs.PathError{Op: string(opRename), Path: newName, Err: syscall.EXDEV}
	}
	d.change(memDirOp{name: base, node: n, from: from})
	return nil
}

// Link implements FS.
func (m *memFS) Link(oldName, newName string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f := m.enterLocked(opLink, newName, 0); f.err != nil {
		return f.err
	}
	_, _, n := m.lookupLocked(oldName)
	to, base, there := m.lookupLocked(newName)
	switch {
	case n == nil || to == nil:
		return notExist(opLink, oldName)
	case there != nil:
		return &fs.PathError{Op: string(opLink), Path: newName, Err: fs.ErrExist}
	}
	to.change(memDirOp{name: base, node: n})
	return nil
}

// List implements FS.
func (m *memFS) List(dir string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f := m.enterLocked(opList, dir, 0); f.err != nil {
		return nil, f.err
	}
	d := m.dirs[filepath.Clean(dir)]
	if d == nil {
		return nil, notExist(opList, dir)
	}
	return slices.Sorted(maps.Keys(d.names)), nil
}

// MkdirAll implements FS. A directory itself is durable at once.
func (m *memFS) MkdirAll(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir = filepath.Clean(dir)
	if m.dirs[dir] != nil {
		return nil
	}
	if f := m.enterLocked(opMkdir, dir, 0); f.err != nil {
		return f.err
	}
	for ; m.dirs[dir] == nil; dir = filepath.Dir(dir) {
		m.dirs[dir] = &memDir{names: map[string]*memNode{}, durable: map[string]*memNode{}}
	}
	return nil
}

// SyncDir implements FS.
func (m *memFS) SyncDir(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f := m.enterLocked(opSyncDir, dir, 0); f.err != nil {
		return f.err
	}
	d := m.dirs[filepath.Clean(dir)]
	if d == nil {
		return notExist(opSyncDir, dir)
	}
	d.durable, d.pending = maps.Clone(d.names), nil
	return nil
}

// Lock implements FS.
func (m *memFS) Lock(name string) (io.Closer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f := m.enterLocked(opLock, name, 0); f.err != nil {
		return nil, f.err
	}
	d, base, n := m.lookupLocked(name)
	if d == nil {
		return nil, notExist(opLock, name)
	}
	if m.locks[name] {
		return nil, ErrLocked
	}
	if n == nil {
		d.change(memDirOp{name: base, node: &memNode{}})
	}
	m.locks[name] = true
	return memLock{m, name}, nil
}

type memLock struct {
	fs   *memFS
	name string
}

// Close implements io.Closer.
func (l memLock) Close() error {
	l.fs.mu.Lock()
	defer l.fs.mu.Unlock()
	delete(l.fs.locks, l.name)
	return nil
}

// FreeBytes implements FS.
func (m *memFS) FreeBytes(dir string) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f := m.enterLocked(opFree, dir, 0); f.err != nil {
		return 0, f.err
	}
	if m.capacity == 0 {
		return 1 << 40, nil
	}
	return max(0, m.capacity-m.usedLocked()), nil
}

// memFile is an open file of a memFS.
type memFile struct {
	fs       *memFS
	node     *memNode
	name     string
	readOnly bool
	closed   bool
}

// enterLocked is memFS.enterLocked for a method of the file.
func (f *memFile) enterLocked(op memOp, size int) memFault {
	if f.closed {
		return memFault{err: &fs.PathError{Op: string(op), Path: f.name, Err: fs.ErrClosed}}
	}
	if f.readOnly && op.changes() && op != opSync {
		return memFault{err: &fs.PathError{Op: string(op), Path: f.name, Err: syscall.EBADF}}
	}
	return f.fs.enterLocked(op, f.name, size)
}

// ReadAt implements io.ReaderAt.
func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if fault := f.enterLocked(opRead, len(p)); fault.err != nil {
		return 0, fault.err
	}
	if off < 0 {
		return 0, &fs.PathError{Op: string(opRead), Path: f.name, Err: syscall.EINVAL}
	}
	if off >= int64(len(f.node.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.node.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt implements io.WriterAt. A write that the disk has no room for is
// done as far as the room goes.
func (f *memFile) WriteAt(p []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	fault := f.enterLocked(opWrite, len(p))
	if fault.err == nil && f.fs.capacity > 0 {
		grow := off + int64(len(p)) - int64(len(f.node.data))
		if room := f.fs.capacity - f.fs.usedLocked(); grow > max(room, 0) {
			fault.err = &fs.PathError{Op: string(opWrite), Path: f.name, Err: syscall.ENOSPC}
			fault.short = int(max(0, int64(len(p))-(grow-max(room, 0))))
		}
	}
	if fault.err != nil {
		p = p[:min(len(p), fault.short)]
	}
	if len(p) > 0 {
		f.node.write(memWrite{off: off, data: slices.Clone(p)})
	}
	return len(p), fault.err
}

func (n *memNode) write(w memWrite) {
	n.data = w.apply(n.data)
	n.pending = append(n.pending, w)
}

// apply returns b with the write done to it, in place where it fits.
func (w memWrite) apply(b []byte) []byte {
	if w.data == nil {
		return resize(b, w.off)
	}
	if end := w.off + int64(len(w.data)); end > int64(len(b)) {
		b = resize(b, end)
	}
	copy(b[w.off:], w.data)
	return b
}

// resize sets the length of b; what it gains is zero.
func resize(b []byte, size int64) []byte {
	if have := int64(len(b)); size > have {
		b = slices.Grow(b, int(size-have))[:size]
		clear(b[have:])
		return b
	}
	return b[:size]
}

// Close implements io.Closer.
func (f *memFile) Close() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.closed {
		return &fs.PathError{Op: "close", Path: f.name, Err: fs.ErrClosed}
	}
	f.closed = true
	return nil
}

// Size implements File.
func (f *memFile) Size() (int64, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if fault := f.enterLocked(opSize, 0); fault.err != nil {
		return 0, fault.err
	}
	return int64(len(f.node.data)), nil
}

// Truncate implements File.
func (f *memFile) Truncate(size int64) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if fault := f.enterLocked(opTruncate, 0); fault.err != nil {
		return fault.err
	}
	f.node.write(memWrite{off: size})
	return nil
}

// Preallocate implements File.
func (f *memFile) Preallocate(size int64) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if fault := f.enterLocked(opPreallocate, 0); fault.err != nil {
		return fault.err
	}
	grow := size - int64(len(f.node.data))
	if grow <= 0 {
		return nil
	}
	if f.fs.capacity > 0 && grow > f.fs.capacity-f.fs.usedLocked() {
		return &fs.PathError{Op: string(opPreallocate), Path: f.name, Err: syscall.ENOSPC}
	}
	f.node.write(memWrite{off: size})
	return nil
}

// Sync implements File. When it fails, what was pending never reaches the disk.
func (f *memFile) Sync() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	fault := f.enterLocked(opSync, 0)
	if fault.err == nil {
		for _, w := range f.node.pending {
			f.node.durable = w.apply(f.node.durable)
		}
	}
	f.node.pending = nil
	return fault.err
}

// Map implements File. There is no memory to map: the caller has to read.
func (f *memFile) Map(int64) ([]byte, error) { return nil, errors.ErrUnsupported }

// Unmap implements File.
func (f *memFile) Unmap([]byte) error { return nil }

// crashMode says what becomes of what was not synced.
type crashMode int

const (
	// crashKept: all of it reached the disk.
	crashKept crashMode = iota
	// crashLost: none of it did.
	crashLost
	// crashTorn: a part of it from the beginning did, the last write of it up
	// to a sector.
	crashTorn
	// crashReordered: each sector and each name is as it was at a moment of its
	// own.
	crashReordered
	// crashKill: the process died, the machine did not: reads see everything,
	// and it is still not synced.
	crashKill
)

var crashModes = []crashMode{crashKept, crashLost, crashTorn, crashReordered, crashKill}

func (c crashMode) String() string {
	return [...]string{"kept", "lost", "torn", "reordered", "killed"}[c]
}

// memSector is the unit that a disk writes whole.
const memSector = 512

// image is what a crash of the given mode leaves, as a file system of its own.
func (m *memFS) image(mode crashMode, rng *rand.Rand) *memFS {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.imageLocked(mode, rng)
}

// imageLocked is image for a hook.
func (m *memFS) imageLocked(mode crashMode, rng *rand.Rand) *memFS {
	to := newMemFS()
	to.capacity = m.capacity
	nodes := map[*memNode]*memNode{}
	clone := func(names map[string]*memNode) map[string]*memNode {
		c := make(map[string]*memNode, len(names))
		for _, name := range slices.Sorted(maps.Keys(names)) {
			n := names[name]
			if nodes[n] == nil {
				nodes[n] = n.image(mode, rng)
			}
			c[name] = nodes[n]
		}
		return c
	}
	for _, path := range slices.Sorted(maps.Keys(m.dirs)) {
		d := m.dirs[path]
		if mode != crashKill {
			names := clone(d.image(mode, rng))
			to.dirs[path] = &memDir{names: names, durable: maps.Clone(names)}
			continue
		}
		dir := &memDir{names: clone(d.names), durable: clone(d.durable)}
		for _, op := range d.pending {
			if op.node != nil {
				if nodes[op.node] == nil {
					nodes[op.node] = op.node.image(mode, rng)
				}
				op.node = nodes[op.node]
			}
			dir.pending = append(dir.pending, op)
		}
		to.dirs[path] = dir
	}
	return to
}

// image is what a crash leaves of a directory's names.
func (d *memDir) image(mode crashMode, rng *rand.Rand) map[string]*memNode {
	names := maps.Clone(d.durable)
	upTo := len(d.pending)
	switch mode {
	case crashLost:
		upTo = 0
	case crashTorn:
		upTo = rng.IntN(upTo + 1)
	case crashKept, crashReordered, crashKill:
	}
	for _, op := range d.pending[:upTo] {
		if mode != crashReordered || rng.IntN(2) == 0 {
			op.apply(names)
		}
	}
	return names
}

// image is what a crash leaves of a file.
func (n *memNode) image(mode crashMode, rng *rand.Rand) *memNode {
	disk := slices.Clone(n.durable)
	switch mode {
	case crashKill:
		return &memNode{data: slices.Clone(n.data), durable: disk, pending: slices.Clone(n.pending)}
	case crashLost:
	case crashKept:
		for _, w := range n.pending {
			disk = w.apply(disk)
		}
	case crashTorn:
		upTo := rng.IntN(len(n.pending) + 1)
		for _, w := range n.pending[:upTo] {
			disk = w.apply(disk)
		}
		if upTo < len(n.pending) {
			disk = n.pending[upTo].tear(disk, rng)
		}
	case crashReordered:
		disk = n.reorder(disk, rng)
	}
	return &memNode{data: disk, durable: slices.Clone(disk)}
}

// tear applies the write up to a random sector boundary.
func (w memWrite) tear(disk []byte, rng *rand.Rand) []byte {
	if w.data == nil {
		return disk
	}
	first := w.off / memSector
	last := (w.off + int64(len(w.data))) / memSector
	cut := min((first+rng.Int64N(last-first+1))*memSector-w.off, int64(len(w.data)))
	if cut <= 0 {
		return disk
	}
	return memWrite{off: w.off, data: w.data[:cut]}.apply(disk)
}

// reorder gives every sector, and the length, the contents it had after a
// number of pending writes of its own: a disk writes whole sectors, each with
// what the page held at the time.
func (n *memNode) reorder(disk []byte, rng *rand.Rand) []byte {
	all := len(n.pending)
	version := func() int {
		// All and nothing are as likely as all that is between.
		return min(max(rng.IntN(3*all+1)-all, 0), all)
	}
	versions := map[int64]int{}
	sizeVersion, size := version(), int64(len(disk))
	for i, w := range n.pending {
		if w.data == nil {
			if i < sizeVersion {
				size = w.off
				if w.off < int64(len(disk)) {
					disk = disk[:w.off]
				}
			}
			continue
		}
		end := w.off + int64(len(w.data))
		if i < sizeVersion {
			size = max(size, end)
		}
		for off := w.off; off < end; {
			next := min((off/memSector+1)*memSector, end)
			v, ok := versions[off/memSector]
			if !ok {
				v = version()
				versions[off/memSector] = v
			}
			if i < v {
				disk = memWrite{off: off, data: w.data[off-w.off : next-w.off]}.apply(disk)
			}
			off = next
		}
	}
	return resize(disk, size)
}

// contents returns the bytes of a file as reads see them, and whether it exists.
func (m *memFS) contents(name string) ([]byte, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, _, n := m.lookupLocked(name)
	if n == nil {
		return nil, false
	}
	return slices.Clone(n.data), true
}

// setContents replaces a file, durably, or removes it if data is nil.
func (m *memFS) setContents(name string, data []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, base, _ := m.lookupLocked(name)
	if data == nil {
		delete(d.names, base)
		delete(d.durable, base)
		return
	}
	n := &memNode{data: slices.Clone(data), durable: slices.Clone(data)}
	d.names[base], d.durable[base] = n, n
}

// fingerprint describes every file, for a test that nothing was changed.
func (m *memFS) fingerprint() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var lines []string
	for path, d := range m.dirs {
		for name, n := range d.names {
			lines = append(lines, fmt.Sprintf("%s/%s %d %x", path, name, len(n.data), crc32.Checksum(n.data, castagnoli)))
		}
	}
	slices.SortFunc(lines, cmp.Compare)
	return fmt.Sprint(lines)
}
