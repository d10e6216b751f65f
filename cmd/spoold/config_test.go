package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"spoold/backend/annotation"
	"spoold/backend/privsep"
	"spoold/backend/wire"

	"github.com/google/go-cmp/cmp"
)

func TestParseConfig(t *testing.T) {
	got, err := parseConfig([]byte(`
[[listen]]
address = "0.0.0.0:143"
tls = "none"

[[listen]]
address = "[::1]:1143"

[mail]
root = "%h"
flush = "250ms"
compact = 0

[lock]
methods = ["dotlock"]
timeout = "10s"

[auth]
sources = ["passwd-file:/etc/spoold/passwd"]
plaintext = "always"

[serve]
readonly = true

[limits]
sessions = 7
message = 1000
append_total = 5000
worker_idle = "1m30s"
search_time = "1m"
idle = "45m"
reading = "20s"
line = 8192
literal = 1000
literals = 5
nesting = 6
ranges = 70
annotation = 2048
annotations = 12
annotation_space = 9999

[imap]
comment = "hello"
admin = "mailto:root@example.org"
[imap.referrals]
Lists = "imap://lists.example.org/Lists"

[auth.referrals]
bob = "imap://bob@imap2.example.org/"

[folders.special_use]
sent = ["Out", "Sent"]
junk = []

[quota]
storage = "1G"

[quota.storage_for]
alice = "0"
bob = "500M"
`))
	if err != nil {
		t.Fatal(err)
	}
	want := config{
		Listen: []address{"0.0.0.0:143", "[::1]:1143"},
		Mail:   mailConfig{Inbox: "/var/spool/mail/%u", Root: "%h", State: "/var/lib/spoold/%u", Flush: 250 * time.Millisecond, Compact: -1},
		Lock:   lockConfig{Methods: []string{"dotlock"}, Timeout: 10 * time.Second, Stale: 5 * time.Minute},
		Auth:   authConfig{Files: []string{"/etc/spoold/passwd"}, Plaintext: "always", Referrals: map[string]string{"bob": "imap://bob@imap2.example.org/"}},
		Serve:  serveConfig{ReadOnly: true},
		Limits: limitsConfig{
			Sessions: 7, Message: 1000, AppendTotal: 5000, WorkerIdle: 90 * time.Second, SearchTime: time.Minute, Idle: 45 * time.Minute, Reading: 20 * time.Second,
			Command:     wire.Limits{Line: 8192, Literal: 1000, Literals: 5, Nesting: 6, Ranges: 70},
			Annotations: annotation.Limits{Value: 2048, Count: 12, Total: 9999},
		},
		IMAP:    imapConfig{Comment: "hello", Admin: "mailto:root@example.org", Referrals: map[string]string{"Lists": "imap://lists.example.org/Lists"}},
		Folders: defaultUses(),
		Quota:   quotaConfig{Storage: 1 << 30, StorageFor: map[string]int64{"alice": 0, "bob": 500 << 20}},
	}
	want.Folders[`\Sent`], want.Folders[`\Junk`] = []string{"Out", "Sent"}, []string{}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
}

// TestDocumentedConfig reads the configurations that README and the pages show.
func TestDocumentedConfig(t *testing.T) {
	for _, page := range []string{"../../README.md", "doc/imap.md"} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		blocks := strings.Split(string(text), "```toml\n")[1:]
		if len(blocks) == 0 {
			t.Errorf("%s shows no configuration", page)
		}
		for _, b := range blocks {
			b, _, _ = strings.Cut(b, "```")
			if _, err := parseConfig([]byte(b)); err != nil {
				t.Errorf("%s: %v\n%s", page, err, b)
			}
		}
	}
}

func TestDefaults(t *testing.T) {
	got, err := parseConfig(nil)
	if diff := cmp.Diff(defaults(), got); diff != "" || err != nil {
		t.Errorf("%v; empty file (-want +got):\n%s", err, diff)
	}
}

