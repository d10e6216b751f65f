package search

import (
	"encoding/base64"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"slices"
	"strings"
	"testing"
	"time"

	"spoold/mboxstore"

	"golang.org/x/text/cases"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"
)

func crlf(s string) []byte { return []byte(strings.ReplaceAll(s, "\n", "\r\n")) }

// known is a message whose meaning is known without reading it.
type known struct {
	target
	sent    time.Time           // zero: no Date field
	subject string              // "": no field
	fields  map[string][]string // values of the address fields
	body    string
}

var vocabulary = []string{"alpha", "Beta", "\u00dcber", "na\u00efve", "\u0434\u0430", "x=y", "a  b"}

func drawText(t *rapid.T, label string) string {
	return strings.Join(rapid.SliceOfN(rapid.SampledFrom(vocabulary), 0, 4).Draw(t, label), " ")
}

// arrivals are messages with internal dates around now.
func arrivals(t *testing.T) (all []mboxstore.Message) {
	for _, date := range []string{
		"Sun Jan 12 23:59:59 2025 +0000", "Mon Jan 13 12:00:00 2025 +0000", "Tue Jan 14 00:30:00 2025 +1300", "Tue Jan 14 11:59:57 2025 +0000",
		"Tue Jan 14 23:00:00 2025 -0800", "Wed Jan 15 00:00:00 2025 +0000",
	} {
		all = append(all, arrived(t, date).msg)
	}
	return all
}

// drawMessage makes a message and writes it in one of the ways mail has.
func drawMessage(t *rapid.T, arrivals []mboxstore.Message) *known {
	k := &known{subject: drawText(t, "subject"), body: drawText(t, "body")}
	k.seq = rapid.Uint32Range(1, 9).Draw(t, "seq")
	k.msg = rapid.SampledFrom(arrivals).Draw(t, "arrival")
	k.msg.UID = rapid.Uint32Range(1, 9).Draw(t, "uid")
	k.msg.ModSeq = rapid.Uint64Range(1, 9).Draw(t, "modseq")
	k.msg.Flags = mboxstore.Flags(rapid.IntRange(0, 31).Draw(t, "flags"))
	k.msg.Size = rapid.Int64Range(0, 9).Draw(t, "size")
	k.msg.Keywords = rapid.SliceOfN(rapid.SampledFrom([]string{"k1", "K2"}), 0, 2).Draw(t, "keywords")
	k.recent = rapid.Bool().Draw(t, "recent")
	var h strings.Builder
	if rapid.Bool().Draw(t, "sent") {
		k.sent = now.AddDate(0, 0, rapid.IntRange(-2, 2).Draw(t, "day"))
		fmt.Fprintf(&h, "Date: %s\n", k.sent.Format(time.RFC1123Z))
	}
	if k.subject != "" {
		how := rapid.SampledFrom([]mime.WordEncoder{mime.BEncoding, mime.QEncoding}).Draw(t, "words")
		fmt.Fprintf(&h, "Subject: %s\n", how.Encode("utf-8", k.subject))
	}
	k.drawFields(t, &h)
	charset, raw := "utf-8", k.body
	if b, err := charmap.ISO8859_1.NewEncoder().String(k.body); err == nil && rapid.Bool().Draw(t, "latin1") {
		charset, raw = "iso-8859-1", b
	}
	encoding, raw := drawEncoding(t, raw)
	leaf := fmt.Sprintf("Content-Type: text/plain; charset=%s\nContent-Transfer-Encoding: %s\n\n", charset, encoding)
	switch rapid.IntRange(0, 2).Draw(t, "shape") {
	case 0:
		k.header, k.target.body = h.String()+leaf, raw
	case 1:
		k.header, k.target.body = h.String()+"Content-Type: multipart/x; boundary=zz\n\n", "--zz\n"+leaf+raw+"\n--zz--\n"
	default:
		k.header, k.target.body = h.String()+"Content-Type: message/rfc822\n\n", leaf+raw
	}
	return k
}

var addressFields = []string{"From", "To", "Cc", "Bcc", "X-List"}

// drawFields writes fields of addresses, some of them more than once, folded, or without a value.
func (k *known) drawFields(t *rapid.T, h *strings.Builder) {
	k.fields = map[string][]string{}
	for _, name := range rapid.SliceOfN(rapid.SampledFrom(addressFields), 0, 4).Draw(t, "fields") {
		value := drawText(t, "value")
		k.fields[name] = append(k.fields[name], value)
		fold := rapid.SampledFrom([]string{"", " ", "\n ", "\n\t  "}).Draw(t, "fold")
		fmt.Fprintf(h, "%s:%s%s\n", strings.ToUpper(name), fold, mime.QEncoding.Encode("utf-8", value))
	}
}

// hasField says whether one of the fields of this name has the text in it.
func (k *known) hasField(name, text string) bool {
	return slices.ContainsFunc(k.fields[name], func(v string) bool { return text == "" || hasPhrase(v, text) })
}

func (k *known) hasAnyField(text string) bool {
	return slices.ContainsFunc(addressFields, func(name string) bool { return text != "" && k.hasField(name, text) })
}

