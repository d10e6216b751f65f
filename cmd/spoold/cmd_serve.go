package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"spoold/backend/auth"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

const serveHelp = `Run the server until SIGINT or SIGTERM.

Started by root it needs a configuration, ` + hostConfig + ` unless --config
names another, and serves every user in a process of his own.

Started by an ordinary user without --config it serves that user's own mail on
127.0.0.1:1143, with a password that it makes up and prints.

With --sample it serves a copy of the sample mailboxes in DIR, which is removed
at the end. Every user's password is "` + samplePassword + `".

` + exitHelp

type serveOptions struct {
	config, sample, listen string
	debug                  bool
}

func newServe(std stdio) *cobra.Command {
	var o serveOptions
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "run the server",
		Long:  serveHelp,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.settle(os.Geteuid(), cmd.Flags().Changed("listen")); err != nil {
				return &exitError{exUsage, err}
			}
			ctx, stop := untilSignal(cmd.Context())
			defer stop()
			return runServe(ctx, o, std)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.config, "config", "", "configuration `FILE`")
	f.StringVar(&o.sample, "sample", "", "serve a copy of the sample mailboxes in `DIR`")
	f.StringVar(&o.listen, "listen", personalAddress, "`ADDRESS` to listen on with --sample, or as an ordinary user without --config")
	f.BoolVar(&o.debug, "debug", false, "log more")
	return cmd
}

// personalAddress is where an ordinary user's server listens.
const personalAddress = "127.0.0.1:1143"

// settle finds the configuration that root goes by, and refuses options that would have no effect.
func (o *serveOptions) settle(euid int, listenGiven bool) error {
	if o.config == "" && o.sample == "" && euid == 0 {
		o.config = hostConfig
	}
	if _, err := parseAddress(o.listen); err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	switch {
	case o.config != "" && o.sample != "":
		return errors.New("--sample brings its own configuration")
	case o.config != "" && listenGiven:
		return fmt.Errorf("--listen: what to listen on is said in %s", o.config)
	}
	return nil
}

func runServe(ctx context.Context, o serveOptions, std stdio) (err error) {
	log := newLog(std.err, o.debug)
	if o.sample != "" {
		sample, err := newSample(o.sample, o.listen)
		if err != nil {
			return err
		}
		defer func() {
			if rmErr := sample.remove(); rmErr != nil {
				log.Warn("Sample not removed", "err", rmErr)
			}
		}()
		o.config = sample.config()
		return serveConfigured(ctx, o, std, sample.invite)
	}
	if o.config == "" {
		return servePersonal(ctx, o, std)
	}
	return serveConfigured(ctx, o, std, inviteOn(std))
}

// serveConfigured serves what a configuration file says.
func serveConfigured(ctx context.Context, o serveOptions, std stdio, ready func(addresses []string) string) error {
	c, err := readConfig(o.config)
	if errors.Is(err, fs.ErrNotExist) && o.config == hostConfig {
		return &exitError{exConfig, errors.New(howToConfigure)}
	}
	if err != nil {
		return err
	}
	s := &server{config: c, log: newLog(std.err, o.debug), debug: o.debug, ready: printer(std, ready)}
	if len(c.Auth.Files) == 0 {
		return &exitError{exConfig, fmt.Errorf("%s: [auth] has no sources: nobody could log in", o.config)}
	}
	for _, path := range c.Auth.Files {
		f, err := auth.OpenPasswdFile(path, auth.Host{}, s.log)
		if err != nil {
			return &exitError{exConfig, err}
		}
		s.sources = append(s.sources, f)
	}
	return s.run(ctx)
}

const howToConfigure = `root needs a configuration in ` + hostConfig + `, for example:

[[listen]]
address = "127.0.0.1:143"
tls = "none"

[auth]
sources = ["passwd-file:/etc/spoold/passwd"]

and lines in /etc/spoold/passwd that "spoold passwd USER" makes.
To try spoold without any, run "spoold serve" as an ordinary user, or "spoold serve --sample testdata/sample"`

// servePersonal serves the mail of the user who runs this.
func servePersonal(ctx context.Context, o serveOptions, std stdio) error {
	c, err := personalConfig(hostConfig)
	if err != nil {
		return err
	}
	id, err := self()
	if err != nil {
		return err
	}
	// 26 letters and digits of base32: nobody guesses them, so a cheap hash is enough.
	password := strings.ToLower(rand.Text())
	hash, err := auth.Hash(password, auth.SHA512, 1000)
	if err != nil {
		return err
	}
	source, err := auth.NewStatic(id, hash)
	if err != nil {
		return err
	}
	c.Listen = []address{address(o.listen)}
	invite := func(addresses []string) string {
		return fmt.Sprintf("Serving the mail of %s in %s. Password until the end of this server: %s\n%s",
			id.Name, c.Mail.Inbox.expand(id.Name, id.Home), password, curlLine(addresses, id.Name, password))
	}
	s := &server{config: c, log: newLog(std.err, o.debug), debug: o.debug, ready: printer(std, invite)}
	s.sources = []auth.Source{source}
	return s.run(ctx)
}

// inviteOn tells a person at a terminal how to connect; a log file need not know.
func inviteOn(std stdio) func([]string) string {
	f, ok := std.out.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return func([]string) string { return "" }
	}
	return func(addresses []string) string { return curlLine(addresses, "USER", "") }
}

// curlLine is a line to paste that prints the user's first message.
func curlLine(addresses []string, user, password string) string {
	if len(addresses) == 0 {
		return ""
	}
	if password != "" {
		password = ":" + password
	}
	return fmt.Sprintf("curl -s --user '%s%s' --url 'imap://%s/INBOX;MAILINDEX=1'\n", user, password, addresses[0])
}

// printer prints what invite says, once the server is ready.
func printer(std stdio, invite func([]string) string) func([]string) error {
	return func(addresses []string) error {
		text := invite(addresses)
		if text == "" {
			return nil
		}
		_, err := fmt.Fprint(std.out, text)
		return err
	}
}
