package mboxstore

// Flags are the system flags of one message as the letters of its Status: and X-Status: lines tell them.
type Flags uint8

// The letters in which each flag is stored, in the order of the bits: R A F D T O.
const (
	FlagSeen Flags = 1 << iota
	FlagAnswered
	FlagFlagged
	FlagDeleted
	FlagDraft
	FlagOld // not \Recent
)

// flagLetter gives the flag that a letter stands for. UW makes no difference between Status: and X-Status:, so that
// mutt's and elm's habits are all understood; letters that nobody of them knows (N, U, …) say nothing.
func flagLetter(c byte) Flags {
	switch c {
	case 'R':
		return FlagSeen
	case 'A':
		return FlagAnswered
	case 'F':
		return FlagFlagged
	case 'D':
		return FlagDeleted
	case 'T':
		return FlagDraft
	case 'O':
		return FlagOld
	}
	return 0
}

func flagLetters(value []byte) (f Flags) {
	for _, c := range value {
		f |= flagLetter(c)
	}
	return f
}

// appendLetters writes those of f that letters names, in that order: UW has "RO" in Status: and "DFAT" in X-Status:.
func (f Flags) appendLetters(dst []byte, letters string) []byte {
	for i := range len(letters) {
		if f&flagLetter(letters[i]) != 0 {
			dst = append(dst, letters[i])
		}
	}
	return dst
}
