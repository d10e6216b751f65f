package strict_test

import (
	"io"
	"net"
	"strings"
	"testing"

	"spoold/backend/wire/strict"
)

// lines are responses as they may and may not be. An "8" before one stands for a session with UTF8=ACCEPT.
var lines = []struct {
	rule      string
	good, bad []string
}{
	{"line ends", []string{"* OK x\r\n"}, []string{"* OK x\n", "* OK x\ry\r\n", "* OK\tx\r\n", " * OK x\r\n", "* FROB x\r\n", "* 5 FROB\r\n"}},
	{"resp-text", []string{
		"* OK [ALERT] x\r\n", "* OK x [y] {5}\r\n", "* NO [INUSE] x\r\n", "8* OK caf\xc3\xa9\r\n", "* BAD x\r\n", "* BYE x\r\n",
	}, []string{
		"* OK \r\n", "* OK\r\n", "* OK [ALERT]\r\n", "* OK [ALERT] \r\n", "* OK [ALERT]x\r\n", "* OK x \r\n", "* OK x\x00\r\n",
		"* OK caf\xc3\xa9\r\n", "8* OK caf\xe9\r\n", "* OK [x\r\n", "* PREAUTH x\r\n",
	}},
	{"codes", []string{
		"* NO [BADCHARSET] x\r\n", "* NO [BADCHARSET (US-ASCII \"UTF-8\")] x\r\n", "* OK [UIDNEXT 1] x\r\n", "* OK [UIDVALIDITY 4294967295] x\r\n",
		"* OK [PERMANENTFLAGS ()] x\r\n", "* OK [PERMANENTFLAGS (\\Seen Work \\*)] x\r\n", "* OK [HIGHESTMODSEQ 9223372036854775807] x\r\n",
		"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] x\r\n", "* OK [COPYUID 1 1:3,9 7:4] x\r\n", "* OK [APPENDUID 1 5] x\r\n", "* NO [MODIFIED 1,3:4] x\r\n",
		"* OK [MAILBOXID (F-_9)] x\r\n", "* NO [METADATA MAXSIZE 5] x\r\n", "* NO [METADATA TOOMANY] x\r\n", "* OK [INPROGRESS] x\r\n",
		"* OK [INPROGRESS (\"a\" 3 9)] x\r\n", "* OK [INPROGRESS (NIL NIL NIL)] x\r\n", "* OK [MESSAGELIMIT 5 9] x\r\n", "* NO [BADEVENT (FlagChange)] x\r\n",
		"* NO [NOUPDATE \"a\"] x\r\n", "* NO [BADURL /x] x\r\n", "* OK [COMPRESSIONACTIVE] x\r\n",
	}, []string{
		"* NO [BADCHARSET ()] x\r\n", "* OK [UIDNEXT 0] x\r\n", "* OK [UIDNEXT] x\r\n", "* OK [UIDVALIDITY 4294967296] x\r\n",
		"* OK [PERMANENTFLAGS (\\Recent)] x\r\n", "* OK [PERMANENTFLAGS \\Seen] x\r\n", "* OK [HIGHESTMODSEQ 0] x\r\n",
		"* OK [HIGHESTMODSEQ 9223372036854775808] x\r\n", "* OK [CAPABILITY IDLE] x\r\n", "* OK [CAPABILITY IMAP4rev1 IDLE idle] x\r\n",
		"* OK [CAPABILITY IMAP4rev1 AUTH=] x\r\n", "* OK [CAPABILITY IMAP4rev1  IDLE] x\r\n", "* OK [COPYUID 1 1:3 7:8] x\r\n", "* OK [COPYUID 1  ] x\r\n",
		"* OK [COPYUID 1 1:* 1:*] x\r\n", "* OK [APPENDUID 0 5] x\r\n", "* OK [APPENDUID 1] x\r\n", "* NO [MODIFIED ] x\r\n", "* OK [MAILBOXID F] x\r\n",
		"* OK [MAILBOXID ()] x\r\n", "* NO [METADATA] x\r\n", "* NO [METADATA FEW] x\r\n", "* OK [INPROGRESS (\"a\" 9 3)] x\r\n",
		"* OK [INPROGRESS (\"a\" NIL 3)] x\r\n", "* OK [INPROGRESS (a 3 9)] x\r\n", "* OK [MESSAGELIMIT] x\r\n", "* NO [BADEVENT ()] x\r\n",
		"* NO [NOUPDATE a] x\r\n", "* NO [WHATEVER] x\r\n", "* NO [ALERT 5] x\r\n",
	}},
	{"CAPABILITY, ENABLED, FLAGS", []string{
		"* CAPABILITY IMAP4rev1 STARTTLS\r\n", "* ENABLED\r\n", "* ENABLED CONDSTORE\r\n", "* FLAGS (\\Seen $Junk)\r\n",
	}, []string{
		"* CAPABILITY\r\n", "* CAPABILITY IMAP4rev1 \r\n", "* ENABLED \r\n", "* FLAGS (\\Recent)\r\n", "* FLAGS (\\Seen \\seen)\r\n",
		"* FLAGS (\\Seen  $Junk)\r\n", "* FLAGS ( )\r\n", "* FLAGS (a]b)\r\n", "* FLAGS (\\Frob)\r\n", "* FLAGS\r\n", "* FLAGS (a) \r\n",
	}},
	{"LIST", []string{
		"* LIST () \"/\" INBOX\r\n", "* LIST (\\Noselect \\HasChildren) NIL \"a b\"\r\n", "* LSUB () \"/\" {3}\r\na/b\r\n",
		"* LIST (\\NonExistent) \"/\" x (CHILDINFO (\"SUBSCRIBED\"))\r\n", "* LIST () \"/\" y (\"OLDNAME\" (x))\r\n", "8* LIST () \"/\" \"\xc3\xa9\"\r\n",
		"* LIST () \"\\\\\" a&AOk-]\r\n",
	}, []string{
		"* LIST (\\HasChildren \\HasNoChildren) \"/\" x\r\n", "* LIST (\\Marked \\Unmarked) \"/\" x\r\n", "* LIST (\\HasChildren \\Noinferiors) \"/\" x\r\n",
		"* LIST (\\Frob) \"/\" x\r\n", "* LIST (Sent) \"/\" x\r\n", "* LIST () / x\r\n", "* LIST () \"//\" x\r\n", "* LIST () \"\" x\r\n", "* LIST () \"/\" \r\n",
		"* LIST () \"/\" a b\r\n", "* LIST () \"/\" \"\xc3\xa9\"\r\n", "* LIST () \"/\" {2}\r\n\xc3\xa9\r\n", "* LIST () \"/\" x (CHILDINFO SUBSCRIBED)\r\n",
		"* LIST () \"/\" x (FROB (y))\r\n", "* LIST () \"/\" a%b\r\n", "* LIST (\\Sent \\Sent) \"/\" x\r\n",
	}},
	{"STATUS", []string{
		"* STATUS x (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 1 UNSEEN 0 RECENT 0)\r\n", "* STATUS x (SIZE 99999999999 HIGHESTMODSEQ 0 APPENDLIMIT NIL)\r\n",
		"* STATUS x (MAILBOXID (a))\r\n", "* STATUS \"\" ()\r\n",
	}, []string{
		"* STATUS x (MESSAGES 0 )\r\n", "* STATUS x ( MESSAGES 0)\r\n", "* STATUS x (UIDNEXT 0)\r\n", "* STATUS x (MESSAGES 4294967296)\r\n",
		"* STATUS x (MESSAGES -1)\r\n", "* STATUS x (MESSAGES 1 MESSAGES 1)\r\n", "* STATUS x (FROB 1)\r\n", "* STATUS x (MESSAGES 1) \r\n", "* STATUS x\r\n",
		"* STATUS x (MESSAGES)\r\n", "* STATUS x (SIZE NIL)\r\n", "* STATUS x (HIGHESTMODSEQ 9223372036854775808)\r\n",
	}},
	{"NAMESPACE, ID", []string{
		"* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n", "* NAMESPACE ((\"\" \"/\")(\"#m/\" NIL \"X-A\" (\"b\"))) NIL NIL\r\n", "* ID NIL\r\n",
		"* ID (\"name\" \"x\" \"os\" NIL)\r\n", "* ID ()\r\n",
	}, []string{
		"* NAMESPACE ((\"\" \"/\") (\"a\" \"/\")) NIL NIL\r\n", "* NAMESPACE ((\"\" \"/\")) NIL\r\n", "* NAMESPACE () NIL NIL\r\n", "* NAMESPACE ((NIL \"/\")) NIL NIL\r\n",
		"* ID (\"name\")\r\n", "* ID (NIL \"x\")\r\n", "* ID (\"name\" \"x\" \"NAME\" \"y\")\r\n", "* ID (name \"x\")\r\n",
		"* ID (\"" + strings.Repeat("n", 31) + "\" \"x\")\r\n",
	}},
	{"SEARCH, SORT, THREAD", []string{
		"* SEARCH\r\n", "* SEARCH 1 5 2\r\n", "* SEARCH 1 (MODSEQ 9)\r\n", "* SORT 3 1\r\n", "* THREAD\r\n", "* THREAD (1)(2 3)\r\n", "* THREAD (1 2 (3)(4 5))((6)(7))\r\n",
	}, []string{
		"* SEARCH \r\n", "* SEARCH 1 \r\n", "* SEARCH 0\r\n", "* SEARCH 1,2\r\n", "* SEARCH 1 (MODSEQ 0)\r\n", "* SORT 1  2\r\n", "* THREAD \r\n", "* THREAD ()\r\n",
		"* THREAD (1) (2)\r\n", "* THREAD (1 (2))\r\n", "* THREAD ((1))\r\n", "* THREAD (1 2(3)(4))\r\n", "* THREAD (1 (2)(3)\r\n", "* THREAD (0)\r\n",
	}},
	{"ESEARCH", []string{
		"* ESEARCH\r\n", "* ESEARCH (TAG \"a\") UID ALL 1:3,7\r\n", "* ESEARCH (TAG \"a\") MIN 1 MAX 9 COUNT 0 MODSEQ 5\r\n", "* ESEARCH UID COUNT 5\r\n",
		"* ESEARCH (TAG \"a\") PARTIAL (1:5 2:4)\r\n", "* ESEARCH (TAG \"a\") UID PARTIAL (-1:-5 NIL)\r\n", "* ESEARCH (TAG \"a\") ADDTO (0 5:6 1 9) REMOVEFROM (3 4)\r\n",
	}, []string{
		"* ESEARCH (TAG a)\r\n", "* ESEARCH (TAG \"a\") UIDS\r\n", "* ESEARCH ALL\r\n", "* ESEARCH ALL 1:*\r\n", "* ESEARCH ALL 0\r\n", "* ESEARCH MIN 0\r\n", "* ESEARCH MIN 1 MIN 2\r\n",
		"* ESEARCH COUNT -1\r\n", "* ESEARCH PARTIAL (0:5 NIL)\r\n", "* ESEARCH PARTIAL (-1:5 NIL)\r\n", "* ESEARCH PARTIAL 1:5\r\n", "* ESEARCH ADDTO (0)\r\n",
		"* ESEARCH ADDTO (0 1 2)\r\n", "* ESEARCH ADDTO ()\r\n", "* ESEARCH FROB 1\r\n", "* ESEARCH \r\n", "* ESEARCH MODSEQ 0\r\n",
	}},
	{"QUOTA, ACL, METADATA", []string{
		"* QUOTA \"\" (STORAGE 10 512)\r\n", "* QUOTA \"\" ()\r\n", "* QUOTAROOT INBOX \"\" b\r\n", "* QUOTAROOT INBOX\r\n", "* ACL INBOX chris lrs anyone \"\"\r\n",
		"* LISTRIGHTS INBOX chris \"\" l r swi\r\n", "* MYRIGHTS INBOX lrs\r\n", "* METADATA INBOX (/shared/comment \"x\" /private/a/b NIL)\r\n",
		"* METADATA \"\" /shared/comment /shared/admin\r\n", "* METADATA INBOX (/shared/x ~{1}\r\n\x00)\r\n",
	}, []string{
		"* QUOTA \"\" (STORAGE 10)\r\n", "* QUOTA \"\" (STORAGE -1 5)\r\n", "* QUOTA \"\"\r\n", "* QUOTAROOT\r\n", "* ACL INBOX chris\r\n", "* ACL INBOX chris LRS\r\n",
		"* LISTRIGHTS INBOX chris\r\n", "* MYRIGHTS INBOX\r\n", "* MYRIGHTS INBOX ll\r\n", "* METADATA INBOX\r\n", "* METADATA INBOX ()\r\n", "* METADATA INBOX (comment \"x\")\r\n",
		"* METADATA INBOX (/shared/comment)\r\n", "* METADATA INBOX /shared//a\r\n", "* METADATA INBOX /shared/a*\r\n", "* METADATA INBOX (/shared/x {1}\r\n\x00)\r\n",
	}},
}

