package command_test

import (
	"fmt"
	"strings"
	"testing"
)

// conversations is a mailbox of n messages in threads of ten with a few mailing-list marks and encoded names.
func conversations(n int) string {
	var b strings.Builder
	for i := range n {
		topic := i % (n/10 + 1)
		fmt.Fprintf(&b, "From joe@example.com Mon Sep  7 15:14:13 2009 +0000\nFrom: =?utf-8?q?J=C3=B6rg_%d?= <user%d@example.com>\nTo: list@example.org\n", i%97, i%97)
		fmt.Fprintf(&b, "Date: Mon, %d Sep 2009 %02d:%02d:13 +0200\nMessage-Id: <%d.%d@example.com>\n", 1+i%28, i%24, i%60, i, i)
		if earlier := i - n/10 - 1; earlier >= 0 {
			fmt.Fprintf(&b, "References: <%d.%d@example.com>\n <%d.%d@example.com>\nSubject: Re: [list] question %d\n", topic, topic, earlier, earlier, topic)
		} else {
			fmt.Fprintf(&b, "Subject: [list] question %d\n", topic)
		}
		b.WriteString("Status: RO\n\ntext\n\n")
	}
	return b.String()
}

// BenchmarkSort runs SORT and THREAD on 10,000 messages: everything but the network.
func BenchmarkSort(b *testing.B) {
	s := benchMailbox(b, conversations(10_000))
	for _, cmd := range []string{"SORT (ARRIVAL) UTF-8 ALL", "SORT (DATE) UTF-8 ALL", "SORT (SUBJECT) UTF-8 ALL", "THREAD REFERENCES UTF-8 ALL"} {
		b.Run(cmd, func(b *testing.B) {
			for b.Loop() {
				if out := runAlone(b, s, cmd); !strings.Contains(out, " OK ") {
					b.Fatal(out)
				}
			}
		})
	}
}
