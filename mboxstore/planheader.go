package mboxstore

// planHeader writes the header of r with status headers that say what the index says.
func (w *planner) planHeader(r *record, carries bool) error {
	h, err := w.readHeader(r)
	if err != nil {
		return err
	}
	n := w.replaceStatus(h, r, carries)
	w.out.copy(r.header(), r.header()+n.at)
	w.out.replace(r.header()+n.at, h[n.at:n.at+n.old], n.with)
	w.out.copy(r.header()+n.at+n.old, r.body())
	r.rewritten(n)
	return nil
}

// rewritten notes that the header says now what the index says.
func (r *record) rewritten(n headerEdit) {
	r.hdrLen += int32(int64(len(n.with)) - n.old)
	r.intOff, r.intLen, r.split, r.blank = n.intOff, n.intLen, false, true
	r.onFile = fileState{flags: r.Flags, keywords: r.Keywords, uid: r.UID}
	r.bogus, r.stray = false, false
}

// headerEdit replaces old octets of a header at an offset.
type headerEdit struct {
	at, old        int64
	with           []byte
	intOff, intLen int32
}

// replaceStatus makes the header say what the index says, in place where it fits.
func (w *planner) replaceStatus(h []byte, r *record, carries bool) headerEdit {
	st := StatusBlock{Flags: r.Flags, Keywords: r.Keywords, UID: r.UID}
	if carries {
		b := w.base
		st.Base = &b
	}
	if r.blank && !r.split {
		at, n := int(r.intOff), int(r.intLen)
		if n == 0 {
			at = len(h) - blankLen(h)
		}
		room := n
		if w.squeeze {
			room = 0
		}
		lines := w.fill(r, st, statusLines(st, room), n)
		return headerEdit{at: int64(at), old: int64(n), with: lines, intOff: int32(at), intLen: int32(len(lines))}
	}
	with := AppendRetained(nil, h)
	off := len(with)
	lines := w.fill(r, st, statusLines(st, len(h)-off-1), len(h)-off-1)
	with = append(append(with, lines...), '\n')
	return headerEdit{old: int64(len(h)), with: with, intOff: int32(off), intLen: int32(len(lines))}
}

func blankLen(h []byte) int {
	n := 1
	for n < len(h) && h[len(h)-n-1] == '\r' {
		n++
	}
	return n
}

// statusLines makes UW's block, without its blank line, of exactly room octets when it fits.
func statusLines(st StatusBlock, room int) []byte {
	least := AppendStatusBlock(nil, st, 0)
	least = least[:len(least)-1]
	if pad := room - len(least); pad >= 0 {
		return trimBlank(AppendStatusBlock(nil, st, pad))
	}
	b := trimBlank(AppendStatusBlock(nil, st, -1))
	if st.Base != nil && len(b)-len(least) < spareFirst {
		b = trimBlank(AppendStatusBlock(nil, st, spareFirst))
	}
	return b
}

func trimBlank(block []byte) []byte { return block[:len(block)-1] }