// fetched are message data as they may and may not be.
var fetched = []struct {
	rule      string
	good, bad []string
}{
	{"items", []string{
		`UID 1`, `FLAGS ()`, `FLAGS (\Seen \Recent Work)`, `RFC822.SIZE 0`, `MODSEQ (5)`, `EMAILID (M1)`, `THREADID (T1)`, `THREADID NIL`, `PREVIEW NIL`, `PREVIEW "x"`, `SAVEDATE NIL`,
		`SAVEDATE " 1-Jan-2024 00:00:00 +0000"`, `INTERNALDATE "17-Jul-1996 02:44:25 -0700"`, `UID 1 FLAGS () RFC822.SIZE 5`,
	}, []string{
		``, `UID 0`, `UID`, `UID 1 `, ` UID 1`, `UID 1  FLAGS ()`, `UID 1 UID 1`, `FLAGS (\*)`, `FLAGS \Seen`, `MODSEQ 5`, `MODSEQ (0)`, `EMAILID NIL`, `EMAILID (a.b)`, `FROB 1`,
		`EMAILID (` + strings.Repeat("e", 256) + `)`, `INTERNALDATE "1-Jan-2024 00:00:00 +0000"`, `INTERNALDATE "31-Feb-2024 00:00:00 +0000"`, `INTERNALDATE "01-Jan-2024 00:00:00"`,
		`INTERNALDATE NIL`, `INTERNALDATE "17-Jul-1996 25:44:25 -0700"`, `PREVIEW x`,
	}},
	{"sections", []string{
		"BODY[] NIL", "BODY[] \"\"", "BODY[TEXT]<0> {3}\r\nabc", "BODY[1.2.MIME] {0}\r\n", "BODY[1] \"x\"", "BODY[1.HEADER] \"x\"", "BODY[HEADER.FIELDS (To \"Cc\")] {2}\r\n\r\n",
		"BODY[1.HEADER.FIELDS.NOT (To)] {2}\r\n\r\n", "BINARY[1] ~{1}\r\n\x00", "BINARY[] {1}\r\n\xff", "BINARY.SIZE[1] 5", "RFC822 {1}\r\nx", "BODY[] {4}\r\n{5}\r", "RFC822.HEADER \"a\\\\b\\\"\"",
	}, []string{
		"BODY[MIME] NIL", "BODY[0] NIL", "BODY[1.] NIL", "BODY[HEADER.FIELDS ()] NIL", "BODY[HEADER.FIELDS] NIL", "BODY[FROB] NIL", "BODY[] {1}\r\n\x00", "BODY[] ~{1}\r\nx",
		"BODY[] \"\xe9\"", "BODY[]<-1> NIL", "BODY[]<1.2> NIL", "BODY[] x", "BINARY[TEXT] NIL", "BINARY.SIZE[1] NIL", "BINARY.SIZE[1] \"x\"", "FLAGS[1] ()", "BODY[] \"a\\b\"", "BODY[] \"a\rb\"",
		"RFC822 {2}\r\nx", "BODY.PEEK[] NIL", "BODY[] {-1}\r\n", "BODY[] {99999999999999999999}\r\n",
	}},
	{"envelope", []string{
		`ENVELOPE (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)`,
		`ENVELOPE ("d" "s" (("n" NIL "a" "b")) ((NIL NIL "a" "b")) ((NIL NIL "a" "b")) ((NIL NIL "g" NIL)(NIL NIL "a" "b")(NIL NIL NIL NIL)) NIL NIL "<i>" "<m>")`,
	}, []string{
		`ENVELOPE NIL`, `ENVELOPE (NIL NIL NIL NIL NIL NIL NIL NIL NIL)`, `ENVELOPE (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)`,
		`ENVELOPE (NIL NIL () NIL NIL NIL NIL NIL NIL NIL)`, `ENVELOPE (NIL NIL NIL NIL NIL ((NIL NIL "a")) NIL NIL NIL NIL)`,
		`ENVELOPE (NIL NIL NIL NIL NIL ((NIL NIL "a" "b") (NIL NIL "a" "b")) NIL NIL NIL NIL)`, `ENVELOPE (NIL NIL NIL NIL NIL ((NIL NIL "g" NIL)) NIL NIL NIL NIL)`,
		`ENVELOPE (NIL NIL NIL NIL NIL ((NIL NIL NIL NIL)) NIL NIL NIL NIL)`, `ENVELOPE (NIL NIL NIL NIL NIL ((NIL NIL NIL "b")) NIL NIL NIL NIL)`,
		`ENVELOPE (NIL NIL NIL NIL NIL (NIL NIL "a" "b") NIL NIL NIL NIL)`, `ENVELOPE (NIL NIL ((NIL NIL "a" "b")) NIL NIL NIL NIL NIL NIL NIL)`, `ENVELOPE (d NIL NIL NIL NIL NIL NIL NIL NIL NIL)`,
		`ENVELOPE (NIL NIL NIL NIL NIL NIL NIL NIL NIL NILL)`,
	}},
	{"body", []string{
		`BODY ("TEXT" "PLAIN" ("CHARSET" "x") NIL NIL "7BIT" 5 1)`, `BODY ("APPLICATION" "X" NIL NIL NIL "8BIT" 5)`,
		`BODYSTRUCTURE ("TEXT" "PLAIN" NIL NIL NIL "7BIT" 5 1 NIL NIL NIL NIL)`, `BODYSTRUCTURE ("IMAGE" "PNG" NIL "<i>" "d" "BASE64" 5 "md5" ("INLINE" ("FILENAME" "x")) ("en" "de") "loc" (1 "x" NIL))`,
		`BODY (("TEXT" "PLAIN" NIL NIL NIL "7BIT" 5 1)("TEXT" "HTML" NIL NIL NIL "7BIT" 5 1) "ALTERNATIVE")`,
		`BODYSTRUCTURE (("TEXT" "PLAIN" NIL NIL NIL "7BIT" 5 1) "MIXED" ("BOUNDARY" "b") NIL "en" NIL)`,
		`BODY ("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 5 (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) ("TEXT" "PLAIN" NIL NIL NIL "7BIT" 5 1) 2)`,
		`BODY ("MESSAGE" "DELIVERY-STATUS" NIL NIL NIL "7BIT" 5)`,
	}, []string{
		`BODY NIL`, `BODY ()`, `BODY ("TEXT" "PLAIN" NIL NIL NIL "7BIT" 5)`, `BODY ("TEXT" "PLAIN" NIL NIL NIL "7BIT" -5 1)`, `BODY ("TEXT" "PLAIN" NIL NIL NIL "7BIT" 4294967296 1)`,
		`BODY ("TEXT" NIL NIL NIL NIL "7BIT" 5 1)`, `BODY ("TEXT" "" NIL NIL NIL "7BIT" 5 1)`, `BODY (TEXT "PLAIN" NIL NIL NIL "7BIT" 5 1)`, `BODY ("TEXT" "PLAIN" () NIL NIL "7BIT" 5 1)`,
		`BODY ("TEXT" "PLAIN" ("CHARSET") NIL NIL "7BIT" 5 1)`, `BODY ("TEXT" "PLAIN" ("CHARSET" NIL) NIL NIL "7BIT" 5 1)`, `BODY ("TEXT" "PLAIN" NIL NIL NIL NIL 5 1)`,
		`BODY ("TEXT" "PLAIN" NIL NIL NIL "7BIT" 5 1 NIL)`, `BODY ("MULTIPART" "MIXED" NIL NIL NIL "7BIT" 5)`, `BODY ("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 5)`, `BODY ("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 5 NIL NIL 2)`,
		`BODY (("TEXT" "PLAIN" NIL NIL NIL "7BIT" 5 1) ("TEXT" "HTML" NIL NIL NIL "7BIT" 5 1) "MIXED")`, `BODY (("TEXT" "PLAIN" NIL NIL NIL "7BIT" 5 1))`,
		`BODY (("TEXT" "PLAIN" NIL NIL NIL "7BIT" 5 1) "MIXED" NIL)`, `BODYSTRUCTURE ("IMAGE" "PNG" NIL NIL NIL "BASE64" 5 NIL ("INLINE"))`, `BODYSTRUCTURE ("IMAGE" "PNG" NIL NIL NIL "BASE64" 5 NIL "INLINE")`,
		`BODYSTRUCTURE ("IMAGE" "PNG" NIL NIL NIL "BASE64" 5 NIL NIL ())`, `BODYSTRUCTURE (("IMAGE" "PNG" NIL NIL NIL "BASE64" 5) "MIXED" "x")`,
	}},
}

