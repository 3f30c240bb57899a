package types

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func drawPoint(t *rapid.T, maxLat float64) GeoPoint {
	return GeoPoint{
		Lon: rapid.Float64Range(-maxLongitude, maxLongitude).Draw(t, "lon"),
		Lat: rapid.Float64Range(-maxLat, maxLat).Draw(t, "lat"),
	}
}

// TestGeoScores: a score is of 52 bits and gives the position back to within its
// cell; neighbours are where they should be.
func TestGeoScores(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		// At the very end of a range there is one bit more, as in Redis.
		p := drawPoint(rt, maxLatitude-1e-6)
		p.Lon = min(p.Lon, maxLongitude-1e-6)
		score := p.Score()
		if score < 0 || score >= 1<<52 || score != math.Trunc(score) {
			rt.Fatalf("%v has the score %v", p, score)
		}
		q := GeoPointOf(score)
		if math.Abs(p.Lon-q.Lon) > 360.0/(1<<geoSteps) || math.Abs(p.Lat-q.Lat) > 171.0/(1<<geoSteps) {
			rt.Fatalf("%v came back as %v", p, q)
		}
		steps := uint(rapid.IntRange(1, geoSteps).Draw(rt, "steps"))
		c := p.cell(steps)
		for east := -1; east <= 1; east++ {
			for north := -1; north <= 1; north++ {
				if back := c.neighbour(east, north).neighbour(-east, -north); back != c {
					rt.Fatalf("%+v by %d, %d and back is %+v", c, east, north, back)
				}
			}
		}
		if a, b := c.area(), c.neighbour(1, 0).area(); a.maxLon != b.minLon && b.minLon != -maxLongitude {
			rt.Fatalf("%+v: %+v is not west of %+v", c, a, b)
		}
	})
}

// TestGeoSearch: a search finds what looking at every member finds, wherever
// shapes do not reach the poles or the date line, where Redis gives up as well.
func TestGeoSearch(t *testing.T) {
	s := openTest(t, Options{})
	const seed = 7
	r := rand.New(rand.NewPCG(seed, 0))
	points := map[string]GeoPoint{}
	s.update(0, func(tx *Tx) {
		var list []Scored
		for i := range 2000 {
			p := GeoPoint{r.Float64()*10 - 5, r.Float64()*10 + 40}
			if i%2 == 0 {
				p = GeoPoint{r.Float64()*360 - 180, r.Float64()*160 - 80}
			}
			name := fmt.Sprintf("m%d", i)
			points[name] = GeoPointOf(p.Score())
			list = append(list, Scored{[]byte(name), p.Score()})
		}
		if _, _, err := tx.ZSet().Add([]byte("g"), list, ZAddOptions{}); err != nil {
			t.Fatal(err)
		}
	})
	s.view(0, func(tx *Tx) {
		z, err := tx.ZSet().Find([]byte("g"))
		if err != nil {
			t.Fatal(err)
		}
		rapid.Check(t, func(rt *rapid.T) {
			shape := GeoShape{
				Center: GeoPoint{rapid.Float64Range(-120, 120).Draw(rt, "lon"), rapid.Float64Range(-50, 50).Draw(rt, "lat")},
				Radius: math.Pow(10, rapid.Float64Range(0, 6.3).Draw(rt, "radius")),
				Box:    rapid.Bool().Draw(rt, "box"),
			}
			shape.Width, shape.Height = shape.Radius, shape.Radius*rapid.Float64Range(0.1, 1).Draw(rt, "height")
			found, err := z.Search(&shape, 0)
			if err != nil {
				rt.Fatal(err)
			}
			want := 0
			for _, p := range points {
				if _, ok := shape.distance(p); ok {
					want++
				}
			}
			if len(found) != want {
				rt.Fatalf("%+v: %d members, want %d", shape, len(found), want)
			}
			if some, err := z.Search(&shape, 3); err != nil || len(some) != min(3, want) {
				rt.Fatalf("limit 3: %d members of %d, %v", len(some), want, err)
			}
			part := NearestGeo(slices.Clone(found), want/2, false)
			whole := NearestGeo(found, want, false)
			for i := range whole {
				if i > 0 && whole[i-1].Meters > whole[i].Meters || i < len(part) && part[i].Meters != whole[i].Meters {
					rt.Fatal("not sorted")
				}
			}
		})
	})
}

// TestGeoStoreChanges: every member that is stored is a change, as in Redis.
func TestGeoStoreChanges(t *testing.T) {
	s := openTest(t, Options{})
	for n, want := range []int64{0, 1, 2, 3} {
		list := []Scored{{[]byte("a"), 1}, {[]byte("b"), 2}, {[]byte("c"), 3}}[:n]
		before := s.Stats().Dirty
		s.update(0, func(tx *Tx) {
			z, err := tx.ZSet().Find([]byte("none"))
			if err != nil {
				t.Fatal(err)
			}
			if err := z.StoreTo([]byte("to"), list, "geosearchstore"); err != nil {
				t.Fatal(err)
			}
		})
		if got := s.Stats().Dirty - before; got != want {
			t.Errorf("%d members are %d changes", n, got)
		}
	}
}

func TestGeoDistance(t *testing.T) {
	palermo, catania := GeoPoint{13.361389, 38.115556}, GeoPoint{15.087269, 37.502669}
	if d := palermo.Distance(catania); math.Abs(d-166274.26) > 0.1 {
		t.Errorf("%.2f m from Palermo to Catania", d)
	}
	if d := palermo.Distance(palermo); d != 0 {
		t.Errorf("%v m from Palermo to Palermo", d)
	}
	if got := GeoPointOf(palermo.Score()).Hash(); got != "sqc8b49rny0" {
		t.Errorf("the geohash of Palermo is %s", got)
	}
}
