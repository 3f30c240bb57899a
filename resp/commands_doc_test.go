package resp

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the files that tests generate")

// docGroups are the groups of commands in the order of docs/commands.md.
var docGroups = []struct{ name, title string }{
	{"string", "Strings"},
	{"generic", "Keys"},
	{"hash", "Hashes"},
	{"list", "Lists"},
	{"set", "Sets"},
	{"sorted-set", "Sorted sets"},
	{"bitmap", "Bitmaps"},
	{"hyperloglog", "HyperLogLog"},
	{"geo", "Geo"},
	{"stream", "Streams"},
	{"pubsub", "Publish and subscribe"},
	{"transactions", "Transactions"},
	{"scripting", "Scripts and functions"},
	{"connection", "Connection"},
	{"server", "Server"},
	{"cluster", "Cluster"},
}

// TestCommandsDoc keeps docs/commands.md what the table says; -update rewrites it.
func TestCommandsDoc(t *testing.T) {
	path := filepath.Join("..", "docs", "commands.md")
	want := commandsDoc(t)
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is stale: run go test ./resp -run TestCommandsDoc -update", path)
	}
}

// commandsDoc writes docs/commands.md.
func commandsDoc(t *testing.T) string {
	t.Helper()
	implemented := make(map[string]bool)
	for _, cmd := range newCommandTable(allBindings()...).rows {
		implemented[cmd.name] = cmd.run != nil
	}
	byGroup := make(map[string][]*commandData)
	data := commandList(t)
	done, all := 0, 0
	for i := range data {
		d := &data[i]
		if isContainer(data, i) && !implemented[d.Name] {
			continue // says nothing that its subcommands do not say
		}
		group := d.parseDocs().Group
		byGroup[group] = append(byGroup[group], d)
		all++
		if implemented[d.Name] {
			done++
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, `# Commands

Generated from the command table (resp/commands.json and the handlers bound to
it) by go test ./resp -run TestCommandsDoc -update; do not edit.

Of the %d commands and subcommands of Redis 7.4, %d are supported, with every option
of Redis 7.4 unless a note says otherwise. One that is not yet supported answers as
an unknown command does, and COMMAND does not list it.

Replies are tested byte for byte against redis-server 7.0.15; what that release does not
know is as the documentation of Redis 7.4 says. INFO and HELLO give %s as redis_version,
and not 7.4, because clients and frameworks take it for a promise that every command of
that release is here; the version of this server itself is bitkv_version.
`, all, done, RedisVersion)
	for _, group := range docGroups {
		writeGroup(&b, group.title, byGroup[group.name], implemented)
		delete(byGroup, group.name)
	}
	for name := range byGroup {
		t.Errorf("group %s is not in docGroups", name)
	}
	return b.String()
}

func isContainer(data []commandData, i int) bool {
	return i+1 < len(data) && strings.HasPrefix(data[i+1].Name, data[i].Name+"|")
}

func writeGroup(b *strings.Builder, title string, list []*commandData, implemented map[string]bool) {
	fmt.Fprintf(b, "\n## %s\n", title)
	var missing []string
	table := "\n| command | what it does | differs from Redis |\n|---|---|---|\n"
	any := false
	for _, d := range list {
		name := strings.ToUpper(strings.ReplaceAll(d.Name, "|", " "))
		if !implemented[d.Name] {
			missing = append(missing, name)
			continue
		}
		any = true
		summary := strings.TrimRight(strings.TrimSpace(d.parseDocs().Summary), ".")
		table += fmt.Sprintf("| %s | %s | %s |\n", name, summary, d.Differs)
	}
	if any {
		b.WriteString(table)
	}
	if len(missing) > 0 {
		fmt.Fprintf(b, "\nNot yet: %s.\n", strings.Join(missing, ", "))
	}
}
