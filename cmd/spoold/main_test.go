package main

import (
	"fmt"
	"os"
	"testing"

	"spoold/backend/privsep"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"
)

// TestMain makes the test binary the program: when a script runs spoold, and when that runs itself
// as a worker. It is also the second process of the lock suite.
func TestMain(m *testing.M) {
	if privsep.Role() != "" {
		os.Exit(start())
	}
	testscript.Main(leakChecked{m}, map[string]func(){
		"spoold":     func() { os.Exit(start()) },
		"lock-agent": func() { os.Exit(agentMain(os.Args[1:])) },
	})
}

// leakChecked fails when goroutines are left after the tests.
type leakChecked struct{ m *testing.M }

func (l leakChecked) Run() int {
	status := l.m.Run()
	if status != 0 {
		return status
	}
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
