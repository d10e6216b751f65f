package session

import (
	"context"
	"slices"
	"strings"

	"spoold/backend/wire"
	"spoold/mboxstore"
)

var errReadOnly = &Refusal{Code: "READ-ONLY", Text: "The mailbox is selected read-only"}

// StoreFlags changes the flags of the messages of nums (from Resolve), and calls echo for each unless it is nil, which
// is the .SILENT form. The result is ErrMissing when some of them are no longer there.
func (s *Session) StoreFlags(ctx context.Context, nums wire.Set, op mboxstore.StoreOp, echo func(*Row) error) error {
	v := s.view
	if v.readOnly {
		return errReadOnly
	}
	if echo == nil {
		return v.storeSilent(ctx, nums, op)
	}
	if err := v.box.Store(ctx, v.num.list(nums), op); err != nil {
		return err
	}
	if len(op.Keywords) > 0 && s.out != nil && v.box.Changes(v.modseq).Keywords {
		if err := v.tellKeywords(wireTeller{s.out}); err != nil {
			return err
		}
	}
	var rows Rows
	if err := s.FetchRows(ctx, nums, &rows, echo); err != nil {
		return err
	}
	return missingError(rows.missing)
}

func missingError(missing bool) error {
	if missing {
		return ErrMissing
	}
	return nil
}

// storeBatch bounds the copies that storeSilent compares.
const storeBatch = 4096

// storeSilent is STORE of a client that says: I know what comes of it. It does so only for messages whose flags it knew,
// and that nobody else changed at the same time; all others are told with the next news.
func (v *View) storeSilent(ctx context.Context, nums wire.Set, op mboxstore.StoreOp) error {
	missing := false
	var before []mboxstore.Message
	for uids := range slices.Chunk(v.num.list(nums), storeBatch) {
		before = v.box.Get(uids, before[:0])
		if err := v.box.Store(ctx, uids, op); err != nil {
			return err
		}
		v.rows = v.box.Get(uids, v.rows[:0])
		v.learn(before, v.rows, op)
		missing = missing || len(v.rows) < len(uids)
	}
	return missingError(missing)
}

func (v *View) learn(before, after []mboxstore.Message, op mboxstore.StoreOp) {
	for i := range after {
		m := &after[i]
		for len(before) > 0 && before[0].UID < m.UID {
			before = before[1:]
		}
		if len(before) == 0 || before[0].UID != m.UID {
			continue
		}
		knew := before[0].ModSeq <= v.modseq || v.knows(&before[0])
		if knew && expected(&before[0], m, op) {
			v.know(m.UID, m.ModSeq)
		}
	}
}

// expected reports whether op alone makes after of before.
func expected(before, after *mboxstore.Message, op mboxstore.StoreOp) bool {
	flags, words := op.Flags, op.Keywords
	switch op.Mode {
	case mboxstore.StoreSet:
	case mboxstore.StoreAdd:
		flags |= before.Flags
		words = slices.Concat(before.Keywords, words)
	case mboxstore.StoreRemove:
		flags = before.Flags &^ flags
		words = slices.DeleteFunc(slices.Clone(before.Keywords), func(w string) bool { return hasWord(op.Keywords, w) })
	}
	return (flags^after.Flags)&^mboxstore.FlagOld == 0 && within(words, after.Keywords) && within(after.Keywords, words)
}

func within(words, list []string) bool {
	return !slices.ContainsFunc(words, func(w string) bool { return !hasWord(list, w) })
}

func hasWord(list []string, word string) bool {
	return slices.ContainsFunc(list, func(w string) bool { return strings.EqualFold(w, word) })
}
