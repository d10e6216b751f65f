#!/bin/sh
# peers.sh PACKAGE...: install Debian packages that make interop compares with, as root. No daemon is started and no
# installed package is removed. Of postfix, which no system has beside another mail server, the programs are put into
# bin/peers/postfix, and the libraries that they need are installed.
set -eu
cd "$(dirname "$0")/.."
export DEBIAN_FRONTEND=noninteractive

policy=/usr/sbin/policy-rc.d
if ! test -e $policy; then
	trap 'rm -f $policy' EXIT
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod 755 $policy
fi

apt-get update -q
packages=
for p; do
	case $p in
	postfix)
		rm -rf bin/peers/new
		mkdir -p bin/peers/new
		(cd bin/peers/new && apt-get download -q postfix && dpkg-deb -x postfix_*.deb postfix)
		packages="$packages $(dpkg-deb -f bin/peers/new/postfix_*.deb Depends | tr , '\n' | sed -n 's/^ *\(lib[^ |]*\).*/\1/p' | tr '\n' ' ')"
		;;
	*) packages="$packages $p" ;;
	esac
done
apt-get install -qy --no-install-recommends --no-remove $packages
if test -d bin/peers/new; then
	mv bin/peers/new/postfix bin/peers/postfix
	rm -r bin/peers/new
fi