func TestConfigErrors(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"unknown key", "[mail]\nstat = \"x\"\n", "line 2: unknown key\n1| [mail]\n2| stat = \"x\"\n"},
		{"unknown table", "\n[tls]\ncert = \"x\"\n", "line 2: unknown key"},
		{"number for a path", "[mail]\nstate = 5\n", "line 2: mail.state: a TOML integer does not fit here\n2| state = 5"},
		{"string for a list", "[auth]\nsources = \"x\"\n", "line 2: auth.sources: a TOML string does not fit here"},
		{"no TOML", "x = [\n", "line 1: toml: array is incomplete"},
		{"twice", "[serve]\nreadonly = true\nreadonly = true\n", "line 3: toml: "},
		{"path not absolute", "[mail]\n\ninbox = \"mail/%u\"\n", "line 3: mail.inbox: path \"mail/%u\" is neither absolute nor begins with %h\n3| inbox"},
		{"unknown letter", "[mail]\nroot = \"/x/%n\"\n", "line 2: mail.root: path"},
		{"shared inbox", "[mail]\ninbox = \"/var/mail/inbox\"\n", "line 2: mail.inbox: path \"/var/mail/inbox\" has neither %u nor %h: all users would share it\n2| inbox"},
		{"shared state", "[mail]\nroot = \"/x\"\nstate = \"/x/%%u\"\n", "line 3: mail.state: path \"/x/%%u\" has neither"},
		{"size", "[quota]\nstorage = \"big\"\n", "line 2: quota.storage: \"big\" is no size"},
		{"negative size", "[quota]\nstorage = \"-1K\"\n", "line 2: quota.storage: \"-1K\" is no size"},
		{"huge size", "[quota]\nstorage = \"8388608T\"\n", "line 2: quota.storage: \"8388608T\" is no size"},
		{"tiny size", "[quota]\nstorage = \"1023\"\n", "line 2: quota.storage: \"1023\" is less than 1K"},
		{"size of one", "[quota.storage_for]\nbob = \"1X\"\n", "line 2: quota.storage_for.bob: \"1X\" is no size"},
		{"duration", "[lock]\nstale = \"soon\"\n", "line 2: lock.stale: \"soon\" is no duration"},
		{"negative duration", "[lock]\ntimeout = \"-1s\"\n", "line 2: lock.timeout: \"-1s\" is no duration"},
		{"lock method", "[lock]\nmethods = [\"fcntl\", \"lockf\"]\n", "line 2: lock.methods: \"lockf\" is not"},
		{"source", "[auth]\nsources = [\"pam:imap\"]\n", "line 2: auth.sources: \"pam:imap\" is not available"},
		{"relative source", "[auth]\nsources = [\"passwd-file:x\"]\n", "line 2: auth.sources: \"passwd-file:x\" needs"},
		{"plaintext", "[auth]\nplaintext = \"yes\"\n", "line 2: auth.plaintext: \"yes\" is not"},
		{"address", "[[listen]]\naddress = \"a:1\"\n[[listen]]\naddress = \"b\"\n", "line 4: listen.address: \"b\" is not host:port"},
		{"no address", "[[listen]]\ntls = \"none\"\n", "line 1: listen: no address"},
		{"TLS", "[[listen]]\naddress = \"a:1\"\ntls = \"starttls\"\n", "line 3: listen.tls: \"starttls\" is not available"},
		{"TLS word", "[[listen]]\naddress = \"a:1\"\ntls = \"yes\"\n", "line 3: listen.tls: \"yes\" is not none"},
		{"compact more than all", "[mail]\ncompact = 101\n", "line 2: mail.compact: 101 is not a percentage"},
		{"flush now", "[mail]\nflush = \"1ms\"\n", "line 2: mail.flush: \"1ms\" is not between 10ms and 1m"},
		{"flush never", "[mail]\nflush = \"1h\"\n", "line 2: mail.flush: \"1h\" is not between"},
		{"line", "[limits]\nline = 8191\n", "line 2: limits.line: 8191 is below 8192"},
		{"idle", "[limits]\nidle = \"29m\"\n", "line 2: limits.idle: 29m is below 30m"},
		{"zero", "[limits]\nsessions = 0\n", "line 2: limits.sessions: 0 is not above 0"},
		{"unknown capability", "[imap]\ndisable = [\"IDLE\", \"XIDLE\"]\n", "line 2: imap.disable: \"XIDLE\" is not a capability that can be disabled"},
		{"no IMAP at all", "[imap]\ndisable = [\"imap4rev1\"]\n", "line 2: imap.disable: \"imap4rev1\" is not"},
		{"unknown capability for a user", "[imap.disable_for]\nbob = [\"X\"]\n", "line 2: imap.disable_for.bob: \"X\" is not"},
		{"short annotations", "[limits]\nannotation = 1000\n", "line 2: limits.annotation: 1000 is below 1024"},
		{"few annotations", "[limits]\nannotations = 9\n", "line 2: limits.annotations: 9 is below 10"},
		{"all mail", "[folders.special_use]\nall = [\"All\"]\n", "line 2: folders.special_use.all: \"all\" is not archive"},
		{"no URI", "[imap]\nadmin = \"root\"\n", "line 2: imap.admin: \"root\" is no URI"},
		{"no IMAP URL", "[imap.referrals]\nX = \"http://example.org/\"\n", "line 2: imap.referrals.X: \"http://example.org/\" is no URL"},
		{"URL that ends the code", "[auth.referrals]\nbob = \"imap://a/]x\"\n", "line 2: auth.referrals.bob: \"imap://a/]x\" is no URL"},
		{"dotted key", "limits.message = -1\n", "line 1: limits.message: -1 is not above 0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parseConfig([]byte(tt.text))
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("error %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestExpand(t *testing.T) {
	for _, tt := range []struct{ template, want string }{
		{"/var/spool/mail/%u", "/var/spool/mail/bob"},
		{"%h/mail", "/home/bob/mail"},
		{"/x/%%u/%u%u", "/x/%u/bobbob"},
		{"/a//b/", "/a/b"},
		{"%h", "/home/bob"},
	} {
		if got := pathTemplate(tt.template).expand("bob", "/home/bob"); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.template, got, tt.want)
		}
	}
	// What is put in is not looked at for more to replace.
	if got := pathTemplate("/%u/%h").expand("%h", "/%u"); got != "/%h/%u" {
		t.Errorf("name with a percent sign: %s", got)
	}
}

