package resp

import "bitkv/types"

// geoForm is which of the searches a command is.
type geoForm uint8

const (
	geoRadius        geoForm = iota // key longitude latitude radius unit [options]
	geoRadiusMember                 // key member radius unit [options]
	geoSearch                       // key options
	geoSearchStoring                // destination source options
)

func cmdGeoRadius(c *client, args [][]byte)           { c.geoSearch(args, geoRadius, true) }
func cmdGeoRadiusRO(c *client, args [][]byte)         { c.geoSearch(args, geoRadius, false) }
func cmdGeoRadiusByMember(c *client, args [][]byte)   { c.geoSearch(args, geoRadiusMember, true) }
func cmdGeoRadiusByMemberRO(c *client, args [][]byte) { c.geoSearch(args, geoRadiusMember, false) }
func cmdGeoSearch(c *client, args [][]byte)           { c.geoSearch(args, geoSearch, false) }
func cmdGeoSearchStore(c *client, args [][]byte)      { c.geoSearch(args, geoSearchStoring, false) }

// geoQuery is what a search wants.
type geoQuery struct {
	form     geoForm
	mayStore bool // STORE and STOREDIST are options

	shape        types.GeoShape
	unit         float64 // metres of the unit of distances
	from, by     bool    // where and how far were said
	fromMember   bool
	dist, hash   bool // WITHDIST, WITHHASH
	coord        bool // WITHCOORD
	any          bool
	sort, desc   bool
	count        int64
	store        []byte // nil: reply
	storeDist    bool
	sourceExists bool
}

// geoSearch runs a search in any of its forms. The checks are in Redis's order.
func (c *client) geoSearch(args [][]byte, form geoForm, mayStore bool) {
	q := geoQuery{form: form, mayStore: mayStore, unit: 1}
	source, rest := args[1], args[2:]
	if form == geoSearchStoring {
		q.store, source, rest = args[1], args[2], args[3:]
	}
	s, ok := c.sorted(source)
	if !ok {
		return
	}
	q.sourceExists = s.Len() > 0
	if rest, ok = c.geoPlace(&q, &s, rest); !ok || !c.geoOptions(&q, &s, rest) || !c.geoFits(&q, args[0]) {
		return
	}
	var found []types.GeoFound
	if q.sourceExists {
		var err error
		if found, err = c.geoFind(&q, &s); err != nil {
			c.fail(err)
			return
		}
	}
	if q.store != nil {
		c.geoStore(&q, &s, found)
		return
	}
	c.geoReply(&q, found)
}

// geoPlace reads the arguments of GEORADIUS and GEORADIUSBYMEMBER that have a place
// of their own and returns the others. ok is false if an error was replied.
func (c *client) geoPlace(q *geoQuery, s *types.Sorted, args [][]byte) (rest [][]byte, ok bool) {
	switch {
	case q.form == geoRadius:
		if q.shape.Center, ok = c.argPoint(args); !ok {
			return nil, false
		}
		return args[4:], c.argRadius(q, args[2:])
	case q.form == geoRadiusMember && !q.sourceExists:
		return args[3:], true
	case q.form == geoRadiusMember:
		return args[3:], c.geoMember(q, s, args[0]) && c.argRadius(q, args[1:])
	default:
		return args, true
	}
}

// geoMember makes the position of a member the centre. It reports false if an error
// was replied.
func (c *client) geoMember(q *geoQuery, s *types.Sorted, member []byte) bool {
	score, ok, err := s.Score(member)
	switch {
	case err != nil:
		c.fail(err)
	case !ok:
		c.err(errGeoMember)
	default:
		q.shape.Center = types.GeoPointOf(score)
		return true
	}
	return false
}

// argRadius parses a radius and its unit. It reports false if an error was replied.
func (c *client) argRadius(q *geoQuery, args [][]byte) (ok bool) {
	radius, ok := parseScore(args[0])
	if !ok {
		c.err(errGeoRadius)
		return false
	}
	if radius < 0 {
		c.err(errGeoRadiusNeg)
		return false
	}
	q.unit, ok = c.argUnit(args[1])
	q.shape.Radius = radius * q.unit
	return ok
}

// argBox parses width, height and their unit. It reports false if an error was
// replied.
func (c *client) argBox(q *geoQuery, args [][]byte) (ok bool) {
	width, ok := parseScore(args[0])
	if !ok {
		c.err(errGeoWidth)
		return false
	}
	height, ok := parseScore(args[1])
	if !ok {
		c.err(errGeoHeight)
		return false
	}
	if width < 0 || height < 0 {
		c.err(errGeoBoxNeg)
		return false
	}
	q.unit, ok = c.argUnit(args[2])
	q.shape.Box, q.shape.Width, q.shape.Height = true, width*q.unit, height*q.unit
	return ok
}

