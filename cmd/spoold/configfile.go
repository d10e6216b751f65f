package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"spoold/backend/login"
	"spoold/backend/session"

	"github.com/pelletier/go-toml/v2"
)

// configFile is a configuration file as TOML has it: go-toml checks keys and types, and take the
// values. nil is a key that is not there.
type configFile struct {
	Listen []struct {
		Address *string `toml:"address"`
		TLS     *string `toml:"tls"`
	} `toml:"listen"`
	Mail struct {
		Inbox   *string `toml:"inbox"`
		Root    *string `toml:"root"`
		State   *string `toml:"state"`
		Flush   *string `toml:"flush"`
		Compact *int    `toml:"compact"`
	} `toml:"mail"`
	Lock struct {
		Methods []string `toml:"methods"`
		Timeout *string  `toml:"timeout"`
		Stale   *string  `toml:"stale"`
	} `toml:"lock"`
	Auth struct {
		Sources   []string `toml:"sources"`
		Plaintext *string  `toml:"plaintext"`

		Referrals map[string]string `toml:"referrals"`
	} `toml:"auth"`
	Serve struct {
		ReadOnly bool `toml:"readonly"`
	} `toml:"serve"`
	Limits struct {
		Connections  *int    `toml:"connections"`
		PerAddress   *int    `toml:"per_address"`
		Sessions     *int    `toml:"sessions"`
		Message      *int64  `toml:"message"`
		AppendTotal  *int64  `toml:"append_total"`
		LoginTimeout *string `toml:"login_timeout"`
		WorkerIdle   *string `toml:"worker_idle"`
		SearchTime   *string `toml:"search_time"`
		Idle         *string `toml:"idle"`
		Reading      *string `toml:"reading"`
		Line         *int    `toml:"line"`
		Literal      *int64  `toml:"literal"`
		Literals     *int    `toml:"literals"`
		Nesting      *int    `toml:"nesting"`
		Ranges       *int    `toml:"ranges"`

		Annotation      *int `toml:"annotation"`
		Annotations     *int `toml:"annotations"`
		AnnotationSpace *int `toml:"annotation_space"`
	} `toml:"limits"`
	IMAP struct {
		Disable    []string            `toml:"disable"`
		DisableFor map[string][]string `toml:"disable_for"`
		Comment    *string             `toml:"comment"`
		Admin      *string             `toml:"admin"`
		Referrals  map[string]string   `toml:"referrals"`
	} `toml:"imap"`
	Folders struct {
		SpecialUse map[string][]string `toml:"special_use"`
	} `toml:"folders"`
	Quota struct {
		Storage    *string           `toml:"storage"`
		StorageFor map[string]string `toml:"storage_for"`
	} `toml:"quota"`
}

// parseConfig reads a configuration over the defaults. Its errors show the line.
func parseConfig(text []byte) (config, error) {
	var f configFile
	if err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(&f); err != nil {
		return config{}, explainTOML(string(text), err)
	}
	t := &taker{text: string(text)}
	c := defaults()
	c.Listen = t.listen(&f)
	take(t, "mail.inbox", f.Mail.Inbox, parseOwnTemplate, &c.Mail.Inbox)
	take(t, "mail.root", f.Mail.Root, parseTemplate, &c.Mail.Root)
	take(t, "mail.state", f.Mail.State, parseOwnTemplate, &c.Mail.State)
	take(t, "mail.compact", f.Mail.Compact, parsePercent, &c.Mail.Compact)
	take(t, "mail.flush", f.Mail.Flush, parseFlush, &c.Mail.Flush)
	takeAll(t, "lock.methods", f.Lock.Methods, parseLockMethod, &c.Lock.Methods)
	take(t, "lock.timeout", f.Lock.Timeout, parseDuration, &c.Lock.Timeout)
	take(t, "lock.stale", f.Lock.Stale, parseDuration, &c.Lock.Stale)
	takeAll(t, "auth.sources", f.Auth.Sources, parseSource, &c.Auth.Files)
	take(t, "auth.plaintext", f.Auth.Plaintext, login.ParsePlaintext, &c.Auth.Plaintext)
	c.Serve.ReadOnly = f.Serve.ReadOnly
	t.limits(&f, &c.Limits)
	takeAll(t, "imap.disable", f.IMAP.Disable, parseCapability, &c.IMAP.Disable)
	c.IMAP.DisableFor = t.disableFor(f.IMAP.DisableFor)
	take(t, "imap.comment", f.IMAP.Comment, func(s string) (string, error) { return s, nil }, &c.IMAP.Comment)
	take(t, "imap.admin", f.IMAP.Admin, parseURI, &c.IMAP.Admin)
	c.IMAP.Referrals = t.referrals("imap.referrals.", f.IMAP.Referrals)
	c.Auth.Referrals = t.referrals("auth.referrals.", f.Auth.Referrals)
	t.specialUse(f.Folders.SpecialUse, c.Folders)
	take(t, "quota.storage", f.Quota.Storage, parseSize, &c.Quota.Storage)
	c.Quota.StorageFor = t.storageFor(f.Quota.StorageFor)
	return c, t.err
}

