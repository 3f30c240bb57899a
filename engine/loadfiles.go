package engine

import (
	"cmp"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// processors is how many goroutines load at a time.
func (l *loadLimits) processors() int {
	if l.workers != 0 {
		return l.workers
	}
	return runtime.GOMAXPROCS(0)
}

// loadFiles loads the sealed files, several at a time, and then calls tails, which
// loads the others in order with the feeder it is given. When it returns,
// everything is applied.
func (ld *loader) loadFiles(sealed []*loadFile, tails func(p *feeder) error) error {
	// The older a file, the sooner: then little has to be remembered of what is gone.
	slices.SortStableFunc(sealed, func(a, b *loadFile) int { return cmp.Compare(a.lowest, b.lowest) })
	var (
		work  sync.WaitGroup
		feeds sync.WaitGroup
		next  atomic.Int64
		first atomic.Pointer[error]
	)
	workers := ld.limits.processors()
	if ld.progress.total < ld.limits.alone {
		workers = min(workers, len(sealed))
	}
	ld.producing = true
	for range workers {
		feeds.Add(1)
		work.Go(func() {
			p := ld.newFeeder()
			for i := next.Add(1) - 1; i < int64(len(sealed)) && first.Load() == nil; i = next.Add(1) - 1 {
				if err := ld.sealedFile(p, sealed[i]); err != nil {
					first.CompareAndSwap(nil, &err)
				}
			}
			feeds.Done()
			ld.helpOut()
		})
	}
	feeds.Wait()
	var err error
	if e := first.Load(); e != nil {
		err = *e
	} else {
		err = tails(ld.newFeeder())
	}
	ld.help.L.Lock()
	ld.producing = false
	ld.help.L.Unlock()
	ld.help.Broadcast()
	if err == nil {
		ld.helpOut()
	}
	work.Wait()
	return err
}

// helpOut applies what waits, in large pieces as long as more may come, until
// nothing can come any more and nothing waits.
func (ld *loader) helpOut() {
	for {
		ld.help.L.Lock()
		for ld.producing && ld.queued.Load() < ld.limits.help {
			ld.help.Wait()
		}
		ended := !ld.producing
		ld.help.L.Unlock()
		if !ld.applyLongest() && ended {
			return
		}
	}
}

// eachPart calls fn for every part, several at a time.
func (ld *loader) eachPart(fn func(part int)) {
	workers := ld.limits.processors()
	if ld.progress.total < ld.limits.alone {
		workers = 1
	}
	var work sync.WaitGroup
	var next atomic.Int64
	each := func() {
		for i := next.Add(1) - 1; i < int64(len(ld.parts)); i = next.Add(1) - 1 {
			fn(int(i))
		}
	}
	for range workers - 1 {
		work.Go(each)
	}
	each()
	work.Wait()
}

// sealedFile loads one immutable file through its hint file or, if that is not
// valid, from its data, checking everything.
func (ld *loader) sealedFile(p *feeder, f *loadFile) error {
	if err := f.readFooter(ld.db.manifest.uuid); err != nil {
		return err
	}
	p.begin(f)
	defer p.end()
	err := ld.hinted(p, f)
	if _, unsound := errors.AsType[*unsoundHintError](err); err == nil || unsound || errors.Is(err, ErrVersion) {
		return err
	}
	if !isNotExist(err) {
		ld.db.opt.Logger.Warn("a hint file cannot be used and is made again", "error", err)
	}
	ld.hintless.Lock()
	ld.hintlessFiles = append(ld.hintlessFiles, f.dataFile)
	ld.hintless.Unlock()
	return ld.rebuild(p, f)
}

// rebuild loads an immutable file from its data.
func (ld *loader) rebuild(p *feeder, f *loadFile) error {
	records := uint64(0)
	end, reason, err := f.scanFrames(fileHeaderBytes, f.meta.dataEnd, func(fr *frame) error {
		if fr.flags&frameFooter != 0 {
			return &badRecordError{"a footer lies before the end"}
		}
		n, err := fr.checkRecords()
		if err != nil {
			return err
		}
		records += uint64(n)
		p.progress(fr.end()-fr.offset, int64(n))
		return p.frame(fr)
	})
	if err != nil {
		return err
	}
	if reason == "" && records != f.meta.records {
		reason = fmt.Sprintf("it holds %d records, its footer says %d", records, f.meta.records)
	}
	if reason != "" {
		return &CorruptError{File: f.name(), Offset: end, Reason: reason}
	}
	return nil
}

// frame takes the records of a frame of the file.
func (p *feeder) frame(fr *frame) error {
	return fr.eachRecord(func(r *record, seq uint64, offset int64, _ int) error {
		p.add(&loadRecord{
			kind: r.kind, flags: r.flags, tag: r.tag, space: r.space, number: r.number, coll: r.coll,
			expireMs: r.expireMs, key: r.key, size: uint32(len(r.value)), inline: inlineOrZero(r.value),
		}, seq, offset)
		return nil
	})
}
