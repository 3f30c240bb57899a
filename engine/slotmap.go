package engine

// slotMap maps slots to numbers, for what few entries of a table have. It is a
// hash table without pointers, with open addressing: 12 bytes a place, of which an
// eighth at least is unused, and half at most once it was filled.
type slotMap struct {
	slots  []uint32 // slot+1; 0: unused
	values []int64
	count  int
}

const slotMapMinPlaces = 8

// home is the place where the search for a slot begins.
func (m *slotMap) home(slot uint32) int {
	return int(uint64(slot)*0x9E3779B97F4A7C15>>32) & (len(m.slots) - 1)
}

// find returns the place of a slot, or the unused one where the search ended.
// REQUIRES: there is an unused place.
func (m *slotMap) find(slot uint32) (place int, ok bool) {
	for i := m.home(slot); ; i = (i + 1) & (len(m.slots) - 1) {
		switch m.slots[i] {
		case slot + 1:
			return i, true
		case 0:
			return i, false
		}
	}
}

// get returns the number of a slot, or 0.
func (m *slotMap) get(slot uint32) int64 {
	if m.count == 0 {
		return 0
	}
	if i, ok := m.find(slot); ok {
		return m.values[i]
	}
	return 0
}

// put sets the number of a slot.
func (m *slotMap) put(slot uint32, value int64) {
	if (m.count+1)*8 > len(m.slots)*7 {
		m.resize(max(slotMapMinPlaces, 2*len(m.slots)))
	}
	i, ok := m.find(slot)
	if !ok {
		m.slots[i] = slot + 1
		m.count++
	}
	m.values[i] = value
}

// delete takes a slot out, if it is there.
func (m *slotMap) delete(slot uint32) {
	if m.count == 0 {
		return
	}
	i, ok := m.find(slot)
	if !ok {
		return
	}
	m.count--
	// What follows without a gap moves up, if it is not before its home then.
	mask := len(m.slots) - 1
	for j := (i + 1) & mask; m.slots[j] != 0; j = (j + 1) & mask {
		if (j-m.home(m.slots[j]-1))&mask >= (j-i)&mask {
			m.slots[i], m.values[i] = m.slots[j], m.values[j]
			i = j
		}
	}
	m.slots[i] = 0
	if m.count == 0 {
		*m = slotMap{}
	} else if len(m.slots) > slotMapMinPlaces && m.count*4 < len(m.slots) {
		m.resize(len(m.slots) / 2)
	}
}

// resize moves everything to a table of that many places, a power of two.
func (m *slotMap) resize(places int) {
	was := *m
	m.slots, m.values = make([]uint32, places), make([]int64, places)
	for i, s := range was.slots {
		if s != 0 {
			j, _ := m.find(s - 1)
			m.slots[j], m.values[j] = s, was.values[i]
		}
	}
}

// bytes returns the memory that the map uses beside its own struct.
func (m *slotMap) bytes() int64 { return int64(len(m.slots)) * 12 }
