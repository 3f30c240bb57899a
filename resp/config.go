package resp

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"bitkv/types"
)

// Config is the configuration of one server: the settings, where they came
// from, and how they are changed. Reading is one atomic load; changes are made
// one at a time, each as a whole or not at all. Safe for concurrent use.
type Config struct {
	current atomic.Pointer[Settings]
	files   ConfigFiles

	mu    sync.Mutex // guards following
	file  string     // the configuration file, absolute; empty: none
	hooks []changeHook
}

// ConfigFiles is how a Config reaches the files that it is read from and
// rewritten to. This package touches no file itself.
type ConfigFiles interface {
	// ReadFile returns the contents of a file.
	ReadFile(name string) ([]byte, error)
	// Glob returns the names that match a pattern, sorted; none is no error.
	Glob(pattern string) ([]string, error)
	// ReplaceFile puts data in the place of a file's contents in one step: a
	// crash leaves the old ones or the new ones.
	ReplaceFile(name string, data []byte) error
}

// changeHook is told about a change of any of directives before it is visible.
type changeHook struct {
	directives []*directive
	apply      func(old, changed *Settings) error
}

// NewConfig returns a configuration with every directive at its default. files
// may be nil if no file is read.
func NewConfig(files ConfigFiles) *Config {
	c := &Config{files: files}
	s := &Settings{kept: make(map[string]any)}
	for _, d := range directives {
		d.access.store(s, d.defaultValue())
	}
	c.current.Store(s)
	return c
}

// defaultValue parses the default of the row; a default that does not parse is
// a bug of the table.
func (d *directive) defaultValue() any {
	words := []string{d.def}
	if d.has(manyWords) && d.def != "" {
		words = strings.Fields(d.def)
	}
	v, err := d.kind.parse(words, nil)
	if err != nil {
		panic(fmt.Sprintf("resp: default of %s: %v", d.name, err))
	}
	return v
}

// format is the value of the row in s as CONFIG GET prints it.
func (d *directive) format(s *Settings) string { return d.kind.format(d.access.load(s)) }

// isDefault reports whether the row has its default value in s.
func (d *directive) isDefault(s *Settings) bool {
	return d.format(s) == d.kind.format(d.defaultValue())
}

// isIdle reports whether the row has a value in s that somebody chose, and that
// has no effect here.
func (d *directive) isIdle(s *Settings) bool {
	if d.name == "save" && d.format(s) == "" {
		return false // it asks for no snapshots, and there are none
	}
	return d.has(inert) && !d.isDefault(s)
}

// idleWarning tells the operator so. origin says where the directive was given.
func (d *directive) idleWarning(origin string) string {
	return fmt.Sprintf("%s: %s has no effect: %s", origin, d.name, d.doc)
}

// refusal returns why the value of the row in s cannot be had, or nil: a
// directive that has no effect here, but that someone would rely on, takes its
// default alone.
func (d *directive) refusal(s *Settings) error {
	if d.has(refused) && !d.isDefault(s) {
		return fmt.Errorf("not supported: %s", d.doc)
	}
	return nil
}

// clone returns a copy that may be changed.
func (s *Settings) clone() *Settings {
	t := *s
	t.kept = maps.Clone(s.kept)
	return &t
}

// Load returns the settings as they are now. The result never changes; a
// command loads once and sees one configuration.
func (c *Config) Load() *Settings { return c.current.Load() }

// File returns the name of the configuration file; empty if there is none.
func (c *Config) File() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.file
}

