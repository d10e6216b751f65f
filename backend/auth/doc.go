// Package auth answers one question: is this password right for this user, and who is he on
// this host?
//
// A [Checker] asks its sources in turn; the first that knows the name decides. The source of today
// is a passwd-file ([PasswdFile]), with lines
//
//	user:hash:uid:gid:gecos:home:shell:
//
// where hash is one of crypt(3)'s yescrypt ($y$), SHA-512 ($6$), SHA-256 ($5$) or bcrypt ($2b$),
// and a missing uid, gid or home is the system user's.
//
// Promises:
//   - An unknown user, a locked one and a wrong password give the same error after the same work:
//     where there is no hash to check, one of the same source is checked and its answer dropped.
//   - At most so many checks run at once as Options says: a hash is made to cost time and memory,
//     and strangers choose when.
//   - What a source says is never kept for another name.
//
// It does not throttle, delay or log passwords; login does the former. It runs where the hashes
// may be read (the supervisor's process, as root on a host).
package auth
