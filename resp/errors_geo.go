package resp

import "strconv"

// The texts of the geo commands.
const (
	errGeoUnit      = "ERR unsupported unit provided. please use M, KM, FT, MI"
	errGeoRadius    = "ERR need numeric radius"
	errGeoRadiusNeg = "ERR radius cannot be negative"
	errGeoWidth     = "ERR need numeric width"
	errGeoHeight    = "ERR need numeric height"
	errGeoBoxNeg    = "ERR height or width cannot be negative"
	errGeoMember    = "ERR could not decode requested zset member"
	errGeoCount     = "ERR COUNT must be > 0"
	errGeoAny       = "ERR the ANY argument requires COUNT argument"

	errGeoRadiusStore = "ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
	errGeoSearchStore = "ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
)

// errGeoPair is for a position outside the map.
func errGeoPair(lon, lat float64) string {
	text := append([]byte(nil), "ERR invalid longitude,latitude pair "...)
	text = appendC6f(text, lon)
	text = append(text, ',')
	return string(appendC6f(text, lat))
}

// appendC6f appends a number as C's printf does with %f.
func appendC6f(dst []byte, x float64) []byte {
	if x-x != 0 { // infinite
		return appendDouble(dst, x)
	}
	return strconv.AppendFloat(dst, x, 'f', 6, 64)
}

// errGeoFrom and errGeoBy are for a search, by its name as it came, that does not
// say where or how far.
func errGeoFrom(name []byte) string {
	return "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for " + string(cutText(name, len(name)))
}

func errGeoBy(name []byte) string {
	return "ERR exactly one of BYRADIUS and BYBOX can be specified for " + string(cutText(name, len(name)))
}
