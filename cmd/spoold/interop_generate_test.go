package main_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// generatedMailbox is a mailbox as a UW server and an MDA leave it together: a base,
// status blocks on most messages, flags and keywords at random, the newest without any.
func generatedMailbox(n int) []byte {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	keywords := []string{"todo", "$Forwarded", "$Junk", "Work"}
	var out strings.Builder
	uid := 0
	for i := range n {
		date := time.Date(2026, 1, 1, 8, 0, 0, 0, time.UTC).Add(time.Duration(i) * 53 * time.Minute)
		fmt.Fprintf(&out, "From sender%d@example.net %s\n", i%7, date.Format(time.ANSIC))
		fmt.Fprintf(&out, "Date: %s\nFrom: Sender %d <sender%d@example.net>\nTo: u@example.org\nSubject: number %d\nMessage-ID: <%d@generated.example.net>\n",
			date.Format(time.RFC1123Z), i%7, i%7, i, i)
		if i < n*9/10 {
			uid += 1 + r.IntN(3)
			writeBlock(&out, r, keywords, uid, i == 0)
		}
		out.WriteString("\n")
		for range r.IntN(12) {
			out.WriteString(strings.Repeat("lorem ipsum ", r.IntN(6)) + "dolor\n")
		}
		out.WriteString("\n")
	}
	return []byte(out.String())
}

// writeBlock writes status headers in UW's order with its padding. Message 0 carries the
// base; its last UID is far enough for all.
func writeBlock(out *strings.Builder, r *rand.Rand, keywords []string, uid int, base bool) {
	block, width := "", 50
	if base {
		block, width = "X-IMAPbase: 1767225600 9999 "+strings.Join(keywords, " ")+"\n", 80
	}
	block += "Status: " + pick(r, "R") + "O\nX-Status: " + pick(r, "D") + pick(r, "F") + pick(r, "A") + "\nX-Keywords:"
	for _, k := range keywords {
		block += pick(r, " "+k)
	}
	fmt.Fprintf(out, "%-*s\nX-UID: %d\n", width, block, uid)
}

// pick returns s or nothing.
func pick(r *rand.Rand, s string) string {
	if r.IntN(2) == 0 {
		return ""
	}
	return s
}