func (t *taker) storageFor(users map[string]string) map[string]int64 {
	var all map[string]int64
	for _, user := range slices.Sorted(maps.Keys(users)) {
		size, storage := users[user], int64(0)
		take(t, "quota.storage_for."+user, &size, parseSize, &storage)
		if all == nil {
			all = map[string]int64{}
		}
		all[user] = storage
	}
	return all
}

func (t *taker) disableFor(users map[string][]string) map[string][]string {
	var all map[string][]string
	for _, user := range slices.Sorted(maps.Keys(users)) {
		var hidden []string
		takeAll(t, "imap.disable_for."+user, users[user], parseCapability, &hidden)
		if all == nil {
			all = map[string][]string{}
		}
		all[user] = hidden
	}
	return all
}

// referrals takes the URLs of a table.
func (t *taker) referrals(table string, urls map[string]string) map[string]string {
	var all map[string]string
	for _, name := range slices.Sorted(maps.Keys(urls)) {
		var to string
		value := urls[name]
		take(t, table+name, &value, parseIMAPURL, &to)
		if all == nil {
			all = map[string]string{}
		}
		all[name] = to
	}
	return all
}

// specialUse takes the names of mailboxes for each use; "sent" is \Sent.
func (t *taker) specialUse(names map[string][]string, uses map[string][]string) {
	for _, word := range slices.Sorted(maps.Keys(names)) {
		key := "folders.special_use." + word
		i := slices.IndexFunc(session.Uses, func(use string) bool { return strings.ToLower(use[1:]) == word })
		if i < 0 {
			t.fail(key, 0, fmt.Errorf("%q is not archive, drafts, junk, sent or trash", word))
			continue
		}
		var list []string
		takeAll(t, key, names[word], func(s string) (string, error) { return s, nil }, &list)
		uses[session.Uses[i]] = list
	}
}

func (t *taker) listen(f *configFile) []address {
	var all []address
	for i, l := range f.Listen {
		if l.Address == nil {
			t.fail("listen", i, errors.New("no address"))
			continue
		}
		var a address
		takeNth(t, "listen.address", i, l.Address, parseAddress, &a)
		all = append(all, a)
		var mode string
		takeNth(t, "listen.tls", i, l.TLS, func(s string) (string, error) { return s, checkTLS(s) }, &mode)
	}
	return all
}

