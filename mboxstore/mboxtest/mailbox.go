package mboxtest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// Style says whose status headers a mailbox has.
type Style int

const (
	Delivered Style = iota // none: as the MTA left it
	UW                     // UW-IMAP and alpine: a block at the end of the header; base in the first message
	UWPseudo               // the same with a pseudo message
	Dovecot                // Dovecot's order, with Content-Length
	Mutt                   // Status and X-Status only, anywhere
)

// Options says what mailbox to make. The zero value is an empty one.
type Options struct {
	Seed     uint64
	Messages int
	Style    Style
	CRLF     bool
	MaxBody  int // octets of a text body; 0 is 4000
	Validity uint32
}

// Validity is the UIDVALIDITY of mailboxes whose Options do not name one.
const Validity = 1_234_567_890

// Message is one message of a Mailbox.
type Message struct {
	Name   string
	Off    int    // of the separator in Mailbox.Bytes
	Stored []byte // the bytes behind the separator, without the separating blank line
	Sender string
	Date   time.Time // of the separator
	UID    uint32    // as the status headers have it; 0: they have none
	Flags  string    // letters of Status and X-Status, sorted
	Words  []string  // keywords
}

// Mailbox is a made mailbox: the file, and what is in it.
type Mailbox struct {
	Bytes    []byte
	Messages []Message
}

// Names lists the messages in file order.
func (m *Mailbox) Names() []string {
	names := make([]string, len(m.Messages))
	for i := range m.Messages {
		names[i] = m.Messages[i].Name
	}
	return names
}

// New makes a mailbox. The same Options make the same bytes.
func New(o Options) *Mailbox {
	if o.MaxBody == 0 {
		o.MaxBody = 4000
	}
	if o.Validity == 0 {
		o.Validity = Validity
	}
	g := generator{o: o, r: rand.New(rand.NewPCG(o.Seed, 1))}
	if o.Style == UWPseudo {
		g.box.Bytes = append(g.box.Bytes, g.lines(g.pseudo())...)
	}
	for i := range o.Messages {
		g.add(i)
	}
	return &g.box
}

// Deliver makes the bytes that an MTA would append for one more message, and its name.
func Deliver(seed uint64) (name string, bytes []byte) {
	m := New(Options{Seed: seed, Messages: 1})
	return m.Messages[0].Name, m.Bytes
}

type generator struct {
	o   Options
	r   *rand.Rand
	box Mailbox
}

func pick[T any](g *generator, list ...T) T { return list[g.r.IntN(len(list))] }

func (g *generator) add(i int) {
	m := Message{Name: fmt.Sprintf("m%d-%d", g.o.Seed, i), Off: len(g.box.Bytes), Sender: g.sender()}
	m.Date = time.Unix(int64(1e9)+int64(g.r.IntN(8e8)), 0).UTC()
	mail := Seal(m.Name, g.mail(i, m.Date))
	header, body, _ := cutHeader(mail)
	status := g.status(&m, i, len(body))
	m.Stored = g.lines(append(append(append(bytes.Clone(header), '\n'), status...), "\n"+string(body)...))
	g.box.Bytes = append(g.box.Bytes, g.lines([]byte(g.fromLine(&m)))...)
	g.box.Bytes = append(g.box.Bytes, m.Stored...)
	g.box.Bytes = append(g.box.Bytes, g.lines([]byte{'\n'})...)
	g.box.Messages = append(g.box.Messages, m)
}

// lines gives b its line ends.
func (g *generator) lines(b []byte) []byte {
	if g.o.CRLF {
		return bytes.ReplaceAll(b, []byte{'\n'}, []byte("\r\n"))
	}
	return b
}

func (g *generator) sender() string {
	return pick(g, "ann@example.org", "MAILER-DAEMON", "bob", "-", `"c d"@example.net`, "bounce+x=y@lists.example.com")
}

// fromLine writes one of the forms that both c-client and Dovecot read to the same date.
func (g *generator) fromLine(m *Message) string {
	switch g.r.IntN(5) {
	case 0: // sendmail, postfix
		return m.Date.Format("From " + m.Sender + " Mon Jan _2 15:04:05 2006 +0000\n")
	case 1: // Dovecot
		return m.Date.Format("From " + m.Sender + "  Mon Jan 02 15:04:05 2006 +0000\n")
	case 2:
		m.Date = m.Date.Truncate(time.Minute)
		return m.Date.Format("From " + m.Sender + " Mon Jan _2 15:04 2006 +0000\n")
	case 3: // UUCP
		return m.Date.Format("From " + m.Sender + " Mon Jan _2 15:04:05 2006 +0000 remote from relay\n")
	}
	zone := time.FixedZone("", 3600*(g.r.IntN(24)-11))
	m.Date = m.Date.In(zone)
	return m.Date.Format("From " + m.Sender + " Mon Jan _2 15:04:05 2006 -0700\n")
}

func (g *generator) pseudo() []byte {
	var b strings.Builder
	date := time.Unix(1e9, 0).UTC()
	fmt.Fprintf(&b, "From MAILER-DAEMON %s\n", date.Format(time.ANSIC))
	fmt.Fprintf(&b, "Date: %s\n", date.Format("02 Jan 2006 15:04:05 -0700"))
	b.WriteString("From: Mail System Internal Data <MAILER-DAEMON@host.example>\n")
	b.WriteString("Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\n")
	fmt.Fprintf(&b, "Message-ID: <%d@host.example>\n", date.Unix())
	fmt.Fprintf(&b, "X-IMAP: %010d %010d %s\nStatus: RO\n\n", g.o.Validity, g.o.Messages, strings.Join(words[:], " "))
	b.WriteString("This text is part of the internal format of your mail folder, and is not\n" +
		"a real message.  It is created automatically by the mail system software.\n" +
		"If deleted, important folder data will be lost, and it will be re-created\n" +
		"with the data reset to initial values.\n\n")
	return []byte(b.String())
}
