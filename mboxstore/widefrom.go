package mboxstore

import (
	"bytes"
	"time"
)

// A file may come from a program that writes its From_ lines in a way that c-client does not take for separators: one
// digit for the day, "MET DST", RFC 5322's dates. Dovecot reads such files. When the first line of a file is one that
// only Dovecot takes, the file is read by the wide grammar: a separator is what either of the two takes. So the choice
// is a function of the first line; the index remembers it, in case that line goes before the others do.
//
// The next write of such a file makes c-client's form of all these lines, in one commit, and from then on the usual
// grammar finds the same messages. Since what c-client takes is always a separator, no line of a text becomes one by
// that. Until it is done nothing is appended, edited or copied as it is.

// parseFrom is ParseFromLine with the grammar of the file.
func parseFrom(line []byte, wide bool) (FromLine, bool) {
	f, ok := ParseFromLine(line)
	if ok || !wide {
		return f, ok
	}
	normal, ok := normalFrom(line)
	if !ok {
		return f, false
	}
	return ParseFromLine([]byte(normal))
}

// normalFrom gives c-client's form of a separator that only Dovecot takes, with the same sender and time.
func normalFrom(line []byte) (string, bool) {
	end := bytes.IndexByte(line, '\n')
	if end < 0 || end > maxFromLine || !bytes.HasPrefix(line, []byte(fromPrefix)) || bytes.IndexByte(line[:end], 0) >= 0 {
		return "", false
	}
	sender, date, ok := cutSender(line[len(fromPrefix):end])
	const shortest = 21 // octets of a date with the line's end
	if !ok || len(date)+1 < shortest {
		return "", false
	}
	r := wideReading{rest: date[4:]} // the weekday is not looked at
	if !r.asctime() {
		r = wideReading{rest: date[4:]}
		if !r.mailDate() {
			return "", false
		}
	}
	return FormatFromLine(string(sender), r.time()), true
}

// storedFrom is a separator as it is written to another mailbox.
func storedFrom(line []byte) []byte {
	if _, ok := ParseFromLine(line); !ok {
		if normal, ok := normalFrom(line); ok {
			return []byte(normal)
		}
	}
	return bytes.Clone(line)
}

// cutSender takes the sender, a quoted one with its blanks, and the blanks behind it.
func cutSender(text []byte) (sender, date []byte, ok bool) {
	i := 0
	if len(text) > 0 && text[0] == '"' {
		for i = 1; i < len(text) && text[i] != '"'; i++ {
			if text[i] == '\\' {
				i++
			}
		}
	}
	for i < len(text) && text[i] != ' ' && text[i] != '\r' {
		i++
	}
	if i >= len(text) || text[i] != ' ' {
		return nil, nil, false
	}
	return text[:i], bytes.TrimLeft(text[i:], " "), true
}

// wideReading reads a date of Dovecot's grammar from left to right.
type wideReading struct {
	rest []byte
	clockReading
}

// asctime takes "Nov  9 22:33:52 2001 +0300": the day with one digit or two, seconds or none, one word before the
// year, a zone and whatever else behind it.
func (r *wideReading) asctime() bool {
	if !r.monthName() || !r.blank() {
		return false
	}
	r.blank()
	if !r.dayNumber() || !r.blank() || !r.clock() || !r.blank() {
		return false
	}
	before := r.rest
	if !r.yearNumber() {
		word, rest, _ := bytes.Cut(before, []byte{' '})
		r.rest, r.zone = rest, word
		if !r.yearNumber() {
			return false
		}
	}
	r.zoneBehind()
	return true
}

// mailDate takes " 9 Nov 2002 22:33:52 -0800".
func (r *wideReading) mailDate() bool {
	if len(r.rest) == 0 {
		return false
	}
	r.rest = r.rest[1:]
	if !r.dayNumber() || !r.blank() || !r.monthName() || !r.blank() || !r.yearNumber() || !r.blank() || !r.clock() {
		return false
	}
	r.zoneBehind()
	return true
}

func (r *wideReading) blank() bool {
	if len(r.rest) == 0 || r.rest[0] != ' ' {
		return false
	}
	r.rest = r.rest[1:]
	return true
}

// number takes between low and high digits.
func (r *wideReading) number(low, high int) (n int, ok bool) {
	i := 0
	for ; i < high && i < len(r.rest) && r.rest[i] >= '0' && r.rest[i] <= '9'; i++ {
		n = n*10 + int(r.rest[i]-'0')
	}
	if i < low {
		return 0, false
	}
	r.rest = r.rest[i:]
	return n, true
}

// monthName takes a month, or "???", which Dovecot reads as January.
func (r *wideReading) monthName() bool {
	if len(r.rest) < 3 {
		return false
	}
	if r.month = parseMonth(r.rest[:3]); string(r.rest[:3]) == "???" {
		r.month = time.January
	}
	r.rest = r.rest[3:]
	return r.month != 0
}

func (r *wideReading) dayNumber() (ok bool) {
	r.day, ok = r.number(1, 2)
	r.day = max(r.day, 1)
	return ok
}

func (r *wideReading) yearNumber() (ok bool) {
	r.year, ok = r.number(4, 4)
	return ok
}

func (r *wideReading) clock() (ok bool) {
	if r.hour, ok = r.number(2, 2); !ok || len(r.rest) == 0 || r.rest[0] != ':' {
		return false
	}
	r.rest = r.rest[1:]
	if r.minute, ok = r.number(2, 2); ok && len(r.rest) > 0 && r.rest[0] == ':' {
		r.rest = r.rest[1:]
		r.second, ok = r.number(2, 2)
	}
	return ok
}

// zoneBehind takes a numeric zone after the year or the time; anything else there is of no meaning.
func (r *wideReading) zoneBehind() {
	const length = len(" +0100")
	if len(r.rest) >= length && r.rest[0] == ' ' && (r.rest[1] == '+' || r.rest[1] == '-') {
		r.zone = r.rest[1:length]
	}
}

// time is what was read; fields out of their range are carried over, as mktime does.
func (r *wideReading) time() time.Time {
	zone, ok := parseZone(r.zone)
	if !ok {
		zone = time.Local
	}
	return time.Date(r.year, r.month, r.day, r.hour, r.minute, r.second, 0, zone)
}

// planSeparator writes the separator of r in the form that c-client takes, and gives its length.
func (w *planner) planSeparator(r *record) int32 {
	if !w.x.wide {
		w.out.copy(r.off, r.header())
		return r.fromLen
	}
	line := make([]byte, r.fromLen)
	if _, err := w.file.ReadAt(line, r.off); err != nil && w.lifted.err == nil {
		w.lifted.err = err
	}
	normal, ok := normalFrom(line)
	if _, narrow := ParseFromLine(line); narrow || !ok {
		w.out.copy(r.off, r.header())
		return r.fromLen
	}
	w.out.literal([]byte(normal))
	return int32(len(normal))
}

// normalise writes the separators anew before an append. The caller holds op and the locks.
func (m *Mailbox) normalise() error {
	if !m.index.wide {
		return nil
	}
	if err := m.writable(); err != nil {
		return err
	}
	p, err := m.plan(nil)
	if err != nil {
		return err
	}
	return m.carryOut(p, true)
}
