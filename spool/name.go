package spool

import (
	"fmt"
	"strings"
)

// Inbox is the name of the mailbox that mail is delivered to, in any case.
const Inbox = "INBOX"

const (
	// maxComponent leaves room for ".lock" in the 255 octets of a file name.
	maxComponent = 255 - len(lockSuffix)
	maxName      = 1024
)

// isInbox: RFC 9051 §5.1.
func isInbox(name string) bool { return strings.EqualFold(name, Inbox) }

// checkName says why a name cannot be that of a folder. Names are raw octets:
// what encoding they are in is the protocol's business. The inbox is no folder
// and has none below it.
func checkName(name string) error {
	if why := badName(name); why != "" {
		return fmt.Errorf("%q %s: %w", name, why, ErrName)
	}
	return nil
}

func badName(name string) string {
	if len(name) > maxName {
		return "is too long"
	}
	for i, part := range strings.Split(name, "/") {
		if why := badComponent(part); why != "" {
			return why
		}
		switch {
		case i > 0:
		case isInbox(part):
			return "is or lies below the inbox"
		case part[0] == '~':
			return "names a home directory"
		}
	}
	return ""
}

// badComponent: what begins with a dot is not mail but somebody's settings, and
// leaves no way up; what ends in ".lock" locks another mailbox.
func badComponent(part string) string {
	switch {
	case part == "":
		return "has an empty component"
	case part[0] == '.':
		return "has a component with a leading dot"
	case strings.ContainsAny(part, "\x00\r\n"):
		return "has a control character"
	case strings.HasSuffix(part, lockSuffix):
		return "is a lock file's"
	case len(part) > maxComponent:
		return "has a component that is too long"
	}
	return ""
}
