package mboxstore

import "strings"

// interner keeps one copy of each list of keywords, since thousands of messages have the same few.
type interner struct {
	lists map[string][]string
}

func (n *interner) list(words []string) []string {
	if len(words) == 0 {
		return nil
	}
	key := strings.Join(words, " ")
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
