package mboxstore

import (
	"bytes"
	"strings"
	"sync"
)

// interner keeps one copy of each list of keywords, since thousands of messages have the same few.
type interner struct {
	mu    sync.Mutex
	lists map[string][]string // by their words, and by X-Keywords: lines as they stand
	lines int
}

const (
	maxInternedLines = 1024    // beyond that, lines are split anew; a sender could make any number of them
	longestInterned  = 1 << 10 // of such a line
)

// list gives the copy of words.
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
	l := strings.Split(strings.Clone(key), " ")
	n.keep(key, l)
	return l
}

// line gives the keywords of an X-Keywords: line. A nil interner shares nothing.
func (n *interner) line(value []byte) []string {
	value = bytes.TrimLeft(value, " \t")
	if len(value) == 0 {
		return nil
	}
	if n == nil {
		return splitKeywords(value)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if l, ok := n.lists[string(value)]; ok {
		return l
	}
	l := splitKeywords(value)
	if n.lines < maxInternedLines && len(value) < longestInterned {
		n.lines++
		n.keep(string(value), l)
	}
	return l
}

func (n *interner) keep(key string, l []string) {
	if n.lists == nil {
		n.lists = map[string][]string{}
	}
	n.lists[key] = l
}
