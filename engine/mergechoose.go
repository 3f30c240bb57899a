package engine

import (
	"cmp"
	"math/bits"
	"slices"
	"time"
)

// This file decides which files a merge takes. It reads counters alone.

// mergeCandidate is what the choice knows of a file.
type mergeCandidate struct {
	file *dataFile
	// sealed is false for the active file and those about to be sealed: they are
	// never an input (the active file could be read before all of it is written).
	sealed         bool
	minSeq, maxSeq uint64 // 0: no record
	bytes          int64  // of records
	live           int64  // of those, what the keydir refers to
	tombstones     int64  // of those, tombstones, which have to be kept or not
}

// dead is what a merge of the file would give back. droppable says that its
// tombstones need not be kept.
func (c *mergeCandidate) dead(droppable bool) int64 {
	dead := c.bytes - c.live
	if !droppable {
		dead -= c.tombstones
	}
	return max(dead, 0)
}

// candidates describes every file of the set.
func (db *DB) candidates() []mergeCandidate {
	files := db.files.Load().all()
	list := make([]mergeCandidate, 0, len(files))
	for _, f := range files {
		list = append(list, mergeCandidate{
			file: f, sealed: f.sealed.Load(),
			minSeq: f.minSeq.Load(), maxSeq: f.maxSeq.Load(),
			bytes: f.total.Load(), live: f.live.Load(), tombstones: f.tombstoneBytes(),
		})
	}
	return list
}

// lowestSeq is the lowest sequence number outside of the chosen files, which is
// the bound below which tombstones may be dropped. Files that are still written
// hold higher ones than any sealed file, whatever comes.
func lowestSeq(all []mergeCandidate, chosen func(i int) bool) uint64 {
	lowest := uint64(1<<64 - 1)
	for i := range all {
		if all[i].minSeq != 0 && !chosen(i) {
			lowest = min(lowest, all[i].minSeq)
		}
	}
	return lowest
}

// worthMerging returns those sealed files whose share of dead bytes is at least
// ratio. Tombstones count as dead if the choice lets the merge drop them: so it
// begins with all that would be chosen if every tombstone could go, and takes
// files out until the choice agrees with itself.
func worthMerging(all []mergeCandidate, ratio float64) (chosen []int, dead int64) {
	in := make([]bool, len(all))
	share := func(i int, droppable bool) bool {
		c := &all[i]
		return c.sealed && (c.bytes == 0 || float64(c.dead(droppable)) >= ratio*float64(c.bytes))
	}
	for i := range all {
		in[i] = share(i, true)
	}
	for changed := true; changed; {
		changed = false
		lowest := lowestSeq(all, func(i int) bool { return in[i] })
		for i := range all {
			if in[i] && !share(i, all[i].maxSeq < lowest) {
				in[i], changed = false, true
			}
		}
	}
	lowest := lowestSeq(all, func(i int) bool { return in[i] })
	for i := range all {
		if in[i] {
			chosen = append(chosen, i)
			dead += all[i].dead(all[i].maxSeq < lowest)
		}
	}
	return chosen, dead
}

// overallShare is what share of the ratio all sealed files together have to be dead
// for the worst of them to be merged before they reach the ratio themselves. Files
// that age together would otherwise reach it together, when the space is at its
// most, and ask for the room of as many copies at once.
const overallShare = 0.5

// worstFiles returns those files with the most dead bytes to a live one whose
// merging brings the share of dead bytes over all sealed files below the given
// one, worst first, and nothing if it is below. Every one of them has at least that
// share itself, tombstones not counted, so none is merged for nothing.
func worstFiles(all []mergeCandidate, share float64, deadBytes int64) (chosen []int) {
	var bytes, dead int64
	for i := range all {
		if all[i].sealed {
			bytes += all[i].bytes
			dead += all[i].dead(false)
			chosen = append(chosen, i)
		}
	}
	if dead < deadBytes {
		return nil
	}
	sortWorstFirst(all, chosen)
	for n, i := range chosen {
		c := &all[i]
		if float64(dead) < share*float64(bytes) || float64(c.dead(false)) < share*float64(c.bytes) {
			return chosen[:n]
		}
		bytes -= c.dead(false)
		dead -= c.dead(false)
	}
	return chosen
}

// sortWorstFirst sorts files by the share that is dead for certain.
func sortWorstFirst(all []mergeCandidate, files []int) {
	share := func(i int) float64 { return float64(all[i].dead(false)) / float64(max(all[i].bytes, 1)) }
	slices.SortStableFunc(files, func(a, b int) int { return cmp.Compare(share(b), share(a)) })
}

