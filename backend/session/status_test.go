package session

import (
	"testing"
	"time"
)

// TestPatience: many locked mailboxes in a LIST cost no more than the limit and the least for each.
func TestPatience(t *testing.T) {
	s := New(Config{StatusWait: 4 * time.Second})
	p, total := s.newPatience(), time.Duration(0)
	for range 100 {
		share := p.share()
		if share < leastWait {
			t.Fatalf("share %v", share)
		}
		p.used(share)
		total += share
	}
	if limit := 4*time.Second + 100*leastWait; total > limit {
		t.Errorf("waited %v, limit %v", total, limit)
	}
	if got := New(Config{}).newPatience().left; got != statusWait {
		t.Errorf("default %v", got)
	}
}
