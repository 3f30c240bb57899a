package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"bitkv/engine"
	"bitkv/resp"
	"bitkv/types"
)

// serve is the server: it reads the configuration, listens, loads the data while
// clients get -LOADING, serves until it is told to stop, and closes everything
// in order.
func (p *process) serve(c *cli.Context) (err error) {
	config := resp.NewConfig(osFiles{})
	var read bytes.Buffer
	p.stdin = io.TeeReader(p.stdin, &read)
	warnings, err := p.readSources(c, config)
	if err != nil {
		return err
	}
	cfg := config.Load()
	if wantsDaemon(cfg) {
		return p.daemonize(read.Bytes())
	}
	starter := findStarter()
	defer func() { starter.tell(err) }()
	log, err := p.logger(config)
	if err != nil {
		return err
	}
	p.banner(cfg)
	log.Warn("bitkv-redis is starting", "version", versionString(), "go", runtime.Version(),
		"bits", 64, "pid", os.Getpid())
	if file := config.File(); file != "" {
		log.Warn("configuration loaded", "file", file)
	}
	for _, w := range warnings {
		log.Warn("configuration: " + w)
	}
	err = serveWith(config, log, paceOf(cfg.LogFile == "" && isTerminal(p.stdout)), starter)
	if err != nil && cfg.LogFile != "" {
		// Standard error gets it as well; who reads the log shall not have to look there.
		log.Error("the server ends because of an error", "error", oneLine(err))
	}
	return err
}

// serveWith is serve once the configuration is read and there is a log, which says every
// so often how far the loading is. The starter is told when the server is ready.
func serveWith(config *resp.Config, log *slog.Logger, every time.Duration, starter *starter) error {
	server, err := resp.NewServer(resp.Options{Config: config, Logger: log, Version: versionString()})
	if err != nil {
		return err
	}
	defer paceCollector(config, server)()
	s := &service{
		log: log, config: config, server: server, starter: starter, loading: pace{every: every},
		stop: make(chan os.Signal, 2), opened: make(chan opening, 1),
	}
	signal.Notify(s.stop, syscall.SIGINT, syscall.SIGTERM)
	signal.Ignore(syscall.SIGHUP)
	defer signal.Stop(s.stop)
	return s.run()
}

// logger returns the log that the configuration asks for. Its level follows
// CONFIG SET loglevel.
func (p *process) logger(config *resp.Config) (*slog.Logger, error) {
	cfg := config.Load()
	level := new(slog.LevelVar)
	level.Set(logLevels[cfg.LogLevel])
	config.OnChange(func(_, changed *resp.Settings) error {
		level.Set(logLevels[changed.LogLevel])
		return nil
	}, "loglevel")
	if cfg.LogFile == "" {
		return newLogger(p.stdout, cfg.LogFormat, level), nil
	}
	file, err := newAppendFile(cfg.LogFile)
	if err != nil {
		return nil, err
	}
	return newLogger(file, cfg.LogFormat, level), nil
}

// service is a running server and its data.
type service struct {
	log     *slog.Logger
	config  *resp.Config
	server  *resp.Server
	starter *starter
	loading pace
	stop    chan os.Signal
	opened  chan opening
}

// opening is the result of opening the data.
type opening struct {
	store *types.Store
	err   error
}

// run serves until the end.
func (s *service) run() error {
	if err := s.server.Listen(); err != nil {
		return errors.Join(err, s.server.Close())
	}
	removePid := s.writePidFile()
	began := time.Now()
	foreign := filesOfRedis(s.config)
	go func() {
		store, err := s.open()
		s.opened <- opening{store, err}
	}()
	var store *types.Store
	select {
	case sig := <-s.stop:
		// Loading changes nothing that has to be kept; the process may go at once.
		s.log.Warn("stopped while loading", "signal", sig.String())
		err := s.server.Close()
		removePid()
		return err
	case o := <-s.opened:
		if o.err != nil {
			err := errors.Join(s.openError(o.err), s.server.Close())
			removePid()
			return err
		}
		store = o.store
	}
	s.warnOfRedis(foreign)
	s.server.Ready(store)
	keys := 0
	for db := range store.Databases() {
		keys += store.Size(db)
	}
	s.log.Info("database loaded", "keys", keys, "took", time.Since(began))
	s.log.Info("Ready to accept connections", "on", s.addresses())
	s.notifySupervisor("READY=1")
	s.starter.tell(nil)
	err := s.wait()
	s.notifySupervisor("STOPPING=1")
	go s.forceOnSecondSignal(time.Now(), os.Exit)
	// Who asked for it may go on with the directory when the connection ends.
	err = errors.Join(err, s.server.Close(), store.Close())
	removePid()
	err = errors.Join(err, s.server.HangUp())
	if err != nil {
		return fmt.Errorf("the shutdown was not clean: %w", err)
	}
	s.log.Warn("bitkv-redis is now ready to exit, bye bye...")
	return nil
}

// wait returns when the server should end; with an error if it must end because
// something failed.
func (s *service) wait() error {
	select {
	case sig := <-s.stop:
		s.log.Warn("received " + signalName(sig) + ", shutting down")
		return nil
	case r := <-s.server.ShutdownRequested():
		if r.Err != nil {
			return r.Err
		}
		s.log.Warn("user requested shutdown")
		return nil
	}
}

func signalName(sig os.Signal) string {
	if sig == syscall.SIGINT {
		return "SIGINT"
	}
	return "SIGTERM"
}

