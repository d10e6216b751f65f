package sortthread

import (
	"cmp"
	"slices"
)

// Thread is a message in a thread. Num is 0 for a message that is not there; it
// stands above two or more threads that have it in common.
type Thread struct {
	Num         uint32
	Child, Next *Thread // its first answer; the next one to what it answers
}

// OrderedSubject is THREAD=ORDEREDSUBJECT: messages of one base subject are a
// thread, the oldest of them is above all others, and threads are in the order
// of their oldest messages.
func OrderedSubject(msgs []Message) *Thread {
	parent := make([]int32, len(msgs)+1)
	oldest := map[string]int32{}
	order := bySent(msgs)
	for _, m := range order {
		first, ok := oldest[msgs[m-1].Subject]
		if !ok {
			oldest[msgs[m-1].Subject] = m
		}
		parent[m] = first
	}
	return grow(msgs, order, parent)
}

// bySent lists the messages in the order of siblings: by sent date, and of the
// same date in their own order. Here and in all that follows a message's index
// counts from 1, and 0 is nothing.
func bySent(msgs []Message) []int32 {
	order := indices(len(msgs))
	slices.SortFunc(order, func(a, b int32) int {
		return cmp.Or(cmp.Compare(msgs[a].Sent, msgs[b].Sent), cmp.Compare(a, b))
	})
	for i := range order {
		order[i]++
	}
	return order
}

// grow makes threads of parents. Siblings come in the given order of messages;
// a dummy, whose index is above all messages', where its first child would be.
func grow(msgs []Message, order, parent []int32) *Thread {
	return chain(nodes(msgs, order, parent), roots(msgs, order, parent))
}

// nodes links each message to its children. Dummies are among them.
func nodes(msgs []Message, order, parent []int32) []Thread {
	all := make([]Thread, len(parent))
	for i := range msgs {
		all[i+1].Num = msgs[i].Num
	}
	for _, m := range slices.Backward(order) {
		if p := parent[m]; p != 0 {
			all[m].Next, all[p].Child = all[p].Child, &all[m]
		}
	}
	return all
}

// roots lists what has no parent, dummies only if they have children.
func roots(msgs []Message, order, parent []int32) []int32 {
	var out []int32
	placed := make([]bool, len(parent))
	for _, m := range order {
		if p := parent[m]; p == 0 {
			out = append(out, m)
		} else if int(p) > len(msgs) && !placed[p] {
			placed[p] = true
			out = append(out, p)
		}
	}
	return out
}

// chain makes the roots siblings and returns the first.
func chain(all []Thread, roots []int32) *Thread {
	var first *Thread
	for _, r := range slices.Backward(roots) {
		all[r].Next, first = first, &all[r]
	}
	return first
}
