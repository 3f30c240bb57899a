package resp

import (
	"math"
	"strconv"
	"strings"

	"github.com/tidwall/redcon"
)

// reply builds replies in a buffer, for the protocol of its connection. Every
// method appends one RESP value, or the head of an aggregate whose n elements
// follow. It is not safe for concurrent use.
type reply struct {
	buf   []byte
	proto int // 2 or 3
}

// ok appends +OK.
func (r *reply) ok() { r.buf = append(r.buf, "+OK\r\n"...) }

// simple appends a simple string, which must not contain CR or LF.
func (r *reply) simple(s string) {
	r.buf = append(r.buf, '+')
	r.buf = append(r.buf, s...)
	r.buf = append(r.buf, '\r', '\n')
}

// raw appends bytes that are a RESP value already.
func (r *reply) raw(b []byte) { r.buf = append(r.buf, b...) }

// err appends an error; text is without the minus sign ("ERR no such key"). CR
// and LF in it become spaces, or are left out at its end.
func (r *reply) err(text string) { r.buf = appendError(r.buf, text) }

// int appends an integer.
func (r *reply) int(n int64) { r.buf = appendHead(r.buf, ':', n) }

// bulk appends a bulk string.
func (r *reply) bulk(b []byte) {
	r.buf = appendHead(r.buf, '$', int64(len(b)))
	r.buf = append(r.buf, b...)
	r.buf = append(r.buf, '\r', '\n')
}

// bulkString appends a bulk string.
func (r *reply) bulkString(s string) { r.buf = redcon.AppendBulkString(r.buf, s) }

// bulkHeader appends the head of a bulk string of n bytes; the caller appends
// the bytes to buf and then calls bulkEnd.
func (r *reply) bulkHeader(n int) {
	r.buf = appendHead(r.buf, '$', int64(n))
}

// bulkEnd ends what bulkHeader began.
func (r *reply) bulkEnd() { r.buf = append(r.buf, '\r', '\n') }

// null appends the null bulk string of RESP2 or the null of RESP3.
func (r *reply) null() {
	if r.proto == 3 {
		r.buf = append(r.buf, "_\r\n"...)
		return
	}
	r.buf = append(r.buf, "$-1\r\n"...)
}

// nullArray appends the null array of RESP2 or the null of RESP3.
func (r *reply) nullArray() {
	if r.proto == 3 {
		r.buf = append(r.buf, "_\r\n"...)
		return
	}
	r.buf = append(r.buf, "*-1\r\n"...)
}

// array appends the head of an array of n elements.
func (r *reply) array(n int) { r.head('*', n) }

// mapHeader appends the head of a map of n pairs; in RESP2 an array of 2n.
func (r *reply) mapHeader(n int) {
	if r.proto == 3 {
		r.head('%', n)
		return
	}
	r.head('*', 2*n)
}

// setHeader appends the head of a set of n elements; in RESP2 an array.
func (r *reply) setHeader(n int) {
	if r.proto == 3 {
		r.head('~', n)
		return
	}
	r.head('*', n)
}

// bool appends a boolean; in RESP2 the integer 1 or 0.
func (r *reply) bool(b bool) {
	switch {
	case r.proto == 3 && b:
		r.buf = append(r.buf, "#t\r\n"...)
	case r.proto == 3:
		r.buf = append(r.buf, "#f\r\n"...)
	case b:
		r.int(1)
	default:
		r.int(0)
	}
}

// double appends a floating-point number; in RESP2 a bulk string.
func (r *reply) double(f float64) {
	var few [32]byte
	text := appendDouble(few[:0], f)
	if r.proto != 3 {
		r.bulk(text)
		return
	}
	r.buf = append(r.buf, ',')
	r.buf = append(r.buf, text...)
	r.buf = append(r.buf, '\r', '\n')
}

// appendDouble appends a number as C's printf does with %.17g.
func appendDouble(dst []byte, f float64) []byte {
	switch {
	case f == math.Trunc(f) && math.Abs(f) < 1e15 && (f != 0 || !math.Signbit(f)):
		return strconv.AppendInt(dst, int64(f), 10)
	case math.IsInf(f, 1):
		return append(dst, "inf"...)
	case math.IsInf(f, -1):
		return append(dst, "-inf"...)
	case math.IsNaN(f):
		return append(dst, "nan"...)
	default:
		return strconv.AppendFloat(dst, f, 'g', 17, 64)
	}
}

// verbatim appends a verbatim string; format has three letters ("txt"). In RESP2
// a bulk string.
//
//nolint:unparam // Redis has no other format than "txt" yet, but for scripts.
func (r *reply) verbatim(format, s string) {
	if r.proto != 3 {
		r.bulkString(s)
		return
	}
	r.head('=', len(s)+4)
	r.buf = append(r.buf, format...)
	r.buf = append(r.buf, ':')
	r.buf = append(r.buf, s...)
	r.bulkEnd()
}

func (r *reply) head(kind byte, n int) {
	r.buf = appendHead(r.buf, kind, int64(n))
}

// appendHead appends a value that is a number, or the head of one that follows.
func appendHead(buf []byte, kind byte, n int64) []byte {
	switch {
	case uint64(n) < 10: // the lengths and results that there are most of
		return append(buf, kind, '0'+byte(n), '\r', '\n')
	case uint64(n) < 100:
		return append(buf, kind, '0'+byte(n/10), '0'+byte(n%10), '\r', '\n')
	}
	buf = append(buf, kind)
	buf = strconv.AppendInt(buf, n, 10)
	return append(buf, '\r', '\n')
}

// appendError appends an error reply. Line ends at the end of the text are left
// out, others become spaces, as in Redis.
func appendError(buf []byte, text string) []byte {
	text = strings.TrimRight(text, "\r\n")
	buf = append(buf, '-')
	for i := range len(text) {
		switch ch := text[i]; ch {
		case '\r', '\n':
			buf = append(buf, ' ')
		default:
			buf = append(buf, ch)
		}
	}
	return append(buf, '\r', '\n')
}
