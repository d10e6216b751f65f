package faultfs

import "golang.org/x/sys/unix"

const markRoom = 1024 // that a change of the attribute needs, and a collapse

// SetPending is one operation. What it sets is durable after the next Sync; Datasync does not care for it. On a full
// disk it fails, as on XFS, also when it is to remove the attribute.
func (f *file) SetPending(id string) error {
	defer f.disk.mu.Unlock()
	if err := f.use("set pending", true); err != nil {
		return err
	}
	if err := f.disk.must("set pending %s %q", f.name, id); err != nil {
		return f.wrap("set pending", err)
	}
	if f.disk.room(f.n) < int64(len(f.n.cur))+markRoom && id != f.n.mark {
		f.disk.note("no space for it")
		return f.wrap("set pending", unix.ENOSPC)
	}
	f.n.mark = id
	f.n.c = f.disk.tick()
	return nil
}

// Pending returns what SetPending set.
func (f *file) Pending() (string, error) {
	defer f.disk.mu.Unlock()
	if err := f.use("get pending", false); err != nil {
		return "", err
	}
	return f.n.mark, nil
}

// SetLayout is no operation: nothing on the disk depends on it.
func (f *file) SetLayout(id string) error {
	defer f.disk.mu.Unlock()
	if err := f.use("set layout", true); err != nil {
		return err
	}
	f.n.layout, f.n.c = id, f.disk.tick()
	return nil
}

// Layout returns what SetLayout set.
func (f *file) Layout() (string, error) {
	defer f.disk.mu.Unlock()
	if err := f.use("get layout", false); err != nil {
		return "", err
	}
	return f.n.layout, nil
}

// markAfterPowerCut leaves what the disk has.
func (n *node) markAfterPowerCut(survives func() bool) {
	if n.mark != n.durableMark && survives() {
		n.durableMark = n.mark
	}
	n.mark = n.durableMark
}
