package resp

import "strings"

// killFilter says which clients CLIENT KILL kills: those that match every field
// that is set.
type killFilter struct {
	id          int64
	kind        clientType
	addr, laddr *string // nil is any address; the empty one is nobody's
	maxAgeSec   int64
	skipMe      bool
}

func cmdClientKill(c *client, args [][]byte) {
	if len(args) == 3 { // the old form: an address alone
		addr := string(args[2])
		f := killFilter{addr: &addr}
		if c.killMatching(f) == 0 {
			c.err(errNoSuchClient)
		} else {
			c.ok()
		}
		return
	}
	f := killFilter{skipMe: true}
	for i := 2; i < len(args); i += 2 {
		if i+1 == len(args) {
			c.err(errSyntax)
			return
		}
		if text := f.parse(args[i], args[i+1]); text != "" {
			c.err(text)
			return
		}
	}
	c.int(c.killMatching(f))
}

// parse adds an option to the filter. It returns the error reply, or "".
func (f *killFilter) parse(option, value []byte) string {
	var ok bool
	switch strings.ToLower(string(option)) {
	case "id":
		if f.id, ok = parseInt(value); !ok || f.id < 1 {
			return errClientIDRange
		}
	case "maxage":
		if f.maxAgeSec, ok = parseInt(value); !ok {
			return errMaxAge
		}
		if f.maxAgeSec <= 0 {
			return errMaxAgeRange
		}
	case "type":
		if f.kind, ok = parseClientType(value); !ok {
			return errClientType(value)
		}
	case "addr":
		addr := string(value)
		f.addr = &addr
	case "laddr":
		addr := string(value)
		f.laddr = &addr
	case "user":
		// Everyone is the one user there is, also who did not authenticate, as in Redis.
		if string(value) != defaultUser {
			return errNoSuchUser(value)
		}
	case "skipme":
		switch {
		case isWord(value, "YES"):
			f.skipMe = true
		case isWord(value, "NO"):
			f.skipMe = false
		default:
			return errSyntax
		}
	default:
		return errSyntax
	}
	return ""
}

// matches reports whether the filter kills a client, but for skipMe.
func (f *killFilter) matches(c *client) bool {
	switch {
	case c.has(clientCloseASAP): // killed before, and as good as gone
	case f.id != 0 && c.id != f.id:
	case !f.kind.matches(c):
	case f.addr != nil && c.addr != *f.addr:
	case f.laddr != nil && c.laddr != *f.laddr:
	case f.maxAgeSec != 0 && (c.srv.nowMs.Load()-c.createdMs)/1000 < f.maxAgeSec:
	default:
		return true
	}
	return false
}

// killMatching kills the clients that match and returns how many they were. The
// one that asks is closed after its reply.
func (c *client) killMatching(f killFilter) int64 {
	killed := int64(0)
	c.srv.eachClient(func(other *client) bool {
		switch {
		case !f.matches(other):
			return true
		case other != c:
			other.kill()
		case f.skipMe:
			return true
		default:
			c.closeAfterReply()
		}
		killed++
		return true
	})
	return killed
}