// geoOptions reads the options. It reports false if an error was replied.
func (c *client) geoOptions(q *geoQuery, s *types.Sorted, args [][]byte) bool {
	for len(args) > 0 {
		n := q.flag(args[0])
		if n == 0 {
			var ok bool
			if n, ok = c.geoOption(q, s, args); !ok {
				return false
			}
		}
		if n == 0 {
			c.err(errSyntax)
			return false
		}
		args = args[n:]
	}
	return true
}

// flag takes an option without arguments. It returns how many it took.
func (q *geoQuery) flag(arg []byte) int {
	switch {
	case isWord(arg, "WITHDIST"):
		q.dist = true
	case isWord(arg, "WITHHASH"):
		q.hash = true
	case isWord(arg, "WITHCOORD"):
		q.coord = true
	case isWord(arg, "ANY"):
		q.any = true
	case isWord(arg, "ASC"):
		q.sort, q.desc = true, false
	case isWord(arg, "DESC"):
		q.sort, q.desc = true, true
	case isWord(arg, "STOREDIST") && q.form == geoSearchStoring:
		q.storeDist = true
	default:
		return 0
	}
	return 1
}

// geoOption takes an option with arguments and returns how many it took with them,
// 0 if it is none. ok is false if an error was replied.
func (c *client) geoOption(q *geoQuery, s *types.Sorted, args [][]byte) (n int, ok bool) {
	arg, after := args[0], len(args)-1
	search := q.form == geoSearch || q.form == geoSearchStoring
	switch {
	case after >= 1 && isWord(arg, "COUNT"):
		if q.count, ok = c.argInt(args[1]); ok && q.count <= 0 {
			c.err(errGeoCount)
			return 0, false
		}
		return 2, ok
	case after >= 1 && q.mayStore && (isWord(arg, "STORE") || isWord(arg, "STOREDIST")):
		q.store, q.storeDist = args[1], isWord(arg, "STOREDIST")
		return 2, true
	case after >= 1 && search && (!q.from || q.fromMember) && isWord(arg, "FROMMEMBER"):
		q.from, q.fromMember = true, true
		return 2, !q.sourceExists || c.geoMember(q, s, args[1])
	case after >= 2 && search && !q.fromMember && isWord(arg, "FROMLONLAT"):
		q.from = true
		q.shape.Center, ok = c.argPoint(args[1:])
		return 3, ok
	case after >= 2 && search && !q.shape.Box && isWord(arg, "BYRADIUS"):
		q.by = true
		return 3, c.argRadius(q, args[1:])
	case after >= 3 && search && (!q.by || q.shape.Box) && isWord(arg, "BYBOX"):
		q.by = true
		return 4, c.argBox(q, args[1:])
	default:
		return 0, true
	}
}

// geoFits checks that the options go together. It reports false if an error was
// replied.
func (c *client) geoFits(q *geoQuery, name []byte) bool {
	search := q.form == geoSearch || q.form == geoSearchStoring
	switch {
	case q.store != nil && (q.dist || q.hash || q.coord):
		if search {
			c.err(errGeoSearchStore)
		} else {
			c.err(errGeoRadiusStore)
		}
	case search && !q.from:
		c.err(errGeoFrom(name))
	case search && !q.by:
		c.err(errGeoBy(name))
	case q.any && q.count == 0:
		c.err(errGeoAny)
	default:
		return true
	}
	return false
}

// geoFind runs a search.
func (c *client) geoFind(q *geoQuery, s *types.Sorted) ([]types.GeoFound, error) {
	limit := 0
	if q.any {
		limit = int(q.count)
	}
	found, err := s.Search(&q.shape, limit)
	n := len(found)
	if q.count > 0 {
		n = int(min(q.count, int64(n)))
	}
	if q.sort || q.count > 0 && !q.any {
		found = types.NearestGeo(found, n, q.desc)
	}
	return found[:n], err
}

// geoStore stores what was found.
func (c *client) geoStore(q *geoQuery, s *types.Sorted, found []types.GeoFound) {
	event := "georadiusstore"
	if q.form == geoSearchStoring {
		event = "geosearchstore"
	}
	list := make([]types.Scored, len(found))
	for i := range found {
		list[i] = found[i].Scored
		if q.storeDist {
			list[i].Score = found[i].Meters / q.unit
		}
	}
	c.intOrFail(int64(len(list)), s.StoreTo(q.store, list, event))
}

// geoReply replies with what was found.
func (c *client) geoReply(q *geoQuery, found []types.GeoFound) {
	options := 0
	for _, with := range []bool{q.dist, q.hash, q.coord} {
		if with {
			options++
		}
	}
	c.array(len(found))
	for i := range found {
		f := &found[i]
		if options > 0 {
			c.array(1 + options)
		}
		c.bulk(f.Member)
		if q.dist {
			c.distance(f.Meters / q.unit)
		}
		if q.hash {
			c.int(int64(f.Score))
		}
		if q.coord {
			c.point(f.Point)
		}
	}
}
