package mboxstore

import "sync"

// news tells listeners that the index has changed.
type news struct {
	mu        sync.Mutex
	listeners map[chan struct{}]struct{}
}

// Notify gives a channel that receives a token after the mailbox changed (Changes says how); tokens do not pile up.
func (m *Mailbox) Notify() (ch <-chan struct{}, cancel func()) {
	c := make(chan struct{}, 1)
	m.news.mu.Lock()
	defer m.news.mu.Unlock()
	if m.news.listeners == nil {
		m.news.listeners = map[chan struct{}]struct{}{}
	}
	m.news.listeners[c] = struct{}{}
	return c, func() {
		m.news.mu.Lock()
		defer m.news.mu.Unlock()
		delete(m.news.listeners, c)
	}
}

func (n *news) tell() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.listeners {
		select {
		case c <- struct{}{}:
		default: // a token is waiting already
		}
	}
}