// dueFiles returns the files that an automatic merge takes: those worth it, if
// together they have enough dead bytes, or else the worst, if there is much that is
// dead over all. Tombstones that no merge of some files can drop add up in the end;
// when they and what is dead reach the share over all sealed files, it takes all of
// them, which drops every tombstone.
//
// If apart is true each file is worth merging without the others, and they are in
// the order in which to do so.
func dueFiles(all []mergeCandidate, ratio float64, deadBytes int64) (chosen []int, apart bool) {
	chosen, dead := worthMerging(all, ratio)
	if len(chosen) > 0 && dead >= deadBytes {
		apart = !slices.ContainsFunc(chosen, func(i int) bool {
			return float64(all[i].dead(false)) < ratio*float64(all[i].bytes)
		})
		if apart {
			sortWorstFirst(all, chosen)
		}
		return chosen, apart
	}
	if chosen = worstFiles(all, overallShare*ratio, deadBytes); len(chosen) > 0 {
		return chosen, true
	}
	var bytes, gone int64
	chosen = chosen[:0]
	for i := range all {
		if all[i].sealed {
			chosen = append(chosen, i)
			bytes += all[i].bytes
			gone += all[i].dead(true)
		}
	}
	if gone > 0 && gone >= deadBytes && float64(gone) >= ratio*float64(bytes) {
		return chosen, false
	}
	return nil, false
}

// Every Open begins a data file, so restarts with few writes between them leave
// small ones, of which nothing need be dead. They cost a file descriptor, a hint
// file and a line of the list each, and are folded into one when there are many.
const (
	// foldShare is by how much a small file is smaller than a full one.
	foldShare = 8
	// foldFiles is how many of about one size there are when they are folded. With
	// sizes that differ by a factor of 8 told apart, a record is copied once for
	// each such size, and some 60 small files are the most there can be.
	foldFiles = 8
)

// foldTier is the size of a file, so far as folding goes.
func foldTier(bytes int64) int { return bits.Len64(uint64(bytes)) / 3 }

// smallFiles returns the small sealed files that are to become one, if there are
// foldFiles of about one size: those, and all that are smaller.
func smallFiles(all []mergeCandidate, fileBytes int64) (chosen []int) {
	var tiers [22]int
	limit := -1
	small := func(c *mergeCandidate) bool { return c.sealed && c.bytes < fileBytes/foldShare }
	for i := range all {
		if !small(&all[i]) {
			continue
		}
		tier := foldTier(all[i].bytes)
		if tiers[tier]++; tiers[tier] >= foldFiles {
			limit = max(limit, tier)
		}
	}
	for i := range all {
		if small(&all[i]) && foldTier(all[i].bytes) <= limit {
			chosen = append(chosen, i)
		}
	}
	return chosen
}

// foldable returns those of smallFiles, if the disk has the room to make one of them
// at once: in groups, there might be as many afterwards.
func (db *DB) foldable(all []mergeCandidate) []*dataFile {
	files := filesOf(all, smallFiles(all, db.opt.DataFileBytes))
	if len(files) == 0 {
		return nil
	}
	room, _, err := db.mergeRoom()
	if err != nil {
		return nil // a merge that must be says so
	}
	if _, rest := db.takeGroup(files, room); len(rest) > 0 {
		return nil
	}
	return files
}

// chooseFiles returns the files for a merge by hand. They are merged together, which
// drops the most tombstones.
func (db *DB) chooseFiles(ratio float64) mergeChoice {
	all := db.candidates()
	chosen, _ := worthMerging(all, ratio)
	return mergeChoice{files: filesOf(all, chosen)}
}

// mergeChoice is what a merge is to do.
type mergeChoice struct {
	files []*dataFile
	// apart says that the files may as well be merged in small groups, in this
	// order: each group gives its space back before the next one takes any.
	apart bool
}

// chooseDue returns the files for an automatic merge.
func (db *DB) chooseDue() mergeChoice {
	all := db.candidates()
	for i := range all {
		if db.merge.isDamaged(all[i].file.number) {
			all[i].sealed = false
		}
	}
	ratio, dead := db.opt.MergeRatio, db.opt.MergeDeadBytes
	if db.isTight() || db.disk.reached() {
		ratio, dead = min(ratio, fullMergeRatio), 1
	}
	db.merge.heat.look(all, time.Now())
	cold := slices.Clone(all)
	db.merge.heat.spare(cold, dead)
	if due, apart := dueFiles(cold, ratio, dead); len(due) > 0 {
		return mergeChoice{filesOf(cold, due), apart}
	}
	return mergeChoice{files: db.foldable(all)}
}

// mergeDue reports whether an automatic merge has something to do.
func (db *DB) mergeDue() bool { return len(db.chooseDue().files) > 0 }

func filesOf(all []mergeCandidate, chosen []int) []*dataFile {
	files := make([]*dataFile, len(chosen))
	for i, c := range chosen {
		files[i] = all[c].file
	}
	return files
}

