package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"time"
)

// The levels of loglevel. slog has no verbose and no nothing.
const (
	levelVerbose = slog.LevelDebug + 2
	levelNothing = slog.Level(1000)
)

// logLevels are the words of loglevel. Redis's notice is slog's info, its
// warning slog's warn and error.
var logLevels = map[string]slog.Level{
	"debug":   slog.LevelDebug,
	"verbose": levelVerbose,
	"notice":  slog.LevelInfo,
	"warning": slog.LevelWarn,
	"nothing": levelNothing,
}

// newLogger returns a logger of the given format ("redis" or "json").
func newLogger(w io.Writer, format string, level *slog.LevelVar) *slog.Logger {
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: plainAttr}))
	}
	return slog.New(&redisHandler{mu: new(sync.Mutex), w: w, level: level, pid: os.Getpid()})
}

// plainAttr makes a number of seconds of a duration, which slog writes in JSON as
// nanoseconds, and the text for operators of an error.
func plainAttr(_ []string, a slog.Attr) slog.Attr {
	switch v := a.Value.Any().(type) {
	case time.Duration:
		a.Value = slog.Float64Value(v.Round(time.Microsecond).Seconds())
	case error:
		a.Value = slog.StringValue(oneLine(v))
	}
	return a
}

// redisHandler writes log lines as Redis does, with attributes behind:
//
//	pid:role DD Mon YYYY HH:MM:SS.mmm * message key=value
//
// The sign says the level: . debug, - verbose, * notice, # warning.
type redisHandler struct {
	mu    *sync.Mutex // guards w
	w     io.Writer
	level *slog.LevelVar
	pid   int
	attrs []byte // of WithAttrs, formatted
	group string
}

// Enabled implements slog.Handler.
func (h *redisHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level.Level() }

// Handle implements slog.Handler.
func (h *redisHandler) Handle(_ context.Context, r slog.Record) error {
	sign := byte('#')
	switch {
	case r.Level < levelVerbose:
		sign = '.'
	case r.Level < slog.LevelInfo:
		sign = '-'
	case r.Level < slog.LevelWarn:
		sign = '*'
	}
	b := make([]byte, 0, 256)
	b = strconv.AppendInt(b, int64(h.pid), 10)
	b = append(b, ":M "...)
	b = r.Time.AppendFormat(b, "02 Jan 2006 15:04:05.000")
	b = append(b, ' ', sign, ' ')
	b = append(b, r.Message...)
	b = append(b, h.attrs...)
	r.Attrs(func(a slog.Attr) bool {
		b = appendAttr(b, h.group, a)
		return true
	})
	b = bytes.ReplaceAll(b, []byte("\n"), []byte(`\n`)) // one message, one line
	b = append(b, '\n')
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := h.w.Write(b)
	return err
}

// appendAttr appends one attribute, its text in quotes if it has blanks.
func appendAttr(b []byte, group string, a slog.Attr) []byte {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		for _, inner := range v.Group() {
			b = appendAttr(b, group+a.Key+".", inner)
		}
		return b
	}
	if a.Equal(slog.Attr{}) {
		return b
	}
	text := v.String()
	switch v := v.Any().(type) {
	case time.Duration:
		text = v.Round(time.Microsecond).String()
	case error:
		text = oneLine(v)
	}
	b = append(b, ' ')
	b = append(b, group...)
	b = append(b, a.Key...)
	b = append(b, '=')
	if text == "" || bytes.ContainsAny([]byte(text), " \t\r\n\"=") {
		return strconv.AppendQuote(b, text)
	}
	return append(b, text...)
}

// WithAttrs implements slog.Handler.
func (h *redisHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := *h
	next.attrs = bytes.Clone(h.attrs)
	for _, a := range attrs {
		next.attrs = appendAttr(next.attrs, h.group, a)
	}
	return &next
}

// WithGroup implements slog.Handler.
func (h *redisHandler) WithGroup(name string) slog.Handler {
	next := *h
	if name != "" {
		next.group += name + "."
	}
	return &next
}

// appendFile writes to a file that it opens for each message, so that a log may
// be moved away or removed at any time.
type appendFile struct{ name string }

// newAppendFile checks that the file can be written.
func newAppendFile(name string) (appendFile, error) {
	f := appendFile{name}
	if _, err := f.Write(nil); err != nil {
		return f, fmt.Errorf("logfile %s: %w", name, bare(err))
	}
	return f, nil
}

// Write implements io.Writer.
func (a appendFile) Write(b []byte) (int, error) {
	f, err := os.OpenFile(a.name, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return 0, err
	}
	n, err := f.Write(b)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return n, err
}
