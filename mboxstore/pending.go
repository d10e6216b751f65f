package mboxstore

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"spoold/spool"
)

// A mailbox that is being rewritten carries an extended attribute that names the plan, so that whoever finds it without
// the journal (another state directory, a lost one, a copy of the mailbox) does not take it for whole.
//
// The attribute is set when the plan is in force and before a byte is written, and is gone, durably, before the plan's
// file is removed: so it never stays behind without a plan. Neither costs a sync. Its setting is durable with the
// mailbox's next fsync: a kill always finds it, a power cut in the first moments of a rewrite may not. Its removal rides
// on the fsync after the last bytes are cut off or taken out, or, where nothing is to be cut, on that after the last
// window; in the latter case a power cut in that fsync may leave neither attribute nor all bytes, and only the journal
// knows of it.
//
// On a full disk the removal may fail (XFS, btrfs). The plan then stays until a replay finds room for it; with record T
// and the file cut nothing else is left to do.
//
// It is a second line behind the journal. Where it cannot be set, that is all.

// ErrElsewhere: a change of the mailbox is unfinished, and the journal that could finish it is not here.
var ErrElsewhere = errors.New("a change is unfinished and its journal is missing")

// attribute is what the mailbox says: the name of the plan's file without suffix.
func (n planName) attribute() string { return strings.TrimSuffix(n.String(), planSuffix) }

// announce sets the attribute for a plan in force.
func (j *journal) announce(f spool.File, p *planFile) {
	if err := f.SetPending(p.name.attribute()); err != nil {
		j.log.Debug("unfinished change not marked at the mailbox", "path", j.path, "err", err)
	}
	if err := f.SetLayout(rand.Text()[:layoutName]); err != nil {
		j.log.Debug("layout not named at the mailbox", "path", j.path, "err", err)
	}
}

// withdrawAndSync removes the attribute and makes that durable with all else. One that cannot be removed for want of
// space is left to complete.
func withdrawAndSync(f spool.File) error {
	if _, err := unset(f); err != nil && !refused(err) {
		return err
	}
	return f.Sync()
}

// unset removes the attribute, and says whether it was there.
func unset(f spool.File) (was bool, err error) {
	if id, err := f.Pending(); err != nil || id == "" {
		return false, nil // where it cannot be read it could not be set
	}
	return true, f.SetPending("")
}

// syncWindows makes the windows durable. What is not cut afterwards is finished with that.
func (j *journal) syncWindows(f spool.File, p *planFile) error {
	if p.gap() > 0 || len(p.layout.dead()) > 0 {
		if !j.keeps(ruleAllWritten) {
			return nil
		}
		return f.Datasync()
	}
	return withdrawAndSync(f)
}

// complete retires p, and the attribute unless next has it now.
func (j *journal) complete(f spool.File, p, next *planFile) error {
	if next == nil {
		if err := p.withdraw(f); err != nil {
			return errors.Join(err, p.f.Close())
		}
	}
	return j.retire(p, false)
}

// withdraw removes the attribute durably, which costs nothing when it has gone already. The slots are not needed any
// more, so they make room where there is none.
func (p *planFile) withdraw(f spool.File) error {
	err := withdraw(f)
	if refused(err) {
		if cut := p.dropSlots(); cut != nil {
			return errors.Join(err, cut)
		}
		err = withdraw(f)
	}
	return err
}

// dropSlots gives back the room of the windows, when all are durable.
func (p *planFile) dropSlots() error { return p.f.Truncate(p.slotAt(0)) }

func withdraw(f spool.File) error {
	was, err := unset(f)
	if !was {
		return err
	}
	return errors.Join(err, f.Sync())
}

// drop removes a plan that was taken back, durably.
func (j *journal) drop(f spool.File, p *planFile) error {
	if err := p.withdraw(f); err != nil {
		return err
	}
	return errors.Join(j.dir.Remove(p.name.String()), j.dir.Sync())
}

// explain reports a mailbox that says of itself that it is unfinished while the journal has nothing to finish it with:
// ErrElsewhere. A plan of a later generation explains it, too: it has taken the place of the one named.
func (j *journal) explain(f spool.File) error {
	attribute, err := f.Pending()
	if err != nil || attribute == "" {
		return err
	}
	id, s, _ := strings.Cut(attribute, ".")
	gen, err := strconv.ParseUint(s, 16, 64)
	if j.dir != nil && err == nil {
		plans, err := j.plans()
		if err != nil {
			return err
		}
		for _, n := range plans {
			if n.id == id && n.gen >= gen && !n.tmp {
				return nil
			}
		}
	}
	return fmt.Errorf("%s: %w: the extended attribute %s is %q; start spoold with the state directory that has the journal of this name, or look at the mailbox with \"spoold check\" and mend it with \"spoold repair\"",
		j.path, ErrElsewhere, spool.PendingAttr, attribute)
}
