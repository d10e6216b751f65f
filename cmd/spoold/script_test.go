package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"spoold/backend/wire/strict"
)

// TestScript runs testdata/script. Beside testscript's own, scripts have the commands
//
//	status N spoold ARG...   run spoold; its exit status must be N
//	expand FILE              put the environment in for ${NAME}
//	own FILE...              give files to the user whose mail they are
//	ready ADDRESS            wait until somebody answers there
//	imap ADDRESS FILE        send FILE and print what comes back until the end
//
// the conditions [root] and [hostconfig], and in the environment ADDR (free to listen on), MAILUID, MAILGID, HASH
// (of "secret") and SAMPLE.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("..", "..", "testdata", "script"),
		RequireExplicitExec: true,
		Setup:               setUpScript,
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "root":
				return os.Getuid() == 0, nil
			case "hostconfig":
				_, err := os.Stat(hostConfig)
				return err == nil, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status": scriptStatus, "expand": scriptExpand, "own": scriptOwn, "ready": scriptReady, "imap": scriptIMAP,
		},
	})
}

func setUpScript(env *testscript.Env) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	sample, err := filepath.Abs(filepath.Join("..", "..", "testdata", "sample"))
	if err != nil {
		return err
	}
	uid, gid := mailUser()
	env.Vars = append(env.Vars,
		"ADDR="+ln.Addr().String(), fmt.Sprint("MAILUID=", uid), fmt.Sprint("MAILGID=", gid), "SAMPLE="+sample,
		"HASH=$6$rounds=1000$lMfXxXvNwTGqIozW$nbw3LWZ5C1eNWenhnKA7vlHdxgw.rURc9JZzwTj34/SbN7H6WpWL853eiiVGxueAicvuS8Tfwu/tBMkCJbAF/.")
	// Other users have to reach what is theirs.
	return errors.Join(ln.Close(), os.Chmod(env.WorkDir, 0o755), os.Chmod(filepath.Dir(env.WorkDir), 0o755))
}

// mailUser is whose the mail is: ours, or nobody's when we are root.
func mailUser() (uid, gid int) {
	if os.Getuid() == 0 {
		return nobody, nobody
	}
	return os.Getuid(), os.Getgid()
}

func scriptStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N PROGRAM ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

func scriptExpand(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		text := os.Expand(ts.ReadFile(name), func(key string) string {
			if v := ts.Getenv(key); v != "" {
				return v
			}
			return "$" + key // as in a hash
		})
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o600))
	}
}

func scriptOwn(ts *testscript.TestScript, _ bool, args []string) {
	uid, gid := mailUser()
	for _, name := range args {
		ts.Check(filepath.WalkDir(ts.MkAbs(name), func(path string, _ os.DirEntry, err error) error {
			return errors.Join(err, os.Chown(path, uid, gid))
		}))
	}
}

func scriptReady(ts *testscript.TestScript, _ bool, args []string) {
	for range 500 {
		nc, err := net.Dial("tcp", args[0])
		if err == nil {
			ts.Check(nc.Close())
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	ts.Fatalf("nobody listens on %s", args[0])
}

// scriptIMAP sends a dialogue at once; every server has to take commands that are sent ahead.
func scriptIMAP(ts *testscript.TestScript, _ bool, args []string) {
	nc, err := net.Dial("tcp", args[0])
	ts.Check(err)
	defer nc.Close()
	ts.Check(nc.SetDeadline(time.Now().Add(30 * time.Second)))
	judged := strict.Watch(nc, nil)
	_, err = io.WriteString(judged, strings.ReplaceAll(ts.ReadFile(args[1]), "\n", "\r\n"))
	ts.Check(err)
	var out bytes.Buffer
	_, err = io.Copy(&out, judged)
	ts.Check(err)
	ts.Check(judged.Finish())
	_, err = io.WriteString(ts.Stdout(), strings.ReplaceAll(out.String(), "\r\n", "\n"))
	ts.Check(err)
}
