package session_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"spoold/backend/session"
	"spoold/mboxstore"
	"spoold/spool"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// user is a Store over files in a temporary directory.
type user struct {
	tree  *spool.Tree
	subs  *spool.SubscriptionFile
	state spool.Dir
	mu    sync.Mutex
	open  map[string]*mboxstore.Mailbox
}

func newUser(t *testing.T, inbox string) *user {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "inbox"), []byte(inbox), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "state"), 0o700); err != nil {
		t.Fatal(err)
	}
	u := &user{subs: spool.OpenSubscriptions(dir, "mail/"), open: map[string]*mboxstore.Mailbox{}}
	var err error
	if u.tree, err = spool.NewTree(filepath.Join(dir, "inbox"), filepath.Join(dir, "mail")); err != nil {
		t.Fatal(err)
	}
	if u.state, err = spool.OpenDir(filepath.Join(dir, "state")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for name, m := range u.open {
			if err := m.Close(context.Background()); err != nil {
				t.Errorf("close %s: %v", name, err)
			}
		}
	})
	return u
}

func (u *user) Open(ctx context.Context, name string, _ bool) (*mboxstore.Mailbox, func(), error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if m := u.open[name]; m != nil {
		return m, func() {}, nil
	}
	path, err := u.tree.Path(name)
	if err != nil {
		return nil, nil, session.ErrBadName
	}
	if f, err := u.tree.Stat(name); err != nil || f.Dir {
		return nil, nil, session.ErrNoMailbox
	}
	box := spool.NewBox(path, uint32(os.Getuid()), spool.LockPolicy{Methods: []spool.Method{"fcntl"}, Timeout: 5 * time.Second})
	m, err := mboxstore.Open(ctx, box, mboxstore.Options{Inbox: name == "INBOX", State: u.state, FlushDelay: time.Hour})
	if err == nil {
		u.open[name] = m
	}
	return m, func() {}, err
}

func (u *user) Walk(ctx context.Context, dir string, deep bool, f func(session.Folder) error) error {
	return u.tree.Walk(ctx, dir, deep, func(x spool.Folder) error {
		return f(session.Folder{Name: x.Name, Dir: x.Dir, HasChildren: x.HasChildren})
	})
}

func (u *user) Has(name string) bool {
	_, err := u.tree.Stat(name)
	return err == nil
}

func (u *user) Raw(string) (io.ReadCloser, error) { return nil, errors.ErrUnsupported }

func (u *user) Create(_ context.Context, name string) error {
	base := mboxstore.Base{UIDValidity: 77}
	err := u.tree.Create(name, mboxstore.AppendPseudo(nil, base, "example.org", time.Now(), true))
	if errors.Is(err, fs.ErrExist) {
		return session.ErrExists
	}
	return err
}

func (u *user) Delete(_ context.Context, name string) error     { return u.tree.Remove(name) }
func (u *user) Rename(_ context.Context, from, to string) error { return u.tree.Rename(from, to) }

// listen serves the user on a plain imapserver.Server and returns its address.
func (u *user) listen(t *testing.T) string {
	t.Helper()
	server := imapserver.New(&imapserver.Options{
		NewSession: func(c *imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return session.New(session.Config{
				User: "chris", Store: u, Subscriptions: u.subs, Bye: c.Bye, Login: func(user, password string) error {
					if user != "chris" || password != "secret" {
						return errors.New("wrong")
					}
					return nil
				},
			}), nil, nil
		},
		Caps: imap.CapSet{
			imap.CapIMAP4rev1: {}, imap.CapNamespace: {}, imap.CapUIDPlus: {}, imap.CapMove: {}, imap.CapListExtended: {},
			imap.CapListStatus: {}, imap.CapStatusSize: {}, imap.CapChildren: {},
		},
		InsecureAuth: true,
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		if err := server.Serve(ln); err != nil {
			t.Errorf("serve: %v", err)
		}
	}()
	t.Cleanup(func() { _ = server.Close() }) // what is not closed shows as a leak
	return ln.Addr().String()
}

// connect logs a client of go-imap in.
func (u *user) connect(t *testing.T, options *imapclient.Options) *imapclient.Client {
	t.Helper()
	c, err := imapclient.DialInsecure(u.listen(t), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() }) // what is not closed shows as a leak
	if err := c.Login("chris", "wrong").Wait(); err == nil {
		t.Error("logged in with a wrong password")
	}
	if err := c.Login("chris", "secret").Wait(); err != nil {
		t.Fatal(err)
	}
	return c
}

func mail(subject string) string {
	return "From joe@example.com Mon Sep  7 15:14:13 2009\nFrom: Joe <joe@example.com>\nSubject: " + subject +
		"\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\nThis is " + subject +
		".\n--b\nContent-Type: message/rfc822\n\nSubject: inner\n\nInner text.\n--b--\n\n"
}

