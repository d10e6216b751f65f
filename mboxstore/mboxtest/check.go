package mboxtest

import (
	"bytes"
	"fmt"
	"hash/crc64"
	"strings"
)

const checkName = "X-Check: "

// statusNames begin the lines that belong to the mailbox, lower case, with colon. Content-Length is Dovecot's seventh.
var statusNames = [...]string{
	"status:", "x-status:", "x-keywords:", "x-uid:", "x-imap:", "x-imapbase:", "content-length:",
}

// Sum is the checksum of a message, stored or served: its lines without CRs, without X-Check and status headers, with
// NUL and 0x80, "From " and ">From " taken as the same, and with a final line end.
func Sum(msg []byte) uint64 {
	msg = bytes.ReplaceAll(bytes.ReplaceAll(msg, []byte{'\r'}, nil), []byte{0}, []byte{0x80})
	msg = bytes.ReplaceAll(msg, []byte("\n>From "), []byte("\nFrom "))
	header, body, _ := cutHeader(msg)
	sum := crc64.New(crc64.MakeTable(crc64.ECMA))
	for line := range bytes.Lines(header) {
		if !bytes.HasPrefix(line, []byte(checkName)) && !isStatus(line) {
			sum.Write(bytes.TrimSuffix(line, []byte{'\n'}))
			sum.Write([]byte{'\n'})
		}
	}
	sum.Write([]byte{'\n'})
	sum.Write(body)
	if len(body) > 0 && body[len(body)-1] != '\n' {
		sum.Write([]byte{'\n'})
	}
	return sum.Sum64()
}

// cutHeader splits behind the header, without the blank line.
func cutHeader(msg []byte) (header, body []byte, found bool) {
	if len(msg) > 0 && msg[0] == '\n' {
		return nil, msg[1:], true
	}
	header, body, found = bytes.Cut(msg, []byte("\n\n"))
	return header, body, found
}

func isStatus(line []byte) bool {
	for _, name := range statusNames {
		if len(line) >= len(name) && strings.EqualFold(string(line[:len(name)]), name) {
			return true
		}
	}
	return false
}

// Verify names a message, stored (without separator) or served, by its X-Check header. The error tells of a message
// without one, or one that is not as it was made.
func Verify(msg []byte) (name string, err error) {
	header, _, _ := cutHeader(bytes.ReplaceAll(msg, []byte{'\r'}, nil))
	for line := range bytes.Lines(header) {
		value, ok := bytes.CutPrefix(line, []byte(checkName))
		if !ok {
			continue
		}
		var want uint64
		if _, err := fmt.Sscanf(string(value), "%s %x", &name, &want); err != nil {
			return "", fmt.Errorf("X-Check %q: %w", value, err)
		}
		if got := Sum(msg); got != want {
			return name, fmt.Errorf("message %s has checksum %016x, was made with %016x", name, got, want)
		}
		return name, nil
	}
	return "", fmt.Errorf("no X-Check in %.80q", header)
}

// Seal puts the X-Check header on top of a message with LF lines.
func Seal(name string, msg []byte) []byte {
	return append(fmt.Appendf(nil, "%s%s %016x\n", checkName, name, Sum(msg)), msg...)
}
