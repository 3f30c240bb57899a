package types

import "math"

// Geo: a position is a sorted set's score, a geohash of 52 bits, which a double
// holds exactly. Its bits are, from the highest, those of longitude and latitude in
// turn, each a binary fraction of its range. A geohash of fewer bits is a cell that
// has all positions whose geohash begins with it, which are neighbours in the order
// of scores: so a search looks at a few cells around its centre (geosearch.go).
//
// All of this is what Redis computes, to the last bit, for scores are stored and
// distances printed: but for one distance in about 500, where the C
// library does not round to the nearest (sine.go). Products are rounded before they are added, with a conversion
// that says so, because the compiler may else fuse the two.

// The range of positions. Latitudes end where the Mercator projection does.
const (
	maxLongitude = 180
	maxLatitude  = 85.05112878

	geoSteps = 26 // bits of each coordinate

	earthRadiusMeters = 6372797.560856
)

// GeoPoint is a position in degrees.
type GeoPoint struct{ Lon, Lat float64 }

// Valid reports whether a position is one that can be stored.
func (p GeoPoint) Valid() bool {
	return p.Lon >= -maxLongitude && p.Lon <= maxLongitude && p.Lat >= -maxLatitude && p.Lat <= maxLatitude
}

// Score is the score that a position is stored as. REQUIRES: Valid.
func (p GeoPoint) Score() float64 { return float64(p.cell(geoSteps).bits) }

// GeoPointOf returns the position that a score stands for, the middle of its cell.
func GeoPointOf(score float64) GeoPoint {
	var hash uint64
	switch { // as C converts it on x86: what is too large becomes 0
	case score < 1<<63:
		hash = uint64(int64(score))
	case score < 1<<64:
		hash = uint64(score)
	}
	a := geoCell{bits: hash, steps: geoSteps}.area()
	return GeoPoint{
		Lon: min(max((a.minLon+a.maxLon)/2, -maxLongitude), maxLongitude),
		Lat: min(max((a.minLat+a.maxLat)/2, -maxLatitude), maxLatitude),
	}
}

// Hash returns the geohash of a position as others write it: eleven characters, of
// which the last is always 0. Its latitudes go from -90 to 90.
func (p GeoPoint) Hash() string {
	const alphabet = "0123456789bcdefghjkmnpqrstuvwxyz"
	hash := interleave(fraction(p.Lat, 90, geoSteps), fraction(p.Lon, maxLongitude, geoSteps))
	var text [11]byte
	for i := range text[:10] {
		text[i] = alphabet[hash>>(52-5*(i+1))&31]
	}
	text[10] = alphabet[0]
	return string(text[:])
}

// Distance is the length of the great circle between two positions, in metres.
func (p GeoPoint) Distance(q GeoPoint) float64 {
	v := sine((radians(q.Lon) - radians(p.Lon)) / 2)
	if v == 0 {
		return p.latDistance(q)
	}
	lat1, lat2 := radians(p.Lat), radians(q.Lat)
	u := sine((lat2 - lat1) / 2)
	a := float64(u*u) + float64(cosine(lat1)*cosine(lat2)*v*v)
	return 2 * earthRadiusMeters * arcsine(math.Sqrt(a))
}

// latDistance is how far apart the latitudes of two positions are, in metres.
func (p GeoPoint) latDistance(q GeoPoint) float64 {
	return earthRadiusMeters * math.Abs(radians(q.Lat)-radians(p.Lat))
}

// degree is in radians, of a pi that is rounded first, as in C.
const degree = float64(math.Pi) / 180

func radians(degrees float64) float64 { return degrees * degree }
func degrees(radians float64) float64 { return radians / degree }

// geoCell is a geohash of steps bits for each coordinate. The zero value is none.
type geoCell struct {
	bits  uint64
	steps uint
}

// geoArea is the positions of a cell.
type geoArea struct{ minLon, maxLon, minLat, maxLat float64 }

