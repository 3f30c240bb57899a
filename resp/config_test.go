package resp

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// memFiles is a ConfigFiles of a test.
type memFiles map[string]string

func (m memFiles) ReadFile(name string) ([]byte, error) {
	text, ok := m[name]
	if !ok {
		return nil, errors.New("no such file") // the name is not in it, as from cmd's
	}
	return []byte(text), nil
}

func (m memFiles) Glob(pattern string) ([]string, error) {
	prefix, suffix, _ := strings.Cut(pattern, "*")
	var names []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if strings.HasPrefix(name, prefix) && strings.HasSuffix(name, suffix) {
			names = append(names, name)
		}
	}
	return names, nil
}

func (m memFiles) ReplaceFile(name string, data []byte) error {
	m[name] = string(data)
	return nil
}

// readConfig reads text as the file /c.
func readConfig(t *testing.T, text string) (*Config, *Sources, error) {
	t.Helper()
	c := NewConfig(memFiles{"/c": text})
	r := c.Begin()
	if err := r.File("/c"); err != nil {
		return c, r, err
	}
	return c, r, r.Done()
}

// get returns the value of one directive as CONFIG GET prints it.
func (c *Config) get(t *testing.T, name string) string {
	t.Helper()
	list := c.Get(name)
	if len(list) != 1 {
		t.Fatalf("CONFIG GET %s: %d results", name, len(list))
	}
	return list[0].Value
}

func TestConfigTable(t *testing.T) {
	for _, d := range directives {
		if d.name != strings.ToLower(d.name) {
			t.Errorf("%s is not in lower case", d.name)
		}
		if d.doc == "" || !strings.HasSuffix(d.doc, ".") && !strings.HasSuffix(d.doc, ".)") {
			t.Errorf("%s: documentation %q is no sentence", d.name, d.doc)
		}
		if d.has(refused) && !d.has(inert) {
			t.Errorf("%s is refused but not inert", d.name)
		}
		// What is printed can be read back.
		s := NewConfig(nil).Load()
		for _, line := range d.lines(s) {
			words, ok := splitWords(line)
			if !ok || len(words) < 2 {
				t.Errorf("%s: line %q", d.name, line)
				continue
			}
			if _, err := d.kind.parse(words[1:], d.access.load(s)); err != nil {
				t.Errorf("%s: its own line %q is refused: %v", d.name, line, err)
			}
		}
	}
}

// The names that clients, tools and test suites ask for.
func TestConfigGetAnswers(t *testing.T) {
	names := strings.Fields(`databases timeout maxmemory maxmemory-policy maxclients save appendonly appendfsync
		dir dbfilename notify-keyspace-events replica-read-only bind port requirepass slowlog-log-slower-than
		slowlog-max-len latency-monitor-threshold hash-max-ziplist-entries hash-max-ziplist-value
		hash-max-listpack-entries hash-max-listpack-value zset-max-ziplist-entries zset-max-ziplist-value
		zset-max-listpack-entries zset-max-listpack-value set-max-intset-entries set-max-listpack-entries
		list-max-ziplist-size list-max-listpack-size list-compress-depth io-threads proto-max-bulk-len
		client-output-buffer-limit lua-time-limit busy-reply-threshold stream-node-max-entries
		hll-sparse-max-bytes client-query-buffer-limit sanitize-dump-payload maxmemory-clients
		tracking-table-max-keys aof-use-rdb-preamble rdb-key-save-delay min-replicas-to-write
		replica-serve-stale-data loglevel shutdown-on-sigint shutdown-on-sigterm proc-title-template
		latency-tracking latency-tracking-info-percentiles`)
	c := NewConfig(nil)
	for _, name := range names {
		if list := c.Get(name); len(list) != 1 || list[0].Name != name {
			t.Errorf("CONFIG GET %s = %v", name, list)
		}
	}
	if list := c.Get("PORT", "por?", "nothing"); len(list) != 2 || list[0].Name != "PORT" || list[1].Name != "port" {
		t.Errorf("names are given back as asked for: %v", list)
	}
	if list := c.Get("rdb-key-*"); len(list) != 0 {
		t.Errorf("a hidden directive answers a pattern: %v", list)
	}
	if n := len(c.Get("*")); n < 180 {
		t.Errorf("CONFIG GET * has %d names", n)
	}
}