func (t *taker) limits(f *configFile, c *limitsConfig) {
	l := &f.Limits
	take(t, "limits.connections", l.Connections, parseCount[int], &c.Connections)
	take(t, "limits.per_address", l.PerAddress, parseCount[int], &c.PerAddress)
	take(t, "limits.sessions", l.Sessions, parseCount[int], &c.Sessions)
	take(t, "limits.message", l.Message, parseCount[int64], &c.Message)
	take(t, "limits.append_total", l.AppendTotal, parseCount[int64], &c.AppendTotal)
	take(t, "limits.login_timeout", l.LoginTimeout, parseDuration, &c.LoginTimeout)
	take(t, "limits.worker_idle", l.WorkerIdle, parseDuration, &c.WorkerIdle)
	take(t, "limits.search_time", l.SearchTime, parseDuration, &c.SearchTime)
	take(t, "limits.idle", l.Idle, parseIdle, &c.Idle)
	take(t, "limits.reading", l.Reading, parseDuration, &c.Reading)
	take(t, "limits.line", l.Line, parseLine, &c.Command.Line)
	take(t, "limits.literal", l.Literal, parseCount[int64], &c.Command.Literal)
	take(t, "limits.literals", l.Literals, parseCount[int], &c.Command.Literals)
	take(t, "limits.nesting", l.Nesting, parseCount[int], &c.Command.Nesting)
	take(t, "limits.ranges", l.Ranges, parseCount[int], &c.Command.Ranges)
	take(t, "limits.annotation", l.Annotation, parseAtLeast(1024), &c.Annotations.Value) // RFC 5464 §4.1
	take(t, "limits.annotations", l.Annotations, parseAtLeast(10), &c.Annotations.Count)
	take(t, "limits.annotation_space", l.AnnotationSpace, parseCount[int], &c.Annotations.Total)
}

// taker takes values from a file; err is about the first that is wrong.
type taker struct {
	text string
	err  error
}

// take parses the value of a key into to, which keeps its default when the key is not there.
func take[T, F any](t *taker, key string, value *F, parse func(F) (T, error), to *T) {
	takeNth(t, key, 0, value, parse, to)
}

// takeNth is take in the n-th table of its name.
func takeNth[T, F any](t *taker, key string, n int, value *F, parse func(F) (T, error), to *T) {
	if value == nil {
		return
	}
	v, err := parse(*value)
	if err != nil {
		t.fail(key, n, err)
		return
	}
	*to = v
}

// takeAll is take for a list.
func takeAll(t *taker, key string, values []string, parse func(string) (string, error), to *[]string) {
	if values == nil {
		return
	}
	parsed := make([]string, len(values))
	for i, s := range values {
		take(t, key, &s, parse, &parsed[i])
	}
	*to = parsed
}

func (t *taker) fail(key string, n int, err error) {
	if t.err != nil {
		return
	}
	t.err = fmt.Errorf("%s: %w", key, err)
	if number, line := locate(t.text, key, n); number > 0 {
		t.err = fmt.Errorf("line %d: %w\n%d| %s", number, t.err, number, line)
	}
}

// locate finds the line that a key is set in, in the n-th table of its name, or the table itself.
func locate(text, key string, n int) (number int, line string) {
	table, seen := "", map[string]int{}
	for l := range strings.Lines(text) {
		number++
		l = strings.TrimRight(l, "\r\n")
		word, _, isKey := strings.Cut(l, "=")
		word = strings.TrimSpace(word)
		if name := strings.Trim(strings.TrimSpace(l), "[] "); strings.HasPrefix(word, "[") {
			table = name
			seen[table]++
			word, isKey = "", true
		}
		full := strings.Trim(table+"."+word, ".")
		if isKey && full == key && max(seen[table]-1, 0) == n {
			return number, l
		}
	}
	return 0, ""
}

// explainTOML shows the lines that an error of go-toml is about.
func explainTOML(text string, err error) error {
	var unknown *toml.StrictMissingError
	var wrong *toml.DecodeError
	switch {
	case errors.As(err, &unknown) && len(unknown.Errors) > 0:
		row, _ := unknown.Errors[0].Position()
		return fmt.Errorf("line %d: unknown key\n%s", row, unknown.String())
	case !errors.As(err, &wrong):
		return err
	}
	row, _ := wrong.Position()
	// go-toml says which Go type a value does not fit; who reads this need not know any.
	if what, _, ok := strings.Cut(wrong.Error(), " into struct field "); ok {
		_, kind, _ := strings.Cut(what, "decode ")
		line := strings.Split(text, "\n")[row-1]
		return fmt.Errorf("line %d: %s: a %s does not fit here\n%d| %s", row, strings.Join(wrong.Key(), "."), kind, row, line)
	}
	return fmt.Errorf("line %d: %w\n%s", row, err, wrong.String())
}
