package mboxstore

import "slices"

// twice finds the messages that are in the file once more, each with the offset of the one that stays: those with the
// same X-UID, and, when a rewrite was interrupted, those without X-UID, which have the bytes of another.
func (m *Mailbox) twice(records []record, interrupted bool) (map[int64]int64, error) {
	gone := map[int64]int64{}
	byUID, byDigest := map[UID][]int{}, map[digestKey][]int{}
	for i := range records {
		if u := records[i].onFile.uid; u != 0 {
			byUID[u] = append(byUID[u], i)
		}
		byDigest[key(&records[i])] = append(byDigest[key(&records[i])], i)
	}
	for _, list := range byUID {
		if err := m.keepOne(records, list, gone); err != nil {
			return nil, err
		}
	}
	if !interrupted {
		return gone, nil
	}
	for _, list := range byDigest {
		slices.SortStableFunc(list, func(a, b int) int { // those with an X-UID stay
			return boolInt(records[a].onFile.uid == 0) - boolInt(records[b].onFile.uid == 0)
		})
		for len(list) > 1 && records[list[0]].onFile.uid != 0 && records[list[1]].onFile.uid != 0 {
			list = list[1:]
		}
		if err := m.keepOne(records, list, gone); err != nil {
			return nil, err
		}
	}
	return gone, nil
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// keepOne notes those of list that are an earlier one again.
func (m *Mailbox) keepOne(records []record, list []int, gone map[int64]int64) error {
	if len(list) < 2 {
		return nil
	}
	first := map[mailKey]int64{}
	for _, i := range list {
		k, err := readKept(m.file, &records[i])
		if err != nil {
			return err
		}
		off := records[i].off
		if at, again := first[k.key()]; again {
			gone[off] = at
		} else if _, out := gone[off]; !out {
			first[k.key()] = off
		}
	}
	return nil
}
