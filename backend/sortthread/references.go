package sortthread

import (
	"cmp"
	"slices"
)

// The steps are numbered as in RFC 5256 section 3 for REFERENCES. Messages are
// nodes 1 to n, the dummies follow; a tree is nothing but the parent of each
// node until the end. Siblings are always wanted by sent date, so that the
// messages are sorted once, and every list of siblings is made in that order.

// References is THREAD=REFERENCES.
func References(msgs []Message) *Thread {
	b := link(msgs)
	b.prune()
	b.mergeSubjects()
	return grow(msgs, b.order, b.parent)
}

// Refs is THREAD=REFS: REFERENCES without a look at the subjects, and the
// threads in the order of their newest messages. Of the same date, as with
// Dovecot, dummies come first, and then the order is that of the roots' numbers.
func Refs(msgs []Message) *Thread {
	b := link(msgs)
	b.prune()
	all, roots := nodes(msgs, b.order, b.parent), roots(msgs, b.order, b.parent)
	newest := b.newest()
	slices.SortStableFunc(roots, func(x, y int32) int {
		return cmp.Or(cmp.Compare(newest[x], newest[y]), cmp.Compare(all[x].Num, all[y].Num))
	})
	return chain(all, roots)
}

// builder holds the tree while it grows.
type builder struct {
	msgs   []Message
	order  []int32 // the messages by sent date
	parent []int32 // of each node; 0: none
	ofID   []int32 // the node of each identifier; 0: none yet
	kids   []int32 // how many children a node has
	links  links
}

// link is step (1).
func link(msgs []Message) *builder {
	b := &builder{msgs: msgs, order: bySent(msgs)}
	b.add() // 0 is no node
	for i := range msgs {
		n := b.add()
		id := msgs[i].ID
		b.growIDs(id)
		// Of messages with the same identifier only the first has it.
		if id != 0 && b.ofID[id] == 0 {
			b.ofID[id] = n
		}
	}
	for i := range msgs {
		last := int32(0)
		for _, id := range msgs[i].Refs { // (A)
			n := b.node(id)
			if last != 0 && b.parent[n] == 0 {
				b.adopt(last, n)
			}
			last = n
		}
		n := int32(i + 1) // (B)
		if p := b.parent[n]; p != 0 {
			b.links.cut(n)
			b.parent[n] = 0
			b.kids[p]--
		}
		if last != 0 {
			b.adopt(last, n)
		}
	}
	return b
}

func (b *builder) add() int32 {
	b.parent, b.kids = append(b.parent, 0), append(b.kids, 0)
	b.links.add()
	return int32(len(b.parent) - 1)
}

func (b *builder) growIDs(id uint32) {
	for uint32(len(b.ofID)) <= id {
		b.ofID = append(b.ofID, 0)
	}
}

// node returns the node of an identifier, a dummy if it is no message's.
func (b *builder) node(id uint32) int32 {
	b.growIDs(id)
	if b.ofID[id] == 0 {
		b.ofID[id] = b.add()
	}
	return b.ofID[id]
}

// adopt puts n, which has no parent, under p unless that makes a loop.
func (b *builder) adopt(p, n int32) {
	if p == n || b.kids[n] > 0 && b.links.root(p) == n {
		return
	}
	b.links.join(n, p)
	b.parent[n] = p
	b.kids[p]++
}

func (b *builder) isDummy(n int32) bool { return int(n) > len(b.msgs) }

// prune is steps (2) and (3): below the top, the children of a dummy belong to
// what is above it; at the top a dummy stays if it has several.
func (b *builder) prune() {
	above := b.aboveDummies()
	kids := make([]int32, len(b.parent))
	for n := 1; n <= len(b.msgs); n++ {
		if p := b.parent[n]; p != 0 && b.isDummy(p) {
			b.parent[n] = above[p]
		}
		kids[b.parent[n]]++
	}
	for n := 1; n <= len(b.msgs); n++ {
		if p := b.parent[n]; b.isDummy(p) && kids[p] == 1 {
			b.parent[n] = 0
		}
	}
	for n := len(b.msgs) + 1; n < len(b.parent); n++ {
		b.parent[n] = 0
	}
}

// aboveDummies finds for each dummy the nearest message above it, or the
// highest dummy where there is none.
func (b *builder) aboveDummies() []int32 {
	above := make([]int32, len(b.parent))
	var path []int32
	for d := int32(len(b.msgs) + 1); int(d) < len(above); d++ {
		top := d
		for path = path[:0]; b.isDummy(top) && above[top] == 0; top = b.parent[top] {
			path = append(path, top)
			if b.parent[top] == 0 {
				break
			}
		}
		if b.isDummy(top) && above[top] != 0 {
			top = above[top]
		}
		for _, n := range path {
			above[n] = top
		}
	}
	return above
}

// newest finds for each root the sent date of the newest message in its thread.
func (b *builder) newest() []int64 {
	root := make([]int32, len(b.parent))
	newest := make([]int64, len(b.parent))
	var path []int32
	for _, m := range slices.Backward(b.order) {
		top := m
		for path = path[:0]; root[top] == 0; top = b.parent[top] {
			path = append(path, top)
			if b.parent[top] == 0 {
				root[top] = top
				newest[top] = b.msgs[m-1].Sent // the first that comes here is the newest
				break
			}
		}
		for _, n := range path {
			root[n] = root[top]
		}
	}
	return newest
}
