package command

import (
	"io"
	"time"

	"spoold/backend/mime"
	"spoold/backend/session"
)

// The values of FETCH data items, each behind its name and a space.

func writeUID(f *fetcher, row *session.Row, _ *item) error {
	f.w.Num(uint64(row.Message().UID))
	return nil
}

func writeFlags(f *fetcher, row *session.Row, _ *item) error {
	f.scratch = row.AppendFlags(f.scratch[:0])
	f.w.Bytes(f.scratch)
	f.told = true
	return nil
}

func writeInternalDate(f *fetcher, row *session.Row, _ *item) error {
	t := row.Message().InternalDate()
	if y := t.Year(); y < 1000 || y > 9999 {
		f.w.DateTime(t)
		return nil
	}
	f.scratch = appendDateTime(f.scratch[:0], t)
	f.w.Bytes(f.scratch)
	return nil
}

// appendDateTime appends what wire.Writer.DateTime writes of a year of four digits. A layout, which has to be read each
// time, takes longer than all the rest of a FETCH FAST.
func appendDateTime(b []byte, t time.Time) []byte {
	const months = "JanFebMarAprMayJunJulAugSepOctNovDec"
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	_, zone := t.Zone()
	sign := byte('+')
	if zone < 0 {
		sign, zone = '-', -zone
	}
	b = append(b, '"')
	if day < 10 {
		b = append(b, ' ', byte('0'+day))
	} else {
		b = twoDigits(b, day)
	}
	b = append(append(append(b, '-'), months[3*(month-1):3*month]...), '-')
	b = append(twoDigits(twoDigits(b, year/100), year%100), ' ')
	b = append(twoDigits(b, hour), ':')
	b = append(twoDigits(b, minute), ':')
	b = append(twoDigits(b, second), ' ', sign)
	return append(twoDigits(twoDigits(b, zone/3600), zone/60%60), '"')
}

func twoDigits(b []byte, n int) []byte { return append(b, byte('0'+n/10), byte('0'+n%10)) }

func writeSize(f *fetcher, row *session.Row, _ *item) error {
	f.w.Num(uint64(row.Message().Size))
	return nil
}

func writeEnvelope(f *fetcher, row *session.Row, _ *item) error {
	h, err := row.Header()
	if err != nil {
		return err
	}
	mime.ParseEnvelope(h).Write(f.w)
	return nil
}

func writeStructure(f *fetcher, row *session.Row, it *item) error {
	root, err := row.Root()
	if err != nil {
		return err
	}
	root.Write(f.w, it.label == "BODYSTRUCTURE")
	return nil
}

// writeSection sends a section: a long run of the message straight from the file, the rest by way of memory, read
// before its length is announced.
func writeSection(f *fetcher, row *session.Row, it *item) error {
	if e, ok := row.Extent(it.section); ok {
		if e = it.partial.Cut(e); e.Len > session.StreamOver {
			return f.w.LiteralStream(e.Len, func(w io.Writer) error { return row.WriteOctets(w, e) })
		}
	}
	b, err := row.Section(it.section, it.partial)
	if err != nil {
		return err
	}
	f.w.NString(b)
	return nil
}
