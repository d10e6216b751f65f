package worker

import (
	"os"
	"path/filepath"

	"spoold/backend/session"
	"spoold/spool"
)

// newQuota is what the user may store. The file systems with a quota of their own are those of the inbox and of the
// folders; where that is one, there is one quota root.
func newQuota(cfg Config, tree *spool.Tree) *session.Quota {
	q := &session.Quota{Storage: cfg.Storage, Usage: tree.Usage}
	inboxDir, root := filepath.Dir(cfg.Inbox), existing(cfg.Root)
	ask := func(dir string) func() (int64, int64, bool) {
		return func() (int64, int64, bool) { return spool.DiskQuota(dir, cfg.UID) }
	}
	a, errA := spool.Device(inboxDir)
	b, errB := spool.Device(root)
	if errA == nil && errB == nil && a == b {
		q.Disks = []session.DiskQuota{{Root: "disk", Inbox: true, Folders: true, Ask: ask(root)}}
		return q
	}
	q.Disks = []session.DiskQuota{
		{Root: "disk", Folders: true, Ask: ask(root)},
		{Root: "inbox disk", Inbox: true, Ask: ask(inboxDir)},
	}
	return q
}

// existing is dir, or what is above it: the mail root is made with the first folder.
func existing(dir string) string {
	for dir != "/" {
		if _, err := os.Stat(dir); err == nil {
			break
		}
		dir = filepath.Dir(dir)
	}
	return dir
}
