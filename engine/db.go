package engine

import (
	"errors"
	"io"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// firstFreshSpace is the first internal number given to a keyspace that was
// cleared. Lower ones are those that keyspaces have from the start, which is
// their public number.
const firstFreshSpace = 1 << 20

// DB is an open database. It is safe for concurrent use.
type DB struct {
	opt       Options
	dir       string
	lock      io.Closer
	manifest  *manifest
	shardMask uint32
	hashSeed  uint64 // of the order of collections
	shards    []shard
	colls     collRegistry
	log       *log

	// spaces maps the number of a keyspace to what it is now. Changed with all
	// shards locked; Len reads it without.
	spaces []atomic.Pointer[space]
	// strayMaps says that the files have mappings of numbers above those of spaces.
	// Set by Open alone.
	strayMaps bool

	filesMu  sync.Mutex // serialises changes of files and of the MANIFEST's list
	files    atomic.Pointer[fileSet]
	nextFile atomic.Uint32 // the next number to take

	logEnd    uint64        // counters.logEnd, as of Open
	nextColl  atomic.Uint64 // counter part of the next CollectionID
	nextSpace atomic.Uint32 // the next internal number

	txs    sync.Pool
	reaper reaper
	merge  mergeState
	scrub  scrubState
	hints  hintQueue

	cold      coldReader
	values    atomic.Pointer[valueCache]
	residency residency

	work    sync.WaitGroup // the background goroutines
	stop    chan struct{}  // closed to stop them
	closing atomic.Bool

	checksumErrors atomic.Int64
	mem            memory
	disk           diskLimit
	full           fullState
	loadTime       time.Duration
}

// shard is one slice of the keys of every keyspace.
type shard struct {
	mu      sync.RWMutex // guards following
	tables  []*table     // by number of the keyspace; nil until it has a key
	expiry  *expiryHeap
	lastSeq uint64 // of the newest commit that wrote here
	_       [64]byte
}

// space is a keyspace between two clears. Its counters include what transactions
// that have not ended did.
type space struct {
	id        uint32 // internal number, never used again
	number    atomic.Uint32
	mapSeq    uint64 // sequence number of the record that maps number to id; 0: none
	mapFile   uint16 // file slot of that record
	keys      atomic.Int64
	expires   atomic.Int64
	expireSum atomic.Int64
}

// table is the part of a keyspace that is in one shard.
type table struct {
	space *space
	slots *slotTable
	index index
	live  int // entries that are not ghosts

	counted tableMemory // what of it is in DB.mem
}

func newTable(sp *space, t IndexType) *table {
	slots := newSlotTable()
	return &table{space: sp, slots: slots, index: newIndex(t, slots)}
}

// account moves the counters of the keyspace from what an entry was to what it
// is now.
func (t *table) account(was, is *entry) {
	if (was.flags^is.flags)&flagGhost == 0 && was.expireMs == is.expireMs {
		return // nothing that is counted, as with most writes
	}
	if was.flags&flagGhost == 0 {
		t.live--
		t.space.keys.Add(-1)
		if was.expireMs != 0 {
			t.space.expires.Add(-1)
			t.space.expireSum.Add(-was.expireMs)
		}
	}
	if is.flags&flagGhost == 0 {
		t.live++
		t.space.keys.Add(1)
		if is.expireMs != 0 {
			t.space.expires.Add(1)
			t.space.expireSum.Add(is.expireMs)
		}
	}
}

// removeGhost frees the slot of an entry that is deleted for good.
func (t *table) removeGhost(slot uint32) {
	t.index.delete(t.slots.key(slot))
	t.slots.free(slot)
}

// tableOf returns the table of an internal keyspace number, or nil.
func (s *shard) tableOf(id uint32) *table {
	for _, t := range s.tables {
		if t != nil && t.space.id == id {
			return t
		}
	}
	return nil
}

// expiryValid tells the expiry heap whether an item still counts.
func (s *shard) expiryValid(space, slot uint32, expireMs int64) bool {
	t := s.tableOf(space)
	if t == nil || !t.slots.used(slot) {
		return false
	}
	c := t.slots.cell(slot)
	return c.flags()&flagGhost == 0 && t.slots.expireMs(slot, c) == expireMs
}

// Open opens the database in dir, which is made if it does not exist, and takes
// its lock. It loads the keydir, cuts a torn tail (saying so in the log) and
// refuses damage anywhere else with a CorruptError: Check says how much there is, and
// Repair makes the directory open without it.
func Open(dir string, opt Options) (*DB, error) {
	opt, err := opt.withDefaults()
	if err != nil {
		return nil, err
	}
	db := newDB(dir, opt)
	if err := opt.FS.MkdirAll(dir); err != nil {
		return nil, openError("make the directory", err)
	}
	if db.lock, err = opt.FS.Lock(filepath.Join(dir, lockName)); err != nil {
		return nil, openError("open "+dir, err)
	}
	if err := db.open(); err != nil {
		return nil, errors.Join(openError("open "+dir, err), db.releaseFiles(), db.lock.Close())
	}
	return db, nil
}

// openError says what failed, and that the directory is read-only if it is.
func openError(what string, err error) error {
	if isReadOnly(err) {
		return errorf("%w: %s: %w", ErrReadOnly, what, err)
	}
	return errorf("engine: %s: %w", what, err)
}

func newDB(dir string, opt Options) *DB {
	db := &DB{
		opt: opt, dir: dir, shardMask: uint32(opt.Shards - 1), shards: make([]shard, opt.Shards),
		spaces: make([]atomic.Pointer[space], opt.Spaces), stop: make(chan struct{}),
	}
	for i := range db.shards {
		s := &db.shards[i]
		s.tables = make([]*table, opt.Spaces)
		s.expiry = newExpiryHeap(s.expiryValid)
		s.expiry.total = &db.mem.expiry
	}
	for n := range db.spaces {
		db.spaces[n].Store(newSpace(uint32(n), n))
	}
	db.files.Store(&fileSet{})
	db.colls.init()
	db.reaper.init(db)
	db.merge.kick = make(chan struct{}, 1)
	db.log = &log{db: db, kick: make(chan struct{}, 1)}
	db.log.sync.Store(uint32(opt.Sync))
	db.txs.New = func() any { return &Tx{db: db} }
	db.countFixed()
	db.cold.db, db.residency.db = db, db
	db.cold.limit.Store(int32(opt.ColdReaders))
	db.SetValueCache(opt.ValueCacheBytes)
	db.disk.db = db
	db.disk.wants.Store(noRefusal)
	return db
}

func newSpace(id uint32, number int) *space {
	sp := &space{id: id}
	sp.number.Store(uint32(number))
	return sp
}

// start begins the background work of an open database. hintless are files whose
// hint file has to be made again.
func (db *DB) start(hintless []*dataFile) {
	for _, f := range hintless {
		db.hints.add(f, time.Time{})
	}
	db.work.Go(db.hintLoop)
	db.work.Go(db.log.syncLoop)
	db.work.Go(db.log.workLoop)
	db.work.Go(db.reaper.loop)
	db.work.Go(db.mergeLoop)
	db.work.Go(db.scrubLoop)
}

// Close waits for transactions and background work, syncs, seals the active file,
// writes the hint files that are missing and unlocks the directory. It returns the
// first error it met.
func (db *DB) Close() error {
	if db.closing.Swap(true) {
		return ErrClosed
	}
	mergeErr := db.merge.close()
	for i := range db.shards {
		db.shards[i].mu.Lock()
	}
	db.log.refuseWrites()
	for i := range db.shards {
		db.shards[i].mu.Unlock()
	}
	close(db.stop)
	db.work.Wait()
	db.cold.work.Wait()
	closeErr := db.log.closeFiles()
	db.makeQueuedHints(db.hints.takeAll())
	return errors.Join(mergeErr, closeErr, db.releaseFiles(), db.lock.Close())
}

// releaseFiles closes every data file and the MANIFEST.
func (db *DB) releaseFiles() error {
	var errs []error
	for _, f := range db.files.Load().all() {
		errs = append(errs, f.release())
	}
	if db.manifest != nil {
		errs = append(errs, db.manifest.close())
	}
	return errors.Join(errs...)
}

// countersNow returns the numbers to be given out next.
func (db *DB) countersNow() counters {
	return counters{
		nextSeq: db.log.endSeq.Load() + 1, nextFile: db.nextFile.Load(),
		nextColl: db.nextColl.Load(), nextSpace: db.nextSpace.Load(), logEnd: db.logEnd,
	}
}

// Ack returns once the log up to seq, a result of Tx.Commit, is as safe as the
// sync policy says: held by the operating system, or, with SyncAlways, on the
// disk. Callers wait together. It costs nothing if that is so already. An error
// (ErrFailed) means: do not acknowledge.
func (db *DB) Ack(seq uint64) error {
	if db.ackSyncs() {
		return db.log.syncTo(seq)
	}
	return db.log.flush(seq)
}

// TryAck is Ack for a caller that has other things to do than to wait for the disk:
// if that is what Ack would do, it does nothing and reports false.
func (db *DB) TryAck(seq uint64) (done bool, err error) {
	if db.ackSyncs() {
		return db.log.syncedSeq.Load() >= seq, nil
	}
	return true, db.log.flush(seq)
}

// UsualSync returns how long a sync takes these days; 0 before the first.
func (db *DB) UsualSync() time.Duration { return time.Duration(db.log.syncUsual.Load()) }

// ackSyncs reports whether acknowledging takes a sync now.
func (db *DB) ackSyncs() bool {
	l := db.log
	policy := SyncPolicy(l.sync.Load())
	// If the disk does not keep up, whoever waits for it cannot lose more.
	return policy == SyncAlways || policy == SyncEverySecond && l.late.Load() || l.tailBytes.Load() > tailLimit
}

// Sync forces everything committed so far to the disk, whatever the policy.
func (db *DB) Sync() error {
	if db.closing.Load() {
		return ErrClosed
	}
	return db.log.syncTo(db.log.endSeq.Load())
}

// SetSync changes the sync policy.
func (db *DB) SetSync(p SyncPolicy) {
	db.log.sync.Store(uint32(p))
	db.log.wake()
}

// ShardOf returns the shard of a key.
func (db *DB) ShardOf(key []byte) int { return int(db.opt.ShardOf(key) & db.shardMask) }

// Shards returns the number of shards.
func (db *DB) Shards() int { return db.opt.Shards }

// Len returns the number of keys in a keyspace, expired ones included. O(1).
func (db *DB) Len(space int) int { return int(db.spaces[space].Load().keys.Load()) }

// ExpireStats returns how many keys of a keyspace have an expiry, and the
// average of those in Unix milliseconds. O(1).
func (db *DB) ExpireStats(space int) (keys int, averageMs int64) {
	sp := db.spaces[space].Load()
	n := sp.expires.Load()
	if n <= 0 {
		return 0, 0
	}
	return int(n), sp.expireSum.Load() / n
}

// hashKey is the default of Options.ShardOf: 32-bit FNV-1a over 8 bytes at a
// time, finished so that the low bits depend on all of them. It decides nothing
// that is on disk.
func hashKey(key []byte) uint32 {
	h := uint64(14695981039346656037)
	for len(key) >= 8 {
		h ^= uint64(key[0]) | uint64(key[1])<<8 | uint64(key[2])<<16 | uint64(key[3])<<24 |
			uint64(key[4])<<32 | uint64(key[5])<<40 | uint64(key[6])<<48 | uint64(key[7])<<56
		h *= 1099511628211
		h ^= h >> 32
		key = key[8:]
	}
	for _, c := range key {
		h ^= uint64(c)
		h *= 1099511628211
	}
	h ^= h >> 29
	h *= 0xbf58476d1ce4e5b9
	return uint32(h >> 32)
}
