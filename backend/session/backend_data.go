package session

import (
	"context"
	"slices"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"

	"spoold/backend/wire"
	"spoold/mboxstore"
)

// The imapserver callbacks that carry message data. On spoold's own connections package command does this work with
// its own parser and encoder; these are for a plain imapserver.Server, within what its types can hold.

// resolveSet turns imapserver's set into message numbers. Its ranges are as they were written.
func (s *Session) resolveSet(set imap.NumSet) (wire.Set, error) {
	switch set := set.(type) {
	case imap.UIDSet:
		return s.Resolve(uidSet(set), true)
	case imap.SeqSet:
		return s.Resolve(seqSet(set), false)
	}
	return nil, errNotSelected
}

func seqSet(set imap.SeqSet) wire.Set {
	out := make(wire.Set, len(set))
	for i, r := range set {
		out[i] = wire.Range{Start: r.Start, Stop: r.Stop}
	}
	return out
}

func uidSet(set imap.UIDSet) wire.Set {
	out := make(wire.Set, len(set))
	for i, r := range set {
		out[i] = wire.Range{Start: uint32(r.Start), Stop: uint32(r.Stop)}
	}
	return out
}

// List answers LIST and LSUB. Names that are not modified UTF-7 cannot be told through imapserver, which takes UTF-8.
func (s *Session) List(w *imapserver.ListWriter, ref string, patterns []string, options *imap.ListOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(patterns) == 0 {
		return w.WriteList(&imap.ListData{Attrs: []imap.MailboxAttr{imap.MailboxAttrNoSelect}, Delim: delimiter})
	}
	req := ListRequest{
		Reference: wire.EncodeMUTF7(ref), Subscribed: options.SelectSubscribed,
		RecursiveMatch: options.SelectRecursiveMatch, ReturnSubscribed: options.ReturnSubscribed,
	}
	for _, p := range patterns {
		req.Patterns = append(req.Patterns, wire.EncodeMUTF7(p))
	}
	return s.imapError("LIST", s.ListFolders(context.Background(), req, func(e ListEntry) error {
		name, err := wire.DecodeMUTF7(e.Name)
		if err != nil || !wire.CanonicalMUTF7(e.Name) {
			return nil
		}
		return w.WriteList(s.listData(name, e, options))
	}))
}

func (s *Session) listData(name string, e ListEntry, options *imap.ListOptions) *imap.ListData {
	d := &imap.ListData{Delim: delimiter, Mailbox: name}
	for _, a := range e.Attrs {
		d.Attrs = append(d.Attrs, imap.MailboxAttr(a))
	}
	if len(e.ChildInfo) > 0 {
		d.ChildInfo = &imap.ListDataChildInfo{Subscribed: true}
	}
	if options.ReturnStatus != nil && e.Mailbox {
		if st, err := s.FolderStatus(context.Background(), e.Name); err == nil {
			d.Status = statusData(name, st)
		}
	}
	return d
}

// Status answers STATUS.
func (s *Session) Status(mailbox string, _ *imap.StatusOptions) (*imap.StatusData, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := s.FolderStatus(context.Background(), s.raw(0, mailbox))
	if err != nil {
		return nil, s.imapError("STATUS", err)
	}
	return statusData(mailbox, st), nil
}

func statusData(name string, st mboxstore.Status) *imap.StatusData {
	num := func(n int) *uint32 { u := uint32(n); return &u }
	return &imap.StatusData{
		Mailbox: name, NumMessages: num(st.Messages), NumRecent: num(st.Recent), NumUnseen: num(st.Unseen),
		NumDeleted: num(st.Deleted), Size: &st.Size, UIDNext: imap.UID(st.UIDNext), UIDValidity: st.UIDValidity,
		DeletedStorage: new(int64),
	}
}

// Append puts a message into a mailbox.
func (s *Session) Append(mailbox string, r imap.LiteralReader, options *imap.AppendOptions) (*imap.AppendData, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	flags, keywords, err := ParseFlags(flagNames(options.Flags))
	if err != nil {
		return nil, s.imapError("APPEND", err)
	}
	t, err := s.OpenTarget(context.Background(), s.raw(0, mailbox))
	if err != nil {
		return nil, s.imapError("APPEND", err)
	}
	defer t.Close()
	msg := mboxstore.NewMessage{Text: r, Date: options.Time, Flags: flags, Keywords: keywords}
	validity, uid, err := t.Append(context.Background(), msg)
	if err != nil {
		return nil, s.imapError("APPEND", err)
	}
	return &imap.AppendData{UIDValidity: validity, UID: imap.UID(uid)}, nil
}

func flagNames(flags []imap.Flag) []string {
	names := make([]string, len(flags))
	for i, f := range flags {
		names[i] = string(f)
	}
	return names
}