// cell is the cell of a position.
func (p GeoPoint) cell(steps uint) geoCell {
	return geoCell{interleave(fraction(p.Lat, maxLatitude, steps), fraction(p.Lon, maxLongitude, steps)), steps}
}

// fraction is a coordinate as a binary fraction of its range, from -limit to limit.
func fraction(x, limit float64, steps uint) uint32 {
	return uint32((x + limit) / (limit + limit) * float64(uint64(1)<<steps))
}

// area is the positions of a cell.
func (c geoCell) area() geoArea {
	lat, lon := deinterleave(c.bits)
	scale := float64(uint64(1) << c.steps)
	at := func(n uint64, limit float64) float64 { return -limit + float64(float64(n)/scale*(limit+limit)) }
	return geoArea{
		minLon: at(uint64(lon), maxLongitude), maxLon: at(uint64(lon)+1, maxLongitude),
		minLat: at(uint64(lat), maxLatitude), maxLat: at(uint64(lat)+1, maxLatitude),
	}
}

// scores are the scores of a cell: from the first up to, but not with, the second.
func (c geoCell) scores() (lo, hi float64) {
	shift := 52 - 2*c.steps
	return float64(c.bits << shift), float64((c.bits + 1) << shift)
}

// neighbour is the cell that is so many cells to the east and to the north, around
// the world in either direction.
func (c geoCell) neighbour(east, north int) geoCell {
	const lonBits, latBits = 0xaaaaaaaaaaaaaaaa, 0x5555555555555555
	shift := 64 - 2*c.steps
	lon := moveBits(c.bits&lonBits, latBits>>shift, lonBits>>shift, east)
	lat := moveBits(c.bits&latBits, lonBits>>shift, latBits>>shift, north)
	return geoCell{lon | lat, c.steps}
}

// moveBits adds by, which is -1, 0 or 1, to a number that has every other bit, own,
// of a word; between are the bits in between, which carry. What does not move keeps
// the bit beyond own that a position at the very end of the range has, as in Redis.
func moveBits(n, between, own uint64, by int) uint64 {
	switch {
	case by > 0:
		return (n + between + 1) & own
	case by < 0:
		return ((n | between) - (between + 1)) & own
	default:
		return n
	}
}

// interleave spreads x over the even bits and y over the odd ones.
func interleave(x, y uint32) uint64 { return spread(x) | spread(y)<<1 }

// deinterleave undoes interleave.
func deinterleave(n uint64) (x, y uint32) { return gather(n), gather(n >> 1) }

func spread(n uint32) uint64 {
	x := uint64(n)
	x = (x | x<<16) & 0x0000ffff0000ffff
	x = (x | x<<8) & 0x00ff00ff00ff00ff
	x = (x | x<<4) & 0x0f0f0f0f0f0f0f0f
	x = (x | x<<2) & 0x3333333333333333
	return (x | x<<1) & 0x5555555555555555
}

func gather(x uint64) uint32 {
	x &= 0x5555555555555555
	x = (x | x>>1) & 0x3333333333333333
	x = (x | x>>2) & 0x0f0f0f0f0f0f0f0f
	x = (x | x>>4) & 0x00ff00ff00ff00ff
	x = (x | x>>8) & 0x0000ffff0000ffff
	return uint32(x | x>>16)
}

// geoStepsFor is how many steps a cell may have so that it and its neighbours cover
// everything within some metres of a position in it.
func geoStepsFor(meters, lat float64) uint {
	const mercatorMax = 20037726.37 // half of the equator, on the map
	if meters == 0 {
		return geoSteps
	}
	steps := 1
	for ; meters < mercatorMax; meters *= 2 {
		steps++
	}
	steps -= 2
	switch lat = math.Abs(lat); { // cells are narrow near the poles
	case lat > 80:
		steps -= 2
	case lat > 66:
		steps--
	}
	return uint(min(max(steps, 1), geoSteps))
}
