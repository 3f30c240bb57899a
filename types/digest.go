package types

import (
	"crypto/sha1"
	"encoding/binary"

	"bitkv/engine"
)

// digest is the hash of DEBUG DIGEST, made of two steps: xor adds something
// without regard to order, mix with regard to it.
type digest [sha1.Size]byte

func (d *digest) xor(b []byte) {
	sum := sha1.Sum(b)
	for i := range d {
		d[i] ^= sum[i]
	}
}

func (d *digest) mix(b []byte) {
	d.xor(b)
	*d = sha1.Sum(d[:])
}

// Digest is DEBUG DIGEST: a hash over every key, type, value and whether it
// expires, of all databases, the same as Redis's for the same data in whatever
// order. REQUIRES: all shards locked, for the answer to be of one moment.
func (k Keyspace) Digest() ([20]byte, error) {
	tx := k.tx
	var all digest
	for db := range tx.s.Databases() {
		if tx.s.eng.Len(keySpace(db)) == 0 {
			continue
		}
		all.mix(binary.BigEndian.AppendUint32(nil, uint32(db)))
		for shard := range tx.s.eng.Shards() {
			if err := tx.digestShard(&all, db, shard); err != nil {
				return [20]byte{}, err
			}
		}
	}
	return all, nil
}

func (tx *Tx) digestShard(all *digest, db, shard int) (err error) {
	tx.eng.WithShard(shard, func() {
		tx.eng.Scan(keySpace(db), shard, 0, func(key []byte, h engine.Head) bool {
			if tx.isExpired(&h) {
				return true
			}
			var d digest
			d.mix(key)
			if err = tx.digestHead(&d, db, key, &h); err != nil {
				return false
			}
			all.xor(d[:])
			return true
		})
	})
	return err
}

// digestHead adds type, value and expiry of a head.
func (tx *Tx) digestHead(d *digest, db int, key []byte, h *engine.Head) error {
	k, err := knownKind(h.Tag)
	if err != nil {
		return err
	}
	d.mix(binary.BigEndian.AppendUint32(nil, k.digestType))
	if err := k.digest(tx, k, d, db, key, h); err != nil {
		return err
	}
	if h.ExpireMs != 0 {
		d.xor([]byte("!!expire!!"))
	}
	return nil
}

func (tx *Tx) digestString(_ *kind, d *digest, _ int, _ []byte, h *engine.Head) error {
	v, err := tx.valueOf(h)
	if err != nil {
		return err
	}
	value, err := v.AppendTo(nil)
	if err != nil {
		return err
	}
	d.mix(value)
	return nil
}

// digestList adds the elements of a list, whose order matters.
func (tx *Tx) digestList(k *kind, d *digest, db int, key []byte, h *engine.Head) error {
	defer tx.trimArena(len(tx.arena))
	c, err := tx.open(db, key, h, k)
	if err != nil {
		return err
	}
	return c.each(func(_ []byte, v *Item) error {
		tx.scratch, err = v.AppendTo(tx.scratch[:0])
		d.mix(tx.scratch)
		return err
	})
}

// digestEntries adds the entries of another collection: their order does not
// matter. A score is added as Redis prints it there.
func (tx *Tx) digestEntries(k *kind, d *digest, db int, key []byte, h *engine.Head) error {
	defer tx.trimArena(len(tx.arena))
	c, err := tx.open(db, key, h, k)
	if err != nil {
		return err
	}
	return c.each(func(subkey []byte, v *Item) error {
		if k.stride == 1 {
			d.xor(subkey)
			return nil
		}
		if tx.scratch, err = v.AppendTo(tx.scratch[:0]); err != nil {
			return err
		}
		if k.tag == tagZSet {
			score, err := decodeScore(tx.scratch)
			if err != nil {
				return err
			}
			tx.scratch = appendC17g(tx.scratch[:0], score)
		}
		var entry digest
		entry.mix(subkey)
		entry.mix(tx.scratch)
		if c.fieldExpireMs(subkey) != 0 {
			entry.xor([]byte("!!hexpire!!"))
		}
		d.xor(entry[:])
		return nil
	})
}

// DigestValue is DEBUG DIGEST-VALUE: zeros for a key that does not exist.
func (k Keyspace) DigestValue(key []byte) ([20]byte, error) {
	var d digest
	h, ok := k.tx.read(key, noTouch)
	if !ok {
		return d, nil
	}
	err := k.tx.digestHead(&d, k.tx.db, key, &h)
	return d, err
}
