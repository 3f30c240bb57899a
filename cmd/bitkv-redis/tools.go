package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"

	"bitkv/engine"
)

// The tools work on a data directory that no server uses, and say so if one does.

// tools are the subcommands.
func (p *process) tools() []*cli.Command {
	databases := &cli.IntFlag{Name: "databases", Usage: "how many databases the directory may have", Value: 4096}
	commands := []*cli.Command{
		{
			Name: "check", Usage: "read every byte of a data directory and report what is damaged; changes nothing",
			ArgsUsage: "DIR", Action: p.check,
		},
		{
			Name: "repair", Usage: "make a damaged data directory open again, without what is damaged, which is put aside",
			ArgsUsage: "DIR", Action: p.repair,
		},
		{
			Name: "dump", Usage: "print the files of a data directory, record by record; changes nothing",
			ArgsUsage: "FILE ...", Action: p.dump,
		},
		{
			Name: "backup", Usage: "write a consistent copy of a data directory that no server uses",
			Description: "The server must be stopped. A program that embeds the engine makes a backup while it runs, with DB.Backup.\n" +
				"Where both are on one file system, the data files are linked and not copied: the backup survives what is\n" +
				"done to the data directory, but to survive the loss of the disk it has to be copied to another one.\n" +
				"The backup is read in full afterwards, while the server may run again; if any of it is damaged, the exit\n" +
				"code is 1.",
			ArgsUsage: "DIR DESTINATION", Action: p.backup, Flags: []cli.Flag{
				databases,
				&cli.BoolFlag{Name: "no-verify", Usage: "do not read the backup to find damage"},
			},
		},
		{
			Name: "merge", Usage: "rewrite data files without what is dead, and give the space back",
			ArgsUsage: "DIR", Action: p.merge,
			Flags: []cli.Flag{
				databases,
				&cli.Float64Flag{Name: "ratio", Usage: "only files of which at least this share is dead, 0 to 1"},
			},
		},
		p.healthcheck(),
	}
	for _, c := range commands {
		c.HideHelpCommand = true
		c.OnUsageError = toolUsageError
	}
	return commands
}

// usageError leaves the printing of an error to process.run: one line.
func usageError(_ *cli.Context, err error, _ bool) error { return err }

// toolUsageError adds the usage of the tool to what is wrong with a flag.
func toolUsageError(c *cli.Context, err error, _ bool) error {
	return fmt.Errorf("%w; %s", err, usage(c))
}

// usage is a tool's usage on one line.
func usage(c *cli.Context) string {
	return strings.TrimRight("usage: bitkv-redis "+c.Command.Name+" [options] "+c.Command.ArgsUsage, " ")
}

// arguments returns exactly n arguments. An option behind one of them is not taken for
// the name of a directory, which backup would make.
func arguments(c *cli.Context, n int) ([]string, error) {
	args := c.Args().Slice()
	for _, arg := range args {
		if strings.HasPrefix(arg, "-") {
			return nil, fmt.Errorf("%s: options come before the arguments; %s", arg, usage(c))
		}
	}
	if len(args) != n {
		return nil, errors.New(usage(c))
	}
	return args, nil
}

// interruptible is a context that ends with SIGINT or SIGTERM.
func interruptible() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
}

// check is "check": exit code 1 if anything is damaged.
func (p *process) check(c *cli.Context) error {
	args, err := arguments(c, 1)
	if err != nil {
		return err
	}
	if err := isDatabase(args[0]); err != nil {
		return err
	}
	var report *engine.CheckReport
	err = p.watch(func(progress func(engine.Progress)) (err error) {
		report, err = engine.Check(nil, args[0], progress)
		return err
	})
	if err != nil {
		return dirError(args[0], err)
	}
	p.printReport(report)
	if report.Damaged() {
		return fmt.Errorf("%s is damaged; to go on without what is damaged: bitkv-redis repair %s", args[0], args[0])
	}
	return nil
}

