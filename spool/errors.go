package spool

import "errors"

// What can be wrong with a mailbox file.
var (
	// ErrNotRegular: the path names a FIFO, a device, a socket or a directory.
	ErrNotRegular = errors.New("not a regular file")
	// ErrLinks: the file has another name, so its bytes are not only ours to change.
	ErrLinks = errors.New("file has more than one link")
	// ErrOwner: the file belongs to somebody else and lies where anybody could have put it.
	ErrOwner = errors.New("file belongs to another user")
	// ErrSymlink: a symbolic link where others may make one, or as lock file.
	ErrSymlink = errors.New("symbolic link refused")
	// ErrReplaced: the path no longer names the file that was opened.
	ErrReplaced = errors.New("file was replaced")
)

// ErrLocked: another program holds a lock. The error is a *LockedError that says which.
var ErrLocked = errors.New("locked by another program")

// What can be wrong with a folder name.
var (
	// ErrName: no mailbox can have this name.
	ErrName = errors.New("invalid mailbox name")
	// ErrNotFolder: a component that has to be a directory is a mailbox (or the other way round).
	ErrNotFolder = errors.New("not a folder")
)
