package sortthread

// mergeSubjects is step (5): threads of the same subject become one, for the
// sake of programs that answer without References.
func (b *builder) mergeSubjects() {
	top := roots(b.msgs, b.order, b.parent) // (4): in the order of their dates
	subject := b.threadSubjects()
	table := map[string]int32{}
	for _, cur := range top { // (B)
		s := b.msgs[subject[cur]-1].Subject
		if s == "" {
			continue
		}
		old := table[s]
		if old == 0 || !b.isDummy(old) && (b.isDummy(cur) || b.isReply(old) && !b.isReply(cur)) {
			table[s] = cur
		}
	}
	merged := map[int32]int32{} // dummies whose children went to another
	for _, cur := range top {   // (C)
		s := b.msgs[subject[cur]-1].Subject
		old := table[s]
		switch {
		case s == "" || old == cur:
		case b.isDummy(cur): // then old is one as well: (B) prefers dummies
			merged[cur] = old
		case b.isDummy(old) || b.isReply(cur) && !b.isReply(old):
			b.parent[cur] = old
		default:
			both := b.add()
			b.parent[cur], b.parent[old] = both, both
			table[s] = both
		}
	}
	for n := 1; n <= len(b.msgs) && len(merged) > 0; n++ {
		if to := merged[b.parent[n]]; to != 0 {
			b.parent[n] = to
		}
	}
}

// threadSubjects finds the message whose subject is that of a thread: its root
// or, of a dummy, the first child.
func (b *builder) threadSubjects() []int32 {
	of := make([]int32, len(b.parent))
	for _, m := range b.order {
		of[m] = m
		if p := b.parent[m]; b.isDummy(p) && of[p] == 0 {
			of[p] = m
		}
	}
	return of
}

func (b *builder) isReply(m int32) bool { return !b.isDummy(m) && b.msgs[m-1].Reply }
