package resp

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// everyCommand is the table that a server with all commands of Redis would have.
func everyCommand(t *testing.T) *commandTable {
	t.Helper()
	bound := make(map[string]binding)
	for _, d := range commandList(t) {
		bound[d.Name] = binding{run: func(*client, [][]byte) {}}
	}
	return newCommandTable(bound)
}

func commandList(t *testing.T) []commandData {
	t.Helper()
	data, err := readCommandData()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestCommandData checks every object of commands.json, also those of commands
// that have no handler.
func TestCommandData(t *testing.T) {
	data := commandList(t)
	names := make(map[string]bool)
	for i := range data {
		d := &data[i]
		if names[d.Name] {
			t.Errorf("%s is there twice", d.Name)
		}
		names[d.Name] = true
		if d.Name != strings.ToLower(d.Name) || d.Name == "" {
			t.Errorf("%q is not a lower-case name", d.Name)
		}
		container, sub, isSub := cutSubcommand(d.Name)
		if isSub && !names[container] {
			t.Errorf("%s comes before its container, or has none", d.Name)
		}
		if len(container) > maxNameBytes || len(sub) > maxNameBytes {
			t.Errorf("%s is longer than a lookup allows", d.Name)
		}
		if least := 1 + strings.Count(d.Name, "|"); d.Arity > -least && d.Arity < least {
			t.Errorf("%s has arity %d", d.Name, d.Arity)
		}
		checkCommandFlags(t, d)
		checkKeySpecs(t, d)
		checkCommandDocs(t, d)
	}
}

func checkCommandFlags(t *testing.T, d *commandData) {
	t.Helper()
	for _, name := range slices.Concat(d.Flags, d.Hidden) {
		if flagNames[name] == 0 && name != "asking" {
			t.Errorf("%s has the unknown flag %q", d.Name, name)
		}
	}
	write, read := slices.Contains(d.Flags, "write"), slices.Contains(d.Flags, "readonly")
	if write && read {
		t.Errorf("%s reads only and writes", d.Name)
	}
	if write != slices.Contains(d.ACL, "@write") {
		t.Errorf("%s: flag write and category @write disagree", d.Name)
	}
	if fast := slices.Contains(d.Flags, "fast"); fast == slices.Contains(d.ACL, "@slow") {
		t.Errorf("%s: flag fast and category @slow agree", d.Name)
	}
}

func checkKeySpecs(t *testing.T, d *commandData) {
	t.Helper()
	least := max(d.Arity, -d.Arity)
	for i, s := range d.Keys {
		if s.Index > least {
			t.Errorf("%s: key spec %d begins at %d, behind the least number of arguments", d.Name, i, s.Index)
		}
		if s.Index != 0 && s.Keyword != "" || s.Range != nil && s.KeyNum != nil {
			t.Errorf("%s: key spec %d says two things at once", d.Name, i)
		}
		unknown := s.Index == 0 && s.Keyword == ""
		if unknown != (s.Range == nil && s.KeyNum == nil) {
			t.Errorf("%s: key spec %d is half unknown", d.Name, i)
		}
		if unknown && keyFuncs[d.Name] == nil {
			t.Errorf("%s: key spec %d is unknown and there is no function", d.Name, i)
		}
		if s.Range != nil && s.Range[1] < 1 || s.KeyNum != nil && s.KeyNum[2] < 1 {
			t.Errorf("%s: key spec %d has no step", d.Name, i)
		}
		for _, name := range s.Flags {
			if !slices.Contains(accessNames, name) {
				t.Errorf("%s: key spec %d has the unknown flag %q", d.Name, i, name)
			}
		}
	}
}

func checkCommandDocs(t *testing.T, d *commandData) {
	t.Helper()
	docs := d.parseDocs()
	if docs.Summary == "" || docs.Since == "" || docs.Group == "" {
		t.Errorf("%s: the documentation is incomplete", d.Name)
	}
	var walk func(list []commandArg)
	walk = func(list []commandArg) {
		for _, a := range list {
			if a.Name == "" || a.Type == "" {
				t.Errorf("%s: an argument has no name or no type", d.Name)
			}
			if a.KeySpecIndex != nil && (*a.KeySpecIndex < 0 || *a.KeySpecIndex >= len(d.Keys)) {
				t.Errorf("%s: argument %s names a key spec that is not there", d.Name, a.Name)
			}
			walk(a.Arguments)
		}
	}
	walk(docs.Arguments)
}

// TestBindings joins what is implemented; newCommandTable panics if a binding
// has no object or is there twice.
func TestBindings(t *testing.T) {
	table := newCommandTable(allBindings()...)
	for i, cmd := range table.rows {
		if cmd.id != i {
			t.Errorf("%s has id %d, want %d", cmd.name, cmd.id, i)
		}
		if cmd.run == nil && cmd.subs == nil {
			t.Errorf("%s has no handler", cmd.name)
		}
		if cmd.run == nil && cmd.arity != -2 {
			t.Errorf("%s has no handler and may be sent without a subcommand", cmd.name)
		}
		if writes := cmd.flags&flagWrite != 0; writes && cmd.lock == lockKeys && !cmd.doc.hasKeys() {
			t.Errorf("%s writes and locks nothing", cmd.name)
		}
	}
	if !slices.IsSortedFunc(table.rows, compareRows) {
		t.Error("the rows are not sorted")
	}
}

// TestAllBindings finds maps of bindings that allBindings does not list.
func TestAllBindings(t *testing.T) {
	listed, err := os.ReadFile("table.go")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	variable := regexp.MustCompile(`(?m)^var (\w+) = map\[string\]binding\{`)
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range variable.FindAllSubmatch(source, -1) {
			if name := string(match[1]); !strings.Contains(string(listed), "\t\t"+name+",\n") {
				t.Errorf("%s of %s is not in allBindings", name, file)
			}
		}
	}
}

