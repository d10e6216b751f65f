package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestLogLines(t *testing.T) {
	for _, tt := range []struct {
		name string
		log  func(*slog.Logger)
		want string
	}{
		{"as fail2ban reads it", func(l *slog.Logger) {
			l.With("host", "[192.0.2.1]").Warn("Login failed", "user", "bob", "auth", "bob")
		}, "WARN Login failed user=bob auth=bob host=[192.0.2.1]"},
		{"values of strangers", func(l *slog.Logger) {
			l.Info("x", "a", "b c=d", "e", "line\nend", "f", `q"q`, "g", "", "h", "ü", "i", `\`)
		}, `INFO x a="b c=d" e="line\nend" f="q\"q" g="" h="\u00fc" i="\\"`},
		{"kinds", func(l *slog.Logger) {
			l.Error("x", "n", 5, "d", time.Second, "err", errors.New("no"), "t", time.Unix(0, 0), "nil", nil)
		}, "ERROR x n=5 d=1s err=no t=1970-01-01T00:00:00Z nil=<nil>"},
		{"groups", func(l *slog.Logger) {
			l.WithGroup("g").Info("x", "a", 1, slog.Group("h", "b", 2), slog.Group("", "c", 3))
		}, "INFO x g.a=1 g.h.b=2 g.c=3"},
		{"message with a line end", func(l *slog.Logger) { l.Info("a\nb") }, `INFO "a\nb"`},
		{"debug is off", func(l *slog.Logger) { l.Debug("x") }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b bytes.Buffer
			tt.log(newLog(&b, false))
			_, got, _ := strings.Cut(strings.TrimSuffix(b.String(), "\n"), " ")
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("line (-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzLog: whatever the values are, a record is one line, and its parts can be told apart.
func FuzzLog(f *testing.F) {
	f.Add("user", "bob")
	f.Add("a b", "x\r\n2026-11-22T00:00:00Z WARN Login failed")
	f.Fuzz(func(t *testing.T, message, value string) {
		var b bytes.Buffer
		h := newLog(&b, true).Handler()
		r := slog.NewRecord(time.Unix(0, 0), slog.LevelInfo, message, 0)
		r.AddAttrs(slog.String("user", value), slog.String("auth", "end"))
		if err := h.Handle(context.Background(), r); err != nil {
			t.Fatal(err)
		}
		line, ok := strings.CutSuffix(b.String(), " auth=end\n")
		if !ok || strings.ContainsAny(line, "\r\n\x00") {
			t.Fatalf("%q", b.String())
		}
		_, word, ok := strings.Cut(line, " user=")
		if plain := !strings.Contains(message, "user="); plain && (!ok || !strings.HasPrefix(word, `"`) && word != value) {
			t.Fatalf("value %q became %q", value, word)
		}
	})
}
