package main_test

import (
	"os/exec"
	"strconv"
	"testing"
)

// TestInteropCompress works through a mailbox as a client that has zlib, with each way of flushing that zlib knows: mutt uses
// the partial one, others the sync flush.
func TestInteropCompress(t *testing.T) {
	needs(t, "python3")
	h := newHost(t, "alice")
	h.serve()
	for _, flush := range []string{"Z_PARTIAL_FLUSH", "Z_SYNC_FLUSH", "Z_FULL_FLUSH"} {
		t.Run(flush, func(t *testing.T) {
			out, err := exec.Command("python3", "-c", zlibClient, strconv.Itoa(h.port), "alice", flush).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		})
	}
}

// zlibClient takes a port, a user whose password is "secret", and how to flush.
const zlibClient = `
import random, socket, sys, zlib
port, user, flush = int(sys.argv[1]), sys.argv[2], getattr(zlib, sys.argv[3])
s = socket.create_connection(("127.0.0.1", port))
s.settimeout(20)
packer, unpacker, data, n = None, None, b"", 0

def more():
    global data
    b = s.recv(65536)
    if not b:
        raise EOFError(data)
    data += unpacker.decompress(b) if unpacker else b

def line():
    global data
    while b"\r\n" not in data:
        more()
    l, data = data.split(b"\r\n", 1)
    return l

def octets(n):
    global data
    while len(data) < n:
        more()
    b, data = data[:n], data[n:]
    return b

def send(b):
    s.sendall(packer.compress(b) + packer.flush(flush) if packer else b)

def do(command, literal=None):
    global n
    n += 1
    tag = b"a%d" % n
    if literal is None:
        send(tag + b" " + command + b"\r\n")
    else:
        send(tag + b" " + command + b" {%d}\r\n" % len(literal))
        assert line().startswith(b"+ ")
        send(literal + b"\r\n")
    answer = []
    while True:
        l = line()
        if l.startswith(tag + b" "):
            assert l.startswith(tag + b" OK"), l
            return answer
        if l.endswith(b"}"):
            l = (l, octets(int(l[l.rindex(b"{") + 1:-1])))
        answer.append(l)

line()
do(b"LOGIN %s secret" % user.encode())
do(b"COMPRESS DEFLATE")
packer = zlib.compressobj(wbits=-15)
unpacker = zlib.decompressobj(wbits=-15)
do(b"CREATE %s" % sys.argv[3].encode())
do(b"SELECT %s" % sys.argv[3].encode())
random.seed(1)
for size in (10, 1000, 100000, 2000000):
    words = [b"%x" % random.randrange(1000) for i in range(size // 4)]
    text = b"Subject: test\r\n\r\n" + b"\r\n".join(b" ".join(words[i:i+12]) for i in range(0, len(words), 12)) + b"\r\n"
    do(b"APPEND %s" % sys.argv[3].encode(), text)
    got = do(b"UID FETCH * (BODY.PEEK[])")
    assert got[0][1] == text, (len(got[0][1]), len(text))
for i in range(50):
    do(b"NOOP")
    do(b"UID FETCH 1:* (FLAGS)")
n += 1
send(b"a%d IDLE\r\n" % n)
assert line().startswith(b"+ ")
send(b"DONE\r\n")
assert line().startswith(b"a%d OK" % n)
do(b"LOGOUT")
`
