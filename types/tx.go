package types

import "bitkv/engine"

// Tx is one command's, or one EXEC's, view of a Store. It is for one goroutine
// and must be ended by Commit or Rollback.
type Tx struct {
	s     *Store
	eng   *engine.Tx
	db    int
	nowMs int64
	write bool
	// Y owns the rest.
}

// SetDB changes the database that later calls work on (SELECT inside EXEC).
func (tx *Tx) SetDB(db int) { tx.db = db }

// NowMs is the time this transaction happens at, in Unix milliseconds.
func (tx *Tx) NowMs() int64 { return tx.nowMs }

// String returns the String commands over this transaction.
func (tx *Tx) String() String { return String{tx} }

// Commit ends the transaction; see engine.Tx.Commit. Keys found expired by a
// transaction that could not delete them are deleted now, in one of their own.
func (tx *Tx) Commit() (seq uint64, err error) { panic("Y") }

// Rollback ends the transaction and undoes its writes.
func (tx *Tx) Rollback() { panic("Y") }
