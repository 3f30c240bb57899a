package tests

import (
	"fmt"
	"slices"
	"strconv"
)

// dumpCopy is a key that no command of the model has, in which payloads are
// restored.
const dumpCopy = "\x01the copy"

// judgeDumps compares what both servers DUMP of every key. Payloads of the two
// differ in form: ours are plain (every element on its own, version 9), Redis's
// as it has the value in memory. So each payload is restored on both servers, and
//
//   - all four copies, and both originals, have the same digest and type;
//   - copies on one server have the same encoding, whoever made the payload;
//   - copies on one server DUMP the same bytes, whoever made the payload, and on
//     ours those of the original, but where Redis's own payload has no order: a
//     hashtable is dumped in the order of the day, in Redis and (while it is
//     small) in the order of insertion here. A small hash that was restored from
//     such a payload has that order, and bytes differ if those of the originals do.
//
// docs/compatibility.md says this to users.
func (m *model) judgeDumps(at int) *difference {
	theirs, err := dialWire(m.ref.addr)
	if err != nil {
		m.t.Fatal(err)
	}
	defer theirs.close()
	own, err := dialWire(m.ours.addr)
	if err != nil {
		m.t.Fatal(err)
	}
	defer own.close()
	w := [2]*wire{own, theirs}
	// A payload is longer than the longest value that the settings allow.
	for _, one := range w {
		if v, err := one.do("CONFIG", "SET", "proto-max-bulk-len", "64mb"); err != nil || v.raw != "+OK\r\n" {
			m.t.Fatalf("CONFIG SET: %q, %v", v.raw, err)
		}
	}
	dumped := 0
	for db := range 16 {
		for _, one := range w {
			if v, err := one.do("SELECT", strconv.Itoa(db)); err != nil || v.raw != "+OK\r\n" {
				m.t.Fatalf("SELECT: %q, %v", v.raw, err)
			}
		}
		keys, err := scanAll(theirs)
		if err != nil {
			m.t.Fatal(err)
		}
		for _, key := range keys {
			if d := judgeDump(w, key); d != nil {
				d.at, d.what = at, fmt.Sprintf("%s: db%d %.80q", d.what, db, key)
				return d
			}
			dumped++
		}
	}
	for _, one := range w {
		if v, err := one.do("CONFIG", "SET", "proto-max-bulk-len", "1mb"); err != nil || v.raw != "+OK\r\n" {
			m.t.Fatalf("CONFIG SET: %q, %v", v.raw, err)
		}
	}
	m.t.Logf("%d keys were dumped and restored both ways", dumped)
	return nil
}

// judgeDump is judgeDumps for one key. w are our server and the oracle.
func judgeDump(w [2]*wire, key string) *difference {
	type copied struct{ encoding, dump string }
	var payloads, digests [2]string
	var err error
	for i, one := range w {
		if payloads[i], err = ask(one, "DUMP", key); err != nil {
			return &difference{what: "DUMP", got: err.Error()}
		}
		if digests[i], err = ask(one, "DEBUG", "DIGEST-VALUE", key); err != nil {
			return &difference{what: "DEBUG DIGEST-VALUE", got: err.Error()}
		}
	}
	encoding, err := ask(w[1], "OBJECT", "ENCODING", key)
	if err != nil {
		return &difference{what: "OBJECT ENCODING", got: err.Error()}
	}
	sameOrder, err := inSameOrder(w, key)
	if err != nil {
		return &difference{what: "HGETALL", got: err.Error()}
	}
	for i, one := range w {
		var copies [2]copied
		for j, payload := range payloads {
			if _, err := ask(one, "RESTORE", dumpCopy, "0", payload, "REPLACE"); err != nil {
				return &difference{what: fmt.Sprintf("RESTORE on %d of the payload of %d", i, j), got: err.Error(), want: fmt.Sprintf("%.300q", payload)}
			}
			digest, err := ask(one, "DEBUG", "DIGEST-VALUE", dumpCopy)
			if err != nil || digest != digests[1] || digest != digests[0] {
				return &difference{what: fmt.Sprintf("digest after RESTORE on %d of the payload of %d", i, j), got: digest, want: fmt.Sprint(digests, err)}
			}
			if copies[j].encoding, err = ask(one, "OBJECT", "ENCODING", dumpCopy); err != nil {
				return &difference{what: "OBJECT ENCODING", got: err.Error()}
			}
			if copies[j].dump, err = ask(one, "DUMP", dumpCopy); err != nil {
				return &difference{what: "DUMP", got: err.Error()}
			}
		}
		if _, err := ask(one, "DEL", dumpCopy); err != nil {
			return &difference{what: "DEL", got: err.Error()}
		}
		if copies[0].encoding != copies[1].encoding {
			return &difference{what: fmt.Sprintf("encoding after RESTORE on %d", i), got: copies[0].encoding, want: copies[1].encoding}
		}
		if encoding == "hashtable" {
			continue
		}
		if i == 0 && copies[0].dump != payloads[0] {
			return &difference{what: "DUMP of what was restored from DUMP", got: fmt.Sprintf("%.300q", copies[0].dump), want: fmt.Sprintf("%.300q", payloads[0])}
		}
		// A quicklist that was restored from nodes keeps their bounds.
		if sameOrder && (i == 0 || encoding != "quicklist") && copies[0].dump != copies[1].dump {
			return &difference{what: fmt.Sprintf("DUMP after RESTORE on %d", i), got: fmt.Sprintf("%.300q", copies[0].dump), want: fmt.Sprintf("%.300q", copies[1].dump)}
		}
	}
	return nil
}

// inSameOrder reports whether a key is no hash, or one whose fields both servers list
// in the same order.
func inSameOrder(w [2]*wire, key string) (bool, error) {
	kind, err := ask(w[1], "TYPE", key)
	if err != nil || kind != "hash" {
		return true, err
	}
	var raw [2]string
	for i, one := range w {
		v, err := one.do("HGETALL", key)
		if err != nil {
			return false, err
		}
		raw[i] = v.raw
	}
	return raw[0] == raw[1], nil
}

// ask returns what a server answers, an error reply as an error.
func ask(w *wire, args ...string) (string, error) {
	v, err := w.do(args...)
	if err == nil && (v.kind == '-' || v.null) {
		err = fmt.Errorf("%.100q: %q", slices.Clone(args), v.raw)
	}
	return v.text, err
}
