package resp

import (
	"bytes"
	"strconv"

	"bitkv/types"
)

// geoBindings are the geo commands.
var geoBindings = map[string]binding{
	"geoadd":               {run: cmdGeoAdd},
	"geodist":              {run: cmdGeoDist},
	"geohash":              {run: cmdGeoHash},
	"geopos":               {run: cmdGeoPos},
	"georadius":            {run: cmdGeoRadius},
	"georadius_ro":         {run: cmdGeoRadiusRO},
	"georadiusbymember":    {run: cmdGeoRadiusByMember},
	"georadiusbymember_ro": {run: cmdGeoRadiusByMemberRO},
	"geosearch":            {run: cmdGeoSearch},
	"geosearchstore":       {run: cmdGeoSearchStore},
}

// argPoint parses a longitude and a latitude. ok is false if an error was replied.
func (c *client) argPoint(args [][]byte) (p types.GeoPoint, ok bool) {
	var okLat bool
	p.Lon, ok = parseScore(args[0])
	p.Lat, okLat = parseScore(args[1])
	switch {
	case !ok || !okLat:
		c.err(errNotFloat)
	case !p.Valid():
		c.err(errGeoPair(p.Lon, p.Lat))
	default:
		return p, true
	}
	return p, false
}

// argUnit parses a unit of length into metres. ok is false if an error was replied.
func (c *client) argUnit(arg []byte) (meters float64, ok bool) {
	switch {
	case isWord(arg, "m"):
		return 1, true
	case isWord(arg, "km"):
		return 1000, true
	case isWord(arg, "ft"):
		return 0.3048, true
	case isWord(arg, "mi"):
		return 1609.34, true
	default:
		c.err(errGeoUnit)
		return 0, false
	}
}

// cmdGeoAdd is GEOADD key [NX | XX] [CH] longitude latitude member [...].
func cmdGeoAdd(c *client, args [][]byte) {
	var o types.ZAddOptions
	changed, i := false, 2
options:
	for ; i < len(args); i++ {
		switch {
		case isWord(args[i], "NX"):
			o.NX = true
		case isWord(args[i], "XX"):
			o.XX = true
		case isWord(args[i], "CH"):
			changed = true
		default:
			break options
		}
	}
	triples := args[i:]
	if len(triples) == 0 || len(triples)%3 != 0 || o.NX && o.XX {
		c.err(errSyntax)
		return
	}
	list := make([]types.Scored, 0, len(triples)/3)
	for ; len(triples) > 0; triples = triples[3:] {
		p, ok := c.argPoint(triples)
		if !ok {
			return
		}
		list = append(list, types.Scored{Member: triples[2], Score: p.Score()})
	}
	added, updated, err := c.tx.ZSet().Add(args[1], list, o)
	if changed {
		added += updated
	}
	c.intOrFail(added, err)
}

// positions calls fn for the position of each member, ok saying whether there is
// one, after the head of an array of so many.
func (c *client) positions(args [][]byte, fn func(p types.GeoPoint, ok bool)) {
	c.eachScore(args, func(score float64, found bool) { fn(types.GeoPointOf(score), found) })
}

func cmdGeoPos(c *client, args [][]byte) {
	c.positions(args, func(p types.GeoPoint, ok bool) {
		if !ok {
			c.nullArray()
			return
		}
		c.point(p)
	})
}

func cmdGeoHash(c *client, args [][]byte) {
	c.positions(args, func(p types.GeoPoint, ok bool) {
		if !ok {
			c.null()
			return
		}
		c.bulkString(p.Hash())
	})
}

// point appends a position.
func (r *reply) point(p types.GeoPoint) {
	r.array(2)
	r.humanDouble(p.Lon)
	r.humanDouble(p.Lat)
}

// humanDouble appends a number with 17 decimals less the zeros at their end; in
// RESP2 a bulk string.
func (r *reply) humanDouble(f float64) {
	var few [48]byte
	text := strconv.AppendFloat(few[:0], f, 'f', 17, 64)
	text = bytes.TrimRight(bytes.TrimRight(text, "0"), ".")
	if string(text) == "-0" {
		text = text[1:]
	}
	if r.proto != 3 {
		r.bulk(text)
		return
	}
	r.buf = append(r.buf, ',')
	r.buf = append(r.buf, text...)
	r.bulkEnd()
}

// distance appends a distance with four decimals.
func (r *reply) distance(d float64) {
	var few [32]byte
	r.bulk(strconv.AppendFloat(few[:0], d, 'f', 4, 64))
}

// cmdGeoDist is GEODIST key member1 member2 [unit].
func cmdGeoDist(c *client, args [][]byte) {
	unit := 1.0
	switch {
	case len(args) > 5:
		c.err(errSyntax)
		return
	case len(args) == 5:
		var ok bool
		if unit, ok = c.argUnit(args[4]); !ok {
			return
		}
	}
	s, ok := c.sorted(args[1])
	if !ok {
		return
	}
	from, okFrom, err := s.Score(args[2])
	if err != nil {
		c.fail(err)
		return
	}
	to, okTo, err := s.Score(args[3])
	if c.present(okFrom && okTo, err) {
		c.distance(types.GeoPointOf(from).Distance(types.GeoPointOf(to)) / unit)
	}
}
