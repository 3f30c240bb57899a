package types

// lzfExpand undoes LZF, the compression of strings in RDB. The input is a series
// of literals and of copies of what came out before:
//
//	000nnnnn                     n+1 bytes as they are follow
//	lllooooo oooooooo            copy l+2 bytes from o+1 back; l is 1 to 6
//	111ooooo llllllll oooooooo   the same with l+9 bytes
//
// It appends exactly n bytes to dst; ok is false if the input does not give that
// many, or is damaged. A copy may overlap what it writes.
func lzfExpand(dst, src []byte, n int) (out []byte, ok bool) {
	begin := len(dst)
	for len(src) > 0 {
		ctrl := int(src[0])
		src = src[1:]
		if ctrl < 32 {
			if ctrl >= len(src) || len(dst)-begin+ctrl+1 > n {
				return dst[:begin], false
			}
			dst = append(dst, src[:ctrl+1]...)
			src = src[ctrl+1:]
			continue
		}
		length := ctrl>>5 + 2
		if length == 9 {
			if len(src) == 0 {
				return dst[:begin], false
			}
			length += int(src[0])
			src = src[1:]
		}
		if len(src) == 0 {
			return dst[:begin], false
		}
		from := len(dst) - (ctrl&31)<<8 - int(src[0]) - 1
		src = src[1:]
		if from < begin || len(dst)-begin+length > n {
			return dst[:begin], false
		}
		for length > 0 { // what is copied may be what this very copy wrote
			part := dst[from:min(from+length, len(dst))]
			dst = append(dst, part...)
			from += len(part)
			length -= len(part)
		}
	}
	return dst, len(dst)-begin == n
}

// lzfMaxRatio is how many bytes a byte of LZF can become at most: 264 of 3.
const lzfMaxRatio = 88
