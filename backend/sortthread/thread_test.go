package sortthread_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"spoold/backend/sortthread"
)

type message = sortthread.Message

func TestReferences(t *testing.T) {
	for _, tt := range []struct {
		name string
		msgs []message
		want string
	}{
		{"none", nil, ""},
		{"chain", []message{{ID: 1}, {ID: 2, Refs: []uint32{1}}, {ID: 3, Refs: []uint32{1, 2}}}, "1(2(3()))"},
		{"answers before the question", []message{{ID: 3, Refs: []uint32{1, 2}}, {ID: 2, Refs: []uint32{1}}, {ID: 1}}, "3(2(1()))"},
		{"siblings by date", []message{{ID: 1}, {ID: 2, Refs: []uint32{1}, Sent: 9}, {ID: 3, Refs: []uint32{1}, Sent: 8}}, "1(3() 2())"},
		{"missing in the middle", []message{{ID: 1}, {ID: 3, Refs: []uint32{1, 2}}, {ID: 4, Refs: []uint32{1, 2}}}, "1(2() 3())"},
		{"missing at the top", []message{{ID: 3, Refs: []uint32{1, 2}}, {ID: 4, Refs: []uint32{1, 2}}}, "0(1() 2())"},
		{"missing at the top, one child", []message{{ID: 3, Refs: []uint32{1, 2}}, {ID: 4, Refs: []uint32{3}}}, "1(2())"},
		{"same identifier", []message{{ID: 1}, {ID: 1}, {ID: 2, Refs: []uint32{1}}}, "1(3()) 2()"},
		{"truncated references", []message{{ID: 4, Refs: []uint32{1, 3}}, {ID: 3, Refs: []uint32{1, 2}}, {ID: 2, Refs: []uint32{1}}, {ID: 1}}, "4(3(2(1())))"},
		{"loop", []message{{ID: 1, Refs: []uint32{2}}, {ID: 2, Refs: []uint32{1}}}, "2(1())"},
		{"itself", []message{{ID: 1, Refs: []uint32{1}}, {ID: 2, Refs: []uint32{1, 1}}}, "1(2())"},
		{"reply by subject", []message{{ID: 1, Subject: "S"}, {ID: 2, Subject: "S", Reply: true}}, "1(2())"},
		{"same subject", []message{{ID: 1, Subject: "S"}, {ID: 2, Subject: "S"}, {ID: 3, Subject: "S", Reply: true}}, "0(1() 2() 3())"},
		{"no subject", []message{{ID: 1}, {ID: 2}}, "1() 2()"},
		{"the original comes later", []message{{ID: 1, Subject: "S", Reply: true}, {ID: 2, Subject: "S"}}, "2(1())"},
		{"dummies of one subject", []message{
			{ID: 1, Subject: "S", Refs: []uint32{8}},
			{ID: 2, Subject: "S", Refs: []uint32{8}},
			{ID: 3, Subject: "S", Refs: []uint32{9}},
			{ID: 4, Subject: "S", Refs: []uint32{9}},
			{ID: 5, Subject: "S"},
		}, "0(1() 2() 3() 4() 5())"},
	} {
		number(tt.msgs)
		if got := show(sortthread.References(tt.msgs)); got != tt.want {
			t.Errorf("%s: want %s\n got %s", tt.name, tt.want, got)
		}
	}
}

func number(msgs []message) {
	for i := range msgs {
		msgs[i].Num = uint32(i + 1)
	}
}

func TestRefs(t *testing.T) {
	msgs := []message{
		{ID: 1, Subject: "S", Sent: 1},
		{ID: 2, Subject: "S", Sent: 2},
		{ID: 3, Refs: []uint32{1}, Sent: 9},
		{ID: 4, Refs: []uint32{8}, Sent: 3},
		{ID: 5, Refs: []uint32{8}, Sent: 4},
	}
	number(msgs)
	if got, want := show(sortthread.Refs(msgs)), "2() 0(4() 5()) 1(3())"; got != want {
		t.Errorf("want %s\n got %s", want, got)
	}
}

