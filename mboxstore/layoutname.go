package mboxstore

// Another spoold with another state directory (spoold stdio beside spoold serve, repair, compact) may move messages, and
// mail may be delivered after that, until the file is longer than it was and the messages at its ends are where they
// were: it looks as if it had only grown. So every change that moves messages first gives the layout a new name, in an
// extended attribute, and a mailbox whose layout has another name is read from its start. Where there are no attributes,
// and for an index that comes from the cache, the messages at the ends have to do; what they do not tell, the next recheck does.

// layoutName is how long a name is, so that it has room beside the inode: 50 bits at random.
const layoutName = 10

// layoutSeen is the name of the layout that the index knows.
type layoutSeen struct {
	known bool
	name  string
}

// seeLayout takes note that the index is what the file has now. The caller holds op and the locks.
func (m *Mailbox) seeLayout() {
	name, err := m.file.Layout()
	m.layout = layoutSeen{known: err == nil, name: name}
}

// sameLayout reports whether nobody has moved messages since, as far as that can be told.
func (m *Mailbox) sameLayout() bool {
	name, err := m.file.Layout()
	return err == nil && (!m.layout.known || name == m.layout.name)
}
