package inflate

const (
	maxBits  = 15 // of a code word
	fastBits = 9  // that are looked up at once
)

// code is a prefix code (RFC 1951 §3.2.2), as zlib's puff has it: how many words there are of each length, and the symbols in the
// order of their words.
type code struct {
	count  [maxBits + 1]uint16
	symbol [288]uint16
	fast   [1 << fastBits]uint16 // by the next bits: symbol and, in the lowest four bits, length of the word; 0: longer
}

// set makes the code of these word lengths, which must use all words up: else only codes of one word are allowed, and,
// where none may be, of none.
func (c *code) set(sizes []uint8, noneAllowed bool) error {
	c.count = [maxBits + 1]uint16{}
	for _, n := range sizes {
		c.count[n]++
	}
	used := len(sizes) - int(c.count[0])
	free := 1
	for n := 1; n <= maxBits; n++ {
		if free = free<<1 - int(c.count[n]); free < 0 {
			return ErrDamaged
		}
	}
	if free > 0 && !(used == 1 && c.count[1] == 1) && !(used == 0 && noneAllowed) {
		return ErrDamaged
	}
	var at [maxBits + 2]uint16
	for n := 1; n <= maxBits; n++ {
		at[n+1] = at[n] + c.count[n]
	}
	for s, n := range sizes {
		if n > 0 {
			c.symbol[at[n]] = uint16(s)
			at[n]++
		}
	}
	c.index()
	return nil
}

// index fills the table of short words.
func (c *code) index() {
	clear(c.fast[:])
	word, i := 0, 0
	for n := 1; n <= fastBits; n++ {
		for range c.count[n] {
			turned := 0
			for bit := range n {
				turned |= word >> bit & 1 << (n - 1 - bit)
			}
			for b := turned; b < len(c.fast); b += 1 << n {
				c.fast[b] = c.symbol[i]<<4 | uint16(n)
			}
			word++
			i++
		}
		word <<= 1
	}
}

// symbol reads one word. No octet is read that is not needed: the client may wait for an answer before it sends more.
func (r *Reader) symbol(c *code) (int, error) {
	if e := c.fast[r.bits&(1<<fastBits-1)]; e != 0 && uint(e&15) <= r.have {
		r.drop(uint(e & 15))
		return int(e >> 4), nil
	}
	word, first, index := 0, 0, 0
	for n := uint(1); n <= maxBits; n++ {
		if err := r.need(n); err != nil {
			return 0, err
		}
		word |= int(r.bits >> (n - 1) & 1)
		count := int(c.count[n])
		if word-first < count {
			r.drop(n)
			return int(c.symbol[index+word-first]), nil
		}
		index += count
		first = (first + count) << 1
		word <<= 1
	}
	return 0, ErrDamaged
}

// extended is what a symbol stands for, with some bits more.
type extended struct {
	base  int
	extra uint
}

// lengths and reaches are the tables of RFC 1951 §3.2.5.
var (
	lengths = [29]extended{
		{3, 0},
		{4, 0},
		{5, 0},
		{6, 0},
		{7, 0},
		{8, 0},
		{9, 0},
		{10, 0},
		{11, 1},
		{13, 1},
		{15, 1},
		{17, 1},
		{19, 2},
		{23, 2},
		{27, 2},
		{31, 2},
		{35, 3},
		{43, 3},
		{51, 3},
		{59, 3},
		{67, 4},
		{83, 4},
		{99, 4},
		{115, 4},
		{131, 5},
		{163, 5},
		{195, 5},
		{227, 5},
		{258, 0},
	}
	reaches = [30]extended{
		{1, 0},
		{2, 0},
		{3, 0},
		{4, 0},
		{5, 1},
		{7, 1},
		{9, 2},
		{13, 2},
		{17, 3},
		{25, 3},
		{33, 4},
		{49, 4},
		{65, 5},
		{97, 5},
		{129, 6},
		{193, 6},
		{257, 7},
		{385, 7},
		{513, 8},
		{769, 8},
		{1025, 9},
		{1537, 9},
		{2049, 10},
		{3073, 10},
		{4097, 11},
		{6145, 11},
		{8193, 12},
		{12289, 12},
		{16385, 13},
		{24577, 13},
	}
	// order is that of the lengths in the head of a dynamic block (RFC 1951 §3.2.7).
	order = [19]int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}
)

var fixedLiterals, fixedDistances = fixed()

// fixed makes the codes of RFC 1951 §3.2.6.
func fixed() (literals, distances code) {
	var sizes [288]uint8
	for s := range sizes {
		switch {
		case s < 144:
			sizes[s] = 8
		case s < 256:
			sizes[s] = 9
		case s < 280:
			sizes[s] = 7
		default:
			sizes[s] = 8
		}
	}
	_ = literals.set(sizes[:], false) // these are codes
	var five [32]uint8
	for s := range five {
		five[s] = 5
	}
	_ = distances.set(five[:], false)
	return literals, distances
}

// dynamic reads the codes of a block (RFC 1951 §3.2.7).
func (r *Reader) dynamic() error {
	head, err := r.take(14)
	if err != nil {
		return err
	}
	nlit, ndist, nlen := head&31+257, head>>5&31+1, head>>10+4
	if nlit > 286 || ndist > 30 {
		return ErrDamaged
	}
	var sizes [286 + 30]uint8
	var small [19]uint8
	for _, s := range order[:nlen] {
		n, err := r.take(3)
		if err != nil {
			return err
		}
		small[s] = uint8(n)
	}
	if err := r.literals.set(small[:], false); err != nil {
		return err
	}
	if err := r.sizes(sizes[:nlit+ndist]); err != nil {
		return err
	}
	if err := r.literals.set(sizes[:nlit], false); err != nil {
		return err
	}
	return r.distances.set(sizes[nlit:nlit+ndist], true)
}

// sizes reads the word lengths of both codes, which are themselves coded, by r.literals.
func (r *Reader) sizes(sizes []uint8) error {
	for i := 0; i < len(sizes); {
		s, err := r.symbol(&r.literals)
		if err != nil {
			return err
		}
		if s < 16 {
			sizes[i] = uint8(s)
			i++
			continue
		}
		repeat := [...]struct {
			bits uint
			base int
		}{{2, 3}, {3, 3}, {7, 11}}[s-16]
		n, err := r.take(repeat.bits)
		if err != nil {
			return err
		}
		n += repeat.base
		if n > len(sizes)-i || s == 16 && i == 0 {
			return ErrDamaged
		}
		for range n {
			if s == 16 {
				sizes[i] = sizes[i-1]
			}
			i++
		}
	}
	return nil
}
