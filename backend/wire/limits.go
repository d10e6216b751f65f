package wire

// Limits bound what one command may cost. A zero field means its default.
type Limits struct {
	Line     int   // octets of a command without its literals: 64 KiB, as UW
	Literal  int64 // octets of one literal held in memory: 64 KiB
	Literals int   // literals of one command held in memory: 100
	Total    int64 // octets of all those literals together: 1 MiB
	Append   int64 // octets of one streamed literal: 64 MiB
	Nesting  int   // depth of parentheses: 50
	Ranges   int   // numbers and ranges of one sequence set: 20,000
}

func (l Limits) withDefaults() Limits {
	orInt(&l.Line, 64<<10)
	orInt(&l.Literals, 100)
	orInt(&l.Nesting, 50)
	orInt(&l.Ranges, 20_000)
	orInt64(&l.Literal, 64<<10)
	orInt64(&l.Total, 1<<20)
	orInt64(&l.Append, 64<<20)
	return l
}

func orInt(p *int, def int) {
	if *p <= 0 {
		*p = def
	}
}

func orInt64(p *int64, def int64) {
	if *p <= 0 {
		*p = def
	}
}

// swallow is how many octets of a refused command are read and dropped before
// the connection is given up.
func (l Limits) swallow(streamed bool) int64 {
	if streamed {
		return 2 * max(l.Append, l.Total)
	}
	return 2 * max(l.Total, l.Literal, int64(l.Line))
}
