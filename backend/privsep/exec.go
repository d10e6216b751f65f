package privsep

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

const (
	// roleVar names the role in the environment of a process that Exec starts. An ordinary user
	// who sets it himself gains nothing: he gets a worker without a supervisor, which ends at once.
	roleVar = "SPOOLD_ROLE"
	// WorkerRole is the role of a mail user's process.
	WorkerRole = "worker"
	// roleFD is where a role finds its connection to the supervisor.
	roleFD = 3
)

// Role says as what this process was started; "" is an ordinary start.
func Role() string { return os.Getenv(roleVar) }

// Enter takes up the connection to the supervisor in a process that Exec started. It must come
// before anything else opens a file.
func Enter() (*Client, error) {
	if err := os.Unsetenv(roleVar); err != nil {
		return nil, fmt.Errorf("enter role: %w", err)
	}
	// So that nothing the worker might start inherits it.
	syscall.CloseOnExec(roleFD)
	c, err := FileConn(os.NewFile(roleFD, "supervisor"))
	if err != nil {
		return nil, fmt.Errorf("enter role: %w", err)
	}
	return NewClient(c), nil
}

// A Process is a started worker, seen from the supervisor.
type Process struct {
	Conn *Conn
	Wait func() error // until it has ended; called once
	Kill func()       // ends it at once
}

// A Launcher starts workers.
type Launcher interface {
	Launch(id Identity) (*Process, error)
}

// Exec starts workers as processes: this program, as the user. Only root can.
type Exec struct {
	start chan *exec.Cmd
	done  chan error
}

// NewExec prepares for starting workers. The parent-death signal is sent when the *thread* that
// forked ends (prctl(2)), so all are forked from one that is kept until Close.
func NewExec() *Exec {
	e := &Exec{start: make(chan *exec.Cmd), done: make(chan error)}
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		for cmd := range e.start {
			e.done <- cmd.Start()
		}
	}()
	return e
}

// Close gives the thread up. All workers have ended before, and Launch is not called any more.
func (e *Exec) Close() { close(e.start) }

// Launch starts a worker for id. Calls must not overlap.
func (e *Exec) Launch(id Identity) (*Process, error) {
	if err := id.Check(); err != nil {
		return nil, err
	}
	conn, far, err := Pair()
	if err != nil {
		return nil, err
	}
	cmd := workerCommand(id, far)
	e.start <- cmd
	if err := errors.Join(<-e.done, far.Close()); err != nil {
		return nil, errors.Join(fmt.Errorf("start worker of %s: %w", id.Name, err), conn.Close())
	}
	kill := func() {
		// It may have ended by itself meanwhile, which is as good.
		_ = cmd.Process.Kill()
	}
	return &Process{Conn: conn, Wait: cmd.Wait, Kill: kill}, nil
}

// workerCommand is the worker's process: what it inherits is listed here and nowhere else.
func workerCommand(id Identity, conn *os.File) *exec.Cmd {
	return &exec.Cmd{
		Path:       "/proc/self/exe",
		Args:       []string{"spoold-worker", id.Name}, // for ps(1)
		Dir:        "/",                                // the home may not be there; the worker goes there itself
		Env:        workerEnv(id),
		Stderr:     os.Stderr,
		ExtraFiles: []*os.File{conn}, // roleFD
		SysProcAttr: &syscall.SysProcAttr{
			Credential: &syscall.Credential{Uid: id.UID, Gid: id.GID, Groups: id.Groups},
			Pdeathsig:  syscall.SIGTERM,
			Setsid:     true, // out of reach of the terminal's signals and of TIOCSTI
		},
	}
}

func workerEnv(id Identity) []string {
	env := []string{
		roleVar + "=" + WorkerRole, "PATH=/usr/bin:/bin",
		"HOME=" + id.Home, "USER=" + id.Name, "LOGNAME=" + id.Name,
	}
	// A From_ line without zone is in local time: the one that the host's administrator chose.
	if tz, ok := os.LookupEnv("TZ"); ok {
		env = append(env, "TZ="+tz)
	}
	return env
}

// Goroutine runs workers inside this process, for an ordinary user who serves his own mail. Only
// his own uid is served.
type Goroutine struct {
	Run func(*Client) error // the worker, until it is told to stop or the connection ends
}

// Launch starts a worker for id.
func (g Goroutine) Launch(id Identity) (*Process, error) {
	if err := id.Check(); err != nil {
		return nil, err
	}
	if int64(id.UID) != int64(os.Getuid()) {
		return nil, fmt.Errorf("%w: %s has uid %d, and this server runs as %d", ErrIdentity, id.Name, id.UID, os.Getuid())
	}
	conn, far, err := Pair()
	if err != nil {
		return nil, err
	}
	peer, err := FileConn(far)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	ended := make(chan error, 1)
	go func() {
		client := NewClient(peer)
		ended <- errors.Join(g.Run(client), client.Close())
	}()
	kill := func() { _ = peer.Close() } // twice closed is as good
	return &Process{Conn: conn, Wait: func() error { return <-ended }, Kill: kill}, nil
}
