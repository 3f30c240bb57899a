package tests

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// compareState compares every database key by key. If sorted is set, a sorted set
// may be a skiplist in one of them and none in the other.
func (p *pair) compareState(at int, encodings, sorted bool) *difference {
	got, err := dumpState(p.ours, encodings)
	if err != nil {
		return &difference{at, "the state at the end", err.Error(), ""}
	}
	want, err := dumpState(p.ref, encodings)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, key := range sortedKeys(got, want) {
		g, w := got[key], want[key]
		if sorted {
			g.text, w.text = withoutSkiplist(g.text), withoutSkiplist(w.text)
		}
		if g.text != w.text {
			g.text, w.text = differing(g.text, w.text)
		}
		if g.text == w.text && g.digest != w.digest && w.digest != "" {
			return &difference{at, fmt.Sprintf("the digest at the end: %.80q", key), g.digest, w.digest}
		}
		if g.text != w.text || max(g.expireMs-w.expireMs, w.expireMs-g.expireMs) > clockSkew*1000 {
			return &difference{at, fmt.Sprintf("the state at the end: %.80q", key), fmt.Sprintf("%.300q, expires %d", g.text, g.expireMs), fmt.Sprintf("%.300q, expires %d", w.text, w.expireMs)}
		}
	}
	return nil
}

// withoutSkiplist makes the text of a keyState the same for both encodings of a sorted
// set.
func withoutSkiplist(text string) string { return strings.Replace(text, "skiplist", "listpack", 1) }

// keyState is what is known of a key.
type keyState struct {
	text     string
	digest   string
	expireMs int64
}

// dumpState reads every key of every database: SCAN, then GET and the rest.
func dumpState(s *server, encodings bool) (map[string]keyState, error) {
	w, err := dialWire(s.addr)
	if err != nil {
		return nil, err
	}
	defer w.close()
	state := map[string]keyState{}
	for db := range 16 {
		if _, err := w.do("SELECT", strconv.Itoa(db)); err != nil {
			return nil, err
		}
		size, err := w.do("DBSIZE")
		if err != nil {
			return nil, err
		}
		keys, err := scanAll(w)
		if err != nil {
			return nil, err
		}
		state[fmt.Sprintf("db%d DBSIZE and SCAN", db)] = keyState{text: fmt.Sprintf("%s %d", size.text, len(keys))}
		for _, key := range keys {
			if state[fmt.Sprintf("db%d %s", db, key)], err = dumpKey(w, key, encodings); err != nil {
				return nil, err
			}
		}
	}
	return state, nil
}

// contents is how a value of each type is read in full.
var contents = map[string][]string{
	"hash": {"HGETALL"}, "list": {"LRANGE", "0", "-1"}, "set": {"SMEMBERS"}, "zset": {"ZRANGE", "0", "-1", "WITHSCORES"},
}

// dumpKey reads one key, exactly with encoding and digest. What has no order is
// sorted: hashes, and sets but for those of integers.
func dumpKey(w *wire, key string, exactly bool) (keyState, error) {
	var k keyState
	var kind, encoding string
	asks := [][]string{{"TYPE", key}, {"GET", key}, {"STRLEN", key}, {"PEXPIRETIME", key}, {"OBJECT", "ENCODING", key}, {"DEBUG", "DIGEST-VALUE", key}}
	if !exactly {
		asks = asks[:4]
	}
	for _, ask := range asks {
		v, err := w.do(ask...)
		if err != nil {
			return k, err
		}
		switch ask[0] {
		case "PEXPIRETIME":
			if k.expireMs, err = strconv.ParseInt(v.text, 10, 64); err != nil {
				return k, err
			}
			continue
		case "TYPE":
			kind = v.text
		case "OBJECT":
			encoding = v.text
		}
		if ask[0] == "DEBUG" {
			k.digest = v.raw
			continue
		}
		k.text += v.raw
	}
	read, ok := contents[kind]
	if !ok {
		return k, nil
	}
	v, err := w.do(append([]string{read[0], key}, read[1:]...)...)
	if err != nil {
		return k, err
	}
	all := entries(v, kind == "hash" || kind == "zset")
	if kind == "hash" || kind == "set" && encoding != "intset" {
		slices.Sort(all)
	}
	k.text += fmt.Sprintf("%q", all)
	return k, nil
}

// scanAll returns the keys of a whole SCAN, sorted, each once.
func scanAll(w *wire) ([]string, error) {
	var keys []string
	for cursor := "0"; ; {
		v, err := w.do("SCAN", cursor, "COUNT", "7")
		if err != nil {
			return nil, err
		}
		if len(v.elems) != 2 {
			return nil, fmt.Errorf("SCAN %s: %q", cursor, v.raw)
		}
		keys = append(keys, v.elems[1].texts()...)
		if cursor = v.elems[0].text; cursor == "0" {
			break
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys), nil
}

func sortedKeys(maps ...map[string]keyState) []string {
	var all []string
	for _, m := range maps {
		for k := range m {
			all = append(all, k)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// differing cuts what two texts begin with alike, but for a little.
func differing(a, b string) (string, string) {
	at := 0
	for at < min(len(a), len(b)) && a[at] == b[at] {
		at++
	}
	at = max(0, at-60)
	return a[at:], b[at:]
}
