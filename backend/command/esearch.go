package command

import "spoold/backend/wire"

// tellFound answers SEARCH or SORT, and keeps the result if the client wants that. found has message numbers, in the
// order in which they are to be told; they are told as UIDs in the answer to a UID command, and are UIDs afterwards.
func (r *request) tellFound(o *returnOptions, found []uint32) {
	if o.save {
		r.s.SaveResult(o.saved(found))
	}
	if r.cmd.UID {
		view := r.s.View()
		for i, n := range found {
			found[i] = view.UID(n)
		}
	}
	if o.extended {
		r.esearch(o, found)
		if o.update && !r.s.Watches(r.cmd.Tag) {
			r.w.Untagged("NO", `NOUPDATE "`+r.cmd.Tag+`"`, "Changes of this result will not be told")
		}
		return
	}
	r.w.Raw("* " + r.cmd.Name)
	for _, n := range found {
		r.w.SP()
		r.w.Num(uint64(n))
	}
	r.w.CRLF()
}

// esearch writes an ESEARCH response (RFC 4731 §3.1). MIN, MAX and ALL are left out when nothing was found; of a sorted
// result MIN and MAX are the first and the last (RFC 5267 §3.1).
func (r *request) esearch(o *returnOptions, found []uint32) {
	if !o.tells() {
		return
	}
	r.w.Raw("* ESEARCH (TAG ")
	r.w.String([]byte(r.cmd.Tag))
	r.w.Raw(")")
	if r.cmd.UID {
		r.w.Raw(" UID")
	}
	if o.min && len(found) > 0 {
		r.w.Raw(" MIN ")
		r.w.Num(uint64(found[0]))
	}
	if o.max && len(found) > 0 {
		r.w.Raw(" MAX ")
		r.w.Num(uint64(found[len(found)-1]))
	}
	if o.count {
		r.w.Raw(" COUNT ")
		r.w.Num(uint64(len(found)))
	}
	if o.partial != nil {
		r.w.Raw(" PARTIAL (" + o.partial.String() + " ")
		if part := o.partial.of(found); len(part) > 0 {
			writeSet(r.w, part)
		} else {
			r.w.Raw("NIL")
		}
		r.w.Raw(")")
	}
	if o.all && len(found) > 0 {
		r.w.Raw(" ALL ")
		writeSet(r.w, found)
	}
	r.w.CRLF()
}

// writeSet writes numbers as a sequence set that lists them in their order: only neighbours that ascend make a range
// (RFC 5267 §3.2). It may be long and is not put together in memory.
func writeSet(w *wire.Writer, nums []uint32) {
	for i := 0; i < len(nums); i++ {
		if i > 0 {
			w.Bytes([]byte(","))
		}
		first := nums[i]
		w.Num(uint64(first))
		for i+1 < len(nums) && nums[i+1] == nums[i]+1 {
			i++
		}
		if nums[i] != first {
			w.Raw(":")
			w.Num(uint64(nums[i]))
		}
	}
}
