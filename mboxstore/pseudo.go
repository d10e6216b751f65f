package mboxstore

import (
	"bytes"
	"fmt"
	"strings"
	"time"
)

const (
	mailerDaemon    = "MAILER-DAEMON"
	mailerDaemonDov = "MAILER_DAEMON" // Dovecot's spelling
	pseudoSubject   = "DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA"
	pseudoMark      = "FOLDER INTERNAL DATA"
	pseudoName      = "Mail System Internal Data"
	longestHost     = 80
)

// The text that tells users of other programs to leave the message alone; c-client's, word for word, since they and
// their scripts know it.
const pseudoText = `This text is part of the internal format of your mail folder, and is not
a real message.  It is created automatically by the mail system software.
If deleted, important folder data will be lost, and it will be re-created
with the data reset to initial values.

`

// IsPseudo reports whether a message, given its separator and its header, is the pseudo message that UW, alpine or
// Dovecot keep the base in. The caller knows that it is the first message of the file; no other is one.
//
// To c-client and Dovecot a valid X-IMAP: line is enough, so anybody can send a mail that they hide and, at the next
// rewrite, destroy. Hence the canonical form is asked for: the sender, the subject, and no header but those that
// these programs write. A delivered mail has others: the MTA adds Received: at the least.
func IsPseudo(from FromLine, h []byte) bool {
	if s := string(from.Sender); s != mailerDaemon && s != mailerDaemonDov {
		return false
	}
	return ParseHeader(h).Status.Pseudo && hasPseudoLines(h)
}

func hasPseudoLines(h []byte) bool {
	marked, first := false, true
	for l := (headerLines{text: h}); ; first = false {
		line, kind, ok := l.next()
		switch {
		case !ok || kind == lineBlank:
			return marked
		case kind == lineBase:
			return false
		case kind.internal():
			continue
		case isBlank(line[0]) && !first:
			continue
		}
		name, value, _ := strings.Cut(string(line[:min(len(line), 1<<10)]), ":")
		switch strings.ToLower(name) {
		case "subject":
			marked = marked || strings.Contains(value, pseudoMark)
		case "date", "from", "message-id", "mime-version", "content-type", "content-transfer-encoding", "lines":
		default:
			return false
		}
	}
}

// AppendPseudo appends a pseudo message with its separator and its final blank line, byte for byte as UW does. With
// create it has the form that UW's CREATE writes, which lacks the Message-ID.
func AppendPseudo(dst []byte, b Base, hostname string, now time.Time, create bool) []byte {
	host := cleanHost(hostname)
	dst = now.AppendFormat(append(dst, fromPrefix+mailerDaemon+" "...), "Mon Jan _2 15:04:05 2006\n")
	dst = now.AppendFormat(append(dst, "Date: "...), "02 Jan 2006 15:04:05 -0700\n")
	dst = fmt.Appendf(dst, "From: %s <%s@%s>\nSubject: %s\n", pseudoName, mailerDaemon, host, pseudoSubject)
	if !create {
		dst = fmt.Appendf(dst, "Message-ID: <%d@%s>\n", now.Unix(), host)
	}
	dst = fmt.Appendf(dst, "X-IMAP: %010d %010d", b.UIDValidity, b.LastUID)
	dst = append(appendKeywords(dst, b.Keywords), "\nStatus: RO\n\n"...)
	return append(dst, pseudoText...)
}

// cleanHost leaves only what is in host names.
func cleanHost(name string) string {
	clean := bytes.Map(func(r rune) rune {
		if r <= ' ' || r >= 0x7f || strings.ContainsRune(`<>()@,;:"\`, r) {
			return -1
		}
		return r
	}, []byte(name))
	if len(clean) == 0 {
		return "localhost"
	}
	return string(clean[:min(len(clean), longestHost)])
}
