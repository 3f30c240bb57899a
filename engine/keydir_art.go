package engine

func newARTIndex(keyOf func(slot uint32) []byte) index { return newPlarIndex(keyOf) }
