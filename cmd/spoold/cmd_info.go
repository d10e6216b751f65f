package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"text/tabwriter"

	"spoold/mboxstore"

	"github.com/spf13/cobra"
)

const infoHelp = `Tell what is in a mailbox file, as the file itself says it: messages with their
UIDs, flags, keywords, offsets and sizes. Nothing is locked or written, so a
file that changes meanwhile may be shown half old and half new. A message
without UID gets one when it is first served.

` + exitHelp

func newInfo(std stdio) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "info FILE",
		Short: "tell what is in a mailbox file",
		Long:  infoHelp,
		Args:  cobra.ExactArgs(1),
		RunE:  func(_ *cobra.Command, args []string) error { return runInfo(args[0], asJSON, std.out) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// mailboxInfo is what info tells of a file.
type mailboxInfo struct {
	Path        string        `json:"path"`
	Size        int64         `json:"size"`
	UIDValidity uint32        `json:"uidvalidity"`
	UIDLast     uint32        `json:"uidlast"`
	Keywords    []string      `json:"keywords"`
	Pseudo      bool          `json:"pseudo"` // UW-IMAP's internal message comes first
	Messages    []messageInfo `json:"messages"`
}

type messageInfo struct {
	UID      uint32   `json:"uid"`
	Flags    []string `json:"flags"`
	Keywords []string `json:"keywords"`
	Offset   int64    `json:"offset"` // of the From_ line
	Length   int64    `json:"length"` // in the file
	Size     int64    `json:"size"`   // as IMAP tells it
}

func runInfo(path string, asJSON bool, out io.Writer) error {
	info, err := readInfo(path)
	if err != nil {
		return err
	}
	if !asJSON {
		return info.print(out)
	}
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return enc.Encode(info)
}

func readInfo(path string) (_ *mailboxInfo, err error) {
	// A FIFO would keep us waiting for somebody who writes to it.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, &exitError{exNoInput, err}
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	st, err := f.Stat()
	if err != nil {
		return nil, &exitError{exNoInput, err}
	}
	if !st.Mode().IsRegular() {
		return nil, &exitError{exNoInput, fmt.Errorf("%s: not a regular file", path)}
	}
	info := &mailboxInfo{Path: path, Size: st.Size(), Keywords: []string{}, Messages: []messageInfo{}}
	_, err = mboxstore.Scan(f, 0, st.Size(), func(sp mboxstore.Span) error { return info.add(f, sp) })
	if err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	if errors.Is(err, mboxstore.ErrNotMbox) {
		err = &exitError{exDataErr, err}
	}
	return info, err
}

// add takes in one message; the first may be UW-IMAP's pseudo message.
func (m *mailboxInfo) add(r io.ReaderAt, sp mboxstore.Span) error {
	s := sp.Header.Status
	if s.Base != nil && m.UIDValidity == 0 && len(m.Messages) == 0 {
		m.UIDValidity, m.UIDLast, m.Keywords = s.Base.UIDValidity, s.Base.LastUID, append(m.Keywords, s.Base.Keywords...)
	}
	if sp.Off == 0 && s.Pseudo {
		header := make([]byte, sp.HeaderLen)
		if _, err := r.ReadAt(header, sp.Off+int64(sp.FromLen)); err != nil {
			return err
		}
		if m.Pseudo = mboxstore.IsPseudo(sp.From, header); m.Pseudo {
			return nil
		}
	}
	m.Messages = append(m.Messages, messageInfo{
		UID: s.UID, Flags: flagNames(s.Flags), Keywords: append([]string{}, s.Keywords...),
		Offset: sp.Off, Length: sp.Next - sp.Off, Size: sp.ServedSize,
	})
	return nil
}

func flagNames(f mboxstore.Flags) []string {
	names := []string{}
	for _, n := range [...]struct {
		flag mboxstore.Flags
		name string
	}{
		{mboxstore.FlagSeen, `\Seen`},
		{mboxstore.FlagAnswered, `\Answered`},
		{mboxstore.FlagFlagged, `\Flagged`},
		{mboxstore.FlagDeleted, `\Deleted`},
		{mboxstore.FlagDraft, `\Draft`},
	} {
		if f&n.flag != 0 {
			names = append(names, n.name)
		}
	}
	if f&mboxstore.FlagOld == 0 {
		names = append(names, `\Recent`)
	}
	return names
}

func (m *mailboxInfo) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	pseudo := ""
	if m.Pseudo {
		pseudo = ", pseudo message"
	}
	_, err := fmt.Fprintf(w, "%s: %d messages, %d bytes, UIDVALIDITY %d, last UID %d%s\n",
		m.Path, len(m.Messages), m.Size, m.UIDValidity, m.UIDLast, pseudo)
	if err != nil {
		return err
	}
	if len(m.Messages) > 0 {
		if _, err := fmt.Fprintln(w, "#\tUID\toffset\tlength\tsize\tflags"); err != nil {
			return err
		}
	}
	for i, msg := range m.Messages {
		flags := strings.Join(append(append([]string{}, msg.Flags...), msg.Keywords...), " ")
		_, err := fmt.Fprintf(w, "%d\t%s\t%d\t%d\t%d\t%s\n", i+1, orDash(msg.UID), msg.Offset, msg.Length, msg.Size, flags)
		if err != nil {
			return err
		}
	}
	return w.Flush()
}

func orDash(uid uint32) string {
	if uid == 0 {
		return "-"
	}
	return fmt.Sprint(uid)
}
