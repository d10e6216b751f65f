package main_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"mime/quotedprintable"
	netmail "net/mail"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// searchWords writes SEARCH programs about a mailbox: its texts are searched for, and its dates and sizes are the
// edges. The same seed gives the same programs.
type searchWords struct {
	r       *rand.Rand
	now     time.Time
	mails   []mail
	headers map[string][]string // decoded values by name
	bodies  []string            // decoded lines
	raw     []string            // lines as they stand, of parts and their headers too
	charset string              // that the strings of the program at hand are in; empty: ASCII
}

// newSearchWords takes the texts out of a mailbox. The mails are what a server tells of it.
func newSearchWords(content []byte, mails []mail) *searchWords {
	w := &searchWords{
		r: rand.New(rand.NewPCG(7, 11)), now: time.Now(), mails: mails, headers: map[string][]string{},
	}
	for part := range bytes.SplitSeq(content, []byte("\n\nFrom ")) {
		_, text, _ := bytes.Cut(part, []byte("\n"))
		m, err := netmail.ReadMessage(bytes.NewReader(text))
		if err != nil {
			continue
		}
		for name, values := range m.Header {
			for _, v := range values {
				if decoded, err := new(mime.WordDecoder).DecodeHeader(v); err == nil {
					w.headers[name] = append(w.headers[name], decoded)
				}
			}
		}
		w.body(m)
		lines := strings.Split(strings.ToValidUTF8(string(text), "?"), "\n")
		w.raw = append(w.raw, strings.TrimSpace(choose(w.r, lines))+"the")
	}
	return w
}

func (w *searchWords) body(m *netmail.Message) {
	typ, _, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || !strings.HasPrefix(typ, "text/") {
		return
	}
	body := m.Body
	switch strings.ToLower(m.Header.Get("Content-Transfer-Encoding")) {
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	}
	b, err := io.ReadAll(body)
	if err != nil || !utf8.Valid(b) {
		return
	}
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); len(line) > 2 {
			w.bodies = append(w.bodies, line)
		}
	}
}

// keys are all keys, by what follows them.
var searchKeys = map[string]string{
	"ALL": "", "ANSWERED": "", "DELETED": "", "DRAFT": "", "FLAGGED": "", "SEEN": "",
	"UNANSWERED": "", "UNDELETED": "", "UNDRAFT": "", "UNFLAGGED": "", "UNSEEN": "",
	"KEYWORD": "keyword", "UNKEYWORD": "keyword", "UID": "set", "": "set",
	"BEFORE": "date", "ON": "date", "SINCE": "date", "SENTBEFORE": "date", "SENTON": "date", "SENTSINCE": "date",
	"LARGER": "size", "SMALLER": "size", "OLDER": "age", "YOUNGER": "age",
	"BCC": "To", "CC": "Cc", "FROM": "From", "TO": "To", "SUBJECT": "Subject", "HEADER": "header", "BODY": "body", "TEXT": "text",
}

// programs writes n programs: first each key alone some times, then trees of them.
func (w *searchWords) programs(n int) []string {
	var all []string
	names := slices.Sorted(func(yield func(string) bool) {
		for name := range searchKeys {
			if !yield(name) {
				return
			}
		}
	})
	for i := range n {
		w.charset = choose(w.r, []string{"", "", "UTF-8", "UTF-8", "ISO-8859-1"})
		var program string
		if i < 2*len(names) {
			program = w.key(names[i%len(names)])
		} else {
			program = w.tree(4, names)
		}
		if w.charset != "" {
			program = "CHARSET " + w.charset + " " + program
		}
		all = append(all, program)
	}
	return all
}

func (w *searchWords) tree(depth int, names []string) string {
	if depth == 0 {
		return w.key(choose(w.r, names))
	}
	sub := func() string { return w.tree(depth-1-w.r.IntN(depth), names) }
	switch w.r.IntN(6) {
	case 0:
		return "NOT " + sub()
	case 1, 2:
		return "OR " + sub() + " " + sub()
	case 3:
		return "(" + sub() + " " + sub() + ")"
	}
	return w.key(choose(w.r, names))
}

