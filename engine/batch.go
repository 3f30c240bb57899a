package engine

// BatchOptions configure a Batch. The zero value of a field means its default.
type BatchOptions struct {
	// MaxBytes limits the sum of keys and values. Default 64 MiB.
	MaxBytes int64
	// Sync makes Commit wait until the batch is on the disk, whatever the policy.
	Sync bool
}

// Batch collects writes to keyspace 0 and makes them as one frame: after a crash
// all of them are there, or none. It is for one goroutine and can be used again
// after Commit or Reset. The zero value is not usable: see DB.NewBatch.
type Batch struct {
	db    *DB
	opt   BatchOptions
	buf   []byte // keys and values
	ops   []batchOp
	shard ShardSet
}

// batchOp is one write; its key and value are in Batch.buf.
type batchOp struct {
	keyAt, keyLen     int
	valueAt, valueLen int
	expireMs          int64
	remove            bool
}

// NewBatch returns an empty batch.
func (db *DB) NewBatch(opt BatchOptions) *Batch {
	setDefault(&opt.MaxBytes, 64<<20)
	return &Batch{db: db, opt: opt}
}

// Put adds the write of a key. It returns ErrTooLarge, and adds nothing, if the
// batch would get larger than its limit. key and value are copied.
func (b *Batch) Put(key, value []byte) error { return b.PutExpire(key, value, 0) }

// PutExpire is Put with an absolute expiry in Unix milliseconds.
func (b *Batch) PutExpire(key, value []byte, expireMs int64) error {
	return b.add(key, value, batchOp{expireMs: expireMs})
}

// Delete adds the removal of a key; as Put.
func (b *Batch) Delete(key []byte) error { return b.add(key, nil, batchOp{remove: true}) }

func (b *Batch) add(key, value []byte, op batchOp) error {
	if size := b.Bytes() + int64(len(key)) + int64(len(value)); size > b.opt.MaxBytes {
		return errorf("%w: batch of more than %d bytes", ErrTooLarge, b.opt.MaxBytes)
	}
	op.keyAt, op.keyLen = len(b.buf), len(key)
	b.buf = append(b.buf, key...)
	op.valueAt, op.valueLen = len(b.buf), len(value)
	b.buf = append(b.buf, value...)
	b.ops = append(b.ops, op)
	b.shard.Add(b.db.ShardOf(key))
	return nil
}

// Len is the number of writes, and Bytes the sum of their keys and values.
func (b *Batch) Len() int { return len(b.ops) }

// Bytes is the sum of the lengths of all keys and values added.
func (b *Batch) Bytes() int64 { return int64(len(b.buf)) }

// Reset takes out all writes.
func (b *Batch) Reset() {
	b.buf, b.ops, b.shard = b.buf[:0], b.ops[:0], ShardSet{}
}

// Commit makes the writes, in the order they were added, all at once for every
// reader, acknowledges them as the sync policy or BatchOptions.Sync says, and
// empties the batch. After an error from the log none was made and the batch is
// as before; after one from the acknowledgement (it wraps ErrFailed) they were
// made, but whether they are safe is not known.
func (b *Batch) Commit() error {
	if len(b.ops) == 0 {
		return nil
	}
	tx := b.db.Begin(&b.shard, true)
	for i := range b.ops {
		op := &b.ops[i]
		key := b.buf[op.keyAt : op.keyAt+op.keyLen]
		if op.remove {
			tx.Delete(0, key)
			continue
		}
		if err := tx.Put(0, key, Meta{ExpireMs: op.expireMs}, b.buf[op.valueAt:op.valueAt+op.valueLen]); err != nil {
			tx.Rollback()
			return err
		}
	}
	seq, err := tx.Commit()
	if err != nil {
		return err
	}
	b.Reset()
	if b.opt.Sync {
		err = b.db.log.syncTo(seq)
	} else {
		err = b.db.Ack(seq)
	}
	if err != nil {
		return errorf("engine: acknowledge a batch: %w", err)
	}
	return nil
}
