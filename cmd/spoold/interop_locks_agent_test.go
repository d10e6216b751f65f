package main_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// The agent: a mail program in small, run as a process of its own, that locks by the
// given methods one after another and waits for each while it holds those before.
// Its side of the work is in lockagent_test.go.

// agentOrders are the methods that programs are known to use, in their order.
var agentOrders = []struct{ name, methods string }{
	{"Debian's order", "fcntl,dotlock"},
	{"upstream's order", "dotlock,fcntl"},
	{"dotlock only", "dotlock"},
	{"fcntl only", "fcntl"},
	{"flock only", "flock"},
}

func agentRivals() []rival {
	var out []rival
	for _, order := range agentOrders {
		out = append(out, rival{
			name:    "agent, " + order.name,
			minimum: map[string]int{"rival delivers": 60, "rival removes": 30},
			start: func(c *contest) []chore {
				program := agentProgram(c.t)
				run := func(input string, args ...string) (string, error) {
					args = append([]string{order.methods, c.inbox()}, args...)
					cmd := c.owner.command(c.home(c.user), program, args...)
					cmd.Stdin = strings.NewReader(input)
					return output(cmd)
				}
				deliver := c.delivers(func(message string) error {
					_, err := run(message, "deliver")
					return err
				})
				rewrite := func(how string) chore {
					return c.removes(func(id int) (bool, error) {
						out, err := run("", how, strconv.Itoa(id))
						return out == "removed\n", err
					})
				}
				return []chore{deliver, deliver, rewrite("rewrite"), rewrite("replace")}
			},
		})
	}
	return out
}

// output runs a command and puts what it complains of into the error.
func output(cmd *exec.Cmd) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s%s", filepath.Base(cmd.Path), err, stdout.String(), stderr.String())
	}
	return stdout.String(), nil
}

// agentProgram is a copy of this test that every user may run.
func agentProgram(t testing.TB) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder(t), "lock-agent")
	if err := os.WriteFile(path, readFile(t, self), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}
