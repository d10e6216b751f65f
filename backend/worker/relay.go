package worker

import (
	"context"
	"errors"
	"net"

	"spoold/backend/privsep"
)

// relay gives a connection to the process that is the worker of the state directory.
func relay(state string, m privsep.Message) (err error) {
	c, err := call(state)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if err := c.Send(privsep.Message{Kind: privsep.Hand, ID: 1, Login: m.Login}, m.File); err != nil {
		return err
	}
	// The answer says that it was taken: a worker about to end leaves it to us to try the next.
	answer, err := c.Receive()
	if err == nil && answer.Kind != privsep.Reply {
		err = privsep.ErrMessage
	}
	return err
}

// acceptPeers takes connections from other processes of this user while we have the seat.
func (r *runner) acceptPeers() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for {
		uc, err := r.seat.listen.AcceptUnix()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				r.log.Error("Worker socket", "err", err)
			}
			return
		}
		r.peers.Go(func() {
			c := privsep.NewConn(uc)
			defer context.AfterFunc(ctx, func() { _ = c.Close() })()
			defer func() { _ = c.Close() }()
			if err := r.servePeer(uc, c); err != nil && !errors.Is(err, net.ErrClosed) {
				r.log.Warn("Worker socket", "err", err)
			}
		})
	}
}

// servePeer takes the connections that one process brings.
func (r *runner) servePeer(uc *net.UnixConn, c *privsep.Conn) error {
	if err := samePeer(uc); err != nil {
		return err
	}
	for {
		m, err := c.Receive()
		if err != nil {
			return err
		}
		if m.Kind != privsep.Hand || m.File == nil || m.Login == nil {
			return privsep.ErrMessage
		}
		if !r.receivedFromPeer() {
			return errors.Join(m.File.Close(), net.ErrClosed)
		}
		go func() { defer r.left(); r.serve(m) }()
		if err := c.Send(privsep.Message{Kind: privsep.Reply, ID: m.ID}, nil); err != nil {
			return err
		}
	}
}
