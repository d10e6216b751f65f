package mboxstore

import "fmt"

// Severity says what follows from a finding.
type Severity int

const (
	Notice  Severity = iota // odd, but read and served without harm
	Mends                   // put right by the next write, replay or look
	Damaged                 // needs repair, or a backup
)

func (s Severity) String() string {
	switch s {
	case Notice:
		return "notice"
	case Mends:
		return "mends itself"
	}
	return "damage"
}

// MarshalText is for JSON.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Finding is one thing about a mailbox that is not as it should be.
type Finding struct {
	Offset   int64    `json:"offset"` // in the mailbox file
	Code     string   `json:"code"`   // a word for programs; never changes its meaning
	Severity Severity `json:"severity"`
	Text     string   `json:"text"` // for people
}

func (f Finding) String() string { return fmt.Sprintf("%d: %s: %s", f.Offset, f.Code, f.Text) }

var severities = map[string]Severity{
	// The file.
	"not-mbox":      Damaged, // no From_ line where a message must begin
	"leading-bytes": Notice,  // blank lines before the first separator
	"nul-tail":      Mends,   // NULs behind the last message
	"nul-bytes":     Notice,  // NULs in a message
	"nul-block":     Damaged, // so many that a disk block is lost
	"no-final-lf":   Mends,   // the file does not end in a line end
	"no-blank-line": Notice,  // before a separator, or at the end
	"line-ends":     Notice,  // some messages have CRLF, some LF
	"mode":          Notice,  // others may read or write the file
	"symlink":       Notice,  // the mailbox's name is a symbolic link

	// UIDs and the base line.
	"uid-missing":    Mends,
	"uid-invalid":    Mends, // no number of 32 bits
	"uid-lines":      Mends, // more than one X-UID
	"uid-duplicate":  Mends, // another message before it has it, too
	"uid-order":      Mends, // not above the one before
	"uid-above-last": Mends, // above the base's last UID, so not believed
	"base-missing":   Mends,
	"base-lines":     Notice, // more than one in the header where it belongs
	"base-later":     Mends,  // in a message that is not the first
	"base-invalid":   Mends,  // not the two numbers
	"base-bounds":    Mends,  // UIDVALIDITY 0, or no room for UIDs
	"base-last":      Mends,  // last UID below one that is in use
	"ximap-form":     Notice, // X-IMAP in a first message that is no pseudo message

	// Status headers.
	"status-lines":     Notice, // the same one twice
	"status-split":     Notice, // in several places
	"status-case":      Notice, // in other case, or with blanks before the colon: not believed
	"status-continued": Notice, // with a continuation line
	"keyword-unknown":  Notice, // the base line does not name it
	"padding":          Notice, // more than 900 blanks in an X-Keywords line
	"header-open":      Notice, // no blank line ends the header

	// Messages.
	"duplicate":  Damaged, // the same message with the same X-UID once more: what an interrupted rewrite leaves
	"same-bytes": Notice,  // the same message once more, without X-UIDs to tell

	// What is beside the file.
	"no-state":           Notice,
	"lock-file":          Mends, // FILE.lock is there and nobody seems to hold it
	"journal-pending":    Mends, // an interrupted rewrite, which replay finishes; the rest is said of what it will make
	"journal-damaged":    Damaged,
	"journal-unreadable": Damaged,
	"journal-missing":    Damaged, // the file says that a change is unfinished, and no journal can finish it
	"journal-replaced":   Mends,   // of another file that had this name
	"append-pending":     Mends,
	"edit-pending":       Mends,
	"cache-wrong":        Damaged, // the index cache says something else of the very same file
}

// report collects findings.
type report struct{ findings []Finding }

func (r *report) add(off int64, code, format string, a ...any) {
	r.findings = append(r.findings, Finding{Offset: off, Code: code, Severity: severities[code], Text: fmt.Sprintf(format, a...)})
}