func TestConfigFile(t *testing.T) {
	tests := []struct{ name, text, directive, want string }{
		{"comment and blank lines", "# port 1\n\n \t\nport 7000\n", "port", "7000"},
		{"any case", "PoRt 7000", "port", "7000"},
		{"last one wins", "port 1\nport 2", "port", "2"},
		{"carriage returns", "port 7000\r\nhz 20\r\n", "hz", "20"},
		{"double quotes", `requirepass "a b\x41\n\"\\"`, "requirepass", "a bA\n\"\\"},
		{"single quotes", `requirepass 'a "b\' \n'`, "requirepass", `a "b' \n`},
		{"empty string", `requirepass ""`, "requirepass", ""},
		{"no units", "maxmemory 12", "maxmemory", "12"},
		{"kb", "maxmemory 1kb", "maxmemory", "1024"},
		{"k", "maxmemory 1K", "maxmemory", "1000"},
		{"gb", "maxmemory 3GB", "maxmemory", "3221225472"},
		{"percent", "maxmemory-clients 5%", "maxmemory-clients", "5%"},
		{"alias", "slave-read-only no", "replica-read-only", "no"},
		{"alias of a size", "hash-max-ziplist-entries 7", "hash-max-listpack-entries", "7"},
		{"save adds up", "save 60 1\nsave 5 10", "save", "60 1 5 10"},
		{"save several at once", "save 60 1 5 10", "save", "60 1 5 10"},
		{"save nothing", `save ""`, "save", ""},
		{"save nothing, then something", "save \"\"\nsave 5 1", "save", "5 1"},
		{
			"output limits change one class", "client-output-buffer-limit pubsub 1mb 1kb 7", "client-output-buffer-limit",
			"normal 0 0 0 slave 268435456 67108864 60 pubsub 1048576 1024 7",
		},
		{"events", "notify-keyspace-events KEA", "notify-keyspace-events", "AKE"},
		{"events in their order", "notify-keyspace-events nmgKE", "notify-keyspace-events", "gnKEm"},
		{"bind several", "bind 127.0.0.1 -::1", "bind", "127.0.0.1 -::1"},
		{"percentiles", "latency-tracking-info-percentiles 50 99.99", "latency-tracking-info-percentiles", "50 99.99"},
		{"octal", "unixsocketperm 770", "unixsocketperm", "770"},
		{"fraction", "merge-ratio 0.25", "merge-ratio", "0.25"},
		{"what is refused, taken back", "tls-port 6380\ntls-port 0", "tls-port", "0"},
		{"hz is clamped", "hz 10000", "hz", "500"},
		{"enumeration in any case", "appendfsync ALWAYS", "appendfsync", "always"},
		{"synonym", "oom-score-adj yes", "oom-score-adj", "relative"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, _, err := readConfig(t, tt.text)
			if err != nil {
				t.Fatal(err)
			}
			if got := c.get(t, tt.directive); got != tt.want {
				t.Errorf("%s = %q, want %q", tt.directive, got, tt.want)
			}
		})
	}
}