// repair is "repair".
func (p *process) repair(c *cli.Context) error {
	args, err := arguments(c, 1)
	if err != nil {
		return err
	}
	if err := isDatabase(args[0]); err != nil {
		return err
	}
	var report *engine.RepairReport
	err = p.watch(func(progress func(engine.Progress)) (err error) {
		report, err = engine.Repair(nil, args[0], progress)
		return err
	})
	if err != nil {
		return dirError(args[0], err)
	}
	p.printReport(report.Found)
	for _, action := range report.Actions {
		p.printf("%s\n", action)
	}
	if len(report.Damaged) > 0 {
		p.printf("the damaged files are in %s as they were: %s\n", report.Quarantine, strings.Join(report.Damaged, ", "))
	}
	if len(report.Replaced) > 0 {
		p.printf("good files that had to be written anew are in %s as they were: %s\n",
			report.Quarantine, strings.Join(report.Replaced, ", "))
	}
	if !report.Found.Damaged() {
		p.printf("nothing is damaged, nothing was changed\n")
	}
	return nil
}

// printReport prints what a check found.
func (p *process) printReport(r *engine.CheckReport) {
	for _, problem := range r.Problems {
		p.printf("%v\n", problem)
	}
	for _, loss := range r.Losses {
		p.printf("lost: %v\n", loss)
	}
	for _, warning := range r.Warnings() {
		p.printf("warning: %s\n", warning)
	}
	p.printf("%d files, %d frames, %d records, %d bytes are good\n", r.Files, r.Frames, r.Records, r.Bytes)
	if r.TornBytes > 0 {
		p.printf("%d bytes at the end of the log were being written when it stopped; they will be cut\n", r.TornBytes)
	}
}

// dump is "dump": one line for each frame, record or edit of the files.
func (p *process) dump(c *cli.Context) error {
	names := c.Args().Slice()
	if len(names) == 0 {
		return fmt.Errorf("usage: bitkv-redis dump %s", c.Command.ArgsUsage)
	}
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, bare(err))
		}
		if info.IsDir() {
			return fmt.Errorf("%s is a directory; dump takes the files in it, such as %s", name, filepath.Join(name, "MANIFEST"))
		}
		if !engine.IsFileName(filepath.Base(name)) {
			return fmt.Errorf("%s is no file of a data directory", name)
		}
	}
	out := bufio.NewWriter(p.stdout)
	var err error
	for _, name := range names {
		if len(names) > 1 {
			_, e := fmt.Fprintf(out, "# %s\n", name)
			err = errors.Join(err, e)
		}
		err = errors.Join(err, p.watchDump(func(progress func(engine.Progress)) error {
			return engine.Dump(nil, name, out, progress)
		}))
	}
	return errors.Join(err, out.Flush())
}

// watchDump is watch, unless what is printed goes to a terminal: that shows how far it
// is.
func (p *process) watchDump(fn func(func(engine.Progress)) error) error {
	if isTerminal(p.stdout) {
		return fn(nil)
	}
	return p.watch(fn)
}

// backup is "backup". The backup is read after the source is closed, so that the server
// can start meanwhile.
func (p *process) backup(c *cli.Context) error {
	args, err := arguments(c, 2)
	if err != nil {
		return err
	}
	if err := isDatabase(args[0]); err != nil {
		return err
	}
	if inside, err := isInside(args[1], args[0]); err != nil {
		return err
	} else if inside {
		return fmt.Errorf("%s is inside of %s: a backup has to be elsewhere", args[1], args[0])
	}
	ctx, cancel := interruptible()
	defer cancel()
	err = p.withDatabase(c, args[0], func(db *engine.DB) error { return db.Backup(ctx, args[1]) })
	if err != nil {
		return err
	}
	p.printf("%s is backed up in %s, and can be used again\n", args[0], args[1])
	linked, err := anyLinked(args[0], args[1])
	if linked {
		p.printf("linked: copy it to another disk to survive the loss of this one\n")
	}
	if err != nil || c.Bool("no-verify") {
		return err
	}
	if err := p.verifyBackup(args[0], args[1]); err != nil {
		return err
	}
	p.printf("the backup was read in full, and nothing in it is damaged\n")
	return nil
}