// TestKeeper: root makes locks only where no user has a say in the directory.
func TestKeeper(t *testing.T) {
	bob := privsep.Identity{Name: "bob", UID: 4002, Home: "/home/bob"}
	for inbox, want := range map[pathTemplate]bool{
		"/var/mail/%u": true, "%h/inbox": false, "/var/mail/%u/inbox": false, "/var/mail/inbox": true,
		"/var/%%u/%u": true,
	} {
		c := defaults()
		c.Mail.Inbox = inbox
		if got := c.keeper(bob) != nil; got != want {
			t.Errorf("%s: %v, want %v", inbox, got, want)
		}
	}
	c := defaults()
	c.Serve.ReadOnly = true
	if c.keeper(bob) != nil {
		t.Error("root would make locks for a server that writes nothing")
	}
}

// FuzzParseConfig: what is accepted keeps the promises that others rely on.
func FuzzParseConfig(f *testing.F) {
	f.Add("[[listen]]\naddress = \"a:1\"\ntls = \"none\"\n[mail]\ninbox = \"/m/%u\"\n[limits]\nsessions = 3\n")
	f.Add("mail.root = \"%h/m%%\"\n[lock]\nmethods = []\ntimeout = \"1h\"\n")
	f.Add("[auth]\nsources = [\"passwd-file:/p\"]\nplaintext = \"tls\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseConfig([]byte(text))
		if err != nil {
			if strings.TrimSpace(err.Error()) == "" {
				t.Fatal("an error without words")
			}
			return
		}
		for _, p := range []pathTemplate{c.Mail.Inbox, c.Mail.Root, c.Mail.State} {
			if got := p.expand("u", "/h"); !strings.HasPrefix(got, "/") {
				t.Fatalf("path %q of template %q", got, p)
			}
		}
		if c.Lock.Timeout <= 0 || c.Lock.Stale <= 0 || c.Limits.Message <= 0 || c.Limits.Sessions < 0 {
			t.Fatalf("accepted %+v", c)
		}
	})
}

// The user is found again from the name of his state directory.
func TestUserOfTemplate(t *testing.T) {
	for _, tt := range []struct {
		template, name, want string
		ok                   bool
	}{
		{"/var/lib/spoold/%u", "alice", "alice", true},
		{"/var/lib/spoold/u-%u.d", "u-alice.d", "alice", true},
		{"/var/lib/spoold/%%%u", "%alice", "alice", true},
		{"/var/lib/spoold/u-%u.d", "alice", "alice", false},
		{"/var/lib/spoold/u-%u.d", "u-alice", "alice", false},
		{"/var/lib/spoold/%u-%u", "alice-alice", "alice", false},
		{"/var/lib/spoold/all", "all", "", false},
	} {
		if got, ok := pathTemplate(tt.template).user(tt.name); ok != tt.ok || ok && got != tt.want {
			t.Errorf("%s of %s: %q, %v", tt.name, tt.template, got, ok)
		}
	}
}
