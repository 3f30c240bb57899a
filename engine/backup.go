package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
)

// Backup writes a consistent copy, as of some moment during the call, into dir,
// which must be empty or missing. Immutable files are linked where the file
// system allows it. The copy opens as a database.
//
// The active file is sealed first, so the copy is of immutable files alone: all
// sealed files that the MANIFEST lists at one moment. They are sealed in the
// order of the log, so what they hold is a prefix of the commits, with everything
// that was committed before the call. No merge may take files out of the list
// between the sealing and that moment: it would leave out records because of
// newer ones that are not sealed yet. The new MANIFEST is the commit point: a
// directory without it, which a crash may leave, does not open. UNFINISHED-BACKUP is
// there from before the first file until after that, so that what a crash left is not
// taken for a database that is damaged: see ErrUnfinishedBackup.
//
// A linked file is one file with two names: the copy survives what this database
// does, also its removal, but not the death of the disk.
func (db *DB) Backup(ctx context.Context, dir string) error {
	ctx, leave, err := db.merge.calls.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	b := &backup{db: db, ctx: ctx, dir: dir}
	if err := b.run(); err != nil {
		return errorf("engine: backup: %w", err)
	}
	return nil
}

// backup is one run of Backup.
type backup struct {
	db  *DB
	ctx context.Context
	dir string

	state    manifestState
	files    []*dataFile // of state, each acquired
	progress progress
	made     []string // names in dir, to be removed if the backup fails
}

func (b *backup) run() (err error) {
	fsys := b.db.opt.FS
	if err := fsys.MkdirAll(b.dir); err != nil {
		return err
	}
	if err := b.checkEmpty(); err != nil {
		return err
	}
	lock, err := fsys.Lock(filepath.Join(b.dir, lockName))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	// Another backup may have been made there before this one had the lock.
	if err := b.checkEmpty(); err != nil {
		return err
	}
	if err := b.snapshot(); err != nil {
		return err
	}
	defer func() {
		for _, f := range b.files {
			err = errors.Join(err, f.release())
		}
	}()
	err = b.mark()
	if err == nil {
		err = b.copyAll()
	}
	if err != nil {
		return errors.Join(err, b.cleanUp())
	}
	return nil
}

// mark says that what is in the directory is no backup yet.
func (b *backup) mark() error {
	fsys := b.db.opt.FS
	b.made = append(b.made, unfinishedName)
	f, err := writeFileSynced(fsys, filepath.Join(b.dir, unfinishedName), nil)
	if err != nil {
		return noSpaceError(err)
	}
	return errors.Join(f.Close(), fsys.SyncDir(b.dir))
}

// checkEmpty refuses a directory with anything in it but a LOCK, which is all that
// a backup that failed leaves.
func (b *backup) checkEmpty() error {
	names, err := b.db.opt.FS.List(b.dir)
	if err != nil {
		return err
	}
	if slices.Contains(names, unfinishedName) && !slices.Contains(names, manifestName) {
		return fmt.Errorf("%s: %w", b.dir, errors.Join(ErrUnfinishedBackup, fs.ErrExist))
	}
	if slices.ContainsFunc(names, func(name string) bool { return name != lockName }) {
		return fmt.Errorf("%s is not empty: %w", b.dir, fs.ErrExist)
	}
	return nil
}

// snapshot seals the active file and takes the list of sealed files, and a
// reference to each, at one moment.
func (b *backup) snapshot() error {
	db := b.db
	db.merge.commitMu.Lock()
	defer db.merge.commitMu.Unlock()
	if err := db.rotateAndSeal(); err != nil {
		return err
	}
	db.filesMu.Lock()
	defer db.filesMu.Unlock()
	b.state = db.manifest.snapshotState()
	b.state.clean = true
	b.state.counters.raise(db.countersNow())
	set := db.files.Load()
	b.progress.begin("backup", 0, db.opt.Progress)
	for _, n := range slices.Sorted(maps.Keys(b.state.files)) {
		f := set.get(n)
		if !b.state.files[n].sealed || f == nil {
			delete(b.state.files, n)
			continue
		}
		f.acquire()
		b.files = append(b.files, f)
		b.progress.total += b.state.files[n].size
	}
	return nil
}

func (b *backup) copyAll() error {
	fsys := b.db.opt.FS
	for _, f := range b.files {
		if err := b.take(dataFileName(f.number), f.meta.size); err != nil {
			return err
		}
		// A data file without a hint file is only slower to load.
		if err := b.take(hintFileName(f.number), 0); err != nil && !isNotExist(err) {
			return err
		}
	}
	// The names, before the MANIFEST that lists them.
	if err := fsys.SyncDir(b.dir); err != nil {
		return err
	}
	m := &manifest{fs: fsys, dir: b.dir, uuid: b.db.manifest.uuid}
	m.header = fileHeader{magic: magicManifest, uuid: m.uuid, createdMs: b.db.opt.NowMs()}
	b.made = append(b.made, manifestTmpName, manifestName)
	if err := m.rewriteLocked(&b.state); err != nil {
		return errors.Join(err, m.close())
	}
	if err := m.close(); err != nil {
		return err
	}
	b.progress.end()
	if err := fsys.Remove(filepath.Join(b.dir, unfinishedName)); err != nil {
		return err
	}
	return errors.Join(fsys.SyncDir(b.dir), fsys.SyncDir(filepath.Dir(filepath.Clean(b.dir))))
}

// take gives a file of the database a second name in the backup, or copies it.
func (b *backup) take(name string, size int64) error {
	if err := context.Cause(b.ctx); err != nil {
		return err
	}
	from, to := filepath.Join(b.db.dir, name), filepath.Join(b.dir, name)
	b.made = append(b.made, name)
	err := b.db.opt.FS.Link(from, to)
	if err == nil {
		b.progress.add(size, 0)
		return nil
	}
	if isNotExist(err) {
		return err
	}
	return copyFile(b.ctx, b.db.opt.FS, from, to, func(n int) {
		if size > 0 {
			b.progress.add(int64(n), 0)
		}
	})
}

// copyFile copies a file and syncs the copy. done, if not nil, is told of each
// piece.
func copyFile(ctx context.Context, fsys FS, from, to string, done func(n int)) (err error) {
	src, err := fsys.Open(from, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	dst, err := fsys.Create(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	size, err := src.Size()
	if err != nil {
		return err
	}
	buf := make([]byte, min(size, blockBytes))
	for at := int64(0); at < size; at += int64(len(buf)) {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		buf = buf[:min(size-at, int64(len(buf)))]
		if err := readFull(src, buf, at); err != nil {
			return err
		}
		if _, err := dst.WriteAt(buf, at); err != nil {
			return noSpaceError(err)
		}
		if done != nil {
			done(len(buf))
		}
	}
	return dst.Sync()
}

// cleanUp removes what a backup that failed has made, the mark last.
func (b *backup) cleanUp() error {
	var errs []error
	for _, name := range slices.Backward(b.made) {
		errs = append(errs, removeIfExists(b.db.opt.FS, filepath.Join(b.dir, name)))
	}
	return errors.Join(errs...)
}