func TestBindingWithoutObject(t *testing.T) {
	for name, maps := range map[string][]map[string]binding{
		"unknown": {{"no-such-command": {run: cmdGet}}},
		"empty":   {{"get": {}}},
		"twice":   {{"get": {run: cmdGet}}, {"get": {run: cmdGet}}},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("newCommandTable did not panic")
				}
			}()
			newCommandTable(maps...)
		})
	}
}

func TestLookup(t *testing.T) {
	table := everyCommand(t)
	rows := []struct{ line, want string }{
		{"get", "get"},
		{"GeT", "get"},
		{"get x", "get"},
		{"client", "client"},
		{"CLIENT LIST", "client|list"},
		{"client nosuch", ""},
		{"client|list", ""},
		{"", ""},
		{"nosuch", ""},
		{"command", "command"},
		{"command docs x", "command|docs"},
		{strings.Repeat("get", 100), ""},
		{"gét", ""},
		{"g\x45t", "get"},
		{"PEXPIRETIME", "pexpiretime"},
		{"pexpiret\x09me", ""},
		{"p", ""},
		{"set\x00", ""},
		{"\x13ET", ""},
		{"GEORADIUS_RO", "georadius_ro"},
		{"georadius\x7fro", ""},
	}
	for _, row := range rows {
		cmd, _ := table.lookup(splitLine(row.line))
		got := ""
		if cmd != nil {
			got = cmd.name
		}
		if got != row.want {
			t.Errorf("lookup(%q) = %q, want %q", row.line, got, row.want)
		}
	}
	for name, cmd := range table.byName {
		for _, arg := range []string{name, strings.ToUpper(name), strings.ToUpper(name[:1]) + name[1:]} {
			if got, _ := table.lookup([][]byte{[]byte(arg)}); got != cmd {
				t.Errorf("%s is not found", arg)
			}
		}
		changed := []byte(name)
		for i := range changed { // into what differs in one bit
			changed[i] ^= 0x40
			if got, _ := table.lookup([][]byte{changed}); got == cmd {
				t.Errorf("%q is taken for %s", changed, name)
			}
			changed[i] ^= 0x40
		}
	}
	line := splitLine("CLIENT LIST")
	if n := testing.AllocsPerRun(100, func() { table.lookup(line) }); n != 0 {
		t.Errorf("lookup allocates %v times", n)
	}
}

// splitLine splits at spaces; "" stands for an empty argument.
func splitLine(line string) [][]byte {
	var args [][]byte
	for word := range strings.SplitSeq(line, " ") {
		args = append(args, []byte(strings.Trim(word, `"`)))
	}
	return args
}

