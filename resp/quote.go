package resp

import "strings"

// splitQuoted splits a line into arguments as Redis does for inline commands:
// blanks separate them; "..." knows \n \r \t \a \b \xHH, '...' knows \'; a
// closing quote must be followed by a blank or the end. The arguments are
// appended to buf, and where they are in it to spans. It reports false if a quote
// is not closed so.
func splitQuoted(buf []byte, spans []span, line []byte) ([]byte, []span, bool) {
	for i := 0; ; {
		for i < len(line) && isSpace(line[i]) {
			i++
		}
		if i == len(line) {
			return buf, spans, true
		}
		at := len(buf)
		var ok bool
		if buf, i, ok = appendUnquoted(buf, line, i); !ok {
			return buf, spans, false
		}
		spans = append(spans, span{at, len(buf) - at})
	}
}

// appendUnquoted appends the argument that begins at line[i] and returns where
// it ended.
func appendUnquoted(buf, line []byte, i int) ([]byte, int, bool) {
	for i < len(line) {
		switch ch := line[i]; ch {
		case ' ', '\n', '\r', '\t':
			return buf, i, true
		case '"', '\'':
			var ok bool
			buf, i, ok = appendQuotedPart(buf, line, i+1, ch)
			return buf, i, ok && (i == len(line) || isSpace(line[i]))
		default:
			buf = append(buf, ch)
			i++
		}
	}
	return buf, i, true
}

// appendQuotedPart appends what is between quotes and returns where to go on
// behind the closing one.
func appendQuotedPart(buf, line []byte, i int, quote byte) ([]byte, int, bool) {
	for ; i < len(line); i++ {
		ch := line[i]
		switch {
		case ch == quote:
			return buf, i + 1, true
		case ch != '\\' || i+1 == len(line):
			buf = append(buf, ch)
		case quote == '\'':
			if line[i+1] == '\'' {
				i++
			}
			buf = append(buf, line[i])
		case line[i+1] == 'x' && i+3 < len(line) && isHex(line[i+2]) && isHex(line[i+3]):
			buf = append(buf, hexValue(line[i+2])<<4|hexValue(line[i+3]))
			i += 3
		default:
			i++
			buf = append(buf, unescape(line[i]))
		}
	}
	return buf, i, false
}

// appendRepr appends s in double quotes, escaped so that it is printable ASCII,
// as MONITOR shows arguments.
func appendRepr(dst, s []byte) []byte {
	const hex = "0123456789abcdef"
	const escaped, letters = "\n\r\t\a\b", "nrtab"
	dst = append(dst, '"')
	for _, ch := range s {
		if ch == '\\' || ch == '"' {
			dst = append(dst, '\\', ch)
		} else if i := strings.IndexByte(escaped, ch); i >= 0 {
			dst = append(dst, '\\', letters[i])
		} else if ch >= ' ' && ch <= '~' {
			dst = append(dst, ch)
		} else {
			dst = append(dst, '\\', 'x', hex[ch>>4], hex[ch&15])
		}
	}
	return append(dst, '"')
}
