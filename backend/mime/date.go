package mime

import (
	"strings"
	"time"
)

// ParseDate reads the value of a Date field as leniently as mail needs it: RFC
// 5322 with its obsolete forms, the forms of ctime(3) and ISO 8601, two-digit
// years, missing times and zones. The order of day, month name and year
// decides nothing; a zone that is not understood is UTC.
func ParseDate(value []byte) (time.Time, bool) {
	var d dateParts
	for i := skipCFWS(value, 0); i < len(value); i = skipCFWS(value, i) {
		end := i
		for end < len(value) && !isSpace(value[end]) && value[end] != '(' && value[end] != ',' {
			end++
		}
		if end > i {
			d.word(string(value[i:min(end, i+40)]))
		}
		i = max(end, i+1)
	}
	return d.time()
}

type dateParts struct {
	year, day         int
	month             time.Month
	hour, minute, sec int
	offset            int // seconds east of UTC
	hasYear, hasTime  bool
	pm, am            bool
}

func (d *dateParts) time() (time.Time, bool) {
	if d.month == 0 || d.day == 0 || !d.hasYear {
		return time.Time{}, false
	}
	if d.pm && d.hour < 12 {
		d.hour += 12
	} else if d.am && d.hour == 12 {
		d.hour = 0
	}
	zone := time.UTC
	if d.offset != 0 {
		zone = time.FixedZone("", d.offset)
	}
	return time.Date(d.year, d.month, d.day, d.hour, d.minute, d.sec, 0, zone), true
}

// word takes one blank-separated word.
func (d *dateParts) word(w string) {
	switch c := w[0]; {
	case isClock(w) || d.hasISODate(&w):
		d.clock(w)
	case (c == '+' || c == '-') && d.month != 0:
		d.zone(w)
	case strings.ContainsAny(w, "-/"): // 01-Feb-2003
		for _, part := range strings.FieldsFunc(w, func(r rune) bool { return r == '-' || r == '/' }) {
			d.word(part)
		}
	case '0' <= c && c <= '9':
		d.number(w)
	default:
		d.name(w)
	}
}

// isClock: a hyphen before the colon belongs to a date.
func isClock(w string) bool {
	i := strings.IndexByte(w, ':')
	return i > 0 && !strings.Contains(w[:i], "-")
}

// hasISODate takes 2003-02-01 and leaves the time that may follow it in w.
func (d *dateParts) hasISODate(w *string) bool {
	s := *w
	if len(s) < 10 || s[4] != '-' || s[7] != '-' {
		return false
	}
	t, err := time.Parse(time.DateOnly, s[:10])
	if err != nil {
		return false
	}
	var month time.Month
	d.year, month, d.day = t.Date()
	d.month, d.hasYear = month, true
	*w = strings.TrimLeft(s[10:], "T")
	return true
}

// clock takes hh:mm[:ss[.fff]] with a zone glued to it, perhaps.
func (d *dateParts) clock(w string) {
	if d.hasTime || w == "" {
		return
	}
	d.hasTime = true
	if i := strings.IndexAny(w, "+-Z"); i > 0 {
		d.zone(w[i:])
		w = w[:i]
	}
	limit := [...]int{23, 59, 60}
	into := [...]*int{&d.hour, &d.minute, &d.sec}
	for i, part := range strings.SplitN(w, ":", 3) {
		if n, digits := leadingNumber(part); digits > 0 && n <= limit[i] {
			*into[i] = n
		}
	}
}

// number takes the day or the year, whichever can be meant.
func (d *dateParts) number(w string) {
	n, digits := leadingNumber(w)
	switch {
	case d.day == 0 && digits <= 2 && n >= 1 && n <= 31:
		d.day = n
	case d.hasYear || digits < 2 || digits > 4:
	default:
		d.year, d.hasYear = n, true
		if digits == 2 && n < 50 { // RFC 5322 section 4.3
			d.year += 2000
		} else if digits < 4 {
			d.year += 1900
		}
	}
}

func leadingNumber(w string) (n, digits int) {
	for digits < len(w) && digits < 5 && '0' <= w[digits] && w[digits] <= '9' {
		n = n*10 + int(w[digits]-'0')
		digits++
	}
	return n, digits
}

const monthNames = "janfebmaraprmayjunjulaugsepoctnovdec"

// name takes the name of a month or a zone; names of days say nothing new.
func (d *dateParts) name(w string) {
	w = strings.ToLower(w)
	switch w {
	case "am":
		d.am = true
	case "pm":
		d.pm = true
	case "est", "edt", "cst", "cdt", "mst", "mdt", "pst", "pdt":
		west := map[byte]int{'e': 5, 'c': 6, 'm': 7, 'p': 8}[w[0]]
		if w[1] == 'd' {
			west--
		}
		d.offset = -west * 3600
	default:
		if len(w) >= 3 && d.month == 0 {
			if i := strings.Index(monthNames, w[:3]); i >= 0 && i%3 == 0 {
				d.month = time.Month(i/3 + 1)
			}
		}
	}
}

// zone takes +hhmm or +hh:mm.
func (d *dateParts) zone(w string) {
	n, digits := leadingNumber(strings.ReplaceAll(w[1:], ":", ""))
	if digits != 4 || n/100 > 23 || n%100 > 59 {
		return
	}
	d.offset = (n/100*60 + n%100) * 60
	if w[0] == '-' {
		d.offset = -d.offset
	}
}
