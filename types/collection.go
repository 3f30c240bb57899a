package types

import (
	"encoding/binary"
	"slices"

	"bitkv/engine"
)

// The small form of a collection is bounded by what a change of it writes, and
// by what a search in it reads.
const (
	packedMaxEntries = 128
	packedMaxBytes   = 4 << 10
	packedMostBytes  = 256 << 10 // of a hash, if the settings ask for it
	// packedSpare is how much an entry may add to a small collection without an
	// allocation.
	packedSpare = 512
)

// coll is a Hash, List, Set or ZSet at a key, found or to be made, in one of its
// two forms. It is used in one piece of one command:
//
//	c, err := tx.openWrite(key, tagHash)       // or openRead, create
//	isNew, err := c.put(field, value)          // any number of changes
//	err = c.finish(changes, "hset")            // writes, signals, cleans up
//
// In the small form (big is nil) changes are made in memory and finish writes
// the head. In the large form every change is written at once, as a record of its
// own, and finish writes the head only if the key or its encoding is new. A
// collection gets the large form when the small one is full, and never goes back.
//
// Two of them must not be open for the same key at once, if either is changed.
type coll struct {
	tx      *Tx
	kind    *kind
	db      int
	key     []byte
	head    engine.Head // of the key as it was; valid if existed
	existed bool
	created bool  // by create: what the key was is replaced
	tag     uint8 // what the head will have; the types set tagConverted in it
	small   packed
	big     *engine.Collection // nil: small
	ttl     fieldTTL           // of a Hash with field expiries
	live    []int              // positions of what has not expired; for random alone
}

// openRead finds a collection for reading; c is an empty one if the key does not
// exist. ErrWrongType if it is of another type.
func (tx *Tx) openRead(key []byte, tag uint8) (c coll, err error) {
	h, ok := tx.read(key, withTouch)
	c = coll{tx: tx, kind: &kinds[tag], db: tx.db, key: key, tag: tag}
	if ok {
		err = c.load(&h, 0)
	}
	return c, err
}

// openWrite finds a collection in order to change it; c.existed tells whether
// the key exists. If not, it comes to be when finish is called with something in
// it. ErrWrongType if it is of another type.
func (tx *Tx) openWrite(key []byte, tag uint8) (c coll, err error) {
	h, ok := tx.forWrite(tx.db, key)
	c = coll{tx: tx, kind: &kinds[tag], db: tx.db, key: key, tag: tag}
	if ok {
		err = c.load(&h, packedSpare)
	}
	return c, err
}

// create returns an empty collection that will replace whatever the key is, its
// expiry included: see replace.
func (tx *Tx) create(key []byte, tag uint8) coll {
	h, ok := tx.forWrite(tx.db, key)
	return coll{tx: tx, kind: &kinds[tag], db: tx.db, key: key, tag: tag, head: h, existed: ok, created: true}
}

// open makes a collection for reading from a head met in a walk.
func (tx *Tx) open(db int, key []byte, h *engine.Head, k *kind) (c coll, err error) {
	c = coll{tx: tx, kind: k, db: db, key: key, tag: k.tag}
	err = c.load(h, 0)
	return c, err
}

// load takes over what a head says. spare is how many bytes the small form may
// grow by in place.
func (c *coll) load(h *engine.Head, spare int) error {
	if h.Tag&tagTypeMask != c.kind.tag {
		return ErrWrongType
	}
	c.head, c.existed, c.tag = *h, true, h.Tag
	if hasFieldTTL(h.Tag) {
		if err := c.loadFieldTTL(); err != nil {
			return err
		}
	}
	if c.big = h.Collection(); c.big != nil {
		return nil
	}
	tx := c.tx
	base, size := len(tx.arena), h.Size+spare
	tx.arena = slices.Grow(tx.arena, size)[:base+size]
	buf, err := tx.eng.AppendValue(tx.arena[base:base:base+size], h)
	if err != nil {
		return err
	}
	c.small, err = parsePacked(buf, c.kind.stride)
	return err
}

// len is the number of entries that have not expired.
func (c *coll) len() int { return c.size() - c.ttl.expired }

// size is the number of entries that are there.
func (c *coll) size() int {
	if c.big != nil {
		return c.big.Len()
	}
	return c.small.n / c.kind.stride
}

// makeRoom is called before entries and bytes (see itemBytes) are added: it makes
// the collection a large one, if it is small and would become too large for that.
func (c *coll) makeRoom(entries, bytes int) error {
	if c.big != nil || c.size()+entries <= c.maxPacked() && len(c.small.buf)+bytes <= c.maxPackedBytes() {
		return nil
	}
	return c.grow()
}

