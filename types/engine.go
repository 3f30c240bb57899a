package types

import "bitkv/engine"

// What package resp needs of the engine's vocabulary, under this package's name:
// it does not import the engine.

// ShardSet is what a transaction locks.
type ShardSet = engine.ShardSet

// Hint is where Store.Warm has found a key.
type Hint = engine.Hint

// SyncPolicy says when written records are forced to the disk.
type SyncPolicy = engine.SyncPolicy

// The sync policies; see package engine.
const (
	SyncEverySecond = engine.SyncEverySecond
	SyncAlways      = engine.SyncAlways
	SyncNever       = engine.SyncNever
	SyncBytes       = engine.SyncBytes
)

// Progress is how far a long piece of work is.
type Progress = engine.Progress

// EngineStats is the state of the log and the keydir.
type EngineStats = engine.Stats

// MemoryStats is what the data takes in memory.
type MemoryStats = engine.MemoryStats

// Fetch is what a transaction that must not wait for the disk has noted: see
// Tx.NoWait.
type Fetch = engine.Fetch

// FS is a file system that a Store can be on.
type FS = engine.FS

// File is an open file of an FS.
type File = engine.File

// OSFS is the operating system's file system.
func OSFS() FS { return engine.OSFS() }

// Errors of the engine that reach a client in words of their own.
var (
	ErrCold         = engine.ErrCold
	ErrClosed       = engine.ErrClosed
	ErrCorrupt      = engine.ErrCorrupt
	ErrTooLarge     = engine.ErrTooLarge
	ErrNoSpace      = engine.ErrNoSpace
	ErrDiskLimit    = engine.ErrDiskLimit
	ErrFailed       = engine.ErrFailed
	ErrMergeRunning = engine.ErrMergeRunning
)
