package resp

import "slices"

// A keyFunc finds the keys of a command whose key specs do not say it all. It
// appends them to dst; ok is false if args have no keys that make sense.
type keyFunc func(specs []keySpec, dst []keyRef, args [][]byte) (refs []keyRef, ok bool)

// keyFuncs are the commands that Redis has a function for, because their specs
// are incomplete or their flags depend on the arguments.
var keyFuncs = map[string]keyFunc{
	"set":               setKeys,
	"bitfield":          bitfieldKeys,
	"sort":              sortKeys,
	"sort_ro":           sortROKeys,
	"migrate":           migrateKeys,
	"georadius":         geoRadiusKeys,
	"georadiusbymember": geoRadiusKeys,
}

// hasKeys reports whether the command has any spec of a real key.
func (d *commandDoc) hasKeys() bool {
	for i := range d.Keys {
		if d.Keys[i].access&accessNotKey == 0 {
			return true
		}
	}
	return false
}

// keyRefs appends the keys in args with how they are used. This is the one
// function that dispatch (by findKeys), COMMAND GETKEYS and COMMAND
// GETKEYSANDFLAGS go by.
func (d *commandDoc) keyRefs(dst []keyRef, args [][]byte) (refs []keyRef, ok bool) {
	if find := keyFuncs[d.Name]; find != nil {
		return find(d.Keys, dst, args)
	}
	refs = dst
	for i := range d.Keys {
		spec := &d.Keys[i]
		if spec.access&accessNotKey != 0 {
			continue
		}
		if refs, ok = spec.find(refs, args); !ok {
			return countedKeys(d.Keys, dst, args)
		}
	}
	return refs, true
}

// findKeys is command.findKeys: the indexes of keyRefs.
func (d *commandDoc) findKeys(dst []int, args [][]byte) ([]int, bool) {
	var few [16]keyRef
	refs, ok := d.keyRefs(few[:0], args)
	if !ok {
		return dst, false
	}
	for _, ref := range refs {
		dst = append(dst, ref.index)
	}
	return dst, true
}

// countedKeys is the second try of commands with a count of keys, for a count
// that no spec accepts ("+1"): Redis reads it as C's atoi does then and does not
// say how the keys are used. Such a command fails when it runs.
func countedKeys(specs []keySpec, dst []keyRef, args [][]byte) ([]keyRef, bool) {
	n := len(dst)
	for i := range specs {
		s := &specs[i]
		if s.KeyNum == nil || s.Index+s.KeyNum[0] >= len(args) {
			continue
		}
		first := s.Index + s.KeyNum[1]
		count := leadingInt(args[s.Index+s.KeyNum[0]])
		if count < 1 || count > len(args)-first {
			return dst[:n], false
		}
		for k := range count {
			dst = append(dst, keyRef{index: first + k})
		}
		for j := range i { // the destination, as in ZUNIONSTORE
			dst = append(dst, keyRef{index: specs[j].Index})
		}
		return dst, true
	}
	return dst[:n], false
}

// leadingInt is C's atoi of numbers that fit: spaces, a sign, digits, and no
// complaint about what follows.
func leadingInt(b []byte) int {
	for len(b) > 0 && (b[0] == ' ' || '\t' <= b[0] && b[0] <= '\r') {
		b = b[1:]
	}
	negative := false
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		negative = b[0] == '-'
		b = b[1:]
	}
	n := 0
	for _, ch := range b {
		if ch < '0' || ch > '9' {
			break
		}
		if n = n*10 + int(ch-'0'); n > 1<<40 {
			return -1
		}
	}
	if negative {
		return -n
	}
	return n
}

// setKeys: SET reads the old value if it has the option GET.
func setKeys(_ []keySpec, dst []keyRef, args [][]byte) ([]keyRef, bool) {
	for _, arg := range args[min(3, len(args)):] {
		if isWord(arg, "GET") {
			return append(dst, keyRef{1, accessRW | accessRead | accessUpdate}), true
		}
	}
	return append(dst, keyRef{1, accessOW | accessUpdate}), true
}

// bitfieldKeys: BITFIELD only reads if all its operations are GET.
func bitfieldKeys(_ []keySpec, dst []keyRef, args [][]byte) ([]keyRef, bool) {
	for i := 2; i < len(args); i++ {
		left := len(args) - i - 1
		switch {
		case isWord(args[i], "GET") && left >= 2:
			i += 2
		case isWord(args[i], "OVERFLOW") && left >= 1:
			i++
		default: // SET, INCRBY, or an error, of which the worst is assumed
			return append(dst, keyRef{1, accessRW | accessRead | accessUpdate}), true
		}
	}
	return append(dst, keyRef{1, accessRO | accessRead}), true
}

// sortKeys: the key and, of SORT, that of the last STORE. The keys that BY and
// GET make of the elements are not known.
func sortKeys(_ []keySpec, dst []keyRef, args [][]byte) ([]keyRef, bool) {
	dst = append(dst, keyRef{1, accessRO | accessRead})
	store := 0
	for i := 2; i < len(args); i++ {
		switch {
		case isWord(args[i], "LIMIT"):
			i += 2
		case isWord(args[i], "GET"), isWord(args[i], "BY"):
			i++
		case isWord(args[i], "STORE") && i+1 < len(args):
			store = i + 1
		}
	}
	if store > 0 {
		dst = append(dst, keyRef{store, accessOW | accessUpdate})
	}
	return dst, true
}

func sortROKeys(_ []keySpec, dst []keyRef, _ [][]byte) ([]keyRef, bool) {
	return append(dst, keyRef{1, accessRO | accessRead}), true
}

// migrateKeys: MIGRATE has one key in its place, or an empty string there and
// KEYS with all the rest of the arguments. KEYS may also be a password.
func migrateKeys(_ []keySpec, dst []keyRef, args [][]byte) ([]keyRef, bool) {
	const access = accessRW | accessRead | accessDelete
	for i := 6; i < len(args); i++ {
		switch {
		case isWord(args[i], "AUTH"):
			i++
		case isWord(args[i], "AUTH2"):
			i += 2
		case !isWord(args[i], "KEYS"):
		case len(args[3]) > 0:
			return dst, false // both forms at once
		default:
			for k := i + 1; k < len(args); k++ {
				dst = append(dst, keyRef{k, access})
			}
			return dst, true
		}
	}
	return append(dst, keyRef{3, access}), true
}

// geoRadiusKeys: STORE and STOREDIST may each be there or not. Where one is there
// again, the last of all is what the command writes to.
func geoRadiusKeys(specs []keySpec, dst []keyRef, args [][]byte) ([]keyRef, bool) {
	for i := range specs {
		found, ok := specs[i].find(dst, args)
		switch {
		case ok:
			dst = found
		case i == 0:
			return dst, false
		}
	}
	last := 0
	for i := 5; i+1 < len(args); i++ {
		if isWord(args[i], "STORE") || isWord(args[i], "STOREDIST") {
			i++
			last = i
		}
	}
	if last > 0 && !slices.ContainsFunc(dst, func(r keyRef) bool { return r.index == last }) {
		dst = append(dst, keyRef{last, accessOW | accessUpdate})
	}
	return dst, true
}