func must[T any](t *testing.T) func(v T, err error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// TestPlainServer runs the backend on go-imap's own server, with go-imap's own client: login, select, fetch, store,
// search, append, copy, move, expunge, list and idle.
func TestPlainServer(t *testing.T) {
	u := newUser(t, mail("one")+mail("two")+mail("three"))
	news := make(chan string, 100)
	c := u.connect(t, &imapclient.Options{UnilateralDataHandler: &imapclient.UnilateralDataHandler{
		Expunge: func(num uint32) { news <- fmt.Sprint("expunge ", num) },
		Mailbox: func(d *imapclient.UnilateralDataMailbox) {
			if d.NumMessages != nil {
				news <- fmt.Sprint("exists ", *d.NumMessages)
			}
		},
	}})

	sel := must[*imap.SelectData](t)(c.Select("INBOX", nil).Wait())
	if sel.NumMessages != 3 || sel.UIDNext != 4 || sel.UIDValidity == 0 {
		t.Errorf("select: %+v", sel)
	}
	plainFetch(t, c)

	flags := &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagFlagged, "work"}}
	stored := must[[]*imapclient.FetchMessageBuffer](t)(c.Store(imap.SeqSetNum(2), flags, nil).Collect())
	if len(stored) != 1 || !cmp.Equal(stored[0].Flags, []imap.Flag{`\Recent`, imap.FlagFlagged, "work"}) {
		t.Errorf("store: %+v", stored)
	}
	found := must[*imap.SearchData](t)(c.UIDSearch(&imap.SearchCriteria{
		Flag: []imap.Flag{"work"}, Header: []imap.SearchCriteriaHeaderField{{Key: "Subject", Value: "two"}},
		Or:  [][2]imap.SearchCriteria{{{Body: []string{"This is"}}, {Larger: 1 << 20}}},
		Not: []imap.SearchCriteria{{Flag: []imap.Flag{imap.FlagDeleted}}},
	}, nil).Wait())
	if !cmp.Equal(found.AllUIDs(), []imap.UID{2}) {
		t.Errorf("search: %v", found.AllUIDs())
	}
	plainFolders(t, c, news)
	plainIdle(t, u, c, news)
}

func plainFetch(t *testing.T, c *imapclient.Client) {
	t.Helper()
	text := &imap.FetchItemBodySection{Part: []int{1}}
	fields := &imap.FetchItemBodySection{Specifier: imap.PartSpecifierHeader, HeaderFields: []string{"Subject"}, Peek: true}
	got := must[[]*imapclient.FetchMessageBuffer](t)(c.Fetch(imap.UIDSetNum(1), &imap.FetchOptions{
		Envelope: true, BodyStructure: &imap.FetchItemBodyStructure{Extended: true}, Flags: true, InternalDate: true, RFC822Size: true,
		UID: true, BodySection: []*imap.FetchItemBodySection{text, fields},
	}).Collect())
	if len(got) != 1 {
		t.Fatalf("fetch: %d messages", len(got))
	}
	m := got[0]
	if m.UID != 1 || m.Envelope.Subject != "one" || m.RFC822Size == 0 || m.BodyStructure.MediaType() != "multipart/mixed" ||
		!m.InternalDate.Equal(time.Date(2009, 9, 7, 15, 14, 13, 0, time.Local)) ||
		!cmp.Equal(m.Flags, []imap.Flag{`\Recent`, imap.FlagSeen}) {
		t.Errorf("fetch: %+v", m)
	}
	if got := string(m.FindBodySection(text)); got != "This is one." {
		t.Errorf("part 1: %q", got)
	}
	if got := string(m.FindBodySection(fields)); got != "Subject: one\r\n\r\n" {
		t.Errorf("header fields: %q", got)
	}
}