func drawEncoding(t *rapid.T, raw string) (encoding, encoded string) {
	switch rapid.IntRange(0, 2).Draw(t, "encoding") {
	case 0:
		return "base64", base64.StdEncoding.EncodeToString([]byte(raw))
	case 1:
		var b strings.Builder
		w := quotedprintable.NewWriter(&b)
		if _, err := w.Write([]byte(raw)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return "quoted-printable", strings.ReplaceAll(b.String(), "\r\n", "\n")
	}
	return "8bit", raw
}

// has is a case-insensitive comparison that owes nothing to Fold.
func has(text, sub string) bool {
	form := func(s string) string { return norm.NFD.String(cases.Fold().String(s)) }
	return strings.Contains(form(text), form(sub))
}

// hasPhrase is has for text in which blanks in a row are one.
func hasPhrase(text, sub string) bool {
	return has(strings.Join(strings.Fields(text), " "), strings.Join(strings.Fields(sub), " "))
}

// drawTree makes a tree and, beside it, what it means.
func drawTree(t *rapid.T, depth int) (Node, func(*known) bool) {
	if depth > 0 && rapid.Bool().Draw(t, "inner") {
		a, evalA := drawTree(t, depth-1)
		b, evalB := drawTree(t, depth-1)
		switch rapid.IntRange(0, 2).Draw(t, "combine") {
		case 0:
			return And(a, b), func(k *known) bool { return evalA(k) && evalB(k) }
		case 1:
			return Or(a, b), func(k *known) bool { return evalA(k) || evalB(k) }
		}
		return Not(a), func(k *known) bool { return !evalA(k) }
	}
	return drawKey(t)
}

func drawKey(t *rapid.T) (Node, func(*known) bool) {
	n := rapid.Uint32Range(0, 9).Draw(t, "n")
	set := []Range{{n, n + 1}, {n + 4, n + 4}}
	in := func(v uint32) bool { return v == n || v == n+1 || v == n+4 }
	flag := mboxstore.Flags(1) << (n % 5)
	word := rapid.SampledFrom(append(vocabulary, "zeta", "")).Draw(t, "word")
	when := now.AddDate(0, 0, int(n)-4)
	day := func(t time.Time) string { return t.Format(time.DateOnly) }
	sent := func(f func(a, b string) bool) func(*known) bool {
		return func(k *known) bool { return !k.sent.IsZero() && f(day(k.sent), day(when)) }
	}
	arrived := func(f func(a, b string) bool) func(*known) bool {
		return func(k *known) bool { return f(day(k.msg.InternalDate()), day(when)) }
	}
	ago := func(k *known) float64 { return now.Sub(k.msg.InternalDate()).Seconds() }
	secs := []uint32{1, 3, 4, 43200, 86400, 129601, 4294967295}[n%7]
	field := addressFields[n%5]
	switch rapid.IntRange(0, 24).Draw(t, "key") {
	case 15:
		return Recent(), func(k *known) bool { return k.recent }
	case 16:
		return Old(), func(k *known) bool { return !k.recent }
	case 17:
		return ModSeq(uint64(n)), func(k *known) bool { return k.msg.ModSeq >= uint64(n) }
	case 18:
		return Keyword("k1", false), func(k *known) bool { return !strings.Contains(fmt.Sprint(k.msg.Keywords), "k1") }
	case 19:
		return Before(when), arrived(func(a, b string) bool { return a < b })
	case 20:
		return On(when), arrived(func(a, b string) bool { return a == b })
	case 21:
		return Since(when), arrived(func(a, b string) bool { return a >= b })
	case 22:
		return Older(secs), func(k *known) bool { return ago(k) >= float64(secs) }
	case 23:
		return Younger(secs), func(k *known) bool { return ago(k) <= float64(secs) }
	case 24:
		node := map[string]Node{"From": From(word), "To": To(word), "Cc": Cc(word), "Bcc": Bcc(word), "X-List": Header("x-list", word)}[field]
		return node, func(k *known) bool { return k.hasField(field, word) }
	case 0:
		return All(), func(*known) bool { return true }
	case 1:
		return SeqSet(set), func(k *known) bool { return in(k.seq) }
	case 2:
		return UIDSet(set), func(k *known) bool { return in(k.msg.UID) }
	case 3:
		return Flag(flag, true), func(k *known) bool { return k.msg.Flags&flag == flag }
	case 4:
		return Flag(flag, false), func(k *known) bool { return k.msg.Flags&flag == 0 }
	case 5:
		return Keyword("k2", true), func(k *known) bool { return strings.Contains(fmt.Sprint(k.msg.Keywords), "K2") }
	case 6:
		return Larger(int64(n)), func(k *known) bool { return k.msg.Size > int64(n) }
	case 7:
		return Smaller(int64(n)), func(k *known) bool { return k.msg.Size < int64(n) }
	case 8:
		return New(), func(k *known) bool { return k.recent && k.msg.Flags&mboxstore.FlagSeen == 0 }
	case 9:
		return SentBefore(when), sent(func(a, b string) bool { return a < b })
	case 10:
		return SentOn(when), sent(func(a, b string) bool { return a == b })
	case 11:
		return SentSince(when), sent(func(a, b string) bool { return a >= b })
	case 12:
		return Subject(word), func(k *known) bool { return k.subject != "" && hasPhrase(k.subject, word) }
	case 13:
		return Body(word), func(k *known) bool { return has(k.body, word) }
	}
	return Text(word), func(k *known) bool { return hasPhrase(k.subject, word) || k.hasAnyField(word) || has(k.body, word) }
}

// The words of the vocabulary occur in no header but Subject and the address fields.
func TestMatchAgainstNaive(t *testing.T) {
	arrivals := arrivals(t)
	rapid.Check(t, func(t *rapid.T) {
		n, want := drawTree(t, 4)
		p := Compile(n, now)
		for range 5 {
			k := drawMessage(t, arrivals)
			got, err := p.Match(&k.target)
			if err != nil {
				t.Fatal(err)
			}
			if got != want(k) {
				t.Fatalf("got %v for %+v\nof\n%s%s", got, n, k.header, k.target.body)
			}
		}
	})
}
