package types

import "fmt"

// Every database has two keyspaces of the engine: one of its keys, and one that
// holds, under the key of a hash, the expiries of its fields (fieldttl.go). They
// are numbered in blocks, so that the numbers do not depend on how many databases
// there are:
//
//	keys of databases 0..15     0..15
//	fields of databases 0..15   16..31
//	keys of databases 16..31    32..47, and so on
//
// The numbers are on disk and never change.
const spaceBlock = 16

// MaxDatabases is the largest number of databases.
const MaxDatabases = 1 << 19

// keySpace is the engine's keyspace of a database's keys.
func keySpace(db int) int { return db + db&^(spaceBlock-1) }

// fieldSpace is the engine's keyspace of a database's field expiries.
func fieldSpace(db int) int { return keySpace(db) + spaceBlock }

// ofSpace undoes keySpace, or fieldSpace if fields.
func ofSpace(space int) (db int, fields bool) {
	block := space / spaceBlock
	return block/2*spaceBlock + space%spaceBlock, block%2 == 1
}

// spaceCount is how many keyspaces a number of databases takes: whole blocks.
func spaceCount(databases int) int { return (fieldSpace(databases-1) | (spaceBlock - 1)) + 1 }

// Keys is the number of keys of all databases (DBSIZE of each). The engine counts
// the keys of field expiries, too.
func (s *Store) Keys() (n int64) {
	for db := range s.Databases() {
		n += int64(s.eng.Len(keySpace(db)))
	}
	return n
}

// checkHidden refuses a directory with keys in databases that were not asked for,
// but have a keyspace in the last block.
func (s *Store) checkHidden() error {
	for db := s.Databases(); db%spaceBlock != 0; db++ {
		if s.eng.Len(keySpace(db)) > 0 {
			return fmt.Errorf("types: database %d has keys, but only databases 0 to %d were asked for", db, s.Databases()-1)
		}
	}
	return nil
}