// OnChange registers what must happen when one of the named directives is
// changed at run time: apply is called with the settings before and after, one
// call at a time, and must not use the Config. If it returns an error, nothing
// changes (hooks called before it are called again with the two exchanged) and
// its text is the reason that CONFIG SET gives. It panics for an unknown name.
func (c *Config) OnChange(apply func(old, changed *Settings) error, names ...string) {
	h := changeHook{apply: apply}
	for _, name := range names {
		d := findDirective(name)
		if d == nil {
			panic("resp: no directive " + name)
		}
		h.directives = append(h.directives, d)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hooks = append(c.hooks, h)
}

// Setting is one directive and its value, as text.
type Setting struct {
	Name  string
	Value string
}

// Get returns the directives that match any of patterns, each once, sorted by
// name. A pattern is a name or an alias, in any case, or a glob over both.
func (c *Config) Get(patterns ...string) []Setting {
	s := c.Load()
	found := make(map[string]string)
	for _, p := range patterns {
		if !strings.ContainsAny(p, "[*?") {
			if d := findDirective(p); d != nil {
				found[p] = d.format(s)
			}
			continue
		}
		for name, d := range directiveByName {
			if !d.has(hidden) && types.MatchFold([]byte(p), []byte(name)) {
				found[name] = d.format(s)
			}
		}
	}
	list := make([]Setting, 0, len(found))
	for _, name := range slices.Sorted(maps.Keys(found)) {
		list = append(list, Setting{name, found[name]})
	}
	return list
}

// Errors of Config.Set that are not about one value.
var errConfigLoading = errors.New("resp: directive cannot be set while loading")

// unknownDirectiveError names a directive that does not exist.
type unknownDirectiveError struct{ name string }

func (e *unknownDirectiveError) Error() string { return "unknown directive " + e.name }

// settingError says why a directive did not take a value.
type settingError struct {
	name   string
	reason string
}

func (e *settingError) Error() string { return e.name + ": " + e.reason }

// setMode is what a change at run time is allowed to do.
type setMode struct {
	protected bool // protected directives may be set
	loading   bool // the database is still loading
}

// set changes directives at run time: all of them or none. The error is an
// *unknownDirectiveError, a *settingError or errConfigLoading.
func (c *Config) set(pairs []Setting, mode setMode) error {
	rows, err := checkSettable(pairs, mode)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	old := c.Load()
	changed := old.clone()
	for i, d := range rows {
		name := strings.ToLower(pairs[i].Name) // may be an alias, which an error then speaks of
		words := []string{pairs[i].Value}
		if d.has(manyWords) && pairs[i].Value != "" {
			words = strings.Split(pairs[i].Value, " ")
		}
		previous := d.access.load(changed)
		if d.has(adding) {
			previous = nil
		}
		v, err := d.kind.parse(words, previous)
		if err != nil {
			return &settingError{name, err.Error()}
		}
		d.access.store(changed, v)
		if d.has(startOnly) && d.format(changed) != d.format(old) {
			return &settingError{name, "can't set immutable config"}
		}
		if err := d.refusal(changed); err != nil {
			return &settingError{name, err.Error()}
		}
	}
	changed.normalise()
	if err := c.applyLocked(old, changed); err != nil {
		return err
	}
	c.current.Store(changed)
	return nil
}

// idleWarnings are the warnings about those of pairs, which were just set, that
// have no effect.
func (c *Config) idleWarnings(pairs []Setting) (warnings []string) {
	s := c.Load()
	for _, p := range pairs {
		if d := findDirective(p.Name); d != nil && d.isIdle(s) {
			warnings = append(warnings, d.idleWarning("CONFIG SET"))
		}
	}
	return warnings
}

// checkSettable finds the rows of pairs and checks that each may be set now.
// An unknown name anywhere goes before any other error only if it comes first,
// as in Redis.
func checkSettable(pairs []Setting, mode setMode) ([]*directive, error) {
	rows := make([]*directive, 0, len(pairs))
	names := make(map[string]bool, len(pairs)) // an alias is another parameter, as in Redis
	for _, p := range pairs {
		d, name := findDirective(p.Name), strings.ToLower(p.Name)
		switch {
		case d == nil:
			return nil, &unknownDirectiveError{p.Name}
		case d.has(protected) && !mode.protected:
			return nil, &settingError{p.Name, "can't set protected config"}
		case d.has(immutable):
			return nil, &settingError{p.Name, "can't set immutable config"}
		case d.has(denyLoading) && mode.loading:
			return nil, errConfigLoading
		case names[name]:
			return nil, &settingError{p.Name, "duplicate parameter"}
		}
		rows, names[name] = append(rows, d), true
	}
	return rows, nil
}

// applyLocked calls the hooks of what differs between old and changed. REQUIRES: c.mu.
func (c *Config) applyLocked(old, changed *Settings) error {
	for i, h := range c.hooks {
		d := h.firstChanged(old, changed)
		if d == nil {
			continue
		}
		err := h.apply(old, changed)
		if err == nil {
			continue
		}
		for _, done := range c.hooks[:i] {
			if done.firstChanged(old, changed) != nil {
				err = errors.Join(err, done.apply(changed, old))
			}
		}
		return &settingError{d.name, err.Error()}
	}
	return nil
}

// firstChanged returns the first directive of the hook whose value differs, or nil.
func (h *changeHook) firstChanged(old, changed *Settings) *directive {
	for _, d := range h.directives {
		if d.format(old) != d.format(changed) {
			return d
		}
	}
	return nil
}

// normalise brings values that are taken but out of their useful range into it.
func (s *Settings) normalise() {
	s.Hz = min(max(s.Hz, 1), 500)
}

// Validate checks what no directive alone can say, once all sources have been
// read, and makes paths absolute.
func (c *Config) Validate() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.Load().clone()
	s.normalise()
	if s.Port == 0 && s.UnixSocket == "" {
		return errors.New("port is 0 and unixsocket is empty: there is nothing to listen on")
	}
	if s.Dir == "" {
		return errors.New("dir is empty")
	}
	dir, err := filepath.Abs(s.Dir)
	if err != nil {
		return fmt.Errorf("dir: %w", err)
	}
	s.Dir = dir
	c.current.Store(s)
	return nil
}

// Directive describes one directive to whoever offers it as a flag or documents
// it.
type Directive struct {
	Name    string
	Aliases []string
	Default string
	Values  string // which are taken, in words
	Doc     string
	Words   bool // the value is several words
	Inert   bool // kept, but without effect
}

// Directives returns every directive there is.
func Directives() []Directive {
	list := make([]Directive, 0, len(directives))
	for _, d := range directives {
		list = append(list, Directive{
			Name: d.name, Aliases: slices.Clone(d.aliases), Default: d.def,
			Values: d.kind.describe(), Doc: d.doc,
			Words: d.has(manyWords), Inert: d.has(inert),
		})
	}
	return list
}

// SplitWords splits a line into words as the configuration file does. ok is
// false if its quotes are not balanced.
func SplitWords(line string) (words []string, ok bool) { return splitWords(line) }

// QuoteWord writes a word so that SplitWords reads it back, in quotes if it
// needs them.
func QuoteWord(w string) string { return quoteWord(w) }
