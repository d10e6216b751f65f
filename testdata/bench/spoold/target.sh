#!/bin/bash
# spoold as a target of the comparison of IMAP servers: as root, a worker process for each user.
# The program is bin/spoold of this checkout (make build), or $SPOOLD.
set -e
here=$(cd "$(dirname "$0")" && pwd)
SPOOLD=${SPOOLD:-$here/../../../bin/spoold}
case $1 in
version) "$SPOOLD" version; exit ;;
check) [ -x "$SPOOLD" ] || { echo "no $SPOOLD: make build"; exit 1; }; exit ;;
start) ;;
*) echo "usage: $0 start PORT HOMEROOT SPOOL USERS RUNDIR | version | check"; exit 2 ;;
esac
PORT=$2 HOMEROOT=$3 SPOOL=$4 USERS=$5 RUNDIR=$6
D=$RUNDIR/spoold
mkdir -p "$D"
# Few rounds: the mail server is measured, not the password hash.
while IFS=: read -r u p; do
  [ -n "$u" ] || continue
  hash=$(printf '%s\n' "$p" | "$SPOOLD" passwd --hash sha512 --rounds 1000 "$u" | cut -d: -f2)
  echo "$u:$hash:$(id -u "$u"):$(id -g "$u")::$HOMEROOT/$u::"
done < "$USERS" > "$D/passwd"
chmod 600 "$D/passwd"
# The state lies in the home, so that a repetition that empties the homes starts from nothing.
cat > "$D/spoold.toml" <<C
[[listen]]
address = "127.0.0.1:$PORT"
tls = "none"

[mail]
inbox = "$SPOOL/%u"
root = "%h/mail"
state = "%h/.spoold"

[auth]
sources = ["passwd-file:$D/passwd"]
plaintext = "loopback"
C
exec "$SPOOLD" serve --config "$D/spoold.toml" 2>>"$D/spoold.log"