// maxPacked is the largest number of entries of the small form.
func (c *coll) maxPacked() int {
	limit := packedMaxEntries
	if c.kind.tag == tagSet && c.tag&tagConverted == 0 {
		limit = packedMaxBytes // integers are short
	}
	return int(min(int64(limit), c.kind.maxPacked(c.tx.s.limits.Load(), c.tag)))
}

// maxPackedBytes is the largest size of the small form. Whoever has Redis keep
// hashes of longer values in a listpack, where they keep their order, has that
// here within reason.
func (c *coll) maxPackedBytes() int {
	if c.kind.tag != tagHash {
		return packedMaxBytes
	}
	return int(min(max(packedMaxBytes, 2*min(c.tx.s.limits.Load().HashValue, packedMostBytes)), packedMostBytes))
}

// grow makes a small collection a large one. Views of its items stay valid.
func (c *coll) grow() error {
	big := c.tx.eng.NewCollection(c.kind.order)
	position := uint64(listOrigin)
	for at := 0; at < len(c.small.buf); {
		var subkey, value []byte
		subkey, at = c.small.item(at)
		switch {
		case c.kind.tag == tagList:
			value = subkey
			key := listKey(position)
			subkey, position = key[:], position+listGap
		case c.kind.stride == 2:
			value, at = c.small.item(at)
		}
		if _, err := c.tx.eng.PutElement(big, subkey, value); err != nil {
			return c.tx.fail(err)
		}
	}
	c.big, c.small = big, packed{}
	return nil
}

// Positions of a large list are numbers whose order is that of the elements, as
// 8 bytes, big-endian. The first element of a list that grows is at listOrigin;
// there is listGap between neighbours, so that one can be put between them.
const (
	listOrigin = 1 << 63
	listGap    = 1 << 16
)

// get returns the entry of a Hash, Set or ZSet with a subkey: the value of a
// field, nothing, or a score.
func (c *coll) get(subkey []byte) (v Item, ok bool) {
	if c.fieldExpired(subkey) {
		return Item{}, false
	}
	if c.big != nil {
		e, ok := c.tx.eng.GetElement(c.big, subkey)
		return Item{tx: c.tx, elem: e, large: true}, ok
	}
	at, ok := c.small.find(subkey, c.kind.stride)
	if !ok {
		return Item{}, false
	}
	if c.kind.stride == 1 {
		return Item{}, true
	}
	_, next := c.small.item(at)
	value, _ := c.small.item(next)
	return Item{bytes: value}, true
}

// put writes an entry of a Hash or Set (value is not used then). In the small
// form a new one goes to the end. value must not be a view of the collection.
func (c *coll) put(subkey, value []byte) (isNew bool, err error) {
	if c.big == nil {
		at, found := c.small.find(subkey, c.kind.stride)
		entries, bytes := 0, itemBytes(len(value))
		if !found {
			entries, bytes = 1, bytes+itemBytes(len(subkey))
		}
		if err := c.makeRoom(entries, bytes); err != nil {
			return false, err
		}
		if c.big == nil {
			switch {
			case c.kind.stride == 2 && found:
				c.small.replace(c.small.skip(at, 1), 1, value)
			case c.kind.stride == 2:
				c.small.replace(at, 0, subkey, value)
			case !found:
				c.small.replace(at, 0, subkey)
			}
			return !found, nil
		}
	}
	if isNew, err = c.tx.eng.PutElement(c.big, subkey, value); err != nil {
		return false, c.tx.fail(err)
	}
	return isNew, nil
}

// remove takes an entry out of a Hash, Set or ZSet. It reports whether it was
// there. One that has expired was not, and is left to those who clean up.
func (c *coll) remove(subkey []byte) bool {
	if c.fieldExpired(subkey) {
		return false
	}
	c.forgetFieldTTL(subkey)
	return c.dropEntry(subkey)
}

// dropEntry takes an entry out, expired or not.
func (c *coll) dropEntry(subkey []byte) bool {
	if c.big != nil {
		return c.tx.eng.DeleteElement(c.big, subkey)
	}
	at, ok := c.small.find(subkey, c.kind.stride)
	if ok {
		c.small.replace(at, c.kind.stride)
	}
	return ok
}

