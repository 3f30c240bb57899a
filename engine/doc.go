// Package engine is a Bitcask: an append-only log of records on disk and a
// keydir in memory that says where the live ones are. It knows bytes, keys and
// subkeys; it does not know what a hash or a reply is.
//
// # Model
//
// A database holds a fixed number of keyspaces, numbered from 0. A key of a
// keyspace owns one head record: a tag byte (its owner's type mark), an
// optional absolute expiry and either a value or the identity of a collection.
// A collection is a set of element records, each with a subkey and a value. Its
// CollectionID is given at creation and never used again, so a collection that
// no head names is garbage as a whole: deleting a key of a million elements
// writes one head tombstone.
//
// Records are written in frames. A frame is one transaction: it is on disk
// whole or not at all. Every record has a sequence number from one counter; the
// highest sequence number of a key (or of a subkey of a collection) wins,
// whatever the order in which files are read. docs/format.md has every byte.
//
// # Vocabulary
//
// Data file: a file of frames. The active file is the one appended to; an
// immutable file is sealed by a footer. Hint file: the keys of one immutable
// file without their values, so that it loads fast. Keydir: the index in
// memory; an entry is what it holds for one key. Tombstone: a record that says
// a key or an element is gone. Merge: copying live records out of files that
// are mostly garbage. Fold: visiting every live key. MANIFEST: the list of
// files, and the only commit point for a change of that list.
//
// # Where things are
//
//	db.go          DB, its shards and keyspaces; Open and Close
//	embedded.go    Get, Put, Delete; batch.go, iterator.go: the rest of that API
//	tx*.go         transactions: Tx, and its writes, elements and keyspaces
//	keydir*.go     the index of keys; slots.go, slotmap.go, entry.go: their entries
//	arena.go       the memory that entries and the nodes of the index lie in; chunklists.go: its chunks with room
//	warm*.go       many look-ups made ready together; prefetch_*: the instruction for it
//	sample.go      keys at random, for eviction
//	collection.go  the elements of one key; countedtree.go, treechange.go, treenode.go and
//	               cells.go below it, cursor.go walks, finder.go looks many up, readmany.go reads many values
//	registry.go    all collections; reaper.go takes dropped ones apart
//	expiry.go      which key expires first
//	memory.go      what all of that takes, counted as it changes
//	log.go         the log, group commit, what a failed write leads to; tail.go: its tail
//	work.go        the log's background work; rescue.go: after a failed sync
//	record.go      records and frames; header.go, footer.go, hint*.go, manifest.go,
//	               syncmark.go: all other bytes on the disk
//	datafile.go    one data file: names, reads, scans; fileset.go: all of them
//	recovery.go    Open: what is good, what is cut, what is refused; load*.go: the
//	               keydir from it
//	disklimit.go   a limit on what the directory takes on the disk
//	diskfull.go    a full disk: that it is, and the way out
//	merge*.go      merge; reserve.go: room for it on a full disk
//	backup.go, scrub.go, check.go, repair.go, dump.go: what they say;
//	checkloss.go  which keys damage concerns; repairrecords.go  what of a merged frame is kept
//	fetch.go       values that are not in memory; coldreader.go reads them;
//	               valuecache.go, residency*.go: what is
//	fs*.go         the only door to the file system
//
// # Lock order
//
//	log.sealMu  >  log.syncMu  >  log.writeMu  >  shard locks, ascending  >
//	log.spareMu, dataFile.room  >  DB.filesMu  >  manifest.mu  >  log.mu
//	shard locks  >  collRegistry.mu
//
// A shard lock guards the entries of one slice of the keys in every keyspace. A
// commit takes, under its shard locks, log.mu and, only when there is no room in
// the active file, the locks for making some. log.mu guards the position and the
// tail of the log; nothing waits for a disk under it, but for the one write that
// follows a failed sync.
package engine
