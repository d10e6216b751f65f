package session

import "strings"

// delimiter separates the levels of a mailbox name.
const delimiter = '/'

// pattern is a LIST pattern (RFC 3501 §6.3.8), together with its reference: '*' stands for anything, '%' for anything
// but the delimiter.
//
// A name is matched by walking all the places in the pattern that its octets so far can lead to, at once. So the
// time is bounded by the square of the name's length whatever the pattern is, while trying one place after the
// other takes exponential time for "*a*a*a*a*b".
type pattern struct {
	text string
	cur  []int // places reached, ascending
	next []int
}

// newPattern joins reference and pattern as UW does: nothing is put in between. Of adjacent wildcards one is kept.
func newPattern(reference, text string) *pattern {
	var b strings.Builder
	run := byte(0)
	for _, c := range []byte(reference + text) {
		if c != '*' && c != '%' {
			flushRun(&b, &run)
			b.WriteByte(c)
			continue
		}
		if run != '*' {
			run = c
		}
	}
	flushRun(&b, &run)
	return &pattern{text: b.String()}
}

func flushRun(b *strings.Builder, run *byte) {
	if *run != 0 {
		b.WriteByte(*run)
		*run = 0
	}
}

// outside reports whether the pattern can only name what is not the user's: UW reads "/" and "~" at the start as other
// places of the file system, and none of them is served. Nor is one of its namespaces, which begin with "#", but a file of
// such a name is the user's.
func (p *pattern) outside() bool {
	return strings.HasPrefix(p.text, "/") || strings.HasPrefix(p.text, "~")
}

// dir is the directory that all matching names are in, as far as it can be told from the text before the first wildcard.
func (p *pattern) dir() string {
	fixed := strings.TrimSuffix(p.text, "/")
	if i := strings.IndexAny(fixed, "*%"); i >= 0 {
		fixed = fixed[:i]
	}
	return fixed[:max(strings.LastIndexByte(fixed, delimiter), 0)]
}

// match reports whether the whole name matches.
func (p *pattern) match(name string) bool {
	p.run(name)
	n := len(p.cur)
	return n > 0 && p.cur[n-1] == len(p.text)
}

// matchDir is match for a directory by a pattern that ends in the delimiter, such as "%/", which asks for directories.
func (p *pattern) matchDir(name string) bool {
	return strings.HasSuffix(p.text, "/") && p.match(name+"/")
}

// matchInbox is match for INBOX, whose name is known by letters of any case.
func (p *pattern) matchInbox() bool {
	upper := pattern{text: strings.ToUpper(p.text)}
	return upper.match(inbox)
}

// matchBelow reports whether a name below the directory dir can match.
func (p *pattern) matchBelow(dir string) bool {
	p.run(dir + string(delimiter))
	return len(p.cur) > 0 && p.cur[0] < len(p.text)
}

func (p *pattern) run(name string) {
	p.next = p.next[:0]
	p.reach(0)
	p.cur, p.next = p.next, p.cur
	for i := 0; i < len(name) && len(p.cur) > 0; i++ {
		p.next = p.next[:0]
		for _, at := range p.cur {
			p.step(at, name[i])
		}
		p.cur, p.next = p.next, p.cur
	}
}

func (p *pattern) step(at int, c byte) {
	switch {
	case at == len(p.text):
	case p.text[at] == '*', p.text[at] == '%' && c != delimiter:
		p.reach(at)
	case p.text[at] == c:
		p.reach(at + 1)
	}
}

// reach adds a place, and the next one when a wildcard there may stand for nothing. Places come in ascending order, so
// one that is not above the last is there already.
func (p *pattern) reach(at int) {
	if n := len(p.next); n == 0 || p.next[n-1] < at {
		p.next = append(p.next, at)
	}
	if at < len(p.text) && (p.text[at] == '*' || p.text[at] == '%') && p.next[len(p.next)-1] < at+1 {
		p.next = append(p.next, at+1)
	}
}
