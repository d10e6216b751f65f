package session

import (
	"strings"

	"github.com/emersion/go-imap/v2"

	"spoold/mboxstore"
)

// systemFlags is every flag of RFC 3501 §2.3.2 that a client may change, in the order in which UW lists a message's flags.
var systemFlags = [...]struct {
	bit  mboxstore.Flags
	name string
}{
	{mboxstore.FlagSeen, `\Seen`},
	{mboxstore.FlagDeleted, `\Deleted`},
	{mboxstore.FlagFlagged, `\Flagged`},
	{mboxstore.FlagAnswered, `\Answered`},
	{mboxstore.FlagDraft, `\Draft`},
}

const recentFlag = `\Recent`

// ParseFlags sorts flags as they stand in a command into system flags and keywords. \Recent is no client's to set, and
// other names with a backslash are not known (RFC 3501 §2.3.2 reserves them).
func ParseFlags(names []string) (flags mboxstore.Flags, keywords []string, err error) {
	for _, name := range names {
		if !strings.HasPrefix(name, `\`) {
			keywords = append(keywords, name)
			continue
		}
		bit := systemFlag(name)
		if bit == 0 {
			return 0, nil, &Refusal{Bad: true, Text: "Flag " + name + " cannot be set"}
		}
		flags |= bit
	}
	return flags, keywords, nil
}

// systemFlag is the bit of a flag, 0 when it is none that can be changed. Case does not matter.
func systemFlag(name string) mboxstore.Flags {
	for _, f := range systemFlags {
		if strings.EqualFold(f.name, name) {
			return f.bit
		}
	}
	return 0
}

// AppendFlags appends a message's flags as a parenthesised list.
func AppendFlags(dst []byte, m *mboxstore.Message, recent bool) []byte {
	dst = append(dst, '(')
	if recent {
		dst = append(dst, recentFlag...)
		dst = append(dst, ' ')
	}
	for _, f := range systemFlags {
		if m.Flags&f.bit != 0 {
			dst = append(dst, f.name...)
			dst = append(dst, ' ')
		}
	}
	for _, k := range m.Keywords {
		if isAtom(k) {
			dst = append(dst, k...)
			dst = append(dst, ' ')
		}
	}
	if dst[len(dst)-1] == ' ' {
		dst = dst[:len(dst)-1]
	}
	return append(dst, ')')
}

// isAtom reports whether a keyword can be sent. A mailbox file can hold others, which other programs put there; an
// invalid one would make the client lose its place in our answer.
func isAtom(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`(){%*"\]`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

// flagList is the answer to "which flags does this mailbox know": the system's, and its keywords.
func flagList(keywords []string) []string {
	list := make([]string, 0, len(systemFlags)+len(keywords)+1)
	for _, f := range systemFlags {
		list = append(list, f.name)
	}
	for _, k := range keywords {
		if isAtom(k) {
			list = append(list, k)
		}
	}
	return list
}

// permanentFlags is flagList and the right to make new keywords; nothing when the mailbox is read-only.
func permanentFlags(keywords []string, readOnly bool) []string {
	if readOnly {
		return nil
	}
	return append(flagList(keywords), `\*`)
}

func imapFlags(names []string) []imap.Flag {
	flags := make([]imap.Flag, len(names))
	for i, n := range names {
		flags[i] = imap.Flag(n)
	}
	return flags
}

func messageFlags(m *mboxstore.Message, recent bool) []imap.Flag {
	list := AppendFlags(nil, m, recent)
	return imapFlags(strings.Fields(string(list[1 : len(list)-1])))
}