// verifyBackup reads all of a backup: files that are linked or copied may have been
// damaged before.
func (p *process) verifyBackup(dir, backup string) error {
	var report *engine.CheckReport
	err := p.watch(func(progress func(engine.Progress)) (err error) {
		report, err = engine.Check(nil, backup, progress)
		return err
	})
	if err != nil || !report.Damaged() {
		return err
	}
	p.printReport(report)
	return fmt.Errorf("the backup in %s is made, but damaged, as %s probably is: bitkv-redis check %s", backup, dir, dir)
}

// anyLinked reports whether a data file of a backup is one with that of the
// directory that it is of.
func anyLinked(dir, backup string) (bool, error) {
	names, err := filepath.Glob(filepath.Join(backup, "*.data"))
	if err != nil {
		return false, err
	}
	for _, name := range names {
		copied, err := os.Stat(name)
		if err != nil {
			return false, err
		}
		original, err := os.Stat(filepath.Join(dir, filepath.Base(name)))
		if err == nil && os.SameFile(copied, original) {
			return true, nil
		}
	}
	return false, nil
}

// merge is "merge".
func (p *process) merge(c *cli.Context) error {
	args, err := arguments(c, 1)
	if err != nil {
		return err
	}
	ctx, cancel := interruptible()
	defer cancel()
	before, err := dataBytes(args[0])
	if err != nil {
		return err
	}
	err = p.withDatabase(c, args[0], func(db *engine.DB) error { return db.Merge(ctx, c.Float64("ratio")) })
	if err != nil {
		return err
	}
	after, err := dataBytes(args[0])
	if err != nil {
		return err
	}
	p.printf("%s: the data files had %d bytes and have %d\n", args[0], before, after)
	return nil
}

// withDatabase opens an existing database that nobody uses, calls fn and closes it.
func (p *process) withDatabase(c *cli.Context, dir string, fn func(*engine.DB) error) error {
	if err := isDatabase(dir); err != nil {
		return err
	}
	level := new(slog.LevelVar)
	level.Set(slog.LevelWarn)
	return p.watch(func(progress func(engine.Progress)) error {
		db, err := engine.Open(dir, engine.Options{
			Spaces:         c.Int("databases"),
			MergeDeadBytes: -1,
			MergeRateBytes: -1,
			Logger:         newLogger(p.stderr, "redis", level),
			Progress:       progress,
		})
		if err != nil {
			return dirError(dir, err)
		}
		return errors.Join(fn(db), db.Close())
	})
}

// isDatabase refuses what is no data directory, so that no tool makes one. What
// has lost its MANIFEST but has data files still is one; and of a backup that was cut
// off before its first file the engine has to say that.
func isDatabase(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("%s: %w", dir, bare(err))
	}
	for _, e := range entries {
		if e.Name() == "MANIFEST" || e.Name() == "UNFINISHED-BACKUP" || filepath.Ext(e.Name()) == ".data" {
			return nil
		}
	}
	return fmt.Errorf("%s is no data directory: it has neither a MANIFEST nor data files", dir)
}

// isInside reports whether name, which need not exist, is dir or a file or directory
// in it, by whatever links.
func isInside(name, dir string) (bool, error) {
	target, err := os.Stat(dir)
	if err != nil {
		return false, fmt.Errorf("%s: %w", dir, bare(err))
	}
	path, err := filepath.Abs(name)
	if err != nil {
		return false, err
	}
	for !exists(path) { // the root does
		path = filepath.Dir(path)
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return false, fmt.Errorf("%s: %w", name, bare(err))
	}
	for {
		info, err := os.Stat(path)
		if err != nil {
			return false, fmt.Errorf("%s: %w", name, bare(err))
		}
		parent := filepath.Dir(path)
		switch {
		case os.SameFile(info, target):
			return true, nil
		case parent == path:
			return false, nil
		}
		path = parent
	}
}

// dataBytes is the size of the data files in a directory.
func dataBytes(dir string) (sum int64, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", dir, bare(err))
	}
	for _, e := range entries {
		if filepath.Ext(e.Name()) != ".data" {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return 0, err
		}
		sum += info.Size()
	}
	return sum, nil
}
