package sortthread

// Message is what a message is sorted and threaded by. Fields that the caller
// does not need may be left empty. All strings are compared byte by byte.
type Message struct {
	Num     uint32 // what the answer calls the message; not 0
	Arrival int64  // INTERNALDATE, in seconds
	Sent    int64  // the Date field, in seconds, or Arrival (RFC 5256 section 2.2)
	Size    int64

	Cc, From, To           string // the first addr-mailbox
	DisplayFrom, DisplayTo string // RFC 5957
	Subject                string // the base subject
	Reply                  bool   // BaseSubject found it to be a reply or forward

	ID   uint32   // of Message-ID; 0: none that is valid
	Refs []uint32 // of References or else In-Reply-To, the oldest first
}

// IDs numbers message identifiers: equal ones have the same number. The numbers
// begin at 1 and have no gaps.
type IDs map[string]uint32

// Of returns the number of an identifier.
func (m IDs) Of(id string) uint32 {
	n, ok := m[id]
	if !ok {
		n = uint32(len(m) + 1)
		m[id] = n
	}
	return n
}
