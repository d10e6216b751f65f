package sortthread_test

import (
	"fmt"
	"slices"
	"strings"

	"spoold/backend/sortthread"
)

// This is RFC 5256 section 3 once more, by the letter: pointers, recursion, each
// step by itself, nothing shared with the package.

type plainNode struct {
	msg    *sortthread.Message // nil: a dummy
	parent *plainNode
	kids   []*plainNode
}

func (n *plainNode) take(kid *plainNode) {
	n.kids = append(n.kids, kid)
	kid.parent = n
}

func (n *plainNode) leave() {
	if p := n.parent; p != nil {
		p.kids = slices.DeleteFunc(p.kids, func(k *plainNode) bool { return k == n })
		n.parent = nil
	}
}

func (n *plainNode) isBelow(above *plainNode) bool {
	for ; n != nil; n = n.parent {
		if n == above {
			return true
		}
	}
	return false
}

// plainLink is steps (1) and (2).
func plainLink(msgs []sortthread.Message) *plainNode {
	byID := map[uint32]*plainNode{}
	var all []*plainNode
	for i := range msgs {
		n := &plainNode{msg: &msgs[i]}
		all = append(all, n)
		if id := msgs[i].ID; id != 0 && byID[id] == nil {
			byID[id] = n
		}
	}
	for i := range msgs {
		var last *plainNode
		for _, id := range msgs[i].Refs {
			n := byID[id]
			if n == nil {
				n = &plainNode{}
				byID[id] = n
				all = append(all, n)
			}
			if last != nil && n.parent == nil && !last.isBelow(n) {
				last.take(n)
			}
			last = n
		}
		all[i].leave()
		if last != nil && !last.isBelow(all[i]) {
			last.take(all[i])
		}
	}
	root := &plainNode{}
	for _, n := range all {
		if n.parent == nil {
			root.take(n)
		}
	}
	return root
}

// plainPrune is step (3) for the children of n.
func plainPrune(n *plainNode, atRoot bool) {
	var kept []*plainNode
	for _, k := range n.kids {
		plainPrune(k, false)
		switch {
		case k.msg != nil || atRoot && len(k.kids) > 1:
			kept = append(kept, k)
		default:
			for _, g := range k.kids {
				g.parent = n
			}
			kept = append(kept, k.kids...)
		}
	}
	n.kids = kept
}

func (n *plainNode) message() *sortthread.Message {
	if n.msg == nil {
		return n.kids[0].msg
	}
	return n.msg
}

// plainOrder sorts all siblings, the youngest set first.
func plainOrder(n *plainNode) {
	for _, k := range n.kids {
		plainOrder(k)
	}
	slices.SortFunc(n.kids, func(a, b *plainNode) int {
		x, y := a.message(), b.message()
		if x.Sent != y.Sent {
			return int(x.Sent - y.Sent)
		}
		return int(x.Num) - int(y.Num)
	})
}

func (n *plainNode) reply() bool { return n.msg != nil && n.msg.Reply }

// plainMerge is step (5).
func plainMerge(root *plainNode) {
	table := map[string]*plainNode{}
	for _, cur := range root.kids {
		s := cur.message().Subject
		old := table[s]
		if s == "" {
			continue
		}
		if old == nil || old.msg != nil && (cur.msg == nil || old.reply() && !cur.reply()) {
			table[s] = cur
		}
	}
	for _, cur := range slices.Clone(root.kids) {
		s := cur.message().Subject
		old := table[s]
		if s == "" || old == cur {
			continue
		}
		cur.leave()
		switch {
		case old.msg == nil && cur.msg == nil:
			for _, k := range cur.kids {
				old.take(k)
			}
		case old.msg == nil || cur.reply() && !old.reply():
			old.take(cur)
		default:
			dummy := &plainNode{}
			old.leave()
			dummy.take(cur)
			dummy.take(old)
			root.take(dummy)
			table[s] = dummy
		}
	}
}

func plainReferences(msgs []sortthread.Message) string {
	root := plainLink(msgs)
	plainPrune(root, true)
	plainOrder(root) // (4)
	plainMerge(root)
	plainOrder(root) // (6)
	return root.String()
}

func plainRefs(msgs []sortthread.Message) string {
	root := plainLink(msgs)
	plainPrune(root, true)
	plainOrder(root)
	num := func(n *plainNode) int {
		if n.msg == nil {
			return 0
		}
		return int(n.msg.Num)
	}
	slices.SortStableFunc(root.kids, func(a, b *plainNode) int {
		if d := int(a.newest() - b.newest()); d != 0 {
			return d
		}
		return num(a) - num(b)
	})
	return root.String()
}

func (n *plainNode) newest() int64 {
	date := n.message().Sent
	for _, k := range n.kids {
		date = max(date, k.newest())
	}
	return date
}

// String shows the children of n, each with its own in parentheses.
func (n *plainNode) String() string {
	var out []string
	for _, k := range n.kids {
		num := uint32(0)
		if k.msg != nil {
			num = k.msg.Num
		}
		out = append(out, fmt.Sprintf("%d(%s)", num, k))
	}
	return strings.Join(out, " ")
}

// show is String for what the package returns.
func show(t *sortthread.Thread) string {
	var out []string
	for ; t != nil; t = t.Next {
		out = append(out, fmt.Sprintf("%d(%s)", t.Num, show(t.Child)))
	}
	return strings.Join(out, " ")
}
