package resp

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

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
not exist, or a value that is not taken, ends the start with one line that says where it is. A directive of Redis
that has no effect here is kept and answered, and setting it to anything but its default is logged as a warning;
those marked *refused* are not taken at all, because whoever sets them relies on what they do.

"At run time" is what CONFIG SET does: *yes*; *no*, only at the start; *protected*, only if enable-protected-configs allows it.

## Directives with effect

`)
	writeRows(&b, func(d *directive) bool { return !d.has(inert) })
	b.WriteString("\n## Directives of Redis that are kept without effect\n\n")
	writeRows(&b, func(d *directive) bool { return d.has(inert) })
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
		def := "`" + d.def + "`"
		if d.def == "" {
			def = `""`
		}
		doc := d.doc
		if d.has(refused) {
			doc = "*Refused.* " + doc
		}
		values := strings.ReplaceAll(d.kind.describe(), "|", `\|`)
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", name, def, values, d.changeable(), doc)
	}
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
