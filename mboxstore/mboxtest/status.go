package mboxtest

import (
	"fmt"
	"slices"
	"strings"
)

// words are the keywords of every mailbox with status headers.
var words = [...]string{"$Forwarded", "NonJunk", "work"}

// status makes the status headers of message i, each line with its end.
func (g *generator) status(m *Message, i, body int) string {
	if g.o.Style == Delivered {
		return ""
	}
	seen := pick(g, "", "O", "RO")
	state := pick(g, "", "", "A", "F", "AF", "D")
	m.Flags = sortLetters(seen + state)
	if g.o.Style == Mutt {
		return muttStatus(seen, state)
	}
	m.UID = uint32(i + 1)
	for _, w := range words {
		if g.r.IntN(4) == 0 {
			m.Words = append(m.Words, w)
		}
	}
	base := ""
	if i == 0 && g.o.Style != UWPseudo {
		base = fmt.Sprintf("X-IMAPbase: %d %010d %s\n", g.o.Validity, g.o.Messages, strings.Join(words[:], " "))
	}
	if g.o.Style == Dovecot {
		return fmt.Sprintf("%sX-UID: %d\nStatus: %s\nX-Status: %s\nX-Keywords: %-60s\nContent-Length: %d\n",
			base, m.UID, seen, state, strings.Join(m.Words, " "), body)
	}
	list := strings.Join(m.Words, " ")
	if list != "" {
		list = " " + list
	}
	block := fmt.Sprintf("%sStatus: %s\nX-Status: %s\nX-Keywords:%s", base, seen, state, list)
	room := 50
	if base != "" {
		room = 80
	}
	return fmt.Sprintf("%-*s\nX-UID: %d\n", room, block, m.UID)
}

func muttStatus(seen, state string) string {
	s := ""
	if seen != "" {
		s += "Status: " + seen + "\n"
	}
	if state != "" {
		s += "X-Status: " + state + "\n"
	}
	return s
}

func sortLetters(s string) string {
	b := []byte(s)
	slices.Sort(b)
	return string(b)
}