func TestConfigFileErrors(t *testing.T) {
	tests := []struct{ text, want string }{
		{"\nporrt 5", "/c line 2: porrt: unknown directive"},
		{"port abc", "/c line 1: port: argument couldn't be parsed into an integer"},
		{"port 70000", "/c line 1: port: argument must be between 0 and 65535 inclusive"},
		{"port", "/c line 1: port: wrong number of arguments"},
		{"port 1 2", "/c line 1: port: wrong number of arguments"},
		{"hz 10\nrequirepass \"a", "/c line 2: unbalanced quotes"},
		{`requirepass "a"b`, "/c line 1: unbalanced quotes"},
		{"appendfsync sometimes", "/c line 1: appendfsync: argument(s) must be one of the following: everysec, always, no, bytes"},
		{"maxmemory 1tb", "/c line 1: maxmemory: argument must be a memory value"},
		{"maxmemory 99999999999gb", "/c line 1: maxmemory: argument must be between 0 and 9223372036854775807 inclusive"},
		{"maxmemory 99999999999999999999", "/c line 1: maxmemory: argument must be between 0 and 9223372036854775807 inclusive"},
		{"save 1", "/c line 1: save: Invalid save parameters"},
		{"include /nowhere", "/c line 1: include: /nowhere: no such file"},
		{"include /c", "/c line 1: include: too many includes within includes; is there a circle?"},
		{"user alice on", "/c line 1: user: not supported: ACL users are not built yet."},
		{"replicaof 1.2.3.4 6379", "/c line 1: replicaof: not supported: Replication is not built yet."},
		{"tls-port 6380", "/c line 1: tls-port: not supported: TLS is not built yet."},
		{"cluster-enabled yes", "/c line 1: cluster-enabled: not supported: Cluster mode is not built yet."},
		{"hz 20\ntls-port 6380\nport x", "/c line 3: port: argument couldn't be parsed into an integer"},
		{"port 0", "port is 0 and unixsocket is empty: there is nothing to listen on"},
		{`dir ""`, "dir is empty"},
		{"merge-ratio 0", "/c line 1: merge-ratio: argument must be above 0 and at most 1"},
		{"shutdown-on-sigint default now", "/c line 1: shutdown-on-sigint: 'default' cannot be combined with others"},
		{"shutdown-on-sigint nosave save", "/c line 1: shutdown-on-sigint: shutdown options SAVE and NOSAVE can't be used simultaneously"},
	}
	for _, tt := range tests {
		_, _, err := readConfig(t, tt.text)
		if err == nil || err.Error() != tt.want {
			t.Errorf("%q:\n got %v\nwant %s", tt.text, err, tt.want)
		}
	}
}

func TestConfigInclude(t *testing.T) {
	files := memFiles{
		"/c":        "port 1\ninclude /sub.conf\ninclude /d/*.conf\ninclude /none/*\nhz 30\n",
		"/sub.conf": "port 2\nhz 20\n",
		"/d/1.conf": "timeout 1\n",
		"/d/2.conf": "timeout 2\n",
	}
	c := NewConfig(files)
	r := c.Begin()
	if err := r.File("/c"); err != nil {
		t.Fatal(err)
	}
	if err := r.Done(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"port": "2", "hz": "30", "timeout": "2"} {
		if got := c.get(t, name); got != want {
			t.Errorf("%s = %s, want %s", name, got, want)
		}
	}
	files["/d/2.conf"] = "timeout x"
	err := NewConfig(files).Begin().File("/c")
	if want := "/d/2.conf line 1: timeout: argument couldn't be parsed into an integer"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestConfigWarnings(t *testing.T) {
	_, r, err := readConfig(t, "activedefrag yes\nrdbcompression yes\nlua-replicate-commands no\nport 7000\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"/c line 3: lua-replicate-commands has no effect any more",
		"/c line 1: activedefrag has no effect: Memory is Go's, not jemalloc's; there is no defragmenter. CONFIG SET refuses it, as a Redis without jemalloc does.",
	}
	if !slices.Equal(r.Warnings, want) {
		t.Errorf("warnings %q, want %q", r.Warnings, want)
	}
	// To ask for no snapshots is to ask for what is so.
	if _, r, err = readConfig(t, "save \"\"\n"); err != nil || len(r.Warnings) != 0 {
		t.Errorf("save \"\" warns %q, %v", r.Warnings, err)
	}
}

func TestConfigSet(t *testing.T) {
	pairs := func(words ...string) (list []Setting) {
		for i := 0; i < len(words); i += 2 {
			list = append(list, Setting{words[i], words[i+1]})
		}
		return list
	}
	tests := []struct {
		name  string
		pairs []Setting
		mode  setMode
		want  string // the error, as text
	}{
		{"one", pairs("hz", "20"), setMode{}, ""},
		{"several", pairs("hz", "20", "timeout", "5"), setMode{}, ""},
		{"unknown", pairs("foo", "1"), setMode{}, "unknown directive foo"},
		{"immutable", pairs("databases", "5"), setMode{}, "databases: can't set immutable config"},
		{"protected", pairs("dbfilename", "a"), setMode{}, "dbfilename: can't set protected config"},
		{"protected, allowed", pairs("dbfilename", "a"), setMode{protected: true}, ""},
		{"dir", pairs("dir", "/"), setMode{}, "dir: can't set protected config"},
		{"dir never", pairs("dir", "/"), setMode{protected: true}, "dir: can't set immutable config"},
		{"only at the start", pairs("mmap", "no"), setMode{}, "mmap: can't set immutable config"},
		{"only at the start, the same", pairs("index-type", "art", "mmap", "yes"), setMode{}, ""},
		{"twice", pairs("hz", "20", "hz", "30"), setMode{}, "hz: duplicate parameter"},
		{"twice by an alias", pairs("lua-time-limit", "2", "busy-reply-threshold", "2"), setMode{}, ""},
		{"bad value of an alias", pairs("Lua-Time-Limit", "x"), setMode{}, "lua-time-limit: argument couldn't be parsed into an integer"},
		{"bad value", pairs("hz", "20", "timeout", "x"), setMode{}, "timeout: argument couldn't be parsed into an integer"},
		{"while loading", pairs("appendonly", "yes"), setMode{loading: true}, errConfigLoading.Error()},
		{"while loading, allowed", pairs("hz", "20"), setMode{loading: true}, ""},
		{"several words", pairs("save", "60 1 5 2"), setMode{}, ""},
		{"refused", pairs("tls-port", "1"), setMode{}, "tls-port: not supported: TLS is not built yet."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := NewConfig(nil)
			before := c.Load()
			err := c.set(tt.pairs, tt.mode)
			if got := errorString(err); got != tt.want {
				t.Fatalf("error %q, want %q", got, tt.want)
			}
			if err != nil && c.Load() != before {
				t.Error("a change that failed changed something")
			}
			if err != nil {
				return
			}
			for _, p := range tt.pairs {
				if got := c.get(t, p.Name); got != p.Value {
					t.Errorf("%s = %q, want %q", p.Name, got, p.Value)
				}
			}
		})
	}
}

