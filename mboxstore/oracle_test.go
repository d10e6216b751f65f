package mboxstore

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/emersion/go-mbox"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestGoMboxAgrees reads mailboxes with go-mbox, too. It takes every line that begins with "From " for a separator and
// undoes the quoting of ">From ", so only texts without such lines can be compared; and it knows no status headers.
func TestGoMboxAgrees(t *testing.T) {
	lines := []string{"", "text", " indented", "From: not a separator", "gr\xfc\xdfe", "end.", "\t", "fromage"}
	rapid.Check(t, func(t *rapid.T) {
		var b strings.Builder
		for range rapid.IntRange(1, 6).Draw(t, "messages") {
			b.WriteString("From a@example.com Wed Dec  2 05:53:22 1992\nSubject: s\n\nfirst line\n")
			for range rapid.IntRange(0, 5).Draw(t, "lines") {
				b.WriteString(rapid.SampledFrom(lines).Draw(t, "line") + "\n")
			}
			b.WriteString("\n")
		}
		content := b.String()
		if rapid.Bool().Draw(t, "CRLF") {
			content = strings.ReplaceAll(content, "\n", "\r\n")
		}
		if diff := cmp.Diff(readGoMbox(t, content), readScan(t, content)); diff != "" {
			t.Fatalf("%q (-go-mbox +ours):\n%s", content, diff)
		}
	})
}

func readGoMbox(t *rapid.T, content string) (texts []string) {
	r := mbox.NewReader(strings.NewReader(content))
	for {
		m, err := r.NextMessage()
		if errors.Is(err, io.EOF) {
			return trimBlankLines(texts)
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(m)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(b))
	}
}

func readScan(t *rapid.T, content string) (texts []string) {
	r := bytes.NewReader([]byte(content))
	_, err := Scan(r, 0, int64(len(content)), func(sp Span) error {
		raw := content[sp.Off+int64(sp.FromLen) : sp.End]
		b := AppendServedHeader(nil, []byte(raw[:sp.HeaderLen]))
		texts = append(texts, string(AppendServedBody(b, []byte(raw[sp.HeaderLen:]))))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return trimBlankLines(texts)
}

// trimBlankLines leaves out the blank lines at the ends of texts, of which go-mbox keeps now one more, now one less.
func trimBlankLines(texts []string) []string {
	for i := range texts {
		texts[i] = strings.TrimRight(texts[i], "\r\n")
	}
	return texts
}
