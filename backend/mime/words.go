package mime

import "bytes"

// DecodeWords decodes the encoded words of RFC 2047 in an unfolded header text
// into UTF-8. Blanks between two of them vanish; a character may be cut between
// adjacent words of one charset, as some programs do it. What cannot be decoded
// stays as it is.
func DecodeWords(b []byte) string {
	if !bytes.Contains(b, []byte("=?")) {
		return string(b)
	}
	d := wordDecoder{out: make([]byte, 0, len(b))}
	for {
		i := bytes.Index(b, []byte("=?"))
		if i < 0 {
			break
		}
		w, ok := cutWord(b[i:])
		if !ok {
			d.plain(b[:i+2])
			b = b[i+2:]
			continue
		}
		d.word(b[:i], w)
		b = b[i+len(w.raw):]
	}
	d.plain(b)
	return string(d.out)
}

// encodedWord is one =?charset?encoding?text?=.
type encodedWord struct {
	charset, text, raw []byte
	base64             bool
}

// cutWord reads the encoded word at the start of b. No part of one contains a
// question mark, so not a byte is looked at more than four times.
func cutWord(b []byte) (w encodedWord, ok bool) {
	charset, rest, ok := bytes.Cut(b[2:], []byte("?"))
	if !ok || len(charset) == 0 || len(rest) < 3 || rest[1] != '?' {
		return w, false
	}
	encoding := lowerByte(rest[0])
	text, rest, ok := bytes.Cut(rest[2:], []byte("?"))
	if !ok || len(rest) == 0 || rest[0] != '=' || encoding != 'q' && encoding != 'b' {
		return w, false
	}
	charset, _, _ = bytes.Cut(charset, []byte("*")) // the language of RFC 2231 section 5
	return encodedWord{charset, text, b[:len(b)-len(rest)+1], encoding == 'b'}, true
}

// wordDecoder keeps the bytes of adjacent words until their charset ends.
type wordDecoder struct {
	out     []byte
	open    bool // a word waits
	charset []byte
	bytes   []byte
	raw     []byte // the words as they stood
}

// word takes a word and the text between it and the one before.
func (d *wordDecoder) word(before []byte, w encodedWord) {
	if len(trim(before)) > 0 || !d.open {
		d.plain(before)
		before = nil
	} else if !bytes.EqualFold(d.charset, w.charset) {
		d.flush()
		before = nil
	}
	d.open, d.charset = true, w.charset
	d.raw = append(append(d.raw, before...), w.raw...)
	if w.base64 {
		d.bytes = append(d.bytes, decodeBase64(w.text)...)
		return
	}
	text := bytes.ReplaceAll(w.text, []byte("_"), []byte(" "))
	d.bytes = appendUnescaped(d.bytes, text, '=')
}

func (d *wordDecoder) plain(b []byte) {
	d.flush()
	d.out = append(d.out, b...)
}

func (d *wordDecoder) flush() {
	if !d.open {
		return
	}
	if s, err := DecodeCharset(string(d.charset), d.bytes); err == nil {
		d.out = append(d.out, s...)
	} else {
		d.out = append(d.out, d.raw...)
	}
	d.open, d.bytes, d.raw = false, d.bytes[:0], d.raw[:0]
}
