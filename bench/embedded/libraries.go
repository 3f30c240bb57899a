package main

import (
	"errors"
	"io"
	"log"
	"os"
	"path/filepath"

	"github.com/akrylysov/pogreb"
	"github.com/cockroachdb/pebble"
	"github.com/dgraph-io/badger/v4"
	"github.com/nutsdb/nutsdb"
	"github.com/rosedblabs/rosedb/v2"
	"go.etcd.io/bbolt"

	"bitkv/engine"
)

// libraries are what is measured. Those whose Put syncs by default get fewer keys:
// loading them would take hours.
var libraries = []library{
	{name: "bitkv", sync: "with the system; on disk within a second", open: openBitkv, slow: 1},
	{name: "pogreb", sync: "with the system", open: openPogreb, slow: 1},
	{name: "pebble", sync: "with the system (NoSync)", open: openPebble(pebble.NoSync), slow: 1},
	{name: "badger", sync: "with the system (memory map)", open: openBadger, slow: 1},
	{name: "bbolt", sync: "on disk", open: openBolt, slow: 1000},
	{name: "nutsdb", sync: "with the system", open: openNuts, slow: 1},
	{name: "rosedb", sync: "with the system", open: openRose, slow: 1},
}

type bitkvStore struct{ *engine.DB }

func openBitkv(dir string) (store, error) {
	db, err := engine.Open(dir, engine.Options{})
	return bitkvStore{db}, err
}

func (s bitkvStore) Get(dst, key []byte) ([]byte, error) { return s.AppendGet(dst, key) }

type pogrebStore struct{ *pogreb.DB }

func openPogreb(dir string) (store, error) {
	pogreb.SetLogger(log.New(io.Discard, "", 0))
	db, err := pogreb.Open(dir, nil)
	return pogrebStore{db}, err
}

func (s pogrebStore) Get(_, key []byte) ([]byte, error) { return s.DB.Get(key) }

type pebbleStore struct {
	*pebble.DB
	write *pebble.WriteOptions
}

func openPebble(write *pebble.WriteOptions) func(dir string) (store, error) {
	return func(dir string) (store, error) {
		db, err := pebble.Open(dir, &pebble.Options{Logger: quiet{}})
		return pebbleStore{db, write}, err
	}
}

func (s pebbleStore) Put(key, value []byte) error { return s.Set(key, value, s.write) }

func (s pebbleStore) Get(dst, key []byte) ([]byte, error) {
	v, closer, err := s.DB.Get(key)
	if err != nil {
		return dst, err
	}
	dst = append(dst, v...)
	return dst, closer.Close()
}

// quiet is a logger that says nothing.
type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(format string, args ...any) {
	log.Fatalf(format, args...)
}

type badgerStore struct{ *badger.DB }

func openBadger(dir string) (store, error) {
	db, err := badger.Open(badger.DefaultOptions(dir).WithLogger(nil))
	return badgerStore{db}, err
}

func (s badgerStore) Put(key, value []byte) error {
	return s.Update(func(tx *badger.Txn) error {
		// It keeps both slices until the transaction ends, and the key longer.
		return tx.Set(append([]byte(nil), key...), value)
	})
}

func (s badgerStore) Get(dst, key []byte) (out []byte, err error) {
	err = s.View(func(tx *badger.Txn) error {
		item, err := tx.Get(key)
		if err != nil {
			return err
		}
		out, err = item.ValueCopy(dst)
		return err
	})
	return out, err
}

type boltStore struct{ *bbolt.DB }

var boltBucket = []byte("b")

func openBolt(dir string) (store, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	db, err := bbolt.Open(filepath.Join(dir, "bolt"), 0o644, nil)
	if err != nil {
		return nil, err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(boltBucket)
		return err
	})
	return boltStore{db}, err
}

func (s boltStore) Put(key, value []byte) error {
	return s.Update(func(tx *bbolt.Tx) error { return tx.Bucket(boltBucket).Put(key, value) })
}

func (s boltStore) Get(dst, key []byte) ([]byte, error) {
	err := s.View(func(tx *bbolt.Tx) error {
		v := tx.Bucket(boltBucket).Get(key)
		if v == nil {
			return errors.New("not found")
		}
		dst = append(dst, v...)
		return nil
	})
	return dst, err
}

type nutsStore struct{ *nutsdb.DB }

const nutsBucket = "b"

func openNuts(dir string) (store, error) {
	db, err := nutsdb.Open(nutsdb.DefaultOptions, nutsdb.WithDir(dir), nutsdb.WithSyncEnable(false))
	if err != nil {
		return nil, err
	}
	err = db.Update(func(tx *nutsdb.Tx) error { return tx.NewBucket(nutsdb.DataStructureBTree, nutsBucket) })
	return nutsStore{db}, err
}

func (s nutsStore) Put(key, value []byte) error {
	key, value = append([]byte(nil), key...), append([]byte(nil), value...) // it keeps them
	return s.Update(func(tx *nutsdb.Tx) error { return tx.Put(nutsBucket, key, value, 0) })
}

func (s nutsStore) Get(_, key []byte) (out []byte, err error) {
	err = s.View(func(tx *nutsdb.Tx) error {
		out, err = tx.Get(nutsBucket, key)
		return err
	})
	return out, err
}

type roseStore struct{ *rosedb.DB }

func openRose(dir string) (store, error) {
	opt := rosedb.DefaultOptions
	opt.DirPath = dir
	db, err := rosedb.Open(opt)
	return roseStore{db}, err
}

func (s roseStore) Put(key, value []byte) error {
	// It keeps the key.
	return s.DB.Put(append([]byte(nil), key...), value)
}

func (s roseStore) Get(_, key []byte) ([]byte, error) { return s.DB.Get(key) }
