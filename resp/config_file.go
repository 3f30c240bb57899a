package resp

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// The configuration file has Redis's syntax: a directive and its words on each
// line, empty lines and lines that begin with # aside. A word may be in double
// quotes, with the escapes \n \r \t \b \a \xHH, or in single quotes, with \'.
// "include" reads another file, or all files that match a pattern, in place.

// maxIncludeDepth bounds includes within includes; a circle of them ends here.
const maxIncludeDepth = 16

// ConfigError says where a configuration is wrong: one line for the operator.
type ConfigError struct {
	// Origin is where the directive was given: file and line, flag or variable.
	Origin string
	// Directive is its name, as given.
	Directive string
	// Reason says what is wrong with it.
	Reason string
}

// Error implements error.
func (e *ConfigError) Error() string {
	if e.Directive == "" {
		return fmt.Sprintf("%s: %s", e.Origin, e.Reason)
	}
	return fmt.Sprintf("%s: %s: %s", e.Origin, e.Directive, e.Reason)
}

// Sources collects what a configuration is read from, in ascending order of
// precedence: files, environment, command line. Warnings are what the operator
// should know and what is no error.
type Sources struct {
	Warnings []string

	c *Config
	s *Settings
	// added are the directives that add up over the lines of a file and have
	// had a first line.
	added map[*directive]bool
	// origins are where the directives were given last, for errors that are
	// found at the end.
	origins map[*directive]string
}

// Begin starts reading sources. Nothing changes before Sources.Done.
func (c *Config) Begin() *Sources {
	return &Sources{
		c: c, s: c.Load().clone(),
		added: make(map[*directive]bool), origins: make(map[*directive]string),
	}
}

// Done makes what was read the settings. It is for the start of a server: no
// hook is called.
func (r *Sources) Done() error {
	for _, d := range directives {
		at, given := r.origins[d]
		if err := d.refusal(r.s); err != nil {
			return &ConfigError{Origin: at, Directive: d.name, Reason: err.Error()}
		}
		if given && d.isIdle(r.s) {
			r.Warnings = append(r.Warnings, d.idleWarning(at))
		}
	}
	r.c.current.Store(r.s)
	return r.c.Validate()
}

// File reads a configuration file. REWRITE will write to it.
func (r *Sources) File(name string) error {
	if r.c.files == nil {
		return errors.New("resp: this configuration reads no files")
	}
	path, err := filepath.Abs(name)
	if err != nil {
		return &ConfigError{Origin: name, Reason: err.Error()}
	}
	r.c.mu.Lock()
	r.c.file = path
	r.c.mu.Unlock()
	return r.readFile(name, 0)
}

func (r *Sources) readFile(name string, depth int) error {
	data, err := r.c.files.ReadFile(name)
	if err != nil {
		return &ConfigError{Origin: name, Reason: err.Error()}
	}
	return r.text(name, string(data), depth)
}

// Text reads configuration text that is in no file; origin names it in errors.
func (r *Sources) Text(origin, text string) error { return r.text(origin, text, 0) }

func (r *Sources) text(origin, text string, depth int) error {
	number := 0
	for line := range strings.SplitSeq(text, "\n") {
		number++
		line = strings.Trim(line, " \t\r\n")
		if line == "" || line[0] == '#' {
			continue
		}
		at := fmt.Sprintf("%s line %d", origin, number)
		words, ok := splitWords(line)
		if !ok {
			return &ConfigError{Origin: at, Reason: "unbalanced quotes"}
		}
		if len(words) == 0 {
			continue
		}
		if strings.EqualFold(words[0], "include") {
			if err := r.include(at, words, depth); err != nil {
				return err
			}
			continue
		}
		if err := r.Directive(at, words[0], words[1:]...); err != nil {
			return err
		}
	}
	return nil
}

