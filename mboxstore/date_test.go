package mboxstore

import (
	"testing"
	"time"
	_ "time/tzdata" // the zone of TestTimeLocal on hosts without zone files
)

func TestFromLineTime(t *testing.T) {
	local := time.FixedZone("local", 2*3600)
	for _, c := range []struct{ name, date, want string }{
		{"no zone", "Wed Dec  2 05:53:22 1992", "1992-12-02T05:53:22+02:00"},
		{"no seconds", "Wed Dec  2 05:53 1992", "1992-12-02T05:53:00+02:00"},
		{"UTC", "Wed Dec  2 05:53:22 UTC 1992", "1992-12-02T05:53:22Z"},
		{"EST", "Wed Dec  2 05:53:22 1992 EST", "1992-12-02T05:53:22-05:00"},
		{"lower case", "wed dec  2 05:53:22 1992 edt", "1992-12-02T05:53:22-04:00"},
		{"MET before year", "Wed Dec  2 05:53 MET 1992", "1992-12-02T05:53:00+01:00"},
		{"JST", "Wed Dec  2 05:53:22 1992 JST", "1992-12-02T05:53:22+09:00"},
		{"HST", "Wed Dec  2 05:53:22 1992 HST", "1992-12-02T05:53:22-10:00"},
		{"military A", "Wed Dec  2 05:53:22 1992 A  ", "1992-12-02T05:53:22+01:00"},
		{"military K", "Wed Dec  2 05:53:22 1992   K", "1992-12-02T05:53:22+10:00"},
		{"military M", "Wed Dec  2 05:53:22 1992   M", "1992-12-02T05:53:22+12:00"},
		{"military N", "Wed Dec  2 05:53:22 1992   N", "1992-12-02T05:53:22-01:00"},
		{"military Y", "Wed Dec  2 05:53:22 1992   Y", "1992-12-02T05:53:22-12:00"},
		{"military Z", "Wed Dec  2 05:53:22 1992   Z", "1992-12-02T05:53:22Z"},
		{"there is no J", "Wed Dec  2 05:53:22 1992   J", "1992-12-02T05:53:22+02:00"},
		{"unknown name", "Wed Dec  2 05:53:22 1992 XXX", "1992-12-02T05:53:22+02:00"},
		{"number after year", "Wed Dec  2 05:53:22 1992 -0700", "1992-12-02T05:53:22-07:00"},
		{"number before year", "Wed Dec  2 05:53:22 +0300 1992", "1992-12-02T05:53:22+03:00"},
		{"half hour east", "Thu Nov 29 10:14:00 2001 +0530", "2001-11-29T10:14:00+05:30"},
		{"half hour west", "Thu Nov 29 22:33:52 2001 -0330", "2001-11-29T22:33:52-03:30"},
		{"number that is no zone", "Wed Dec  2 05:53:22 1992 +9999", "1992-12-02T05:53:22+02:00"},
		{"blank for zero", "Wed Dec  2  5: 3: 2 1992", "1992-12-02T05:03:02+02:00"},
		{"leap second", "Wed Jun 30 23:59:60 1993 UTC", "1993-07-01T00:00:00Z"},
		{"29 February", "Wed Feb 29 00:00:00 1996 UTC", "1996-02-29T00:00:00Z"},
		{"year 0", "Wed Feb 29 00:00:00 0000 UTC", "2000-02-29T00:00:00Z"},
		{"year 48", "Wed Dec  2 05:53:22   48 UTC", "2048-12-02T05:53:22Z"},
		{"year 0048", "Wed Dec  2 05:53:22 0048 GMT", "2048-12-02T05:53:22Z"},
		{"year 0049", "Wed Dec  2 05:53:22 0049 GMT", "unparsable"},
		{"year 0070", "Wed Dec  2 05:53:22 0070 GMT", "1970-12-02T05:53:22Z"},
		{"year 0099", "Wed Dec  2 05:53:22 0099 GMT", "1999-12-02T05:53:22Z"},
		{"year 0126", "Wed Dec  2 05:53:22 0126 GMT", "2026-12-02T05:53:22Z"},
		{"year 1969", "Wed Dec  2 05:53:22 1969", "unparsable"},
		{"30 February", "Wed Feb 30 00:00:00 1996", "unparsable"},
		{"29 February of no leap year", "Wed Feb 29 00:00:00 1997", "unparsable"},
		{"day 0", "Wed Dec  0 05:53:22 1992", "unparsable"},
		{"hour 24", "Wed Dec  2 24:00:00 1992", "unparsable"},
		{"minute 60", "Wed Dec  2 05:60:22 1992", "unparsable"},
		{"second 61", "Wed Dec  2 05:53:61 1992", "unparsable"},
		{"no month", "Wed Foo  2 05:53:22 1992", "unparsable"},
		{"month across two names", "Wed anF  2 05:53:22 1992", "unparsable"},
		{"no digits", "day xxx yyy 22 33:44 5555", "unparsable"},
		{"dovecot's ???", "Xxx ??? 29 22:33:52 2001", "unparsable"},
		{"day 39", "Thu Nov 39 99:99:99 2001", "unparsable"},
		{"empty", "", "unparsable"},
		{"cut", "Wed Dec  2 05:53", "unparsable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			when, ok := FromLine{Date: []byte(c.date)}.Time(local)
			got := when.Format(time.RFC3339)
			if !ok {
				if !when.Equal(time.Unix(0, 0)) || when.Location() != time.UTC {
					t.Errorf("unparsable date is %v", when)
				}
				got = "unparsable"
			}
			if got != c.want {
				t.Errorf("%q: got %s, want %s", c.date, got, c.want)
			}
		})
	}
}

// Without a zone the offset is that of the date and not that of today.
func TestTimeLocal(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for date, want := range map[string]string{
		"Wed Jan 15 12:00:00 2020": "2020-01-15T12:00:00+01:00",
		"Wed Jul 15 12:00:00 2020": "2020-07-15T12:00:00+02:00",
	} {
		when, ok := FromLine{Date: []byte(date)}.Time(berlin)
		if got := when.Format(time.RFC3339); !ok || got != want {
			t.Errorf("%s: got %s, want %s", date, got, want)
		}
	}
}