func TestOrderedSubject(t *testing.T) {
	msgs := []message{
		{Subject: "B", Sent: 5}, {Subject: "A", Sent: 6}, {Subject: "B", Sent: 4}, {Subject: "B", Sent: 7}, {Sent: 1}, {Sent: 2},
	}
	number(msgs)
	if got, want := show(sortthread.OrderedSubject(msgs)), "5(6()) 3(1() 4()) 2()"; got != want {
		t.Errorf("want %s\n got %s", want, got)
	}
}

// TestThreadsByTheLetter compares with the second implementation.
func TestThreadsByTheLetter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.Uint32Range(1, rapid.Uint32Range(1, 30).Draw(t, "ids"))
		msgs := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) message {
			return message{
				ID:      ids.Draw(t, "id") * uint32(rapid.IntRange(0, 1).Draw(t, "hasID")),
				Refs:    rapid.SliceOfN(ids, 0, 5).Draw(t, "refs"),
				Sent:    rapid.Int64Range(0, 9).Draw(t, "sent"),
				Subject: rapid.SampledFrom([]string{"", "A", "B", "C"}).Draw(t, "subject"),
				Reply:   rapid.Bool().Draw(t, "reply"),
			}
		}), 0, 25).Draw(t, "messages")
		number(msgs)
		if want, got := plainReferences(msgs), show(sortthread.References(msgs)); got != want {
			t.Fatalf("REFERENCES of %v:\nwant %s\n got %s", msgs, want, got)
		}
		if want, got := plainRefs(msgs), show(sortthread.Refs(msgs)); got != want {
			t.Fatalf("REFS of %v:\nwant %s\n got %s", msgs, want, got)
		}
	})
}

// TestThreadsOfHostileShape has shapes that are slow or deep for simple programs.
func TestThreadsOfHostileShape(t *testing.T) {
	const n = 100_000
	shapes := map[string]func(i uint32) (id uint32, refs []uint32){
		"chain":           func(i uint32) (uint32, []uint32) { return i + 1, []uint32{i} },
		"chain backwards": func(i uint32) (uint32, []uint32) { return n - i, []uint32{n - i - 1} },
		"one loop":        func(i uint32) (uint32, []uint32) { return i, []uint32{(i + 1) % n} },
		"dummies only":    func(i uint32) (uint32, []uint32) { return 0, []uint32{i, i + 1} },
		"each cut again":  func(i uint32) (uint32, []uint32) { return i + 1, []uint32{i, (i*7919 + 1) % n, (i * 104729) % n} },
		"back to the top": func(i uint32) (uint32, []uint32) { return i + 2, []uint32{i + 1, 1} },
	}
	order := rand.New(rand.NewPCG(1, 2)).Perm(n)
	shapes["chain at random"] = func(i uint32) (uint32, []uint32) {
		return uint32(order[i]) + 1, []uint32{uint32(order[i])}
	}
	for name, shape := range shapes {
		t.Run(name, func(t *testing.T) {
			msgs := make([]message, n)
			for i := range msgs {
				id, refs := shape(uint32(i))
				msgs[i] = message{ID: id, Refs: refs, Subject: fmt.Sprint("S", i%1000), Reply: i%2 == 0}
			}
			number(msgs)
			start := time.Now()
			for _, thread := range []func([]message) *sortthread.Thread{sortthread.References, sortthread.Refs, sortthread.OrderedSubject} {
				if got := count(thread(msgs)); got != n {
					t.Errorf("%d messages of %d", got, n)
				}
			}
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// count counts the messages without recursion.
func count(t *sortthread.Thread) (n int) {
	for stack := []*sortthread.Thread{t}; len(stack) > 0; {
		t := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if t == nil {
			continue
		}
		if t.Num != 0 {
			n++
		}
		stack = append(stack, t.Next, t.Child)
	}
	return n
}
