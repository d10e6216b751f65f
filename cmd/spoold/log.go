package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"
)

// lineHandler writes a record as one line the way UW-IMAP's syslog lines read, which filters of
// fail2ban and scripts of administrators know:
//
//	2026-11-22T19:30:00.000Z WARN Login failed user=bob auth=bob host=[192.0.2.1]
//
// A value that could be taken for something else is quoted: values are often a stranger's words.
type lineHandler struct {
	level  slog.Level
	attrs  string // those of WithAttrs, formatted
	prefix string // of WithGroup

	mu *sync.Mutex
	w  io.Writer
}

func newLog(w io.Writer, debug bool) *slog.Logger {
	h := &lineHandler{mu: new(sync.Mutex), w: w}
	if debug {
		h.level = slog.LevelDebug
	}
	return slog.New(h)
}

func (h *lineHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level }

func (h *lineHandler) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	if !r.Time.IsZero() {
		b.WriteString(r.Time.UTC().Format("2006-01-02T15:04:05.000Z07:00 "))
	}
	b.WriteString(r.Level.String() + " " + oneLine(r.Message))
	// The record's own come first, and those of the connection after them: user=U host=H.
	r.Attrs(func(a slog.Attr) bool {
		h.append(&b, a)
		return true
	})
	b.WriteString(h.attrs + "\n")
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := io.WriteString(h.w, b.String())
	return err
}

func (h *lineHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	var b strings.Builder
	for _, a := range attrs {
		h.append(&b, a)
	}
	with := *h
	with.attrs += b.String()
	return &with
}

func (h *lineHandler) WithGroup(name string) slog.Handler {
	with := *h
	with.prefix += name + "."
	return &with
}

func (h *lineHandler) append(b *strings.Builder, a slog.Attr) {
	v := a.Value.Resolve()
	if a.Equal(slog.Attr{}) {
		return
	}
	if v.Kind() == slog.KindGroup {
		in := *h
		if a.Key != "" {
			in.prefix += a.Key + "."
		}
		for _, member := range v.Group() {
			in.append(b, member)
		}
		return
	}
	b.WriteString(" " + h.prefix + a.Key + "=" + quoted(text(v)))
}

func text(v slog.Value) string {
	switch x := v.Any().(type) {
	case time.Time:
		return x.UTC().Format(time.RFC3339Nano)
	case error:
		return x.Error()
	}
	return fmt.Sprint(v.Any())
}

// quoted leaves plain words alone and quotes everything else, so that neither a blank nor an equals
// sign nor a line end of a value looks like one of ours.
func quoted(s string) string {
	if s == "" || strings.ContainsFunc(s, unsafe) {
		return strconv.QuoteToASCII(s)
	}
	return s
}

func unsafe(r rune) bool { return r <= ' ' || r >= 0x7f || r == '"' || r == '=' || r == '\\' }

// oneLine is for messages, which are our own words and may have blanks.
func oneLine(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r >= 0x7f }) {
		return strconv.QuoteToASCII(s)
	}
	return s
}
