package search

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"spoold/mboxstore"
	"spoold/spool"
)

// arrived returns a message whose internal date is what the separator says.
func arrived(t *testing.T, date string) *target {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mbox")
	if err := os.WriteFile(path, []byte("From joe@example.org "+date+"\nSubject: a\n\nb\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	box := spool.NewBox(path, uint32(os.Getuid()), spool.LockPolicy{Methods: []spool.Method{"fcntl"}, Timeout: 10 * time.Second})
	m, err := mboxstore.Open(t.Context(), box, mboxstore.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	msgs := m.Get(m.UIDs(), nil)
	if err := m.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(msgs) != 1 {
		t.Fatalf("%d messages", len(msgs))
	}
	return &target{msg: msgs[0]}
}

func TestDateKeys(t *testing.T) {
	late := arrived(t, "Tue Jan 14 23:30:00 2025 -0800") // the 15th in UTC
	edge := arrived(t, "Tue Jan 14 11:00:00 2025 +0000") // an hour before now
	tests := []struct {
		name string
		n    Node
		msg  *target
		want bool
	}{
		{"ON its day", On(day(2025, 1, 14)), late, true},
		{"ON the day in UTC", On(day(2025, 1, 15)), late, false},
		{"SINCE its day", Since(day(2025, 1, 14)), late, true},
		{"SINCE the next day", Since(day(2025, 1, 15)), late, false},
		{"SINCE the last day of the year before", Since(day(2024, 12, 31)), late, true},
		{"BEFORE its day", Before(day(2025, 1, 14)), late, false},
		{"BEFORE the next day", Before(day(2025, 1, 15)), late, true},
		{"BEFORE the next month", Before(day(2025, 2, 1)), late, true},
		{"OLDER, inside", Older(3599), edge, true},
		{"OLDER, edge", Older(3600), edge, true},
		{"OLDER, outside", Older(3601), edge, false},
		{"YOUNGER, inside", Younger(3601), edge, true},
		{"YOUNGER, edge", Younger(3600), edge, true},
		{"YOUNGER, outside", Younger(3599), edge, false},
		{"YOUNGER than all time", Younger(4294967295), edge, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := match(t, tt.n, tt.msg); got != tt.want {
				t.Errorf("got %v for %v", got, tt.msg.msg.InternalDate())
			}
			if tt.msg.headers+tt.msg.texts > 0 {
				t.Error("read a message")
			}
		})
	}
}