func (r *Sources) include(at string, words []string, depth int) error {
	bad := func(reason string) error {
		return &ConfigError{Origin: at, Directive: "include", Reason: reason}
	}
	switch {
	case len(words) != 2:
		return bad(errWordCount.Error())
	case depth >= maxIncludeDepth:
		return bad("too many includes within includes; is there a circle?")
	case r.c.files == nil:
		return bad("not possible here")
	}
	names := []string{words[1]}
	if strings.ContainsAny(words[1], "*?[") {
		var err error
		if names, err = r.c.files.Glob(words[1]); err != nil {
			return bad(err.Error())
		}
	}
	for _, name := range names {
		data, err := r.c.files.ReadFile(name)
		if err != nil {
			return bad(name + ": " + err.Error())
		}
		if err := r.text(name, string(data), depth+1); err != nil {
			return err
		}
	}
	return nil
}

// oldDirectives were directives of old versions of Redis; they are read over.
var oldDirectives = map[string]bool{
	"list-max-ziplist-entries": true,
	"list-max-ziplist-value":   true,
	"lua-replicate-commands":   true,
}

// missingDirectives are lines of redis.conf that are no directives in our
// sense, and why they are refused.
var missingDirectives = map[string]string{
	"user":           noACL,
	"rename-command": "commands cannot be renamed; requirepass and protected-mode guard the server",
	"loadmodule":     noModules,
	"sentinel":       "this is not a Sentinel",
}

// WhyNoDirective says why a name, in lower case, is that of no directive: because this
// server does not support it, or because nobody knows it.
func WhyNoDirective(name string) string {
	if why := missingDirectives[name]; why != "" {
		return "not supported: " + why
	}
	return "unknown directive"
}

// Directive sets one directive. origin says where it was given, for errors.
func (r *Sources) Directive(origin, name string, words ...string) error {
	d := findDirective(name)
	if d == nil {
		lower := strings.ToLower(name)
		if oldDirectives[lower] {
			r.Warnings = append(r.Warnings, fmt.Sprintf("%s: %s has no effect any more", origin, lower))
			return nil
		}
		return &ConfigError{Origin: origin, Directive: name, Reason: WhyNoDirective(lower)}
	}
	old := d.access.load(r.s)
	if d.has(adding) && !r.added[d] {
		old = nil
		r.added[d] = true
	}
	v, err := d.kind.parse(words, old)
	if err != nil {
		return &ConfigError{Origin: origin, Directive: d.name, Reason: err.Error()}
	}
	d.access.store(r.s, v)
	r.origins[d] = origin
	return nil
}

// Fresh forgets that adding directives (save) were given before, so that those
// of the next source replace the earlier ones.
func (r *Sources) Fresh() { clear(r.added) }

// splitWords splits a line into words as redis.conf and inline commands do. ok
// is false if a quote is not closed, or is closed in the middle of a word.
func splitWords(line string) (words []string, ok bool) {
	buf, spans, ok := splitQuoted(nil, nil, []byte(line))
	if !ok {
		return nil, false
	}
	for _, s := range spans {
		words = append(words, string(buf[s.at:s.at+s.len]))
	}
	return words, true
}

func isSpace(ch byte) bool {
	return ch == ' ' || ch >= '\t' && ch <= '\r'
}

func unescape(ch byte) byte {
	switch ch {
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'b':
		return '\b'
	case 'a':
		return '\a'
	}
	return ch
}

func isHex(ch byte) bool {
	return ch >= '0' && ch <= '9' || ch|0x20 >= 'a' && ch|0x20 <= 'f'
}

func hexValue(ch byte) byte {
	if ch <= '9' {
		return ch - '0'
	}
	return ch | 0x20 - 'a' + 10
}

// quoteWord writes a word so that splitWords reads it back, in quotes if it
// needs them.
func quoteWord(w string) string {
	plain := w != "" && w[0] != '#'
	for i := range len(w) {
		if ch := w[i]; ch <= ' ' || ch >= 0x7f || ch == '"' || ch == '\'' || ch == '\\' {
			plain = false
		}
	}
	if plain {
		return w
	}
	return string(appendRepr(nil, []byte(w)))
}
