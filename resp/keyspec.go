package resp

import "slices"

// A key spec says where in a command's arguments its keys are, in two steps as
// Redis's do: where the search begins (at an index, or after a keyword) and how
// the keys are found from there (a range, or a count followed by that many
// keys). Most commands are one index and one range; the few whose keys no spec
// can describe have a function in keyfuncs.go as well.

// keySpec is one key spec of a row of commands.json.
type keySpec struct {
	Notes string   `json:"notes"`
	Flags []string `json:"flags"`
	// Index is where the search begins; 0 if Keyword says it, or nothing does.
	Index int `json:"index"`
	// Keyword begins the search at the argument after it, looked for from
	// StartFrom on; a negative StartFrom counts from the end, and backwards.
	Keyword   string `json:"keyword"`
	StartFrom int    `json:"startfrom"`
	// Range is lastkey, keystep and limit: lastkey is relative to the first key,
	// or negative and relative to the end; a limit of 2 means that only the first
	// half of the arguments are keys.
	Range *[3]int `json:"range"`
	// KeyNum is the index of the count, that of the first key, both relative to
	// where the search began, and the step.
	KeyNum *[3]int `json:"keynum"`

	access accessFlags
}

// accessFlags are the flags of a key spec as bits.
type accessFlags uint16

// The flags of a key spec. Exactly one of the first four is set.
const (
	accessRO accessFlags = 1 << iota // reads the value
	accessRW                         // reads and writes the value
	accessOW                         // overwrites the value
	accessRM                         // removes the key
	accessRead
	accessUpdate
	accessInsert
	accessDelete
	accessNotKey     // it is hashed to a slot as a key is, but is none
	accessIncomplete // there are keys that the spec does not find
	accessVariable   // the flags depend on other arguments
)

// accessNames are the names of accessFlags, in the order of their bits, which is
// the order that Redis writes them in.
var accessNames = []string{
	"RO", "RW", "OW", "RM", "access", "update", "insert", "delete",
	"not_key", "incomplete", "variable_flags",
}

// keyRef is a key that was found: its index in the arguments and how it is used.
type keyRef struct {
	index  int
	access accessFlags
}

// find appends the keys that the spec finds in args. ok is false if the
// arguments do not have the form that the spec describes: such a command fails
// anyway, or has another way to say where its keys are.
func (s *keySpec) find(dst []keyRef, args [][]byte) (refs []keyRef, ok bool) {
	first := s.Index
	if s.Keyword != "" {
		first = s.afterKeyword(args)
	}
	if first <= 0 {
		return dst, false
	}
	var last, step int
	switch {
	case s.Range != nil:
		last, step = rangeEnd(*s.Range, first, len(args)), s.Range[1]
	case s.KeyNum != nil:
		numIndex := first + s.KeyNum[0]
		if numIndex >= len(args) {
			return dst, false
		}
		n, isInt := parseInt(args[numIndex])
		if !isInt || n < 0 || n > int64(len(args)) {
			return dst, false
		}
		first += s.KeyNum[1]
		last, step = first+int(n)-1, s.KeyNum[2]
	default:
		return dst, false
	}
	if first >= len(args) || last >= len(args) || last < first {
		return dst, false
	}
	for i := first; i <= last; i += step {
		dst = append(dst, keyRef{i, s.access})
	}
	return dst, s.access&accessIncomplete == 0
}

// rangeEnd returns the index of the last key of a range that begins at first.
func rangeEnd(r [3]int, first, argc int) int {
	last, limit := r[0], r[2]
	switch {
	case last >= 0:
		return first + last
	case limit <= 1:
		return argc + last
	default:
		return first + (argc-first)/limit + last
	}
}

// afterKeyword returns the index after the keyword, or 0 if it is not there. The
// keyword as the last argument would have no key after it.
func (s *keySpec) afterKeyword(args [][]byte) int {
	i, end, step := s.StartFrom, len(args)-1, 1
	if i < 0 {
		i, end, step = len(args)+i, 1, -1
	}
	for ; (end-i)*step > 0 && i < len(args); i += step {
		if isWord(args[i], s.Keyword) {
			return i + 1
		}
	}
	return 0
}

// parseFlags turns the names of the spec's flags into bits.
func (s *keySpec) parseFlags() {
	for _, name := range s.Flags {
		s.access |= 1 << slices.Index(accessNames, name)
	}
}

// isPlainRange reports whether the keys are a range that begins at an index and
// is not cut short by a limit.
func (s *keySpec) isPlainRange() bool {
	return s.Keyword == "" && s.Index > 0 && s.Range != nil && s.Range[2] == 0
}

// legacyRange is what the older clients know about a command's keys: the index
// of the first, that of the last (negative: from the end) and the step.
type legacyRange struct{ first, last, step int }

// legacyKeyRange merges the key specs into one range as Redis does: a single
// spec as it is; of several, those that are ranges of step 1 and follow each
// other. complete reports that the range is all keys of the command.
func legacyKeyRange(specs []keySpec) (r legacyRange, complete bool) {
	if len(specs) == 1 && specs[0].isPlainRange() {
		return specs[0].absolute(), true
	}
	complete = true
	for i := range specs {
		if !specs[i].isPlainRange() {
			complete = false
			continue
		}
		next := specs[i].absolute()
		if next.step != 1 || r.last != 0 && r.last != next.first-1 {
			return r, false
		}
		if r.first == 0 {
			r = next
		} else {
			r.last = next.last
		}
	}
	return r, complete
}

// absolute returns a plain range with its last key counted as the first is.
func (s *keySpec) absolute() legacyRange {
	last := s.Range[0]
	if last >= 0 {
		last += s.Index
	}
	return legacyRange{s.Index, last, s.Range[1]}
}

// names are the flags as Redis writes them.
func (f accessFlags) names() []string {
	var names []string
	for i, name := range accessNames {
		if f&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}
