package engine

import (
	"fmt"
	"io"
	"log/slog"
	"time"
)

// SyncPolicy says when written records are forced to the disk.
type SyncPolicy uint8

// The policies. Whatever the policy, Ack returns only once the operating system
// holds the record, so a killed process loses nothing acknowledged.
const (
	// SyncEverySecond syncs in the background about once a second. Power loss
	// takes a suffix of the log, normally at most one second of it.
	SyncEverySecond SyncPolicy = 0
	// SyncAlways makes Ack wait until the record is on the disk. Callers that
	// wait together share one sync.
	SyncAlways SyncPolicy = 1
	// SyncNever leaves the disk to the operating system.
	SyncNever SyncPolicy = 2
	// SyncBytes syncs in the background after each Options.SyncBytes bytes.
	SyncBytes SyncPolicy = 3
)

// IndexType names an implementation of the first level of the keydir.
type IndexType string

// The implementations. They pass one conformance suite.
const (
	// IndexART is this package's own compact adaptive radix tree.
	IndexART IndexType = "art"
	// IndexPlar is github.com/plar/go-adaptive-radix-tree, the reference.
	IndexPlar IndexType = "plar"
)

// Limits that no option changes.
const (
	// MaxKeyBytes is the longest key.
	MaxKeyBytes = 512 << 20
	// MaxFrameBytes is the largest frame: the sum of the records of one
	// transaction.
	MaxFrameBytes = 3 << 30
	// MaxShards is the largest value of Options.Shards.
	MaxShards = 256
)

// Options configure a database. The zero value of a field means its default.
type Options struct {
	// FS is the file system; nil means the operating system's.
	FS FS
	// DataFileBytes is the size at which the active file is sealed and the
	// next one begun. Default 128 MiB, at least 4 KiB, at most 2 GiB. A frame
	// that is larger gets a file of its own.
	DataFileBytes int64
	// Sync is the sync policy. It can be changed later by DB.SetSync.
	Sync SyncPolicy
	// SyncBytes is the distance for the policy SyncBytes. Default 1 MiB.
	SyncBytes int64
	// Index is the implementation of the keydir's first level. Default IndexART.
	Index IndexType
	// NoMmap makes reads use pread instead of a memory map.
	NoMmap bool
	// NoPreallocate grows the active file by writes alone.
	NoPreallocate bool
	// Shards is the number of keydir shards, a power of two. Default 256.
	Shards int
	// ShardOf chooses a key's shard: the result is taken modulo Shards. It must
	// depend on the key alone. Nil means a hash of the whole key.
	ShardOf func(key []byte) uint32
	// Spaces is the number of keyspaces. Default 1. It may differ between two
	// openings of a directory; a smaller number that would hide keys is refused.
	Spaces int
	// MergeRatio is the share of dead bytes at which an immutable file is worth
	// merging. Default 0.5, in (0, 1]. When all immutable files together have half
	// of it, those with the most are merged until they have not.
	MergeRatio float64
	// MergeDeadBytes is the number of dead bytes over all immutable files at
	// which a merge starts by itself, if MergeRatio says what to merge. Until there
	// are twice as many, files that lose a tenth of their live records in a second
	// are left alone. Default 64 MiB; negative turns automatic merges off, those of small files included,
	// which restarts leave.
	MergeDeadBytes int64
	// MergeRateBytes limits how many bytes a second a merge writes. Default
	// 64 MiB; negative means no limit.
	MergeRateBytes int64
	// ScrubInterval is how long to wait between two background checks of every
	// immutable file (see DB.Scrub). Default a week; negative means never.
	ScrubInterval time.Duration
	// ColdReaders is how many values at most are read from the disk at the same time
	// for transactions that must not wait (Tx.NoWait). Default 32.
	ColdReaders int
	// ValueCacheBytes is the size of the cache of values that were read so.
	// Default 0: none.
	ValueCacheBytes int64
	// NowMs is the clock, in Unix milliseconds. Nil means time.Now.
	NowMs func() int64
	// Logger receives what an operator should know. Nil discards it.
	Logger *slog.Logger
	// Progress, when not nil, is told how far Open, Merge and Backup are. It is
	// called from several goroutines, at most a few times a second each.
	Progress func(Progress)

	// load and liveSetPiece are set by tests alone.
	load         loadLimits
	liveSetPiece int
}

// Progress is how far a long piece of work is.
type Progress struct {
	// Work is "load", "merge", "backup", "check" (of Repair, too) or "dump" and a name.
	Work string
	// DoneBytes of TotalBytes have been handled.
	DoneBytes, TotalBytes int64
	// Keys is the number of keys met so far, where the work counts them.
	Keys int64
	// ETA is the estimated time left; 0 when unknown.
	ETA time.Duration
}

// withDefaults returns o with every unset field at its default, or an error
// that names the field out of range.
func (o Options) withDefaults() (Options, error) {
	if o.FS == nil {
		o.FS = OSFS()
	}
	setDefault(&o.DataFileBytes, 128<<20)
	setDefault(&o.SyncBytes, 1<<20)
	setDefault(&o.Index, IndexART)
	setDefault(&o.Shards, MaxShards)
	setDefault(&o.Spaces, 1)
	setDefault(&o.MergeRatio, 0.5)
	setDefault(&o.MergeDeadBytes, 64<<20)
	setDefault(&o.MergeRateBytes, 64<<20)
	setDefault(&o.ScrubInterval, 7*24*time.Hour)
	setDefault(&o.load, defaultLoadLimits)
	setDefault(&o.liveSetPiece, liveSetPiece)

	setDefault(&o.ColdReaders, 32)
	if o.ShardOf == nil {
		o.ShardOf = hashKey
	}
	if o.NowMs == nil {
		o.NowMs = func() int64 { return time.Now().UnixMilli() }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	switch {
	case o.DataFileBytes < 4<<10 || o.DataFileBytes > 2<<30:
		return o, fmt.Errorf("engine: DataFileBytes %d is not within 4 KiB and 2 GiB", o.DataFileBytes)
	case o.Shards < 1 || o.Shards > MaxShards || o.Shards&(o.Shards-1) != 0:
		return o, fmt.Errorf("engine: Shards %d is not a power of two up to %d", o.Shards, MaxShards)
	case o.Spaces < 1 || o.Spaces > 1<<20:
		return o, fmt.Errorf("engine: Spaces %d is not within 1 and 1048576", o.Spaces)
	case o.MergeRatio <= 0 || o.MergeRatio > 1:
		return o, fmt.Errorf("engine: MergeRatio %v is not within (0, 1]", o.MergeRatio)
	case o.Index != IndexART && o.Index != IndexPlar:
		return o, fmt.Errorf("engine: unknown index type %q", o.Index)
	case o.Sync > SyncBytes:
		return o, fmt.Errorf("engine: unknown sync policy %d", o.Sync)
	case o.ColdReaders < 1 || o.ColdReaders > maxColdReaders:
		return o, fmt.Errorf("engine: ColdReaders %d is not within 1 and %d", o.ColdReaders, maxColdReaders)
	case o.ValueCacheBytes < 0:
		return o, fmt.Errorf("engine: ValueCacheBytes %d is negative", o.ValueCacheBytes)
	case o.SyncBytes < 0:
		return o, fmt.Errorf("engine: SyncBytes %d is negative", o.SyncBytes)
	}
	return o, nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
