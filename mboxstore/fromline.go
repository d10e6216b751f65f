package mboxstore

import (
	"bytes"
	"strings"
	"time"
)

// FromLine is what a separator says. Its slices are parts of the parsed line.
type FromLine struct {
	Sender []byte // without the blanks around it; may be empty or contain blanks
	Date   []byte // from the weekday to the year or the zone
}

const (
	fromPrefix     = "From "
	remoteFrom     = " remote from" // UUCP's rmail adds it, with a host name
	minFromLine    = 27             // octets up to the end of the date: c-client's bound
	minRemoteFrom  = 41             // c-client looks for remoteFrom in longer lines only
	maxFromLine    = 64 << 10       // a longer line is text; c-client has no bound, nobody comes near
	maxSenderWrite = 256            // octets of a sender that we write; the first line must lie in the first 1023
)

// ParseFromLine says whether line, which includes its LF, is a separator, and what it says. What follows the LF is
// ignored; without an LF no line is a separator.
//
// The test is c-client's VALID and looks only at positions, counted from the end of the line: the year or the zone
// tells where the time must be, the time where day, month and weekday must be. That a month is a month is not
// asked. Programs that share the file split it by this test, so it may be neither stricter nor laxer.
func ParseFromLine(line []byte) (FromLine, bool) {
	if len(line) < minFromLine || string(line[:len(fromPrefix)]) != fromPrefix {
		return FromLine{}, false
	}
	end := bytes.IndexByte(line, '\n')
	if end < 0 || end > maxFromLine || bytes.IndexByte(line[:end], 0) >= 0 {
		return FromLine{}, false
	}
	if line[end-1] == '\r' {
		end--
	}
	text := cutRemoteFrom(line[:end])
	date := dateStart(text)
	if date < 0 {
		return FromLine{}, false
	}
	return FromLine{Sender: bytes.TrimSpace(text[len(fromPrefix):date]), Date: text[date:]}, true
}

func cutRemoteFrom(text []byte) []byte {
	if len(text) < minRemoteFrom {
		return text
	}
	last := bytes.LastIndexByte(text, ' ')
	if at := last - len(remoteFrom); at >= 0 && string(text[at:last]) == remoteFrom {
		return text[:at]
	}
	return text
}

// dateStart finds where the weekday begins, -1 when the line is no separator.
func dateStart(text []byte) int {
	if len(text) < minFromLine {
		return -1
	}
	back := func(n int) byte { return text[len(text)-n] }
	after := timeEnd(back)
	if after == 0 || back(after+3) != ':' {
		return -1
	}
	before := after + 6 // hh:mm
	if back(after+6) == ':' {
		before = after + 9 // hh:mm:ss
	}
	weekday := before + 10
	// A date that leaves no room for "From " makes c-client look at what is before the line: no separator.
	if weekday+len(fromPrefix) > len(text) {
		return -1
	}
	if back(before) != ' ' || back(before+3) != ' ' || back(before+7) != ' ' || back(weekday+1) != ' ' {
		return -1
	}
	return len(text) - weekday
}

// timeEnd tells how far from the end of the line the blank after the time is, 0 when there is none.
func timeEnd(back func(int) byte) int {
	sign := func(n int) bool { return back(n) == '+' || back(n) == '-' }
	choose := func(yes bool, n int) int {
		if yes {
			return n
		}
		return 0
	}
	switch {
	case back(5) != ' ':
	case back(8) == ':': // 1992
		return 5
	case back(9) == ' ': // EST 1992
		return 9
	default: // +0100 1992
		return choose(back(11) == ' ' && sign(10), 11)
	}
	switch {
	case back(4) == ' ': // 1992 EST
		return choose(back(9) == ' ', 9)
	case back(6) == ' ': // 1992 +0100
		return choose(back(11) == ' ' && sign(5), 11)
	}
	return 0
}

// FormatFromLine writes a separator that c-client, Dovecot and mutt read alike. Dovecot takes the minutes of a zone
// for seconds, so a time in a zone with minutes is written in UTC. A year that has no four digits of ours, or lies
// before 1970, becomes the first second of 1970.
func FormatFromLine(sender string, t time.Time) string {
	if _, offset := t.Zone(); offset%3600 != 0 {
		t = t.UTC()
	}
	if t.Year() < 1970 || t.Year() > 9999 {
		t = time.Unix(0, 0).UTC()
	}
	return fromPrefix + cleanSender(sender) + t.Format(" Mon Jan _2 15:04:05 2006 -0700\n")
}

// cleanSender makes one word of a sender. A quotation mark would make Dovecot look for its partner, so none is left.
func cleanSender(sender string) string {
	sender = strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '_'
		case r < ' ' || r == '"' || r == '\\' || r == 0x7f:
			return -1
		}
		return r
	}, sender)
	sender = sender[:min(len(sender), maxSenderWrite)]
	if sender == "" {
		return mailerDaemon
	}
	return sender
}