// judge is the first violation in what a server sends after its greeting and, where utf8 is set, ENABLE.
func judge(octets string) error {
	c := strict.New(nil)
	c.Received([]byte("* OK hello\r\n"))
	if rest, ok := strings.CutPrefix(octets, "8"); ok {
		c.Received([]byte("* ENABLED UTF8=ACCEPT\r\n"))
		octets = rest
	}
	for _, b := range []byte(octets) {
		c.Received([]byte{b})
	}
	return c.Finish()
}

func TestLines(t *testing.T) {
	all := lines
	for _, f := range fetched {
		for _, s := range [][]string{f.good, f.bad} {
			for i := range s {
				s[i] = "* 1 FETCH (" + s[i] + ")\r\n"
			}
		}
		all = append(all, f)
	}
	for _, r := range all {
		for _, l := range r.good {
			if err := judge(l); err != nil {
				t.Errorf("%s: %v", r.rule, err)
			}
		}
		for _, l := range r.bad {
			if err := judge(l); err == nil {
				t.Errorf("%s: %q was taken", r.rule, l)
			}
		}
	}
}

// TestDialogues plays what client ("C") and server ("S") send. The last line is the violation where there is one.
func TestDialogues(t *testing.T) {
	for _, d := range []struct {
		name  string
		wrong bool
		lines []string
	}{
		{"no greeting", true, []string{"S* 5 EXISTS"}},
		{"greeting twice", true, []string{"S* PREAUTH x", "S* PREAUTH x"}},
		{"answers", false, []string{"S* OK x", "Ca NOOP", "Cb NOOP", "Sa OK x", "Sb NO x"}},
		{"two answers", true, []string{"S* OK x", "Ca NOOP", "Sa OK x", "Sa OK x"}},
		{"answer to nobody", true, []string{"S* OK x", "Ca NOOP", "Sb OK x"}},
		{"answer of no kind", true, []string{"S* OK x", "Ca NOOP", "Sa BYE x"}},
		{"answer missing", true, []string{"S* OK x", "Ca NOOP", "Cb NOOP", "Sb OK x"}},
		{"BYE is answer enough", false, []string{"S* OK x", "Ca NOOP", "S* BYE x"}},
		{"after BYE", true, []string{"S* OK x", "Ca LOGOUT", "S* BYE x", "S* 1 EXISTS"}},
		{"LOGOUT", false, []string{"S* OK x", "Ca LOGOUT", "S* BYE x", "Sa OK x"}},
		{"literal", false, []string{"S* OK x", "Ca LOGIN {3}", "S+ x", "Cb x {2+}", "Cyy", "Sa OK x"}},
		{"literal refused", false, []string{"S* OK x", "Ca LOGIN {3}", "Sa NO x", "Cb NOOP", "Sb OK x"}},
		{"literal that does not wait", false, []string{"S* OK x", "Ca LOGIN {3+}", "Cb x {2+}", "Cyy", "Cc NOOP", "Sa OK x", "Sc OK x"}},
		{"literal of nothing", false, []string{"S* OK x", "Ca LOGIN x {0+}", "C", "Cc NOOP", "Sa OK x", "Sc OK x"}},
		{"asked for nothing", true, []string{"S* OK x", "Ca LOGIN {3+}", "S+ x"}},
		{"continuation without space", true, []string{"S* OK x", "Ca LOGIN {3}", "S+"}},
		{"continuation without text", true, []string{"S* OK x", "Ca LOGIN {3}", "S+ "}},
		{"AUTHENTICATE", false, []string{"S* OK x", "Ca AUTHENTICATE PLAIN", "S+ ", "Cb NOOP", "S+ Zm9v", "CZm9v", "Sa OK x", "Cb NOOP", "Sb OK x"}},
		{"IDLE", false, []string{"S* OK x", "Ca IDLE", "CDONE", "Cb NOOP", "S+ idling", "S* 1 EXISTS", "Sa OK x", "Sb OK x"}},
		{"IDLE refused", false, []string{"S* OK x", "Ca IDLE x", "CDONE y", "Sa BAD x", "SDONE BAD x"}},
		{"no tag", false, []string{"S* OK x", "C(a NOOP", "S* BAD x", "C", "S* BAD x"}},
		{"EXISTS goes down", true, []string{"S* OK x", "S* 5 EXISTS", "S* 4 EXISTS"}},
		{"EXISTS of another mailbox", false, []string{"S* OK x", "S* 5 EXISTS", "Ca SELECT y", "S* 4 EXISTS", "Sa OK x"}},
		{"FETCH of none", true, []string{"S* OK x", "S* 5 EXISTS", "S* 6 FETCH (UID 6)"}},
		{"EXPUNGE of none", true, []string{"S* OK x", "S* 5 EXISTS", "Ca NOOP", "S* 5 EXPUNGE", "S* 5 EXPUNGE"}},
		{"EXPUNGE out of the blue", true, []string{"S* OK x", "S* 5 EXISTS", "S* 5 EXPUNGE"}},
		{"EXPUNGE during FETCH", true, []string{"S* OK x", "Ca FETCH 1 UID", "S* 5 EXPUNGE"}},
		{"EXPUNGE during SEARCH", true, []string{"S* OK x", "Ca SEARCH 1", "S* 5 EXPUNGE"}},
		{"EXPUNGE during UID FETCH", false, []string{"S* OK x", "Ca uid fetch 1 UID", "S* 5 EXPUNGE", "Sa OK x"}},
		{"EXPUNGE for those who want VANISHED", true, []string{"S* OK x", "S* ENABLED QRESYNC", "Ca NOOP", "S* 5 EXPUNGE"}},
		{"VANISHED", false, []string{"S* OK x", "S* ENABLED QRESYNC", "S* VANISHED (EARLIER) 1:9", "Ca NOOP", "S* VANISHED 1:3,5", "Sa OK x"}},
		{"VANISHED for nobody", true, []string{"S* OK x", "Ca NOOP", "S* VANISHED 1:3"}},
		{"VANISHED of all numbers", true, []string{"S* OK x", "S* ENABLED QRESYNC", "S* VANISHED (EARLIER) 1:*"}},
		{"SEARCH after IMAP4rev2", true, []string{"S* OK x", "S* ENABLED IMAP4rev2", "S* SEARCH 1"}},
		{"RECENT after IMAP4rev2", true, []string{"S* OK x", "S* ENABLED IMAP4rev2", "S* 1 RECENT"}},
		{"after STARTTLS", false, []string{"S* OK x", "Ca STARTTLS", "Sa OK x", "S\x16\x03\x01"}},
		{"no end", true, []string{"S* OK x", "S* 1 FETCH (BODY[] {50}"}},
	} {
		t.Run(d.name, func(t *testing.T) {
			c := strict.New(nil)
			for i, l := range d.lines {
				if err := c.Err(); err != nil {
					t.Fatalf("before line %d: %v", i, err)
				}
				if l[0] == 'C' {
					c.Sent([]byte(l[1:] + "\r\n"))
				} else {
					c.Received([]byte(l[1:] + "\r\n"))
				}
			}
			if err := c.Finish(); (err != nil) != d.wrong {
				t.Errorf("violation: %v", err)
			}
		})
	}
}

// TestWatch puts a Checker between two ends.
func TestWatch(t *testing.T) {
	near, far := net.Pipe()
	var got error
	c := strict.Watch(near, func(err error) { got = err })
	go func() {
		_, _ = io.WriteString(far, "* OK x\r\na OK x\r\n") // the other end reads it all
		_ = far.Close()
	}()
	if b, err := io.ReadAll(c); err != nil || string(b) != "* OK x\r\na OK x\r\n" {
		t.Errorf("%q, %v", b, err)
	}
	if got == nil || c.Err() == nil {
		t.Error("an answer to nobody was not reported")
	}
	var out strings.Builder
	r, w := strict.Pipes(strings.NewReader("* OK x\r\na OK x\r\n"), &out, func(err error) { t.Error(err) })
	_, err := io.WriteString(w, "a NOOP\r\n")
	if _, rerr := io.ReadAll(r); err != nil || rerr != nil || out.String() != "a NOOP\r\n" {
		t.Errorf("%v, %v, %q", err, rerr, out.String())
	}
}
