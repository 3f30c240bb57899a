package resp

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// firstDirectives are what most servers set, or should think about.
var firstDirectives = []string{
	"dir", "appendfsync", "bind", "port", "requirepass", "protected-mode", "maxclients", "databases", "logfile",
	"go-memlimit", "merge-dead-bytes", "scrub-interval",
}

// configurationDoc is docs/configuration.md, from the table of directives.
func configurationDoc() string {
	var b strings.Builder
	b.WriteString(`# Configuration

Generated from the table of directives by ` + "`go test ./resp -run TestConfigurationDoc -update`" + `; do not edit.

A directive can be given in four places; a later one in this list wins:

1. the configuration file, the first argument: ` + "`bitkv-redis /etc/bitkv.conf`" + ` (` + "`-`" + ` reads standard input),
   in the syntax of redis.conf: a directive and its words on each line, ` + "`#`" + ` comments, words in double quotes
   (with ` + "`\\n \\r \\t \\a \\b \\xHH`" + `) or single quotes, and ` + "`include file-or-pattern`" + `;
2. the environment: ` + "`BITKV_PORT=7000`" + `, upper case, with ` + "`_`" + ` for ` + "`-`" + `;
3. the command line: ` + "`--port 7000`" + `, also with several words: ` + "`--save 60 1`" + `;
4. at run time: ` + "`CONFIG SET`" + `, kept by ` + "`CONFIG REWRITE`" + `, which leaves comments and order alone.

Bytes take the units of redis.conf: ` + "`1k`" + ` is 1000, ` + "`1kb`" + ` is 1024, and so on with ` + "`m`" + ` and ` + "`g`" + `. A directive that does
not exist, or a value that is not taken, ends the start with one line that says where it is; but a variable of the
environment that begins with ` + "`BITKV_`" + ` and names no directive is only warned about, because it may be somebody else's.
A directive of Redis that has no effect here is kept and answered, and setting it to anything but its default, at the
start or by CONFIG SET, is logged as a warning.

"At run time" is what CONFIG SET does: *yes*; *no*, only at the start; *protected*, only if enable-protected-configs allows it.

## Those that matter first

| directive | default | |
|---|---|---|
`)
	for _, name := range firstDirectives {
		d := findDirective(name)
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", d.name, d.defaultText(), d.doc)
	}
	b.WriteString(`
## Refused

Whoever sets these relies on what they do, and they do nothing here yet: the start ends, and CONFIG SET is an error.
Directives with a default are taken with it.

| directive | |
|---|---|
`)
	for _, name := range slices.Sorted(maps.Keys(missingDirectives)) {
		why := missingDirectives[name]
		fmt.Fprintf(&b, "| `%s` | %s. |\n", name, strings.ToUpper(why[:1])+strings.TrimSuffix(why[1:], "."))
	}
	for _, d := range directives {
		if d.has(refused) {
			fmt.Fprintf(&b, "| `%s` (default %s) | %s |\n", d.name, d.defaultText(), d.doc)
		}
	}
	b.WriteString("\n## Directives with effect\n\n")
	writeRows(&b, func(d *directive) bool { return !d.has(inert) })
	b.WriteString("\n## Directives of Redis that are kept without effect\n\n")
	writeRows(&b, func(d *directive) bool { return d.has(inert) && !d.has(refused) })
	return b.String()
}

func writeRows(b *strings.Builder, include func(*directive) bool) {
	b.WriteString("| directive | default | values | at run time | |\n|---|---|---|---|---|\n")
	for _, d := range directives {
		if !include(d) {
			continue
		}
		name := "`" + d.name + "`"
		for _, alias := range d.aliases {
			name += ", `" + alias + "`"
		}
		values := strings.ReplaceAll(d.kind.describe(), "|", `\|`)
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", name, d.defaultText(), values, d.changeable(), d.doc)
	}
}

func (d *directive) defaultText() string {
	if d.def == "" {
		return `""`
	}
	return "`" + d.def + "`"
}

func (d *directive) changeable() string {
	switch {
	case d.has(immutable | startOnly):
		return "no"
	case d.has(protected):
		return "protected"
	}
	return "yes"
}

func TestConfigurationDoc(t *testing.T) {
	const name = "../docs/configuration.md"
	want := configurationDoc()
	if *update {
		if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what the table says; run: go test ./resp -run TestConfigurationDoc -update", name)
	}
}