// key writes one key with its argument.
func (w *searchWords) key(name string) string {
	argument := ""
	switch kind := searchKeys[name]; kind {
	case "":
		return name
	case "keyword":
		argument = choose(w.r, []string{"$Forwarded", "work", "WORK", "nosuch"})
	case "set":
		argument = w.set()
	case "date":
		date, err := time.Parse("_2-Jan-2006 15:04:05 -0700", choose(w.r, w.mails).Date)
		if err == nil {
			argument = date.AddDate(0, 0, w.r.IntN(3)-1).Format("2-Jan-2006")
		}
	case "size":
		argument = fmt.Sprint(choose(w.r, w.mails).Size + w.r.IntN(3) - 1)
	case "age":
		date, err := time.Parse("_2-Jan-2006 15:04:05 -0700", choose(w.r, w.mails).Date)
		if err == nil {
			argument = fmt.Sprint(int(w.now.Sub(date).Seconds()) + 1800) // the two are not asked at the same second
		}
	case "header":
		field := choose(w.r, []string{"Message-Id", "References", "Received", "Subject", "From", "X-Mailer", "Date", "Content-Type", "X-None"})
		argument = field + " " + w.text(w.headers[field])
	case "body":
		argument = w.text(choose(w.r, [][]string{w.bodies, w.bodies, w.raw, w.headers["Subject"]}))
	case "text":
		argument = w.text(choose(w.r, [][]string{w.bodies, w.raw, w.headers["Subject"], w.headers["From"], w.headers["Received"]}))
	default:
		argument = w.text(w.headers[kind])
	}
	return strings.TrimSpace(name + " " + argument)
}

func (w *searchWords) set() string {
	var parts []string
	for range 1 + w.r.IntN(3) {
		a, b := 1+w.r.IntN(len(w.mails)), 1+w.r.IntN(len(w.mails))
		parts = append(parts, choose(w.r, []string{fmt.Sprint(a), fmt.Sprintf("%d:%d", a, b), fmt.Sprintf("%d:*", a), "*"}))
	}
	return strings.Join(parts, ",")
}

// text is a piece of one of these texts, in other case, as a string of the program's charset.
func (w *searchWords) text(from []string) string {
	if len(from) == 0 || w.r.IntN(20) == 0 {
		return choose(w.r, []string{`""`, `"no such text anywhere"`, "a", "zeppelin", "xylophonequartz"})
	}
	for {
		s := w.piece(choose(w.r, from))
		switch w.charset {
		case "ISO-8859-1":
			latin, err := charmap.ISO8859_1.NewEncoder().String(s)
			if err != nil {
				continue
			}
			s = latin
		case "":
			if strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) {
				continue
			}
		}
		if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) || !utf8.ValidString(s) {
			return fmt.Sprintf("{%d+}\r\n%s", len(s), s)
		}
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
	}
}

// piece cuts a few words or letters out; half of the time one with a letter beyond ASCII, if there is one.
func (w *searchWords) piece(s string) string {
	runes := []rune(s)
	at, n := w.r.IntN(len(runes)), 2+w.r.IntN(14)
	if i := slices.IndexFunc(runes, func(r rune) bool { return r >= utf8.RuneSelf }); i >= 0 && w.r.IntN(2) == 0 {
		at = max(0, i-w.r.IntN(4))
	}
	s = strings.TrimSpace(string(runes[at:min(len(runes), at+n)]))
	switch w.r.IntN(3) {
	case 0:
		s = strings.ToUpper(s)
	case 1:
		s = strings.Map(unicode.ToTitle, s)
	}
	if s == "" {
		return "the"
	}
	return s
}

func choose[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }
