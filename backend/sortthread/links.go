package sortthread

// links is a forest in which trees are joined and cut and the root of a node is
// asked for, each in logarithmic time on average: without that, a loop is only
// found by a walk up a reply chain of any length, for each message of it.
//
// It is a link-cut tree (Sleator and Tarjan, 1983): each tree is cut into
// paths, and each path is a splay tree ordered by depth, the root leftmost. The
// top of a splay tree knows the node above its path in up.
type links struct{ up, left, right []int32 }

// add makes one more node, without links.
func (l *links) add() {
	l.up, l.left, l.right = append(l.up, 0), append(l.left, 0), append(l.right, 0)
}

// root returns the root of n's tree.
func (l *links) root(n int32) int32 {
	l.access(n)
	for l.left[n] != 0 {
		n = l.left[n]
	}
	l.splay(n)
	return n
}

// join puts a tree, given by its root, under a node of another tree.
func (l *links) join(root, parent int32) {
	l.access(root)
	l.up[root] = parent
}

// cut makes n, with all below it, a tree.
func (l *links) cut(n int32) {
	l.access(n)
	l.up[l.left[n]] = 0
	l.left[n] = 0
}

// access makes the nodes from n to its root one path, with n on top.
func (l *links) access(n int32) {
	below := int32(0)
	for at := n; at != 0; at = l.up[at] {
		l.splay(at)
		l.right[at] = below
		below = at
	}
	l.splay(n)
}

func (l *links) isTop(n int32) bool {
	p := l.up[n]
	return p == 0 || l.left[p] != n && l.right[p] != n
}

func (l *links) splay(n int32) {
	for !l.isTop(n) {
		p := l.up[n]
		if !l.isTop(p) {
			if g := l.up[p]; (l.left[g] == p) == (l.left[p] == n) {
				l.rotate(p)
			} else {
				l.rotate(n)
			}
		}
		l.rotate(n)
	}
}

// rotate exchanges n and what is above it.
func (l *links) rotate(n int32) {
	p := l.up[n]
	g := l.up[p]
	if !l.isTop(p) {
		if l.left[g] == p {
			l.left[g] = n
		} else {
			l.right[g] = n
		}
	}
	var between int32
	if l.left[p] == n {
		between = l.right[n]
		l.left[p], l.right[n] = between, p
	} else {
		between = l.left[n]
		l.right[p], l.left[n] = between, p
	}
	if between != 0 {
		l.up[between] = p
	}
	l.up[p], l.up[n] = n, g
}
