package main_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// oddOrders are pieces of header fields as strangers write them.
var oddOrders = struct{ subjects, addresses, dates []string }{
	subjects: []string{
		"trip", "Re: trip", "RE:trip", "Fwd: trip", "[Fwd: trip]", "trip (fwd)", "[list] trip", "Re: [list] trip", "[list] Re: trip", "Re[2]: trip",
		"[list]", "[list] [more]", "Re:", "Re: [list]", "(fwd)", "AW: trip", "=?utf-8?q?Re=3A_trip?=", "=?iso-8859-1?q?=C4rger?=", "=?utf-8?B?w6RyZ2Vy?=",
		"Re: =?utf-8?q?=C3=84RGER?=", "trip  with\n \tfolds", "Re: trip with folds", "", "Straße", "STRASSE", "=?utf-8?q?na=C3=AFve?=", "naive", "zebra",
		"[fwd: [fwd: zebra (fwd)]]", "[a[b] zebra", "fw : zebra", "Re [x] : zebra", "[Fwd: zebra", "Regarding zebra",
	},
	addresses: []string{
		"joe@example.com", "Joe <Joe@example.com>", "\"Zoe Q\" <a@example.com>", "=?utf-8?q?=C3=84nne?= <b@example.com>", "<c@example.com>",
		"friends: d@example.com, e@example.com;", "nobody:;", "f@example.com (Comment)", "plain", "\"quoted local\"@example.com", "",
		"g@example.com, h@example.com", "ANNA <z@example.com>", "anna <y@example.com>", "\"\" <empty@example.com>", "\"  \" <blank@example.com>",
	},
	dates: []string{
		"Mon, 7 Sep 2009 15:14:%02d +0000", "7 Sep 2009 15:14:%02d +0200", "Mon, 7 Sep 09 15:14:%02d GMT", "Tue, 8 Sep 2009 00:%02d:00 -0500",
		"Mon, 7 Sep 2009 15:14:%02d EST", "nonsense %d", "Mon, 7 Sep 2009 15:%02d (no zone)", "Sun, 31 Dec 1989 10:00:%02d +0100",
	},
}

// oddMail is a mailbox of n messages that say oddly what they are sorted and threaded by.
func oddMail(seed uint64, n int) []byte {
	r := rand.New(rand.NewPCG(seed, 7))
	pick := func(from []string) string { return from[r.IntN(len(from))] }
	id := func() string { return fmt.Sprintf("<%d@x.example>", r.IntN(n)) }
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "From joe@example.com Mon Sep  7 15:%02d:13 2009\n", r.IntN(60))
		if r.IntN(10) > 0 {
			fmt.Fprintf(&b, "Date: "+pick(oddOrders.dates)+"\n", r.IntN(60))
		}
		for _, field := range []string{"From", "To", "Cc"} {
			if r.IntN(5) > 0 {
				fmt.Fprintf(&b, "%s: %s\n", field, pick(oddOrders.addresses))
			}
		}
		if r.IntN(8) > 0 {
			fmt.Fprintf(&b, "Subject: %s\n", pick(oddOrders.subjects))
		}
		switch r.IntN(10) {
		case 0: // none
		case 1:
			b.WriteString("Message-ID: " + id() + "\n") // perhaps another's
		case 2:
			fmt.Fprintf(&b, "Message-ID: <\"%d\"@x.example>\n", i)
		default:
			fmt.Fprintf(&b, "Message-ID: <%d@x.example>\n", i)
		}
		switch r.IntN(6) {
		case 0:
			b.WriteString("In-Reply-To: " + id() + "\n")
		case 1:
			b.WriteString("In-Reply-To: Message from Joe of Monday " + id() + " " + id() + "\n")
		case 2, 3:
			b.WriteString("References:")
			for range 1 + r.IntN(4) {
				b.WriteString("\n " + id())
			}
			b.WriteString("\nIn-Reply-To: " + id() + "\n")
		case 4:
			b.WriteString("References: junk and <broken> " + id() + "\n")
		}
		fmt.Fprintf(&b, "Status: RO\n\n%s\n\n", strings.Repeat("x", r.IntN(90)))
	}
	return []byte(b.String())
}

// TestInteropSortOdd compares orders and threads of odd mail with Dovecot's.
func TestInteropSortOdd(t *testing.T) {
	needs(t, dovecot)
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { compareContent(t, oddMail(seed, 200)) })
	}
}