// each calls fn for every entry until it returns an error, which each returns: a
// field and its value, a member and nothing, a member and its score (in the order
// of scores), or an element of a list as v, in order; subkey is nil then, or its
// position. Neither is valid after fn; fn must not change the collection.
func (c *coll) each(fn func(subkey []byte, v *Item) error) error {
	if c.ttl.expired == 0 {
		return c.eachThere(fn)
	}
	return c.eachThere(func(subkey []byte, v *Item) error {
		if c.fieldExpired(subkey) {
			return nil
		}
		return fn(subkey, v)
	})
}

// eachThere is each for all entries, expired or not.
func (c *coll) eachThere(fn func(subkey []byte, v *Item) error) error {
	if c.big == nil {
		return c.eachPacked(fn)
	}
	return c.tx.eng.ReadMany(func() (err error) {
		v, cursor := Item{tx: c.tx, large: true}, c.big.Up(0)
		if c.kind.order == engine.OrderScore {
			cursor = c.big.UpScore(0)
		}
		for err == nil && cursor.Next(&v.elem) {
			err = fn(v.elem.Subkey, &v)
		}
		return err
	})
}

func (c *coll) eachPacked(fn func(subkey []byte, v *Item) error) error {
	var v Item
	for at := 0; at < len(c.small.buf); {
		var subkey []byte
		subkey, at = c.small.item(at)
		switch {
		case c.kind.tag == tagList:
			subkey, v.bytes = nil, subkey
		case c.kind.stride == 2:
			v.bytes, at = c.small.item(at)
		}
		if err := fn(subkey, &v); err != nil {
			return err
		}
	}
	return nil
}

// finish writes what is still to be written after n changes and signals them as
// one event of the type; with n = 0 it does nothing. A collection that became
// empty is deleted, which is an event as well.
func (c *coll) finish(n int64, event string) error {
	if n == 0 {
		return nil
	}
	tx := c.tx
	if c.len() == 0 {
		tx.remove(c.db, c.key, &c.head)
	} else if err := c.write(); err != nil {
		return tx.fail(err)
	}
	tx.dirty += n - 1
	tx.signalModified(c.db, c.key, c.kind.class, event)
	if c.len() == 0 {
		tx.notify(c.db, c.key, EventGeneric, "del")
	}
	return nil
}

// replace is finish for a collection made by create: it takes the place of what
// the key was, or, if it is empty, the key is deleted.
func (c *coll) replace(event string) error {
	tx := c.tx
	if c.len() > 0 {
		tx.noteOverwritten(c.db, c.key, &c.head, c.existed)
		return c.finish(1, event)
	}
	if c.existed {
		tx.remove(c.db, c.key, &c.head)
		tx.signalModified(c.db, c.key, EventGeneric, "del")
	}
	return nil
}

// write writes the head if that is needed.
func (c *coll) write() error {
	tx, expireMs := c.tx, c.head.ExpireMs
	if c.created || !c.existed {
		expireMs = 0
	}
	if err := c.writeFieldTTL(); err != nil {
		return err
	}
	m := tx.putMeta(c.tag, expireMs, &c.head, c.existed)
	isNew := !c.existed || c.created
	var err error
	switch {
	case c.big == nil && (isNew || c.small.changed || c.tag != c.head.Tag):
		err = tx.eng.Put(keySpace(c.db), c.key, m, c.small.buf)
	case c.big != nil && (isNew || c.big != c.head.Collection() || c.tag != c.head.Tag):
		err = tx.eng.PutCollection(keySpace(c.db), c.key, m, c.big, nil)
	}
	if err == nil {
		tx.notifyNew(c.db, c.key, c.existed)
	}
	return err
}

// Item is the value of a field, or an element, that was found and not yet read.
// The zero Item is empty. It is valid until the transaction writes its key, or
// another command begins.
type Item struct {
	tx    *Tx
	bytes []byte         // of a small collection
	elem  engine.Element // of a large one
	large bool
}

// Len is the length in bytes; no disk is read for it.
func (v *Item) Len() int {
	if v.large {
		return v.elem.Size
	}
	return len(v.bytes)
}

// AppendTo appends the bytes to dst. It may read the disk.
func (v *Item) AppendTo(dst []byte) ([]byte, error) {
	if v.large {
		return v.tx.eng.AppendElementValue(dst, &v.elem)
	}
	return append(dst, v.bytes...), nil
}

// listKey is the subkey of a position in a large list.
func listKey(position uint64) [8]byte {
	var key [8]byte
	binary.BigEndian.PutUint64(key[:], position)
	return key
}
