package resp

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// commands.json has one object for every command and subcommand of Redis 7.4,
// with what Redis itself answers to COMMAND INFO and COMMAND DOCS. The rows of
// commandTable are those that have a binding.
//
//go:embed commands.json
var commandsJSON []byte

// commandData is one object of commands.json.
type commandData struct {
	Name  string   `json:"name"`
	Arity int      `json:"arity"`
	Flags []string `json:"flags"`
	// Hidden are flags that Redis has and does not tell clients.
	Hidden []string  `json:"hidden"`
	ACL    []string  `json:"acl"`
	Tips   []string  `json:"tips"`
	Keys   []keySpec `json:"keys"`
	// Differs says what is not as in Redis, for docs/commands.md.
	Differs string          `json:"differs"`
	Docs    json.RawMessage `json:"docs"` // a commandDocs, decoded when it is asked for
}

// commandDoc is what COMMAND tells about a row beside the row itself.
type commandDoc struct {
	*commandData
	// legacy is the first key, the last and the step as COMMAND INFO gives them.
	// Unlike those of the row they cover what is not a key (channels) and may be
	// a part of the truth.
	legacy legacyRange
	docs   func() *commandDocs
}

// commandDocs is the documentation of one command, as COMMAND DOCS has it.
type commandDocs struct {
	Summary         string       `json:"summary"`
	Since           string       `json:"since"`
	Group           string       `json:"group"`
	Complexity      string       `json:"complexity"`
	DocFlags        []string     `json:"doc_flags"`
	DeprecatedSince string       `json:"deprecated_since"`
	ReplacedBy      string       `json:"replaced_by"`
	History         [][2]string  `json:"history"`
	Arguments       []commandArg `json:"arguments"`
}

// commandArg is one argument in the documentation of a command.
type commandArg struct {
	Name            string       `json:"name"`
	Type            string       `json:"type"`
	KeySpecIndex    *int         `json:"key_spec_index"`
	Token           *string      `json:"token"`
	Since           string       `json:"since"`
	DeprecatedSince string       `json:"deprecated_since"`
	Flags           []string     `json:"flags"`
	Arguments       []commandArg `json:"arguments"`
}

// flagNames are the flags of commands.json that dispatch decides by. A flag that
// is not here is only told to clients.
var flagNames = map[string]cmdFlags{
	"write": flagWrite, "readonly": flagReadonly, "denyoom": flagDenyOOM,
	"admin": flagAdmin, "pubsub": flagPubSub, "noscript": flagNoScript,
	"blocking": flagBlocking, "loading": flagLoading, "stale": flagStale,
	"skip_monitor": flagSkipMonitor, "skip_slowlog": flagSkipSlowlog,
	"fast": flagFast, "no_auth": flagNoAuth, "may_replicate": flagMayReplicate,
	"protected": flagProtected, "no_multi": flagNoMulti,
	"movablekeys": flagMovableKeys, "allow_busy": flagAllowBusy,
	"no_mandatory_keys": flagNoMandatoryKeys, "no_async_loading": flagNoAsyncLoading,
}

// allBindings are the maps of the cmd_*.go files.
func allBindings() []map[string]binding {
	return []map[string]binding{
		bitBindings,
		hllBindings,
		commandBindings,
		configBindings,
		connectionBindings,
		dumpBindings,
		expireBindings,
		hashBindings,
		hashTTLBindings,
		infoBindings,
		keyspaceBindings,
		latencyBindings,
		listBindings,
		blockingListBindings,
		objectBindings,
		serverBindings,
		setTypeBindings,
		setOpBindings,
		sortBindings,
		slowlogBindings,
		stringBindings,
		memoryBindings,
		clusterBindings,
		debugBindings,
		zsetBindings,
		zsetOpsBindings,
		geoBindings,
	}
}

// readCommandData decodes commands.json.
func readCommandData() ([]commandData, error) {
	var data []commandData
	if err := json.Unmarshal(commandsJSON, &data); err != nil {
		return nil, fmt.Errorf("resp: commands.json: %w", err)
	}
	return data, nil
}

