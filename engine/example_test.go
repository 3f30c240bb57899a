package engine_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"bitkv/engine"
)

// open opens a database in a directory that is removed afterwards.
func open() (db *engine.DB, done func()) {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	if db, err = engine.Open(filepath.Join(dir, "db"), engine.Options{}); err != nil {
		log.Fatal(err)
	}
	return db, func() {
		if err := errors.Join(db.Close(), os.RemoveAll(dir)); err != nil {
			log.Fatal(err)
		}
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func Example() {
	dir, err := os.MkdirTemp("", "example")
	check(err)
	defer os.RemoveAll(dir)

	db, err := engine.Open(dir, engine.Options{Sync: engine.SyncAlways})
	check(err)
	check(db.Put([]byte("name"), []byte("bitcask")))
	check(db.Close())

	// It is still there.
	db, err = engine.Open(dir, engine.Options{})
	check(err)
	value, err := db.Get([]byte("name"))
	check(err)
	fmt.Printf("%s\n", value)
	check(db.Delete([]byte("name")))
	_, err = db.Get([]byte("name"))
	fmt.Println(errors.Is(err, engine.ErrNotFound))
	check(db.Close())
	// Output:
	// bitcask
	// true
}

func ExampleDB_PutExpire() {
	db, done := open()
	defer done()
	check(db.PutExpire([]byte("session"), []byte("token"), time.Now().Add(time.Hour).UnixMilli()))
	check(db.PutExpire([]byte("old"), []byte("token"), time.Now().Add(-time.Hour).UnixMilli()))
	_, err := db.Get([]byte("session"))
	fmt.Println(err)
	_, err = db.Get([]byte("old"))
	fmt.Println(err)
	// Output:
	// <nil>
	// engine: key not found
}

func ExampleBatch() {
	db, done := open()
	defer done()
	batch := db.NewBatch(engine.BatchOptions{Sync: true})
	check(batch.Put([]byte("from"), []byte("90")))
	check(batch.Put([]byte("to"), []byte("110")))
	check(batch.Commit()) // both, or none
	keys, err := db.ListKeys()
	check(err)
	fmt.Printf("%s\n", keys)
	// Output: [from to]
}

func ExampleIterator() {
	db, done := open()
	defer done()
	for _, key := range []string{"user:2", "user:1", "order:1", "user:3"} {
		check(db.Put([]byte(key), []byte("...")))
	}
	it := db.NewIterator(engine.IteratorOptions{Prefix: []byte("user:"), Reverse: true})
	defer it.Close()
	for it.Rewind(); it.Valid(); it.Next() {
		fmt.Printf("%s\n", it.Key())
	}
	check(it.Err())
	it.Seek([]byte("user:2"))
	fmt.Printf("from user:2 down: %s\n", it.Key())
	// Output:
	// user:3
	// user:2
	// user:1
	// from user:2 down: user:2
}

func ExampleDB_Fold() {
	db, done := open()
	defer done()
	for i := range 3 {
		check(db.Put(fmt.Appendf(nil, "key-%d", i), fmt.Appendf(nil, "%d", i*i)))
	}
	check(db.Fold(func(key, value []byte) error {
		fmt.Printf("%s=%s\n", key, value)
		return nil
	}))
	// Output:
	// key-0=0
	// key-1=1
	// key-2=4
}

func ExampleDB_Merge() {
	db, done := open()
	defer done()
	for i := range 1000 {
		check(db.Put([]byte("counter"), fmt.Appendf(nil, "%0100d", i)))
	}
	before := db.Stats()
	check(db.Merge(context.Background(), 0))
	after := db.Stats()
	fmt.Println("dead bytes are gone:", before.DeadBytes > 100_000 && after.DeadBytes == 0)
	// Output: dead bytes are gone: true
}

func ExampleDB_Backup() {
	db, done := open()
	defer done()
	check(db.Put([]byte("key"), []byte("value")))
	dir, err := os.MkdirTemp("", "backup")
	check(err)
	defer os.RemoveAll(dir)
	check(db.Backup(context.Background(), filepath.Join(dir, "today")))

	copied, err := engine.Open(filepath.Join(dir, "today"), engine.Options{})
	check(err)
	value, err := copied.Get([]byte("key"))
	check(err)
	fmt.Printf("%s\n", value)
	check(copied.Close())
	// Output: value
}

// A transaction changes several keys, and the elements of a collection, at once.
func ExampleTx() {
	db, done := open()
	defer done()
	key := []byte("numbers")
	var set engine.ShardSet
	set.Add(db.ShardOf(key))

	tx := db.Begin(&set, true)
	c := tx.NewCollection(engine.OrderBytes)
	for _, name := range []string{"two", "one", "three"} {
		_, err := tx.PutElement(c, []byte(name), []byte("..."))
		check(err)
	}
	check(tx.PutCollection(0, key, engine.Meta{Tag: 'h'}, c, nil))
	seq, err := tx.Commit()
	check(err)
	check(db.Ack(seq))

	tx = db.Begin(&set, false)
	head, ok := tx.Get(0, key)
	fmt.Println(ok, head.Collection().Len())
	head.Collection().AscendAt(0, func(e engine.Element) bool {
		fmt.Printf("%s\n", e.Subkey)
		return true
	})
	_, err = tx.Commit()
	check(err)
	// Output:
	// true 3
	// one
	// three
	// two
}
