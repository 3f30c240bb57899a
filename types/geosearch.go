package types

import (
	"cmp"
	"errors"
	"math"
	"slices"
)

// GeoShape is where a search looks: a circle, or a box if Width or Height is set.
type GeoShape struct {
	Center        GeoPoint
	Radius        float64 // metres
	Box           bool
	Width, Height float64 // metres, of the whole box
}

// distance returns how far a position is from the centre, if it is in the shape.
func (s *GeoShape) distance(p GeoPoint) (meters float64, ok bool) {
	if !s.Box {
		meters = s.Center.Distance(p)
		return meters, meters <= s.Radius
	}
	if s.Center.latDistance(p) > s.Height/2 {
		return 0, false
	}
	if p.Distance(GeoPoint{s.Center.Lon, p.Lat}) > s.Width/2 {
		return 0, false
	}
	return s.Center.Distance(p), true
}

// bounds is the smallest area with everything in the shape, near enough.
func (s *GeoShape) bounds() geoArea {
	width, height := s.Radius, s.Radius
	if s.Box {
		width, height = s.Width/2, s.Height/2
	}
	lat, lon := s.Center.Lat, s.Center.Lon
	latDelta := degrees(height / earthRadiusMeters)
	wide := lat + latDelta
	if lat < 0 {
		wide = lat - latDelta
	}
	lonDelta := degrees(width / earthRadiusMeters / math.Cos(radians(wide)))
	return geoArea{minLon: lon - lonDelta, maxLon: lon + lonDelta, minLat: lat - latDelta, maxLat: lat + latDelta}
}

// cells returns the cells that a search looks at, in this order: that of the
// centre, then those to the north, south, east, west, and of the corners. A cell
// that is out of bounds is the zero value.
func (s *GeoShape) cells() [9]geoCell {
	bounds, reach := s.bounds(), s.Radius
	if s.Box {
		reach = math.Sqrt(float64(s.Width/2*(s.Width/2)) + float64(s.Height/2*(s.Height/2)))
	}
	steps := geoStepsFor(reach, s.Center.Lat)
	center := s.Center.cell(steps)
	if steps > 1 && !center.covers(&bounds) {
		steps--
		center = s.Center.cell(steps)
	}
	area := center.area()
	var cells [9]geoCell
	for i, d := range [9]struct{ east, north int }{
		{0, 0}, {0, 1}, {0, -1}, {1, 0}, {-1, 0}, {1, 1}, {-1, 1}, {1, -1}, {-1, -1},
	} {
		useless := d.north < 0 && area.minLat < bounds.minLat || d.north > 0 && area.maxLat > bounds.maxLat ||
			d.east < 0 && area.minLon < bounds.minLon || d.east > 0 && area.maxLon > bounds.maxLon
		if steps < 2 || !useless {
			cells[i] = center.neighbour(d.east, d.north)
		}
	}
	return cells
}

// covers reports whether a cell and its neighbours reach all bounds.
func (c geoCell) covers(bounds *geoArea) bool {
	return c.neighbour(0, 1).area().maxLat >= bounds.maxLat && c.neighbour(0, -1).area().minLat <= bounds.minLat &&
		c.neighbour(1, 0).area().maxLon >= bounds.maxLon && c.neighbour(-1, 0).area().minLon <= bounds.minLon
}

// GeoFound is a member that a search found.
type GeoFound struct {
	Scored
	Point  GeoPoint
	Meters float64 // from the centre
}

// Search returns the members in a shape, in the order that Redis finds them in; not
// more than limit, if that is not 0. Members are valid as long as s.
func (s *Sorted) Search(shape *GeoShape, limit int) (found []GeoFound, err error) {
	cells, last := shape.cells(), 0
	for i, cell := range cells {
		if cell == (geoCell{}) || last > 0 && cell == cells[last] {
			continue // of a huge shape several neighbours are the same cell
		}
		if limit > 0 && len(found) >= limit {
			break
		}
		last = i
		r := ZRange{By: ZByScore, MaxEx: true}
		r.Min, r.Max = cell.scores()
		err := s.Each(s.Range(&r), func(member []byte, score float64) error {
			p := GeoPointOf(score)
			if meters, ok := shape.distance(p); ok {
				found = append(found, GeoFound{Scored{member, score}, p, meters})
				if len(found) == limit {
					return errEnough
				}
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			return nil, err
		}
	}
	return found, nil
}

// NearestGeo sorts members by their distance and returns the first n of them. Those
// as far come in Redis's order: as they were found if all are returned, else as its
// quicksort leaves them.
func NearestGeo(found []GeoFound, n int, farthestFirst bool) []GeoFound {
	compare := func(a, b *GeoFound) int {
		if farthestFirst {
			a, b = b, a
		}
		return cmp.Compare(a.Meters, b.Meters)
	}
	if n >= len(found) {
		slices.SortStableFunc(found, func(a, b GeoFound) int { return compare(&a, &b) })
		return found
	}
	sortWindow(found, 0, n, compare)
	return found[:n]
}

// StoreTo writes members, no two of which are the same, to a key in the place of
// whatever it is, which may be that of s (GEOSEARCHSTORE); none delete it.
func (s *Sorted) StoreTo(key []byte, list []Scored, event string) error {
	if err := s.c.tx.storeScored(key, list, event); err != nil {
		return err
	}
	s.c.tx.dirty += int64(max(len(list)-1, 0)) // Redis counts each as a change here
	return nil
}