// oneSignal is for how long after the first signal another one is taken for the
// same: timeout(1) and service managers signal the process and its group.
const oneSignal = time.Second

// forceOnSecondSignal ends the process at once if it is told to stop again, after
// it was at began. The data survives that as it survives kill -9.
func (s *service) forceOnSecondSignal(began time.Time, exit func(code int)) {
	for sig := range s.stop {
		if time.Since(began) < oneSignal {
			continue
		}
		s.log.Error("received " + signalName(sig) + " again, exiting without waiting")
		exit(1)
		return
	}
}

// open opens the data as the configuration says.
func (s *service) open() (*types.Store, error) {
	cfg := s.config.Load()
	working := pace{every: paceOfLog}
	return types.Open(cfg.Dir, types.Options{
		Engine: engine.Options{
			DataFileBytes:  cfg.DataFileSize,
			Sync:           cfg.SyncPolicy(),
			SyncBytes:      cfg.SyncBytes,
			Index:          engine.IndexType(cfg.IndexType),
			NoMmap:         !cfg.Mmap,
			NoPreallocate:  !cfg.Preallocate,
			MergeRatio:     cfg.MergeRatio,
			MergeDeadBytes: zeroMeansOff(cfg.MergeDeadBytes),
			MergeRateBytes: zeroMeansOff(cfg.MergeRate),
			ScrubInterval:  time.Duration(zeroMeansOff(cfg.ScrubSec)) * time.Second,
			Logger:         s.log,
			Progress: func(pr engine.Progress) {
				if pr.Work == "load" {
					s.server.Loading(pr)
					if s.loading.due(pr, time.Now()) {
						s.log.Info("loading", progressFields(pr)...)
					}
				} else if working.due(pr, time.Now()) {
					s.log.Info(pr.Work+" goes on", progressFields(pr)...)
				}
			},
		},
		Databases:     int(cfg.Databases),
		MaxValueBytes: cfg.ProtoMaxBulkLen,
		Hz:            int(cfg.Hz),
	})
}

// zeroMeansOff turns the 0 by which a directive is off into the engine's -1.
func zeroMeansOff(n int64) int64 {
	if n == 0 {
		return -1
	}
	return n
}

func percent(done, total int64) int64 {
	if total <= 0 {
		return 0
	}
	return done * 100 / total
}

// openError says for the operator why the data cannot be opened.
func (s *service) openError(err error) error { return dirError(s.config.Load().Dir, err) }

// dirError says for the operator why a data directory cannot be opened, and
// what to do.
func dirError(dir string, err error) error {
	// Open says which directory, and so do the texts here.
	err = &reworded{err, strings.Replace(err.Error(), "engine: open "+dir+": ", "", 1)}
	switch {
	case errors.Is(err, engine.ErrLocked):
		return fmt.Errorf("data directory %s: %w", dir, err)
	case errors.Is(err, engine.ErrUnfinishedBackup):
		return fmt.Errorf("%s: %w; remove it and make the backup again", dir, err)
	case errors.Is(err, engine.ErrVersion):
		return fmt.Errorf("data directory %s: %w; nothing was changed", dir, err)
	case errors.Is(err, engine.ErrReadOnly):
		return fmt.Errorf("data directory %s cannot be written: %w", dir, err)
	case errors.Is(err, engine.ErrCorrupt):
		return fmt.Errorf("data directory %s is damaged: %w; nothing was changed; "+
			"bitkv-redis check says how much, bitkv-redis repair %s makes it open without it", dir, err, dir)
	}
	return fmt.Errorf("data directory %s: %w", dir, err)
}

// reworded is an error with another text.
type reworded struct {
	cause error
	text  string
}

// Error implements error.
func (r *reworded) Error() string { return r.text }

// Unwrap returns the error as it was.
func (r *reworded) Unwrap() error { return r.cause }

// writePidFile writes pidfile, if there is one; the result removes it. As in Redis
// the server does without: the redis.conf that comes with it names a file that only
// root may write.
func (s *service) writePidFile() (remove func()) {
	name := s.config.Load().PidFile
	if name == "" {
		return func() {}
	}
	if err := os.WriteFile(name, fmt.Appendf(nil, "%d\n", os.Getpid()), 0o644); err != nil {
		s.log.Warn("pidfile cannot be written", "pidfile", name, "error", bare(err))
		return func() {}
	}
	return func() {
		if err := os.Remove(name); err != nil {
			s.log.Warn("pidfile cannot be removed", "pidfile", name, "error", bare(err))
		}
	}
}

// addresses lists what the server listens on.
func (s *service) addresses() string {
	var list []string
	for _, a := range s.server.Addrs() {
		list = append(list, a.String())
	}
	return strings.Join(list, ",")
}

// banner greets a person at a terminal. Between lines of JSON there is no place for it.
func (p *process) banner(cfg *resp.Settings) {
	if cfg.LogFormat != "redis" || !cfg.AlwaysShowLogo && (cfg.LogFile != "" || !isTerminal(p.stdout)) {
		return
	}
	p.printf(`
   _     _ _   _
  | |__ (_) |_| | ____   __   bitkv-redis %s
  | '_ \| | __| |/ /\ \ / /   Redis %s commands, data on disk
  | |_) | | |_|   <  \ V /    port %d, pid %d
  |_.__/|_|\__|_|\_\  \_/     data in %s

`, versionString(), resp.RedisVersion, cfg.Port, os.Getpid(), cfg.Dir)
}

// isTerminal reports whether w is a terminal, or a character device that is as
// good as one.
func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}
