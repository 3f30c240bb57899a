package resp

import (
	"bytes"

	"bitkv/types"
)

// sortBindings are SORT and its form that only reads.
var sortBindings = map[string]binding{
	"sort":    {run: cmdSort, lock: lockPatterns},
	"sort_ro": {run: cmdSort, lock: lockPatterns},
}

// sortOptions reads the options of SORT, and of SORT_RO, which has no STORE. store
// is nil if the result is not to be stored. ok is false if an error was replied.
func (c *client) sortOptions(args [][]byte, readOnly bool) (o types.SortOptions, store []byte, ok bool) {
	for i := 0; i < len(args); i++ {
		left := len(args) - i - 1
		switch {
		case isWord(args[i], "ASC"):
			o.Desc = false
		case isWord(args[i], "DESC"):
			o.Desc = true
		case isWord(args[i], "ALPHA"):
			o.Alpha = true
		case isWord(args[i], "LIMIT") && left >= 2:
			o.Limited = true
			if o.Offset, ok = c.argInt(args[i+1]); !ok {
				return o, nil, false
			}
			if o.Count, ok = c.argInt(args[i+2]); !ok {
				return o, nil, false
			}
			i += 2
		case isWord(args[i], "STORE") && left >= 1 && !readOnly:
			store, o.ToStore = args[i+1], true
			i++
		case isWord(args[i], "BY") && left >= 1:
			// One without an asterisk means for good that nothing is sorted.
			if !o.HasBy || bytes.IndexByte(o.By, '*') >= 0 {
				o.By, o.HasBy = args[i+1], true
			}
			i++
		case isWord(args[i], "GET") && left >= 1:
			o.Get = append(o.Get, args[i+1])
			i++
		default:
			c.err(errSyntax)
			return o, nil, false
		}
	}
	return o, store, true
}

// namesByPattern reports whether a command line of SORT names keys that its key
// specs do not find: a pattern makes names out of elements, which may be in any
// shard, or the destination is called like an option, which Redis's way to find it
// (sortKeys) falls for.
func namesByPattern(args [][]byte) bool {
	for i := 2; i+1 < len(args); i++ {
		switch {
		case isWord(args[i], "LIMIT"):
			i += 2
		case isWord(args[i], "STORE"):
			if i++; isSortOption(args[i]) {
				return true
			}
		case isWord(args[i], "BY"), isWord(args[i], "GET"):
			if i++; bytes.IndexByte(args[i], '*') >= 0 {
				return true
			}
		}
	}
	return false
}

// isSortOption reports whether an argument is an option that sortKeys knows.
func isSortOption(arg []byte) bool {
	return isWord(arg, "BY") || isWord(arg, "GET") || isWord(arg, "LIMIT") || isWord(arg, "STORE")
}

// cmdSort is SORT key [BY pattern] [LIMIT offset count] [GET pattern ...] [ASC |
// DESC] [ALPHA] [STORE destination].
func cmdSort(c *client, args [][]byte) {
	o, store, ok := c.sortOptions(args[2:], c.cmd.flags&flagWrite == 0)
	if !ok {
		return
	}
	result, err := c.tx.Sort(args[1], o)
	switch {
	case err != nil:
		c.fail(err)
	case o.ToStore:
		n, err := result.Store(store)
		c.intOrFail(n, err)
	default:
		from := len(c.buf)
		c.array(result.Len())
		c.failFrom(from, result.Each(func(value []byte, ok bool) error {
			if ok {
				c.bulk(value)
			} else {
				c.null()
			}
			return nil
		}))
	}
}