func plainFolders(t *testing.T, c *imapclient.Client, news <-chan string) {
	t.Helper()
	if err := c.Create("Entwürfe", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	app := c.Append("Entwürfe", 14, &imap.AppendOptions{Flags: []imap.Flag{imap.FlagDraft}})
	if _, err := app.Write([]byte("Subject: x\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if err := app.Close(); err != nil {
		t.Fatal(err)
	}
	if d := must[*imap.AppendData](t)(app.Wait()); d.UID != 1 || d.UIDValidity != 77 {
		t.Errorf("append: %+v", d)
	}
	copied := must[*imap.CopyData](t)(c.Copy(imap.SeqSetNum(1, 2), "Entwürfe").Wait())
	if copied.DestUIDs.String() != "2:3" || copied.SourceUIDs.String() != "1:2" {
		t.Errorf("copy: %+v", copied)
	}
	moved := must[*imapclient.MoveData](t)(c.Move(imap.UIDSetNum(1), "Entwürfe").Wait())
	if fmt.Sprint(moved.DestUIDs) != "4" {
		t.Errorf("move: %+v", moved)
	}
	if got := <-news; got != "expunge 1" {
		t.Errorf("move: %s", got)
	}
	if err := c.Subscribe("Entwürfe").Wait(); err != nil {
		t.Fatal(err)
	}
	list := must[[]*imap.ListData](t)(c.List("", "*", &imap.ListOptions{
		ReturnSubscribed: true, ReturnStatus: &imap.StatusOptions{NumMessages: true},
	}).Collect())
	var names []string
	for _, l := range list {
		names = append(names, fmt.Sprint(l.Mailbox, " ", *l.Status.NumMessages, " ", l.Attrs))
	}
	want := []string{`INBOX 2 [\Noinferiors \HasNoChildren]`, `Entwürfe 4 [\Noinferiors \HasNoChildren \Unmarked \Subscribed]`}
	if diff := cmp.Diff(want, names, cmp.Transformer("fold", strings.ToLower)); diff != "" {
		t.Error(diff)
	}
	st := must[*imap.StatusData](t)(c.Status("Entwürfe", &imap.StatusOptions{NumMessages: true, NumUnseen: true, UIDNext: true, Size: true}).Wait())
	if *st.NumMessages != 4 || *st.NumUnseen != 2 || st.UIDNext != 5 {
		t.Errorf("status: %+v", st)
	}
	if _, err := c.Copy(imap.SeqSetNum(1), "Nowhere").Wait(); !strings.Contains(fmt.Sprint(err), "TRYCREATE") {
		t.Errorf("copy to nowhere: %v", err)
	}
}

func plainIdle(t *testing.T, u *user, c *imapclient.Client, news <-chan string) {
	t.Helper()
	idle, err := c.Idle()
	if err != nil {
		t.Fatal(err)
	}
	box, release, err := u.Open(t.Context(), "INBOX", false)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if _, _, err := box.Append(t.Context(), []mboxstore.NewMessage{{Text: strings.NewReader("Subject: pushed\n\n")}}); err != nil {
		t.Fatal(err)
	}
	if got := <-news; got != "exists 3" {
		t.Errorf("idle: %s", got)
	}
	if err := errors.Join(idle.Close(), idle.Wait()); err != nil {
		t.Error(err)
	}
	all := &imap.StoreFlags{Op: imap.StoreFlagsAdd, Silent: true, Flags: []imap.Flag{imap.FlagDeleted}}
	if err := c.Store(imap.SeqSetNum(1, 3), all, nil).Close(); err != nil {
		t.Error(err)
	}
	gone := must[[]uint32](t)(c.UIDExpunge(imap.UIDSetNum(4, 99)).Collect())
	if !cmp.Equal(gone, []uint32{3}) {
		t.Errorf("uid expunge: %v", gone)
	}
	if err := c.UnselectAndExpunge().Wait(); err != nil {
		t.Error(err)
	}
	if n := box.Status().Messages; n != 1 {
		t.Errorf("%d messages after CLOSE, want 1", n)
	}
	sel := must[*imap.SelectData](t)(c.Select("INBOX", &imap.SelectOptions{ReadOnly: true}).Wait())
	if sel.NumMessages != 1 || len(sel.PermanentFlags) != 0 {
		t.Errorf("examine: %+v", sel)
	}
	if err := c.Expunge().Close(); err == nil {
		t.Error("EXPUNGE of a read-only mailbox succeeded")
	}
	if err := c.UnselectAndExpunge().Wait(); err != nil {
		t.Errorf("CLOSE of a read-only mailbox: %v", err)
	}
	if err := c.Logout().Wait(); err != nil {
		t.Error(err)
	}
}

// On a plain server the end of a mailbox is told by Config.Bye.
func TestPlainServerBye(t *testing.T) {
	u := newUser(t, "")
	if err := u.Create(t.Context(), "Box"); err != nil {
		t.Fatal(err)
	}
	path, err := u.tree.Path("Box")
	if err != nil {
		t.Fatal(err)
	}
	replace := func(validity uint32, mail string) {
		t.Helper()
		base := mboxstore.Base{UIDValidity: validity}
		content := mboxstore.AppendPseudo(nil, base, "example.org", time.Now(), true)
		if err := os.WriteFile(path, append(content, mail...), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	replace(77, mail("one"))
	ln := u.listen(t)
	c, err := net.Dial("tcp", ln)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(c)
	run := func(line, end string) (answer string) {
		t.Helper()
		if _, err := fmt.Fprintf(c, "%s\r\n", line); err != nil {
			t.Fatal(err)
		}
		for !strings.HasPrefix(answer, end) {
			if answer, err = r.ReadString('\n'); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
		}
		return answer
	}
	run("a LOGIN chris secret", "a OK")
	run("b SELECT Box", "b OK")
	replace(7777, mail("another"))
	if got := run("c NOOP", "* BYE"); !strings.Contains(got, "replaced") {
		t.Error(got)
	}
}
