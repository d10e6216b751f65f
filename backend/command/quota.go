package command

import "spoold/backend/session"

// getQuota is GETQUOTA (RFC 9208 §4.1.1).
func getQuota(r *request) error {
	if err := r.cmd.Args.SP(); err != nil {
		return err
	}
	name, err := r.cmd.Args.AString()
	if err != nil {
		return err
	}
	if err := r.cmd.Args.End(); err != nil {
		return err
	}
	root, err := r.s.QuotaRoot(r.ctx, string(name))
	if err != nil {
		return err
	}
	r.quota(root)
	return r.done("")
}

// getQuotaRoot is GETQUOTAROOT (RFC 9208 §4.1.2).
func getQuotaRoot(r *request) error {
	name, err := r.mailbox()
	if err != nil {
		return err
	}
	if err := r.cmd.Args.End(); err != nil {
		return err
	}
	roots, err := r.s.QuotaRoots(r.ctx, name)
	if err != nil {
		return err
	}
	r.w.Raw("* QUOTAROOT ")
	r.w.Mailbox(name)
	for _, root := range roots {
		r.w.SP()
		r.w.String([]byte(root.Name))
	}
	r.w.CRLF()
	for _, root := range roots {
		r.quota(root)
	}
	return r.done("")
}

// setQuota is SETQUOTA (RFC 9208 §4.1.3). Quotas are the administrator's: QUOTASET is not announced, and nobody may.
func setQuota(r *request) error {
	p := r.cmd.Args
	if err := p.SP(); err != nil {
		return err
	}
	if _, err := p.AString(); err != nil {
		return err
	}
	if err := p.SP(); err != nil {
		return err
	}
	err := p.List(func() error {
		if _, err := p.Atom(); err != nil {
			return err
		}
		if err := p.SP(); err != nil {
			return err
		}
		_, err := p.Number64()
		return err
	})
	if err != nil {
		return err
	}
	if err := p.End(); err != nil {
		return err
	}
	return &session.Refusal{Code: "NOPERM", Text: "Quotas are set by the administrator"}
}

// quotaUnit is what STORAGE and DELETED-STORAGE are counted in (RFC 9208 §5.1).
const quotaUnit = 1024

// quotaUnits rounds up: the last octet of a limit is reached before it is said to be.
func quotaUnits(octets int64) uint64 {
	n := uint64(max(octets, 0))
	units := n / quotaUnit
	if n%quotaUnit > 0 {
		units++
	}
	return units
}

// quota writes one QUOTA response.
func (r *request) quota(root session.QuotaRoot) {
	r.w.Raw("* QUOTA ")
	r.w.String([]byte(root.Name))
	r.w.Raw(" (STORAGE ")
	r.w.Num(quotaUnits(root.Used))
	r.w.SP()
	r.w.Num(uint64(max(root.Limit, 0)) / quotaUnit)
	r.w.Raw(")")
	r.w.CRLF()
}
