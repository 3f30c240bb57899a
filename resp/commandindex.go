package resp

import (
	"encoding/binary"
	"strings"
)

// commandIndex finds the row of a command's name faster than a map does, in any
// case of letters. It holds the names of up to 16 letters, which are nearly all: a
// name is two numbers in which bit 5 of every byte is set. That makes a letter
// lower case, and nothing else into a letter that was none before but for its own
// upper case; so two names of letters are the same if their numbers are.
type commandIndex [commandIndexSize]indexedCommand

const commandIndexSize = 1 << 10 // a few times the number of commands

// indexedCommand is one place of the index; cmd is nil if it is empty.
type indexedCommand struct {
	name indexedName
	cmd  *command
}

// indexedName is a name in lower case.
type indexedName struct {
	low, high uint64
	n         int
}

// newCommandIndex makes the index of the commands in byName that it can hold.
func newCommandIndex(byName map[string]*command) *commandIndex {
	x := new(commandIndex)
	for name, cmd := range byName {
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz") != "" {
			continue
		}
		key, ok := indexName([]byte(name))
		if !ok {
			continue
		}
		at := key.hash()
		for x[at].cmd != nil {
			at = (at + 1) % commandIndexSize
		}
		x[at] = indexedCommand{key, cmd}
	}
	return x
}

// find returns the row of a name; nil if the index does not have it.
func (x *commandIndex) find(name []byte) *command {
	key, ok := indexName(name)
	if !ok {
		return nil
	}
	for at := key.hash(); x[at].cmd != nil; at = (at + 1) % commandIndexSize {
		if x[at].name == key {
			return x[at].cmd
		}
	}
	return nil
}

// indexName folds a name. ok is false if the index does not hold such.
func indexName(b []byte) (name indexedName, ok bool) {
	const lower = 0x2020202020202020
	le := binary.LittleEndian
	n := len(b)
	name.n = n
	switch {
	case n > 16 || n == 0:
		return name, false
	case n > 8:
		name.low, name.high = le.Uint64(b)|lower, le.Uint64(b[n-8:])|lower
	case n == 8:
		name.low = le.Uint64(b) | lower
	case n >= 4:
		name.low = uint64(le.Uint32(b)) | uint64(le.Uint32(b[n-4:]))<<32 | lower
	default:
		name.low = uint64(b[0]) | uint64(b[n/2])<<8 | uint64(b[n-1])<<16 | lower
	}
	return name, true
}

// hash is the place of a name.
func (k *indexedName) hash() uint64 {
	const odd = 0x9E3779B97F4A7C15
	return ((k.low ^ k.high*odd) + uint64(k.n)) * odd >> 54 % commandIndexSize
}