// AppendLimit is the largest message that APPEND takes.
func (s *Session) AppendLimit() uint32 {
	if s.cfg.AppendLimit <= 0 {
		return 1<<32 - 1
	}
	return uint32(min(s.cfg.AppendLimit, 1<<32-1))
}

// Store changes flags.
func (s *Session) Store(w *imapserver.FetchWriter, numSet imap.NumSet, flags *imap.StoreFlags, _ *imap.StoreOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	bits, keywords, err := ParseFlags(flagNames(flags.Flags))
	if err != nil {
		return s.imapError("STORE", err)
	}
	nums, err := s.resolveSet(numSet)
	if err != nil {
		return s.imapError("STORE", err)
	}
	op := mboxstore.StoreOp{Mode: storeMode(flags.Op), Flags: bits, Keywords: keywords}
	var echo func(*Row) error
	if !flags.Silent {
		_, byUID := numSet.(imap.UIDSet)
		echo = func(r *Row) error { return writeRow(w, r, &imap.FetchOptions{Flags: true, UID: byUID}) }
	}
	return s.imapError("STORE", s.StoreFlags(context.Background(), nums, op, echo))
}

func storeMode(op imap.StoreFlagsOp) mboxstore.StoreMode {
	switch op {
	case imap.StoreFlagsAdd:
		return mboxstore.StoreAdd
	case imap.StoreFlagsDel:
		return mboxstore.StoreRemove
	}
	return mboxstore.StoreSet
}

// Copy copies messages.
func (s *Session) Copy(numSet imap.NumSet, dest string) (*imap.CopyData, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	nums, err := s.resolveSet(numSet)
	if err != nil {
		return nil, s.imapError("COPY", err)
	}
	c, err := s.CopyTo(context.Background(), nums, s.raw(0, dest))
	if err != nil || len(c.From) == 0 { // imapserver cannot write an empty COPYUID
		return nil, s.imapError("COPY", err)
	}
	return copyData(c), nil
}

func copyData(c Copied) *imap.CopyData {
	return &imap.CopyData{UIDValidity: c.UIDValidity, SourceUIDs: imapUIDs(c.From), DestUIDs: imapUIDs(c.To)}
}

// imapUIDs keeps the order: the n-th UID of one set belongs to the n-th of the other.
func imapUIDs(uids []mboxstore.UID) imap.UIDSet {
	var set imap.UIDSet
	for _, r := range wire.SetOf(uids) {
		set = append(set, imap.UIDRange{Start: imap.UID(r.Start), Stop: imap.UID(r.Stop)})
	}
	return set
}

// Move moves messages.
func (s *Session) Move(w *imapserver.MoveWriter, numSet imap.NumSet, dest string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	nums, err := s.resolveSet(numSet)
	if err != nil {
		return s.imapError("MOVE", err)
	}
	copied := func(c Copied) error { return w.WriteCopyData(copyData(c)) }
	return s.imapError("MOVE", s.MoveTo(context.Background(), nums, s.raw(0, dest), copied, w.WriteExpunge))
}

// Fetch sends message data.
func (s *Session) Fetch(w *imapserver.FetchWriter, numSet imap.NumSet, options *imap.FetchOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	nums, err := s.resolveSet(numSet)
	if err != nil {
		return s.imapError("FETCH", err)
	}
	rows := &Rows{MarkSeen: slices.ContainsFunc(options.BodySection, func(b *imap.FetchItemBodySection) bool {
		return !b.Peek
	})}
	err = s.FetchRows(context.Background(), nums, rows, func(r *Row) error { return writeRow(w, r, options) })
	if err == nil {
		err = missingError(rows.missing)
	}
	return s.imapError("FETCH", err)
}

// Search finds messages.
func (s *Session) Search(kind imapserver.NumKind, criteria *imap.SearchCriteria, _ *imap.SearchOptions) (*imap.SearchData, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.view == nil {
		return nil, s.imapError("SEARCH", errNotSelected)
	}
	node, err := s.searchNode(criteria)
	if err != nil {
		return nil, s.imapError("SEARCH", err)
	}
	nums, err := s.Find(context.Background(), node, func(int, int) error { return nil })
	if err != nil {
		return nil, s.imapError("SEARCH", err)
	}
	return s.searchData(kind, nums), nil
}

func (s *Session) searchData(kind imapserver.NumKind, nums []uint32) *imap.SearchData {
	if kind == imapserver.NumKindUID {
		for i, n := range nums {
			nums[i] = s.view.UID(n)
		}
	}
	d := &imap.SearchData{Count: uint32(len(nums))}
	if len(nums) > 0 {
		d.Min, d.Max = nums[0], nums[len(nums)-1]
	}
	if kind == imapserver.NumKindUID {
		d.All = imapUIDs(nums)
		return d
	}
	var all imap.SeqSet
	for _, r := range wire.SetOf(nums) {
		all = append(all, imap.SeqRange{Start: r.Start, Stop: r.Stop})
	}
	d.All = all
	return d
}
