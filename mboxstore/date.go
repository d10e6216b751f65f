package mboxstore

import (
	"bytes"
	"strings"
	"time"
)

// Time is the date of a separator: the INTERNALDATE. A date without zone, or with one that nobody knows, is one of
// the local zone as it was on that day; local nil is time.Local. A date that makes no sense is the first second of
// 1970 in UTC, and ok is false.
//
// c-client takes the zone offset of today instead, and Dovecot ignores zones that are words or stand before the year.
func (f FromLine) Time(local *time.Location) (t time.Time, ok bool) {
	if local == nil {
		local = time.Local
	}
	var c clockReading
	if !c.read(f.Date) {
		return time.Unix(0, 0).UTC(), false
	}
	zone, known := parseZone(c.zone)
	if !known {
		zone = local
	}
	return time.Date(c.year, c.month, c.day, c.hour, c.minute, c.second, 0, zone), true
}

// clockReading is a date as it stands in a separator.
type clockReading struct {
	year                 int
	month                time.Month
	day                  int
	hour, minute, second int
	zone                 []byte // empty: none
}

// read takes "Www Mmm dd hh:mm[:ss]" and a year with a zone on either side or none.
func (c *clockReading) read(date []byte) bool {
	const day, clock, seconds = 8, 11, 16 // positions in date
	if len(date) < seconds {
		return false
	}
	ok := true
	number := func(b []byte) (n int) {
		n, valid := smallNumber(b)
		ok = ok && valid
		return n
	}
	c.month = parseMonth(date[4:7])
	c.day = number(date[day : day+2])
	c.hour = number(date[clock : clock+2])
	c.minute = number(date[clock+3 : clock+5])
	rest := date[seconds:]
	if len(rest) >= 3 && rest[0] == ':' {
		c.second = number(rest[1:3])
		rest = rest[3:]
	}
	var year []byte
	year, c.zone = splitYear(rest)
	c.year = fullYear(number(year))
	return ok && c.valid()
}

func (c *clockReading) valid() bool {
	return c.year >= 1970 && c.month != 0 && c.day >= 1 && c.day <= daysIn(c.month, c.year) &&
		c.hour < 24 && c.minute < 60 && c.second <= 60
}

func daysIn(m time.Month, year int) int {
	return time.Date(year, m+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// splitYear takes the " 1992", " EST 1992", " +0100 1992", " 1992 EST" or " 1992 +0100" after a time apart. The
// grammar of separators has made sure that it is one of these, by length and blanks.
func splitYear(rest []byte) (year, zone []byte) {
	n := len(rest)
	switch {
	case n < 5:
		return nil, nil
	case rest[n-5] == ' ':
		return rest[n-4:], bytes.TrimSpace(rest[:n-5])
	}
	return rest[1:5], bytes.TrimSpace(rest[5:])
}

// fullYear gives the century to years that were written without, as c-client does; 0 to 48 are of this one.
func fullYear(y int) int {
	switch {
	case y < 49:
		return y + 2000
	case y < 999:
		return y + 1900
	}
	return y
}

// smallNumber reads up to four digits after any blanks.
func smallNumber(b []byte) (n int, ok bool) {
	b = bytes.TrimLeft(b, " ")
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, len(b) > 0
}

// parseMonth knows the English names in any case; 0 is none.
func parseMonth(b []byte) time.Month {
	const names = "janfebmaraprmayjunjulaugsepoctnovdec"
	at := strings.Index(names, string([]byte{b[0] | ' ', b[1] | ' ', b[2] | ' '}))
	if at < 0 || at%3 != 0 {
		return 0
	}
	return time.Month(at/3 + 1)
}

// parseZone reads a numeric zone or one of the names that c-client knows. Others have no meaning of their own:
// "CST" is found in China, too.
func parseZone(b []byte) (*time.Location, bool) {
	if len(b) == 5 && (b[0] == '+' || b[0] == '-') {
		return numericZone(b)
	}
	hours, ok := zoneHours(string(bytes.ToUpper(b)))
	if !ok {
		return nil, false
	}
	return fixedZone(hours * 3600), true
}

func numericZone(b []byte) (*time.Location, bool) {
	hours, ok1 := smallNumber(b[1:3])
	minutes, ok2 := smallNumber(b[3:5])
	if !ok1 || !ok2 || hours > 23 || minutes > 59 {
		return nil, false
	}
	offset := hours*3600 + minutes*60
	if b[0] == '-' {
		offset = -offset
	}
	return fixedZone(offset), true
}

func fixedZone(offset int) *time.Location {
	if offset == 0 {
		return time.UTC
	}
	return time.FixedZone("", offset)
}

// zoneHours is c-client's table.
func zoneHours(name string) (hours int, ok bool) {
	switch name {
	case "UT", "UTC", "GMT", "Z":
		return 0, true
	case "MET":
		return 1, true
	case "EET":
		return 2, true
	case "JST":
		return 9, true
	case "ADT":
		return -3, true
	case "AST", "EDT":
		return -4, true
	case "EST", "CDT":
		return -5, true
	case "CST", "MDT":
		return -6, true
	case "MST", "PDT":
		return -7, true
	case "PST", "YDT":
		return -8, true
	case "YST":
		return -9, true
	case "HST":
		return -10, true
	}
	return militaryHours(name)
}

// militaryHours knows the one-letter zones with their real signs, not those of RFC 822 (RFC 5322 §4.3).
func militaryHours(name string) (hours int, ok bool) {
	if len(name) != 1 {
		return 0, false
	}
	switch c := int(name[0]); {
	case c >= 'A' && c <= 'I':
		return c - 'A' + 1, true
	case c >= 'K' && c <= 'M':
		return c - 'K' + 10, true
	case c >= 'N' && c <= 'Y':
		return -(c - 'N' + 1), true
	}
	return 0, false
}
