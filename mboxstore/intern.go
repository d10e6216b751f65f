package mboxstore

import (
	"strings"
	"sync"
)

// interner keeps one copy of each list of keywords, since thousands of messages have the same few.
type interner struct {
	mu    sync.Mutex
	lists map[string][]string
}

func (n *interner) list(words []string) []string {
	if len(words) == 0 {
		return nil
	}
	key := strings.Join(words, " ")
	n.mu.Lock()
	defer n.mu.Unlock()
	if l, ok := n.lists[key]; ok {
		return l
	}
	if n.lists == nil {
		n.lists = map[string][]string{}
	}
	l := strings.Split(strings.Clone(key), " ")
	n.lists[key] = l
	return l
}
