package wire

import (
	"strings"
	"time"
)

// Date reads "date" of RFC 9051 section 9, dd-Mon-yyyy, quoted or not. The
// result is midnight UTC of that day.
func (p *Parser) Date() (time.Time, error) {
	quoted := p.TryByte('"')
	text := p.take(isAtomChar)
	if quoted && !p.TryByte('"') {
		return time.Time{}, p.expected("date")
	}
	t, rest, ok := parseDay(string(text))
	if !ok || rest != "" {
		return time.Time{}, syntax("Invalid date")
	}
	return t, nil
}

// DateTime reads "date-time", quoted. A day of one digit need not be padded.
func (p *Parser) DateTime() (time.Time, error) {
	if p.Peek() != '"' {
		return time.Time{}, p.expected("date-time")
	}
	b, err := p.quoted()
	if err != nil {
		return time.Time{}, err
	}
	day, rest, ok := parseDay(strings.TrimPrefix(string(b), " "))
	if !ok || len(rest) != len(" 15:04:05 -0700") {
		return time.Time{}, syntax("Invalid date-time")
	}
	clock, err := time.Parse(" 15:04:05 -0700", rest)
	if err != nil || rest[3] != ':' || rest[6] != ':' || rest[9] != ' ' {
		return time.Time{}, syntax("Invalid date-time")
	}
	y, m, d := day.Date()
	return time.Date(y, m, d, clock.Hour(), clock.Minute(), clock.Second(), 0, clock.Location()), nil
}

// parseDay reads d-Mon-yyyy or dd-Mon-yyyy at the start of s.
func parseDay(s string) (day time.Time, rest string, ok bool) {
	n := strings.IndexByte(s, '-') + len("-Jan-2006")
	if n < len("2-Jan-2006") || n > len(s) || n > len("02-Jan-2006") {
		return time.Time{}, "", false
	}
	t, err := time.Parse("2-Jan-2006", s[:n]) // names of months in any case
	return t, s[n:], err == nil
}
