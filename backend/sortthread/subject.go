package sortthread

import "strings"

// BaseSubject is RFC 5256 section 2.1: what is left of a subject without the
// marks of replies, forwards and mailing lists, and whether there were marks of
// a reply or forward. The subject's encoded words have been decoded.
func BaseSubject(subject string) (base string, reply bool) {
	s := packBlanks(subject) // (1)
	for {
		s, reply = cutTrailers(s, reply) // (2)
		s, reply = cutLeaders(s, reply)  // (3), (4), (5)
		if len(s) < len("[fwd:]") || !hasPrefixFold(s, "[fwd:") || s[len(s)-1] != ']' {
			return s, reply // (7)
		}
		s, reply = s[len("[fwd:"):len(s)-1], true // (6)
	}
}

// packBlanks makes each run of blanks and line breaks one space.
func packBlanks(s string) string {
	var out []byte
	for i := 0; i < len(s); i++ {
		blank := isBlank(s[i])
		if out == nil && (!blank || s[i] == ' ' && (i+1 == len(s) || !isBlank(s[i+1]))) {
			continue
		}
		if out == nil {
			out = append(make([]byte, 0, len(s)), s[:i]...)
		}
		if !blank {
			out = append(out, s[i])
		} else if i == 0 || !isBlank(s[i-1]) {
			out = append(out, ' ')
		}
	}
	if out == nil {
		return s
	}
	return string(out)
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// cutTrailers removes what matches subj-trailer.
func cutTrailers(s string, reply bool) (string, bool) {
	const fwd = "(fwd)"
	for s != "" {
		n := len(s) - len(fwd)
		switch {
		case s[len(s)-1] == ' ':
			s = s[:len(s)-1]
		case n >= 0 && strings.EqualFold(s[n:], fwd):
			s, reply = s[:n], true
		default:
			return s, reply
		}
	}
	return s, reply
}

// cutLeaders removes what matches subj-leader, and each subj-blob that is not
// all there is. When no reply mark follows a run of blobs, none follows the rest
// of that run either, so the run is removed at once; otherwise a subject of
// blobs alone would take time in the square of its length.
func cutLeaders(s string, reply bool) (string, bool) {
	for {
		s = strings.TrimLeft(s, " ")
		rest, last := cutBlobs(s)
		if after, ok := cutRefwd(rest); ok {
			s, reply = after, true
			continue
		}
		if rest == "" {
			return last, reply
		}
		if len(rest) == len(s) {
			return s, reply
		}
		s = rest
	}
}

// cutBlobs removes all blobs at the start, and tells where the last one began.
func cutBlobs(s string) (rest, last string) {
	for rest, last = s, s; ; {
		after, ok := cutBlob(rest)
		if !ok {
			return rest, last
		}
		rest, last = after, rest
	}
}

// cutBlob removes a subj-blob: "[" *BLOBCHAR "]" *WSP.
func cutBlob(s string) (string, bool) {
	if s == "" || s[0] != '[' {
		return s, false
	}
	end := strings.IndexAny(s[1:], "[]\x00") + 1
	if end == 0 || s[end] != ']' {
		return s, false
	}
	return strings.TrimLeft(s[end+1:], " "), true
}

// cutRefwd removes a subj-refwd: ("re" / ("fw" ["d"])) *WSP [subj-blob] ":".
func cutRefwd(s string) (string, bool) {
	n := 0
	for _, mark := range [...]string{"re", "fwd", "fw"} {
		if hasPrefixFold(s, mark) {
			n = len(mark)
			break
		}
	}
	if n == 0 {
		return s, false
	}
	rest, _ := cutBlob(strings.TrimLeft(s[n:], " "))
	return strings.CutPrefix(rest, ":")
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}