// newCommandTable joins commands.json with the bindings. It panics if they do
// not fit, which is a bug that every test finds.
func newCommandTable(bindings ...map[string]binding) *commandTable {
	data, err := readCommandData()
	if err != nil {
		panic(err)
	}
	bound := make(map[string]binding)
	for _, m := range bindings {
		for name, b := range m {
			if _, twice := bound[name]; twice || b.run == nil {
				panic("resp: binding of " + name + " is there twice or empty")
			}
			bound[name] = b
		}
	}
	t := &commandTable{byName: make(map[string]*command)}
	containers := implementedContainers(bound)
	for i := range data {
		d := &data[i]
		b, ok := bound[d.Name]
		if !ok && !containers[d.Name] {
			continue
		}
		delete(bound, d.Name)
		t.rows = append(t.rows, newCommand(d, b))
	}
	for name := range bound {
		panic("resp: binding of " + name + ", which is not in commands.json")
	}
	t.link()
	return t
}

// implementedContainers returns the names of the containers that have a
// subcommand with a binding.
func implementedContainers(bound map[string]binding) map[string]bool {
	names := make(map[string]bool)
	for name := range bound {
		if container, _, ok := cutSubcommand(name); ok {
			names[container] = true
		}
	}
	return names
}

// link sorts the rows, numbers them and ties subcommands to their containers.
func (t *commandTable) link() {
	slices.SortFunc(t.rows, compareRows)
	for _, cmd := range t.rows {
		if _, _, ok := cutSubcommand(cmd.name); !ok {
			t.byName[cmd.name] = cmd
		}
	}
	t.index = newCommandIndex(t.byName)
	for id, cmd := range t.rows {
		cmd.id = id
		container, sub, ok := cutSubcommand(cmd.name)
		if !ok {
			continue
		}
		cmd.parent = t.byName[container]
		if cmd.parent.subs == nil {
			cmd.parent.subs = make(map[string]*command)
		}
		cmd.parent.subs[sub] = cmd
	}
}

// newCommand makes a row of an object of commands.json and its binding.
func newCommand(d *commandData, b binding) *command {
	cmd := &command{binding: b, name: d.Name, arity: d.Arity}
	for _, name := range slices.Concat(d.Flags, d.Hidden) {
		cmd.flags |= flagNames[name]
	}
	for i := range d.Keys {
		d.Keys[i].parseFlags()
	}
	legacy, complete := legacyKeyRange(d.Keys)
	cmd.doc = &commandDoc{commandData: d, legacy: legacy, docs: sync.OnceValue(d.parseDocs)}
	switch {
	case !cmd.doc.hasKeys():
	case complete:
		cmd.first, cmd.last, cmd.step = legacy.first, legacy.last, legacy.step
	default:
		cmd.findKeys = cmd.doc.findKeys
	}
	cmd.oneKey = cmd.findKeys == nil && cmd.first > 0 && cmd.first == cmd.last && cmd.lock == lockKeys
	return cmd
}

// parseDocs decodes the documentation.
func (d *commandData) parseDocs() *commandDocs {
	docs := new(commandDocs)
	if err := json.Unmarshal(d.Docs, docs); err != nil {
		panic(fmt.Errorf("resp: commands.json, docs of %s: %w", d.Name, err))
	}
	return docs
}

// cutSubcommand splits the name of a row: "client|list" is client's list.
func cutSubcommand(name string) (container, sub string, ok bool) {
	return strings.Cut(name, "|")
}

// compareRows orders rows by name, a container before its subcommands.
func compareRows(a, b *command) int {
	ca, sa, _ := cutSubcommand(a.name)
	cb, sb, _ := cutSubcommand(b.name)
	if c := strings.Compare(ca, cb); c != 0 {
		return c
	}
	return strings.Compare(sa, sb)
}
