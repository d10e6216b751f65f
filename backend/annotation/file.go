package annotation

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"strconv"
)

// The file is text: a line that says what it is, a line for each annotation with the names of mailbox and entry and
// the value as Go's quoted strings, which hold any octets, and a last line with a checksum of all before it.

const firstLine = "spoold annotations 1\n"

var errDamaged = errors.New("not whole")

// encode writes the file of these annotations, in order.
func encode(boxes map[string]notes) []byte {
	b := []byte(firstLine)
	for _, mailbox := range slices.Sorted(maps.Keys(boxes)) {
		n := boxes[mailbox]
		for _, entry := range slices.Sorted(maps.Keys(n)) {
			b = strconv.AppendQuote(b, mailbox)
			b = strconv.AppendQuote(append(b, ' '), entry)
			b = strconv.AppendQuote(append(b, ' '), string(n[entry]))
			b = append(b, '\n')
		}
	}
	return fmt.Appendf(b, "end %08x\n", crc32.ChecksumIEEE(b))
}

// decode reads such a file.
func decode(text []byte) (map[string]notes, error) {
	body, found := bytes.CutPrefix(text, []byte(firstLine))
	end := bytes.LastIndex(body, []byte("end "))
	if !found || end < 0 {
		return nil, errDamaged
	}
	covered := text[:len(firstLine)+end]
	if string(body[end:]) != fmt.Sprintf("end %08x\n", crc32.ChecksumIEEE(covered)) {
		return nil, errDamaged
	}
	boxes := map[string]notes{}
	for line := range bytes.Lines(body[:end]) {
		mailbox, entry, value, err := decodeLine(string(line))
		if err != nil {
			return nil, err
		}
		if boxes[mailbox] == nil {
			boxes[mailbox] = notes{}
		}
		boxes[mailbox][entry] = []byte(value)
	}
	return boxes, nil
}

func decodeLine(line string) (mailbox, entry, value string, err error) {
	for i, s := range []*string{&mailbox, &entry, &value} {
		quoted, err := strconv.QuotedPrefix(line)
		if err != nil {
			return "", "", "", errDamaged
		}
		if *s, err = strconv.Unquote(quoted); err != nil {
			return "", "", "", errDamaged
		}
		line = line[len(quoted):]
		if want := "  \n"[i : i+1]; len(line) == 0 || line[:1] != want {
			return "", "", "", errDamaged
		}
		line = line[1:]
	}
	if line != "" {
		return "", "", "", errDamaged
	}
	return mailbox, entry, value, nil
}
