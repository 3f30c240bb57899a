package resp

import (
	"fmt"
	"strconv"
	"strings"

	"bitkv/types"
)

// infoText builds the text of INFO: lines of name:value under section titles.
type infoText struct {
	b      []byte
	engine *types.EngineStats // taken once for all sections
}

func (t *infoText) title(name string) {
	if len(t.b) > 0 {
		t.b = append(t.b, "\r\n"...)
	}
	t.b = append(t.b, "# "...)
	t.b = append(t.b, name...)
	t.b = append(t.b, "\r\n"...)
}

func (t *infoText) str(name, value string) {
	t.b = append(t.b, name...)
	t.b = append(t.b, ':')
	// A line break in a value (a file name, say) would forge a field.
	t.b = append(t.b, oneLine.Replace(value)...)
	t.b = append(t.b, "\r\n"...)
}

var oneLine = strings.NewReplacer("\r", " ", "\n", " ")

func (t *infoText) int(name string, n int64) { t.str(name, strconv.FormatInt(n, 10)) }

func (t *infoText) flag(name string, on bool) {
	if on {
		t.int(name, 1)
		return
	}
	t.int(name, 0)
}

func (t *infoText) float(name string, f float64, decimals int) {
	t.str(name, strconv.FormatFloat(f, 'f', decimals, 64))
}

func (t *infoText) percent(name string, part, whole int64) {
	t.str(name, strconv.FormatFloat(100*ratio(part, whole), 'f', 2, 64)+"%")
}

// bytes writes a number of bytes, and again for people to read.
func (t *infoText) bytes(name string, n int64) {
	t.int(name, n)
	t.str(name+"_human", humanBytes(n))
}

// humanBytes writes bytes as Redis does for people.
func humanBytes(n int64) string {
	const units = "BKMGTPE"
	f, unit := float64(n), 0
	for f >= 1024 && unit < len(units)-1 {
		f /= 1024
		unit++
	}
	if unit == 0 {
		return strconv.FormatInt(n, 10) + "B"
	}
	return fmt.Sprintf("%.2f%c", f, units[unit])
}

// status is how Redis says that the last attempt at something went.
func status(failed bool) string {
	if failed {
		return "err"
	}
	return "ok"
}

// infoSection is one section of INFO.
type infoSection struct {
	name  string // lower case, as it is asked for
	write func(c *client, t *infoText)
	extra bool // not in "default", which is what INFO alone shows
}

// infoSections are all sections, in the order in which they are shown.
var infoSections = []infoSection{
	{name: "server", write: infoServer},
	{name: "clients", write: infoClients},
	{name: "memory", write: infoMemory},
	{name: "persistence", write: infoPersistence},
	{name: "stats", write: infoStats},
	{name: "replication", write: infoReplication},
	{name: "cpu", write: infoCPU},
	{name: "modules", write: infoModules},
	{name: "commandstats", write: infoCommandStats, extra: true},
	{name: "errorstats", write: infoErrorStats},
	{name: "latencystats", write: infoLatencyStats, extra: true},
	{name: "cluster", write: infoCluster},
	{name: "keyspace", write: infoKeyspace},
	{name: "bitkv", write: infoBitkv},
}

// infoBindings is INFO.
var infoBindings = map[string]binding{
	"info": {run: cmdInfo},
}

func cmdInfo(c *client, args [][]byte) {
	wanted := make(map[string]bool)
	for _, arg := range args[1:] {
		wanted[strings.ToLower(string(arg))] = true
	}
	if len(args) == 1 {
		wanted["default"] = true
	}
	all := wanted["all"] || wanted["everything"]
	t := infoText{b: make([]byte, 0, 8<<10), engine: c.engineStats()}
	for _, section := range infoSections {
		if all || wanted[section.name] || wanted["default"] && !section.extra {
			section.write(c, &t)
		}
	}
	c.verbatim("txt", string(t.b))
}