func errorString(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// A hook that fails undoes those before it, and nothing changes.
func TestConfigHooks(t *testing.T) {
	c := NewConfig(nil)
	var calls []string
	c.OnChange(func(old, changed *Settings) error {
		calls = append(calls, fmt.Sprintf("timeout %d->%d", old.TimeoutSec, changed.TimeoutSec))
		return nil
	}, "timeout")
	c.OnChange(func(_, changed *Settings) error {
		if changed.MaxClients > 100 {
			return errors.New("too many")
		}
		calls = append(calls, "maxclients")
		return nil
	}, "maxclients", "hz")
	err := c.set([]Setting{{"timeout", "5"}, {"maxclients", "1000"}}, setMode{})
	if got := errorString(err); got != "maxclients: too many" {
		t.Errorf("error %q", got)
	}
	if want := []string{"timeout 0->5", "timeout 5->0"}; !slices.Equal(calls, want) {
		t.Errorf("calls %q, want %q", calls, want)
	}
	if c.Load().TimeoutSec != 0 {
		t.Error("timeout changed")
	}
	calls = nil
	if err := c.set([]Setting{{"timeout", "5"}, {"maxclients", "50"}}, setMode{}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"timeout 0->5", "maxclients"}; !slices.Equal(calls, want) {
		t.Errorf("calls %q, want %q", calls, want)
	}
	calls = nil
	if err := c.set([]Setting{{"timeout", "5"}}, setMode{}); err != nil || calls != nil {
		t.Errorf("setting what is set already: %v, calls %q", err, calls)
	}
}

func TestConfigRewrite(t *testing.T) {
	tests := []struct {
		name, text string
		set        []Setting
		want       string
	}{
		{"nothing changed", "# mine\nport 7000\n", nil, "# mine\nport 7000\n"},
		{
			"a value in its place", "# first\nhz 20\n# last\ntimeout 1\n",
			[]Setting{{"hz", "30"}},
			"# first\nhz 30\n# last\ntimeout 1\n",
		},
		{
			"a new one at the end", "# mine\nport 7000\n",
			[]Setting{{"hz", "30"}},
			"# mine\nport 7000\n" + rewriteSignature + "\nhz 30\n",
		},
		{
			"the signature is there once", "port 7000\n" + rewriteSignature + "\nhz 30\n",
			[]Setting{{"timeout", "3"}},
			"port 7000\n" + rewriteSignature + "\nhz 30\ntimeout 3\n",
		},
		{"a unit stays", "maxmemory 1024mb\n", nil, "maxmemory 1024mb\n"},
		{"a size with its unit", "maxmemory 1mb\n", []Setting{{"maxmemory", "2147483648"}}, "maxmemory 2gb\n"},
		{"further lines go", "hz 20\ntimeout 1\nhz 30\n", nil, "hz 30\ntimeout 1\n"},
		{"back to the default", "hz 20\n", []Setting{{"hz", "10"}}, "hz 10\n"},
		{"save, a line each", "save 60 1\n", []Setting{{"save", "5 1 6 2"}}, "save 5 1\nsave 6 2\n"},
		{"save, none", "save 60 1\nsave 5 1\n", []Setting{{"save", ""}}, "save \"\"\n"},
		{"save unchanged over two lines", "save 60 1\nsave 5 1\n", nil, "save 60 1\nsave 5 1\n"},
		{"quotes", "requirepass x\n", []Setting{{"requirepass", "a b\"\n"}}, "requirepass \"a b\\\"\\n\"\n"},
		{"by its alias", "slave-read-only yes\n", []Setting{{"replica-read-only", "no"}}, "replica-read-only no\n"},
		{"includes stay", "include /d/*.conf\nhz 20\n", []Setting{{"hz", "30"}}, "include /d/*.conf\nhz 30\n"},
		{
			"output limits", "client-output-buffer-limit pubsub 1mb 0 0\n",
			[]Setting{{"client-output-buffer-limit", "normal 1kb 2 3"}},
			"client-output-buffer-limit normal 1kb 2 3\nclient-output-buffer-limit replica 256mb 64mb 60\n" +
				"client-output-buffer-limit pubsub 1mb 0 0\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			files := memFiles{"/c": "dir /d\n" + tt.text}
			c := NewConfig(files)
			r := c.Begin()
			if err := r.File("/c"); err != nil {
				t.Fatal(err)
			}
			if err := r.Done(); err != nil {
				t.Fatal(err)
			}
			if tt.set != nil {
				if err := c.set(tt.set, setMode{}); err != nil {
					t.Fatal(err)
				}
			}
			if err := c.Rewrite(); err != nil {
				t.Fatal(err)
			}
			if got := strings.TrimPrefix(files["/c"], "dir /d\n"); got != tt.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, tt.want)
			}
			again := NewConfig(files).Begin()
			if err := again.File("/c"); err != nil {
				t.Errorf("what was written is refused: %v", err)
			}
		})
	}
	if err := NewConfig(nil).Rewrite(); !errors.Is(err, errNoConfigFile) {
		t.Errorf("without a file: %v", err)
	}
}

