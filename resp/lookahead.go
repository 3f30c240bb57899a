package resp

import "bitkv/types"

// Looking ahead. Commands that have arrived together are parsed together before
// the first of them runs, so that what the keydir holds for their keys can be
// brought into the processor's caches for all of them at once (engine.DB.Warm):
// looking up a key of many waits for memory several times, and these waits then
// pass together. The driver does so over clients that are ready together, and a
// client by itself over its pipeline.
//
// Nothing depends on it. What was looked ahead is in the query buffer still, and
// is parsed again if it was forgotten.

const (
	aheadCommands = 16   // looked ahead at, of one client at a time
	aheadKeys     = 64   // warmed at a time
	aheadArgs     = 1024 // kept at most: beyond them, commands wait for their turn
	leastWarmKeys = 4    // fewer are not worth it
	// leastWarmSize is how many keys a database has whose keydir does not fit in
	// the processor's caches.
	leastWarmSize = 20_000
)

// aheadCommand is a command that is parsed and has not run.
type aheadCommand struct {
	row  *command // nil: it names nothing
	args [][]byte // views of the query buffer
	end  int      // where in the query buffer it ends
	key  int      // its first key is that one of lookahead.keys; -1: none is
}

// lookahead is room for such commands, of one client or of several.
type lookahead struct {
	table    *commandTable
	cmds     []aheadCommand
	args     [][]byte
	keys     [][]byte              // that are worth warming
	hints    [aheadKeys]types.Hint // where the keys are, by their place in keys
	db       int                   // of keys
	elements elementsAhead
	write    bool // one of the commands writes
}

// reset makes room. Commands that framers have not run yet stay good.
func (l *lookahead) reset() {
	if cap(l.args) > 4*aheadArgs {
		l.args = nil
	}
	clear(l.hints[:len(l.keys)])
	l.elements.reset()
	l.cmds, l.args, l.keys, l.write = l.cmds[:0], l.args[:0], l.keys[:0], false
}

// addKeys notes the keys of a command. It returns the place of the first one, or -1.
func (l *lookahead) addKeys(cmd *command, args [][]byte) (place int) {
	if cmd == nil || cmd.first == 0 {
		return -1
	}
	place = -1
	l.write = l.write || cmd.flags&flagWrite != 0
	last := cmd.last
	if last < 0 {
		last += len(args)
	}
	last = min(last, len(args)-1)
	for i := cmd.first; i <= last && len(l.keys) < aheadKeys; i += cmd.step {
		if n := len(l.keys); n == 0 || string(l.keys[n-1]) != string(args[i]) {
			l.keys = append(l.keys, args[i])
		}
		if place < 0 {
			place = len(l.keys) - 1
		}
	}
	return place
}

// full reports that no more commands shall be added before these have run.
func (l *lookahead) full() bool {
	return len(l.keys) >= aheadKeys || len(l.args) >= aheadArgs || len(l.elements.subkeys) >= aheadKeys
}

// elementsAhead are fields or members of one key that commands are about: the first
// key that has any.
type elementsAhead struct {
	key     []byte
	subkeys [][]byte
}

func (e *elementsAhead) reset() { e.key, e.subkeys = nil, e.subkeys[:0] }

// add notes what a command looks for.
func (e *elementsAhead) add(cmd *command, args [][]byte) {
	if cmd == nil || cmd.member == 0 || cmd.member >= len(args) {
		return
	}
	if e.key == nil {
		e.key = args[cmd.first]
	}
	if string(e.key) == string(args[cmd.first]) {
		e.subkeys = append(e.subkeys, args[cmd.member])
	}
}

// warm warms the keys, and their values if they are but read: what a command that
// writes replaces, it seldom looks at.
func (l *lookahead) warm(s *Server) {
	if len(l.keys) < leastWarmKeys && len(l.elements.subkeys) < leastWarmKeys {
		return
	}
	store := s.loadedStore()
	if store == nil {
		return
	}
	if len(l.keys) >= leastWarmKeys && store.Size(l.db) >= leastWarmSize {
		store.Warm(l.db, l.keys, !l.write, l.hints[:len(l.keys)])
	}
	if e := &l.elements; len(e.subkeys) >= leastWarmKeys {
		store.WarmElements(l.db, e.key, e.subkeys)
	}
}

// lookAhead parses commands of this client ahead, and warms their keys.
func (c *client) lookAhead(lim frameLimits) {
	l := c.ahead
	l.reset()
	l.db = c.db
	c.frame.look(l, lim)
	l.warm(c.srv)
}

// look parses up to aheadCommands whole commands ahead. It stops before what is not
// whole or needs a closer look, which is for next.
func (f *framer) look(l *lookahead, lim frameLimits) {
	if lim.noAuth || f.multibulk {
		return
	}
	first, pos := len(l.cmds), f.pos
	for range aheadCommands {
		from := len(l.args)
		args, end, ok := splitCommand(l.args, f.buf, pos, lim.maxBulk)
		if !ok {
			break
		}
		l.args, pos = args, end
		args = args[from:len(args):len(args)]
		row, _ := l.table.lookup(args)
		l.cmds = append(l.cmds, aheadCommand{row, args, end, l.addKeys(row, args)})
		l.elements.add(row, args)
		if l.full() {
			break
		}
	}
	f.ahead, f.aheadLimits, f.aheadHints = l.cmds[first:len(l.cmds):len(l.cmds)], lim, &l.hints
}

// splitCommand appends the arguments of the command at pos to args and returns
// where it ends. It reports false if the command is not there as a whole, or is in
// any way unusual: framer.next then says what it is.
func splitCommand(args [][]byte, b []byte, pos int, maxBulk int64) (_ [][]byte, end int, ok bool) {
	if pos >= len(b) || b[pos] != '*' {
		return args, 0, false
	}
	count, pos, ok := splitLength(b, pos+1)
	if !ok || count == 0 || count > aheadArgs/2 {
		return args, 0, false
	}
	kept := args
	for ; count > 0; count-- {
		if pos >= len(b) || b[pos] != '$' {
			return kept, 0, false
		}
		n, at, ok := splitLength(b, pos+1)
		if !ok || int64(n) > maxBulk || len(b)-at < n+2 {
			return kept, 0, false
		}
		args = append(args, b[at:at+n:at+n])
		pos = at + n + 2
	}
	return args, pos, true
}

// splitLength parses a number of up to 7 digits and the CR and one byte behind it,
// and returns where the next byte is.
func splitLength(b []byte, pos int) (n, next int, ok bool) {
	if len(b)-pos < 3 {
		return 0, 0, false
	}
	first := b[pos] - '0'
	if b[pos+1] == '\r' { // most of them
		return int(first), pos + 3, first <= 9
	}
	if first == 0 || first > 9 {
		return 0, 0, false
	}
	n = int(first)
	for i := pos + 1; i < pos+8 && i+1 < len(b); i++ {
		digit := b[i] - '0'
		if digit > 9 {
			return n, i + 2, b[i] == '\r'
		}
		n = n*10 + int(digit)
	}
	return 0, 0, false
}
