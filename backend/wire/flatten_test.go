package wire

import (
	"bufio"
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// oneCommand frames the first command of in, nothing streamed.
func oneCommand(in []byte) (*Command, error) {
	rd := NewReader(bufio.NewReader(bytes.NewReader(in)), func(string) error { return nil }, Limits{})
	rd.Stream()
	return rd.Next()
}

func TestFlatten(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"plain", "a noop\r\n", "NOOP"},
		{"uid", "a UID EXPUNGE 1:*\r\n", "UID EXPUNGE 1:*"},
		{"literal", "a CREATE {5+}\r\nab\"\\c\r\n", `CREATE "ab\"\\c"`},
		{"literal8", "a CREATE ~{2+}\r\nab\r\n", `CREATE "ab"`},
		{"two literals", "a RENAME {1+}\r\na {0+}\r\n\r\n", `RENAME "a" ""`},
		{"long literal", "a CREATE {8000+}\r\n" + strings.Repeat("x", 8000) + "\r\n", `CREATE "` + strings.Repeat("x", 8000) + `"`},
		{"brace in quotes", "a CREATE \"{5}\"\r\n", `CREATE "{5}"`},
		{"8-bit", "a CREATE \"\xfc\"\r\n", "CREATE \"\xfc\""},
		{"line end in literal", "a CREATE {2+}\r\n\r\n\r\n", ""},
		{"NUL in literal", "a CREATE ~{1+}\r\n\x00\r\n", ""},
		{"bad escape", `a CREATE "\x"` + "\r\n", ""},
		{"brace in atom", "a CREATE x{5}x\r\n", ""},
		{"brace and space at the end", "a CREATE {5} \r\n", ""},
		{"control character", "a CREATE x\ty\r\n", ""},
		{"too long", "a FETCH " + strings.Repeat("1,", 25000) + "1 FLAGS\r\n", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cmd, err := oneCommand([]byte(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			got, err := Flatten(cmd)
			if (err != nil) != (tt.want == "") {
				t.Errorf("err %v", err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestFlattenAfterParsing(t *testing.T) {
	cmd, err := oneCommand([]byte("a CREATE {1+}\r\nx y\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Args.SP(); err != nil {
		t.Fatal(err)
	}
	if _, err := cmd.Args.Mailbox(); err != nil {
		t.Fatal(err)
	}
	if got, err := Flatten(cmd); err != nil || string(got) != `CREATE "x" y` {
		t.Errorf("got %q, %v", got, err)
	}
}

// FuzzFlatten: the flat line is one command, without literals, whose arguments
// are those of the original.
func FuzzFlatten(f *testing.F) {
	f.Add([]byte("a CREATE {5+}\r\nab\"\\c (x \"y\" {1+}\r\nz)\r\n"))
	f.Add([]byte("a LIST \"\" ~{2+}\r\n\xfc% x{5}\r\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		cmd, err := oneCommand(in)
		if err != nil {
			return
		}
		flat, err := Flatten(cmd)
		if err != nil {
			return
		}
		if bytes.ContainsAny(flat, "\r\n\x00") || len(flat) > maxFlat {
			t.Fatalf("not one line: %q", flat)
		}
		again, err := oneCommand([]byte("a " + string(flat) + "\r\nb NOOP\r\n"))
		if err != nil {
			t.Fatalf("%q: %v", flat, err)
		}
		if again.Name != cmd.Name || again.UID != cmd.UID {
			t.Fatalf("%q became %q", cmd.Raw, flat)
		}
		if diff := cmp.Diff(arguments(cmd.Args), arguments(again.Args)); diff != "" {
			t.Fatalf("%q became %q:\n%s", cmd.Raw, flat, diff)
		}
	})
}

// arguments splits what is left into strings and single octets.
func arguments(p *Parser) []string {
	var out []string
	for !p.AtEnd() {
		if c := p.Peek(); c == '"' || c == '{' || c == '~' && p.LiteralAhead() {
			if b, err := p.String(); err == nil {
				out = append(out, "string "+string(b))
				continue
			}
		}
		out = append(out, string(p.b[p.pos]))
		p.pos++
	}
	return out
}
