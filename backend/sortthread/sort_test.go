package sortthread_test

import (
	"slices"
	"testing"

	"spoold/backend/sortthread"
)

func TestSort(t *testing.T) {
	msgs := []sortthread.Message{
		{Num: 1, Arrival: 30, Sent: 10, Size: 5, Cc: "C", From: "B", To: "A", DisplayFrom: "Z", DisplayTo: "M", Subject: "X"},
		{Num: 2, Arrival: 10, Sent: 20, Size: 5, Cc: "B", From: "A", To: "B", DisplayFrom: "Z", DisplayTo: "L", Subject: "Y"},
		{Num: 3, Arrival: 20, Sent: 10, Size: 9, Cc: "", From: "C", To: "B", DisplayFrom: "Y", DisplayTo: "N", Subject: "X"},
		{Num: 4, Arrival: 10, Sent: 15, Size: 1, Cc: "A", From: "A", To: "", DisplayFrom: "X", DisplayTo: "O", Subject: ""},
	}
	up := func(by ...sortthread.Field) (keys []sortthread.Key) {
		for _, f := range by {
			keys = append(keys, sortthread.Key{By: f})
		}
		return keys
	}
	for _, tt := range []struct {
		keys []sortthread.Key
		want []uint32
	}{
		{up(sortthread.Arrival), []uint32{2, 4, 3, 1}},
		{up(sortthread.Cc), []uint32{3, 4, 2, 1}},
		{up(sortthread.Date), []uint32{1, 3, 4, 2}},
		{up(sortthread.From), []uint32{2, 4, 1, 3}},
		{up(sortthread.Size), []uint32{4, 1, 2, 3}},
		{up(sortthread.Subject), []uint32{4, 1, 3, 2}},
		{up(sortthread.To), []uint32{4, 1, 2, 3}},
		{up(sortthread.DisplayFrom), []uint32{4, 3, 1, 2}},
		{up(sortthread.DisplayTo), []uint32{2, 1, 3, 4}},
		{[]sortthread.Key{{By: sortthread.Subject, Reverse: true}}, []uint32{2, 1, 3, 4}},
		{[]sortthread.Key{{By: sortthread.Subject}, {By: sortthread.Arrival, Reverse: true}}, []uint32{4, 1, 3, 2}},
		{[]sortthread.Key{{By: sortthread.Subject}, {By: sortthread.Arrival}}, []uint32{4, 3, 1, 2}},
		{nil, []uint32{1, 2, 3, 4}},
	} {
		if got := sortthread.Sort(msgs, tt.keys); !slices.Equal(got, tt.want) {
			t.Errorf("%v: want %v, got %v", tt.keys, tt.want, got)
		}
	}
}