// TestKeys has, as COMMAND GETKEYSANDFLAGS of Redis 7.0.15 has it, the keys of
// every kind of command. keys is "invalid" for arguments that make no sense.
func TestKeys(t *testing.T) {
	table := everyCommand(t)
	rows := []struct{ line, keys string }{
		{"get a", "a:RO,access"},
		{"set a b", "a:OW,update"},
		{"set a b EX 10 get", "a:RW,access,update"},
		{"set a get", "a:OW,update"},
		{"mset a 1 b 2", "a:OW,update b:OW,update"},
		{"mset a 1 b", "a:OW,update b:OW,update"},
		{"rename a b", "a:RW,access,delete b:OW,update"},
		{"del a b a", "a:RM,delete b:RM,delete a:RM,delete"},
		{"object encoding x", "x:RO"},
		{"spublish a b", ""},
		{"ping", ""},
		{"blpop a b 0", "a:RW,access,delete b:RW,access,delete"},
		{"bitop and d a b", "d:OW,update a:RO,access b:RO,access"},
		{"eval x 0", "invalid"},
		{"eval x 1 a b", "a:RW,access,update"},
		{"eval x 2 a", "invalid"},
		{"eval x -1 a", "invalid"},
		{"eval x 1x a", "a:"},
		{"eval x +1 a", "a:"},
		{"eval x 0x1 a", "invalid"},
		{"eval x 9999999999999999999999 a", "invalid"},
		{"zunionstore d 2 a b weights 1 2", "d:OW,update a:RO,access b:RO,access"},
		{"zunionstore d 5 a b", "invalid"},
		{"zunionstore d 1x a b", "a: d:"},
		{"zunion 2 a b weights 1 2", "a:RO,access b:RO,access"},
		{"zunion 0 a", "invalid"},
		{"lmpop 2 a b left", "a:RW,access,delete b:RW,access,delete"},
		{"blmpop 0 2 a b left", "a:RW,access,delete b:RW,access,delete"},
		{"blmpop 0 1x a left", "a:"},
		{"sort a by nosort get x store b limit 0 10 store c", "a:RO,access c:OW,update"},
		{"sort a limit 0 store b", "a:RO,access"},
		{"sort a by store store store b", "a:RO,access b:OW,update"},
		{"sort a store", "a:RO,access"},
		{"sort_ro a by x", "a:RO,access"},
		{"migrate h 1 k 0 10", "k:RW,access,delete"},
		{`migrate h 1 "" 0 10 copy auth keys keys a b`, "a:RW,access,delete b:RW,access,delete"},
		{`migrate h 1 "" 0 10`, ":RW,access,delete"},
		{"migrate h 1 x 0 10 keys a", "invalid"},
		{`migrate h 1 "" 0 10 auth2 keys keys keys a`, "a:RW,access,delete"},
		{"georadius k 1 1 1 m", "k:RO,access"},
		{"georadius k 1 1 1 m store a", "k:RO,access a:OW,update"},
		{"georadius k 1 1 1 m storedist a store b", "k:RO,access b:OW,update a:OW,update"},
		{"georadius k 1 1 1 m store", "k:RO,access"},
		{"georadius k 1 1 1 m store store", "k:RO,access store:OW,update"},
		{"xread count 1 streams a b 0 0", "a:RO,access b:RO,access"},
		{"xread count 1 streams a b 0", "a:RO,access"},
		{"xread count 1 strems a b 0", "invalid"},
		{"xreadgroup group streams x streams a 0", "a:RO,access"},
		{"bitfield k get u8 1", "k:RO,access"},
		{"bitfield k", "k:RO,access"},
		{"bitfield k overflow fail get u8 1", "k:RO,access"},
		{"bitfield k overflow", "k:RW,access,update"},
		{"bitfield k get u8 1 set u8 1 2", "k:RW,access,update"},
		{"pfdebug x y", "y:RW,access"},
		{"sintercard 2 a b limit 3", "a:RO,access b:RO,access"},
	}
	for _, row := range rows {
		args := splitLine(row.line)
		cmd, _ := table.lookup(args)
		refs, ok := cmd.doc.keyRefs(nil, args)
		got := "invalid"
		if ok {
			got = formatRefs(args, refs)
		}
		if got != row.keys {
			t.Errorf("keys of %q: %q, want %q", row.line, got, row.keys)
		}
		checkLockedKeys(t, cmd, args, refs, ok)
	}
}

func formatRefs(args [][]byte, refs []keyRef) string {
	var list []string
	for _, ref := range refs {
		list = append(list, string(args[ref.index])+":"+strings.Join(ref.access.names(), ","))
	}
	return strings.Join(list, " ")
}

// checkLockedKeys checks that dispatch locks what COMMAND GETKEYS tells.
func checkLockedKeys(t *testing.T, cmd *command, args [][]byte, refs []keyRef, ok bool) {
	t.Helper()
	var want []int
	for _, ref := range refs {
		want = append(want, ref.index)
	}
	got, gotOK := cmd.keys(nil, args)
	if gotOK != ok || ok && !reflect.DeepEqual(got, want) {
		t.Errorf("%q: dispatch locks %v, %v, COMMAND tells %v, %v", args, got, gotOK, want, ok)
	}
}

// TestLegacyRange has the merged range of COMMAND INFO for specs of each form.
func TestLegacyRange(t *testing.T) {
	table := everyCommand(t)
	rows := map[string]legacyRange{
		"get":         {1, 1, 1},
		"mset":        {1, -1, 2},
		"rename":      {1, 2, 1},
		"bitop":       {2, -1, 1},
		"blpop":       {1, -2, 1},
		"sort":        {1, 1, 1},
		"eval":        {0, 0, 0},
		"xread":       {0, 0, 0},
		"zunionstore": {1, 1, 1},
		"migrate":     {3, 3, 1},
		"spublish":    {1, 1, 1},
		"ping":        {0, 0, 0},
	}
	for name, want := range rows {
		if got := table.byName[name].doc.legacy; got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

func FuzzKeys(f *testing.F) {
	data, err := readCommandData()
	if err != nil {
		f.Fatal(err)
	}
	for i := range data {
		for k := range data[i].Keys {
			data[i].Keys[k].parseFlags()
		}
		f.Add(uint16(i), "a 2 store keys streams \"\" 1")
	}
	f.Fuzz(func(t *testing.T, which uint16, rest string) {
		d := &data[int(which)%len(data)]
		args := append([][]byte{[]byte("name")}, splitLine(rest)...)
		cmd := &command{arity: d.Arity}
		if !cmd.arityOK(len(args)) {
			return
		}
		refs, _ := (&commandDoc{commandData: d}).keyRefs(nil, args)
		for _, ref := range refs {
			if ref.index < 1 || ref.index >= len(args) {
				t.Fatalf("%s %q: key at %d", d.Name, args, ref.index)
			}
		}
	})
}
