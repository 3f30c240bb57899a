package types

// EventClass groups events as the letters of notify-keyspace-events do.
type EventClass uint32

// The classes.
const (
	EventGeneric EventClass = 1 << iota // g: DEL, EXPIRE, RENAME, ...
	EventString                         // $
	EventExpired                        // x
	EventMissed                         // m
	EventNew                            // n
	EventHash                           // h
	EventList                           // l
	EventSet                            // s
	EventZSet                           // z
	EventEvicted                        // e
)

// Event says what happened to a key. The name is Redis's: "set", "del",
// "expired".
type Event struct {
	DB    int
	Class EventClass
	Name  string
	Key   string
}

// SetEvents asks for events of the given classes; 0 for none. Options.OnEvent
// gets them.
func (s *Store) SetEvents(classes EventClass) {
	if s.opt.OnEvent != nil {
		s.eventClasses.Store(uint32(classes))
	}
}

// signalModified is what every successful change of a key goes through, after
// the change: it marks the key's watchers dirty, counts the change, keeps in mind
// whom it may serve that waits for the key, and notes the event. With nobody
// watching or waiting and no events asked for it costs three loads.
func (tx *Tx) signalModified(db int, key []byte, class EventClass, event string) {
	tx.dirty++
	tx.touchWatchers(db, key)
	tx.noteReady(db, key)
	tx.notify(db, key, class, event)
}

// notify notes an event that is not a change of its own, for delivery when the
// transaction has committed.
func (tx *Tx) notify(db int, key []byte, class EventClass, event string) {
	if tx.s.eventClasses.Load()&uint32(class) == 0 {
		return
	}
	tx.events = append(tx.events, Event{DB: db, Class: class, Name: event, Key: string(key)})
}

// deliver hands the transaction's events over, in order. No lock is held.
func (tx *Tx) deliver() {
	for i := range tx.events {
		tx.s.opt.OnEvent(tx.events[i])
	}
}
