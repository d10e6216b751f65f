package privsep

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"sync"
	"syscall"
)

// Client is the worker's end of the connection to the supervisor. One goroutine must be in Next
// for the requests to be answered.
type Client struct {
	conn *Conn

	mu      sync.Mutex
	lastID  uint64
	waiting map[uint64]chan error // requests without an answer
	closed  bool
}

// NewClient speaks for a worker over conn.
func NewClient(conn *Conn) *Client {
	return &Client{conn: conn, waiting: make(map[uint64]chan error)}
}

// Setup reads the worker's configuration, which is the first message, into v.
func (c *Client) Setup(v any) error {
	m, err := c.conn.Receive()
	if err != nil {
		return err
	}
	if m.Kind != Setup {
		return fmt.Errorf("%w: %q before the set-up", ErrMessage, m.Kind)
	}
	if err := json.Unmarshal(m.Body, v); err != nil {
		return fmt.Errorf("%w: set-up: %w", ErrMessage, err)
	}
	return nil
}

// Next returns the next message that is for the worker itself: Hand, Replay or Stop. The supervisor's
// end is told as an error that is net.ErrClosed.
func (c *Client) Next() (Message, error) {
	for {
		m, err := c.conn.Receive()
		if err != nil {
			c.abandon()
			return Message{}, err
		}
		switch m.Kind {
		case Reply:
			c.answered(m)
			continue
		case Hand: // said first: what comes of the connection is this worker's business
			if err := c.conn.Send(Message{Kind: Taken}, nil); err != nil {
				return Message{}, errors.Join(err, m.File.Close())
			}
		}
		return m, nil
	}
}

func (c *Client) answered(m Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if w, ok := c.waiting[m.ID]; ok {
		delete(c.waiting, m.ID)
		w <- decodeError(m.Error)
	}
}

// abandon answers all requests when no answer can come any more.
func (c *Client) abandon() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for id, w := range c.waiting {
		delete(c.waiting, id)
		w <- net.ErrClosed
	}
}

// Lock asks for the lock of the user's inbox: fs.ErrExist when somebody holds it,
// fs.ErrPermission when the supervisor may not make it.
func (c *Client) Lock(ctx context.Context) error { return c.request(ctx, Lock) }

// Unlock asks for the removal of the lock that Lock made.
func (c *Client) Unlock(ctx context.Context) error { return c.request(ctx, Unlock) }

// Create asks for an empty inbox; fs.ErrExist when there is one.
func (c *Client) Create(ctx context.Context) error { return c.request(ctx, Create) }

// Idle tells that there is no session, and how many connections came so far. When none is on
// its way the supervisor answers with Stop, else not at all.
func (c *Client) Idle(count uint64) error {
	return c.conn.Send(Message{Kind: Idle, Count: count}, nil)
}

// Replayed tells how the replay went that was asked for.
func (c *Client) Replayed(err error) error {
	return c.conn.Send(Message{Kind: Replayed, Error: encodeError(err)}, nil)
}

// Close ends the connection.
func (c *Client) Close() error {
	c.abandon()
	return c.conn.Close()
}

func (c *Client) request(ctx context.Context, k Kind) error {
	answer := make(chan error, 1)
	id, err := c.register(answer)
	if err != nil {
		return fmt.Errorf("ask supervisor to %s: %w", k, err)
	}
	if err = c.conn.Send(Message{Kind: k, ID: id}, nil); err == nil {
		select {
		case err = <-answer:
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	c.mu.Lock()
	delete(c.waiting, id)
	c.mu.Unlock()
	if err != nil {
		return fmt.Errorf("ask supervisor to %s: %w", k, err)
	}
	return nil
}

func (c *Client) register(answer chan error) (uint64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return 0, net.ErrClosed
	}
	c.lastID++
	c.waiting[c.lastID] = answer
	return c.lastID, nil
}

// The errors that a requester has to tell apart travel by name.
const (
	existName      = "exists"
	permissionName = "permission"
)

func encodeError(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, fs.ErrExist):
		return existName
	case errors.Is(err, fs.ErrPermission):
		return permissionName
	}
	return err.Error()
}

func decodeError(s string) error {
	switch s {
	case "":
		return nil
	case existName:
		return fs.ErrExist
	case permissionName:
		return syscall.EACCES // which is fs.ErrPermission, and what a failing open(2) says
	}
	return errors.New(s)
}
