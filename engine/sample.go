package engine

// Samples of keys, for whoever wants to know which keys are worth keeping.

// sampleTries is how many expiries are looked at for each that is wanted: most are
// not stale.
const sampleTries = 8

// Sample calls fn for n keys of one shard of a keyspace, chosen at random,
// given a source of random numbers. A key may come twice. A
// shard without keys has none to give. REQUIRES: as Scan.
func (tx *Tx) Sample(space, shard, n int, rnd func(n uint32) uint32, fn func(key []byte, h Head)) {
	for range n {
		key, h, ok := tx.Random(space, shard, rnd)
		if !ok {
			return
		}
		fn(key, h)
	}
}

// ShardExpires returns about how many keys of a shard, of all keyspaces, have an
// expiry: never less than there are. REQUIRES: as Scan.
func (tx *Tx) ShardExpires(shard int) int { return tx.reading(shard).expiry.len() }

// SampleExpires is Sample among the keys of a shard, of all keyspaces, that have an
// expiry, chosen as how says, until fn has returned true n times. REQUIRES: as Scan.
func (tx *Tx) SampleExpires(shard, n int, how SampleHow, rnd func(n uint32) uint32, fn func(space int, key []byte, h Head) bool) {
	s := tx.reading(shard)
	items := s.expiry.items
	tries := n * sampleTries
	if how == SampleAll {
		tries = len(items)
	}
	for i := 0; i < tries && n > 0 && len(items) > 0; i++ {
		place := i
		if how == SampleRandom {
			place = int(rnd(uint32(len(items))))
		} else if place >= len(items) {
			break
		}
		item := items[place]
		if !s.expiryValid(item.space, item.slot, item.expireMs) {
			continue
		}
		t := s.tableOf(item.space)
		h, _ := tx.db.head(t, item.slot)
		if fn(int(t.space.number.Load()), t.slots.key(item.slot), h) {
			n--
		}
	}
}

// SampleHow says how SampleExpires chooses.
type SampleHow uint8

// The ways to choose.
const (
	SampleRandom  SampleHow = iota // at random
	SampleSoonest                  // at the front of the heap: the first is the first to expire
	SampleAll                      // all of them
)