// pieceBytes is how much live data a merge of files that may be merged apart copies
// before it gives space back, unless one file has more.
func (db *DB) pieceBytes() int64 { return db.opt.DataFileBytes / 4 }

// takePiece takes the next files off todo, at least one, as far as their live
// records are a piece. It returns none if the disk has no room for that.
func (db *DB) takePiece(todo []*dataFile, free int64) (group, rest []*dataFile) {
	n, live := 1, todo[0].live.Load()
	for ; n < len(todo); n++ {
		if live += todo[n].live.Load(); live > db.pieceBytes() {
			break
		}
	}
	if group, rest = db.takeGroup(todo[:n], free); len(rest) > 0 {
		return nil, todo
	}
	return group, todo[n:]
}

// takeGroup takes the next files to merge together off todo: all of them if the
// disk has room for their live records twice, which drops the most tombstones;
// else those that need the least room. free is what is free on the disk.
func (db *DB) takeGroup(todo []*dataFile, free int64) (group, rest []*dataFile) {
	// Some room has to stay for the MANIFEST, hint files and the active file.
	whole := free
	free = max(free-db.reserveSize()/8, 0)
	need := db.mergeNeeds(todo)
	var all int64
	for _, f := range todo {
		all += need[f]
	}
	if all <= free {
		return todo, nil
	}
	rest = slices.Clone(todo)
	slices.SortStableFunc(rest, func(a, b *dataFile) int { return cmp.Compare(need[a], need[b]) })
	for len(rest) > 0 && need[rest[0]] <= free {
		free -= need[rest[0]]
		group = append(group, rest[0])
		rest = rest[1:]
	}
	if len(group) == 0 && len(rest) > 0 && need[rest[0]] <= whole {
		// It may work, and nothing is lost if it does not.
		group, rest = rest[:1], rest[1:]
	}
	return group, rest
}

// mergeNeeds returns about how many bytes a merge of each of the files writes: of some
// that is nothing, and they can be given up however full the disk is.
func (db *DB) mergeNeeds(files []*dataFile) map[*dataFile]int64 {
	all := db.candidates()
	least := slices.MinFunc(all, func(a, b mergeCandidate) int { return cmp.Compare(a.minSeq-1, b.minSeq-1) })
	lowest := lowestSeq(all, func(int) bool { return false })
	lowestOther := lowestSeq(all, func(i int) bool { return all[i].file == least.file })
	needs := make(map[*dataFile]int64, len(files))
	for _, f := range files {
		outside := lowest
		if f == least.file {
			outside = lowestOther
		}
		needs[f] = db.mergeNeed(f, outside)
	}
	return needs
}

// mergeNeed is about how many bytes a merge of f writes, if no other file has a sequence
// number below lowest.
func (db *DB) mergeNeed(f *dataFile, lowest uint64) int64 {
	keep := f.live.Load()
	if f.maxSeq.Load() >= lowest {
		keep += f.tombstoneBytes()
	}
	if keep <= 0 && !db.hasMapping(f) {
		return 0
	}
	// A record that stands alone costs a frame header in the new file.
	records := f.records.Load() * keep / max(f.total.Load(), 1)
	return keep + frameHeaderBytes*records + fileHeaderBytes + footerBytes
}

// mergeRoom returns how many bytes a merge may write before it gives any back, and
// how many are free on the disk, which is the same if there is no limit on disk use
// (DB.SetMaxDisk).
func (db *DB) mergeRoom() (room, free int64, err error) {
	if free, err = db.opt.FS.FreeBytes(db.dir); err != nil {
		return 0, 0, err
	}
	room = free
	if limit := db.disk.limit.Load(); limit != 0 {
		db.disk.look(0)
		room = min(room, max(limit-db.disk.estimate(), 0))
	}
	return room, free, nil
}

// hasGarbage reports whether merging the file would make it smaller.
func (d *dataFile) hasGarbage() bool {
	return d.live.Load()+d.tombstoneBytes() < d.total.Load()
}

// takeBeyondLimit takes off todo the file that needs the least of those that give
// room back, if the disk has room for it; the limit on disk use leaves too little for
// any. Without this, a directory of large files that is at its limit would stay so,
// whatever is deleted.
func (db *DB) takeBeyondLimit(todo []*dataFile, free int64) (group, rest []*dataFile) {
	least, need := -1, db.mergeNeeds(todo)
	for i, f := range todo {
		if f.hasGarbage() && (least < 0 || need[f] < need[todo[least]]) {
			least = i
		}
	}
	if least < 0 || need[todo[least]] > free-db.reserveSize()/8 {
		return nil, todo
	}
	return []*dataFile{todo[least]}, slices.Delete(slices.Clone(todo), least, least+1)
}
