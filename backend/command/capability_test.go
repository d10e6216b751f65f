package command_test

import (
	"slices"
	"strings"
	"testing"
)

func TestCapability(t *testing.T) {
	c := newHost(t, "").connect()
	c.run("CAPABILITY", "* CAPABILITY IMAP4rev1 LITERAL+ SASL-IR IDLE UIDPLUS NAMESPACE CHILDREN UNSELECT MOVE ENABLE ID "+
		"LIST-EXTENDED LIST-STATUS STATUS=SIZE...", "OK CAPABILITY completed")
	c.run("CAPABILITY x", "BAD")
	c.run("NAMESPACE", `* NAMESPACE (("" "/")) NIL NIL`, "OK")
	c.run("NAMESPACE x", "BAD")
	c.run("RUBBISH (DATE) UTF-8 ALL", "BAD Command unrecognized: RUBBISH")
}

func TestEnable(t *testing.T) {
	c := newHost(t, "").connect()
	c.run("ENABLE CONDSTORE X-UNKNOWN", "* ENABLED", "OK ENABLE completed")
	c.run("ENABLE IMAP4rev2", "* ENABLED IMAP4rev2", "OK")
	c.run("ENABLE IMAP4rev2", "* ENABLED", "OK")
	c.run("ENABLE", "BAD")
	c.run("ENABLE (X)", "BAD")
}

// R25: a capability can be switched off for a user.
func TestR25Hidden(t *testing.T) {
	h := newHost(t, "")
	h.config.Hidden = []string{"IDLE", "status=size"}
	c := h.connect()
	c.run("CAPABILITY", "* CAPABILITY IMAP4rev1 LITERAL+ SASL-IR UIDPLUS NAMESPACE CHILDREN UNSELECT MOVE ENABLE ID "+
		"LIST-EXTENDED LIST-STATUS...", "OK CAPABILITY completed")
	if words := strings.Fields(c.ok("CAPABILITY")[0]); slices.Contains(words, "IDLE") || slices.Contains(words, "STATUS=SIZE") {
		t.Error(words)
	}
}

// R17: ID takes NIL and an empty list.
func TestR17ID(t *testing.T) {
	h := newHost(t, "")
	c := h.connect()
	for _, args := range []string{"NIL", "()", `("name" "x" "version" NIL)`, "({4+}\r\nname {1+}\r\n\") "} {
		c.run("ID "+args, `* ID ("name" "spoold")`, "OK ID completed")
	}
	for _, args := range []string{"", "x", `("name")`, `"name"`, `("name" "x"`, `(NIL "x")`} {
		c.run("ID "+args, "BAD")
	}
	h.config.Version = `1.0 "beta"`
	h.connect().run("ID NIL", `* ID ("name" "spoold" "version" "1.0 \"beta\"")`, "OK")
}