// FuzzConfig: no text panics; what was read can be rewritten and is read the
// same again.
func FuzzConfig(f *testing.F) {
	for _, seed := range []string{
		"port 7000\n# c\nsave 1 2\nsave 3 4\n", `requirepass "a\x00b"`, "include x\n", "client-output-buffer-limit normal 1gb 2 3",
		"maxmemory 9223372036854775807", "bind * -::*\r\n", "'", `"\x`, "notify-keyspace-events KEA", "unixsocketperm 777",
		"latency-tracking-info-percentiles 1e1 0x5", "shutdown-on-sigint now force", "oom-score-adj-values 1 2 3",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		files := memFiles{"/c": text}
		c := NewConfig(files)
		r := c.Begin()
		if r.File("/c") != nil || r.Done() != nil {
			return
		}
		if err := c.Rewrite(); err != nil {
			t.Fatal(err)
		}
		again := NewConfig(files)
		r = again.Begin()
		if err := r.File("/c"); err != nil {
			t.Fatalf("%v\nrewritten as %q", err, files["/c"])
		}
		if err := r.Done(); err != nil {
			t.Fatal(err)
		}
		before, after := c.Get("*"), again.Get("*")
		for i := range before {
			if before[i] != after[i] {
				t.Errorf("%v became %v in %q", before[i], after[i], files["/c"])
			}
		}
	})
}
