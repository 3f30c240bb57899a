package types

import "bitkv/engine"

// Tx is one command's, or one EXEC's, view of a Store. It is for one goroutine
// and must be ended by Commit or Rollback, and not used after that.
type Tx struct {
	s     *Store
	eng   *engine.Tx
	db    int
	nowMs int64
	write bool
}

// DB is the database that calls work on.
func (tx *Tx) DB() int { return tx.db }

// SetDB changes the database that later calls work on (SELECT inside EXEC).
func (tx *Tx) SetDB(db int) { tx.db = db }

// SetNoTouch makes accesses leave the access clocks alone (CLIENT NO-TOUCH).
func (tx *Tx) SetNoTouch(on bool) { panic("Y") }

// NowMs is the time this transaction happens at, in Unix milliseconds.
func (tx *Tx) NowMs() int64 { return tx.nowMs }

// String returns the String commands over this transaction.
func (tx *Tx) String() String { return String{tx} }

// Keyspace returns the commands for keys of any type over this transaction.
func (tx *Tx) Keyspace() Keyspace { return Keyspace{tx} }

// Commit ends the transaction; see engine.Tx.Commit. Keys found expired by a
// transaction that could not delete them are deleted now, in one of their own.
func (tx *Tx) Commit() (seq uint64, err error) { panic("Y") }

// Rollback ends the transaction and undoes its writes.
func (tx *Tx) Rollback() { panic("Y") }
