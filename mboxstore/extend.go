package mboxstore

import (
	"bytes"
	"errors"

	"spoold/spool"
)

// extend makes room at the end of the mailbox: step 2.
func (j *journal) extend(f spool.File, p *planFile) error {
	err := f.Truncate(p.extSize)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = p.fillUp(f)
	}
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		return j.takeBack(f, p, err)
	}
	if err := p.mark(recExtended, j.keeps(ruleExtended)); err != nil {
		return errors.Join(ErrPending, err)
	}
	return nil
}

func (p *planFile) fillUp(f spool.File) error {
	lfs := bytes.Repeat([]byte{'\n'}, int(min(p.piece(), p.extSize-p.layout.oldSize)))
	for off := p.layout.oldSize; off < p.extSize; off += int64(len(lfs)) {
		lfs = lfs[:min(int64(len(lfs)), p.extSize-off)]
		if _, err := f.WriteAt(lfs, off); err != nil {
			return err
		}
	}
	return nil
}

// takeBack undoes an extension that went wrong because of err.
func (j *journal) takeBack(f spool.File, p *planFile, err error) error {
	info, serr := f.Stat()
	if serr != nil || info.Size > p.extSize {
		return errors.Join(ErrPending, err, serr)
	}
	if info.Size > p.layout.oldSize {
		if terr := cutFile(f, p.layout.oldSize); terr != nil {
			return errors.Join(ErrPending, err, terr)
		}
	}
	return errors.Join(err, j.drop(f, p))
}
