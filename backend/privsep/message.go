package privsep

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Kind says what a message is.
type Kind string

// The messages. Setup, Hand, Replay and Stop go to a worker; Taken, Replayed, Idle and the requests Lock,
// Unlock and Create come from one, and Reply answers those that have an ID.
const (
	Setup  Kind = "setup"  // first message: Body is the worker's configuration
	Hand   Kind = "hand"   // a connection that has logged in: Login and a descriptor
	Stop   Kind = "stop"   // flush, say BYE, exit
	Replay Kind = "replay" // replay the journals without waiting for a connection
	Lock   Kind = "lock"   // make the lock of my inbox
	Unlock Kind = "unlock" // remove it
	Create Kind = "create" // create my inbox
	Taken  Kind = "taken"  // the oldest connection that was handed to me is mine
	Idle   Kind = "idle"   // I have no session, take none of other processes, and Count were handed to me so far
	Reply  Kind = "reply"  // Error is empty when it was done

	Replayed Kind = "replayed" // the journals are replayed; Error is empty when all of them are
)

// Login is what the worker has to know of a connection that has logged in.
type Login struct {
	Tag       string `json:"tag"`                 // of the command still to be answered; "" = greet with PREAUTH
	Remote    string `json:"remote"`              // client's address, for the log
	Mechanism string `json:"mechanism,omitempty"` // SASL mechanism; "" = LOGIN
	Unread    []byte `json:"unread,omitempty"`    // read from the client, not yet looked at
}

// Message is one message. File is set on received ones that carried a descriptor; it is the
// receiver's to close.
type Message struct {
	Kind  Kind            `json:"kind"`
	ID    uint64          `json:"id,omitempty"`
	Login *Login          `json:"login,omitempty"`
	Count uint64          `json:"count,omitempty"`
	Body  json.RawMessage `json:"body,omitempty"`
	Error string          `json:"error,omitempty"`
	File  *os.File        `json:"-"`
}

const (
	// maxMessage is the longest message: configuration and unread bytes are a few KiB.
	maxMessage = 64 << 10
	// sendTimeout bounds how long a peer that does not read can hold up a sender.
	sendTimeout = 10 * time.Second
)

// ErrMessage is a message that is too long, cut off or not understood. The connection is useless then.
var ErrMessage = errors.New("malformed message between processes")

// Conn is one end of a connection between two roles. One goroutine may receive while others send.
type Conn struct {
	uc *net.UnixConn
}

// Pair makes a connection: one end as Conn, the other as a file to give to a child.
func Pair() (*Conn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	near, far := os.NewFile(uintptr(fds[0]), "role"), os.NewFile(uintptr(fds[1]), "role")
	c, err := FileConn(near)
	if err != nil {
		return nil, nil, errors.Join(err, far.Close())
	}
	return c, far, nil
}

// FileConn takes over f, which must be a SOCK_SEQPACKET socket, and closes f.
func FileConn(f *os.File) (*Conn, error) {
	nc, err := net.FileConn(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("role socket: %w", err)
	}
	uc, ok := nc.(*net.UnixConn)
	if !ok || uc.LocalAddr().Network() != "unixpacket" {
		return nil, errors.Join(errors.New("role socket: not a packet socket"), nc.Close())
	}
	return NewConn(uc), nil
}

// NewConn speaks messages over uc, a "unixpacket" connection.
func NewConn(uc *net.UnixConn) *Conn { return &Conn{uc: uc} }

// Close ends the connection; a blocked Receive returns.
func (c *Conn) Close() error { return c.uc.Close() }

// Send sends m, and a duplicate of attach's descriptor unless it is nil.
func (c *Conn) Send(m Message, attach syscall.Conn) error {
	b, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("send %s: %w", m.Kind, err)
	}
	if len(b) > maxMessage {
		return fmt.Errorf("send %s: %w: %d bytes", m.Kind, ErrMessage, len(b))
	}
	if attach == nil {
		return wrapSend(m.Kind, c.write(b, nil))
	}
	raw, err := attach.SyscallConn()
	if err != nil {
		return wrapSend(m.Kind, err)
	}
	// Control keeps the descriptor open meanwhile, and unlike File does not touch its O_NONBLOCK.
	var sent error
	err = raw.Control(func(fd uintptr) { sent = c.write(b, unix.UnixRights(int(fd))) })
	return wrapSend(m.Kind, errors.Join(err, sent))
}

func wrapSend(k Kind, err error) error {
	if err != nil {
		return fmt.Errorf("send %s: %w", k, err)
	}
	return nil
}

func (c *Conn) write(b, oob []byte) error {
	if err := c.uc.SetWriteDeadline(time.Now().Add(sendTimeout)); err != nil {
		return err
	}
	_, _, err := c.uc.WriteMsgUnix(b, oob, nil)
	return err
}

// Receive waits for the next message. After an error the connection should be closed.
func (c *Conn) Receive() (Message, error) {
	buf, oob := make([]byte, maxMessage), make([]byte, unix.CmsgSpace(4))
	n, oobn, flags, _, err := c.uc.ReadMsgUnix(buf, oob)
	if errors.Is(err, io.EOF) || errors.Is(err, unix.ECONNRESET) {
		err = net.ErrClosed // by the peer, with or without something unread
	}
	if err != nil {
		return Message{}, fmt.Errorf("receive: %w", err)
	}
	file, err := oneFile(oob[:oobn])
	if err != nil {
		return Message{}, fmt.Errorf("receive: %w", err)
	}
	m, err := decode(buf[:n], flags)
	if err == nil && file != nil && m.Kind != Hand {
		err = fmt.Errorf("%w: %s with a descriptor", ErrMessage, m.Kind)
	}
	if err != nil {
		if file != nil {
			err = errors.Join(err, file.Close())
		}
		return Message{}, fmt.Errorf("receive: %w", err)
	}
	m.File = file
	return m, nil
}

// decode is the pure part of Receive.
func decode(b []byte, flags int) (Message, error) {
	if flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
		return Message{}, fmt.Errorf("%w: cut off", ErrMessage)
	}
	var m Message
	if err := json.Unmarshal(b, &m); err != nil {
		return Message{}, fmt.Errorf("%w: %w", ErrMessage, err)
	}
	return m, nil
}

// oneFile takes the descriptor out of a message's control data. More than one has no room there:
// the kernel closes those and sets MSG_CTRUNC.
func oneFile(oob []byte) (*os.File, error) {
	if len(oob) == 0 {
		return nil, nil
	}
	cmsgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMessage, err)
	}
	var files []*os.File
	for _, c := range cmsgs {
		fds, err := unix.ParseUnixRights(&c)
		if err != nil {
			continue // credentials and the like, which nobody asked for
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "handed over"))
		}
	}
	if len(files) <= 1 {
		return append(files, nil)[0], nil
	}
	err = fmt.Errorf("%w: %d descriptors", ErrMessage, len(files))
	for _, f := range files {
		err = errors.Join(err, f.Close())
	}
	return nil, err
}
