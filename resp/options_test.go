package resp

import (
	"strings"
	"testing"

	"bitkv/types"
)

func words(line string) [][]byte {
	var args [][]byte
	for word := range strings.FieldsSeq(line) {
		args = append(args, []byte(word))
	}
	return args
}

func TestParseSetOptions(t *testing.T) {
	rows := []struct {
		line  string
		getEx bool
		want  string // "error", or the options that are set
	}{
		{"", false, ""},
		{"nx", false, "nx"},
		{"NX nx", false, "nx"},
		{"NX XX", false, "error"},
		{"XX NX", false, "error"},
		{"get get xx", false, "xx get"},
		{"nx get", false, "nx get"},
		{"keepttl", false, "keepttl"},
		{"keepttl ex 1", false, "error"},
		{"ex 1 keepttl", false, "error"},
		{"ex", false, "error"},
		{"ex 1", false, "ex 1"},
		{"ex 1 ex 2", false, "ex 2"},
		{"ex 1 px 2", false, "error"},
		{"px nx nx", false, "nx px nx"},
		{"exat 1 get", false, "get exat 1"},
		{"pxat x", false, "pxat x"},
		{"persist", false, "error"},
		{"foo", false, "error"},
		{"", true, ""},
		{"persist", true, "persist"},
		{"persist persist", true, "persist"},
		{"persist ex 1", true, "error"},
		{"ex 1 persist", true, "error"},
		{"pxat 1", true, "pxat 1"},
		{"nx", true, "error"},
		{"get", true, "error"},
		{"keepttl", true, "error"},
		{"exat 1 exat", true, "error"},
	}
	for _, row := range rows {
		o, ok := parseSetOptions(words(row.line), row.getEx)
		got := "error"
		if ok {
			got = formatSetOptions(o)
		}
		if got != row.want {
			t.Errorf("parseSetOptions(%q, %v) = %q, want %q", row.line, row.getEx, got, row.want)
		}
	}
}

func formatSetOptions(o setOptions) string {
	var list []string
	for _, f := range []struct {
		on   bool
		name string
	}{{o.NX, "nx"}, {o.XX, "xx"}, {o.KeepTTL, "keepttl"}, {o.get, "get"}, {o.persist, "persist"}} {
		if f.on {
			list = append(list, f.name)
		}
	}
	if o.expire != nil {
		unit := map[types.ExpireUnit]string{
			types.Seconds: "ex", types.Millis: "px", types.AtSeconds: "exat", types.AtMillis: "pxat",
		}[o.unit]
		list = append(list, unit, string(o.expire))
	}
	return strings.Join(list, " ")
}

func TestParseExpireCond(t *testing.T) {
	rows := []struct {
		line string
		cond types.ExpireCond
		err  string
	}{
		{"", 0, ""},
		{"nx", types.ExpireNX, ""},
		{"NX NX", types.ExpireNX, ""},
		{"xx gt", types.ExpireXX | types.ExpireGT, ""},
		{"gt gt", types.ExpireGT, ""},
		{"lt XX", types.ExpireLT | types.ExpireXX, ""},
		{"nx xx", 0, errExpireNXOther},
		{"gt nx", 0, errExpireNXOther},
		{"nx gt lt", 0, errExpireNXOther},
		{"gt lt", 0, errExpireGTLT},
		{"xx lt gt", 0, errExpireGTLT},
		{"foo", 0, "ERR Unsupported option foo"},
		{"nx xx foo", 0, "ERR Unsupported option foo"},
	}
	for _, row := range rows {
		cond, errText := parseExpireCond(words(row.line))
		if errText != row.err || cond != row.cond {
			t.Errorf("parseExpireCond(%q) = %v, %q, want %v, %q", row.line, cond, errText, row.cond, row.err)
		}
	}
}

func TestParseLCSArgs(t *testing.T) {
	rows := []struct {
		line string
		want lcsArgs
		err  string
	}{
		{"", lcsArgs{}, ""},
		{"len", lcsArgs{LCSOptions: types.LCSOptions{LenOnly: true}}, ""},
		{"IDX MINMATCHLEN 4 WITHMATCHLEN", lcsArgs{types.LCSOptions{Index: true, MinMatchLen: 4}, true}, ""},
		{"minmatchlen -4", lcsArgs{}, ""},
		{"minmatchlen x", lcsArgs{}, errNotInt},
		{"minmatchlen", lcsArgs{}, errSyntax},
		{"len idx foo", lcsArgs{LCSOptions: types.LCSOptions{LenOnly: true, Index: true}}, errSyntax},
		{"len idx", lcsArgs{LCSOptions: types.LCSOptions{LenOnly: true, Index: true}}, errLCSOptions},
	}
	for _, row := range rows {
		got, errText := parseLCSArgs(words(row.line))
		if got != row.want || errText != row.err {
			t.Errorf("parseLCSArgs(%q) = %+v, %q, want %+v, %q", row.line, got, errText, row.want, row.err)
		}
	}
}

// FuzzOptions feeds arguments to every parser of options: none may panic, and
// what SET takes has at most one expiry and not both NX and XX.
func FuzzOptions(f *testing.F) {
	for _, seed := range []string{"nx get ex 1", "px", "ex 1 px 2 keepttl", "gt lt", "idx minmatchlen -1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		args := words(line)
		parseExpireCond(args)
		parseLCSArgs(args)
		for _, getEx := range []bool{false, true} {
			o, ok := parseSetOptions(args, getEx)
			if ok && (o.NX && o.XX || o.expire != nil && (o.KeepTTL || o.persist)) {
				t.Fatalf("parseSetOptions(%q, %v) = %+v", line, getEx, o)
			}
		}
	})
}
