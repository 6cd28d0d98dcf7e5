#!/bin/bash
# The part of scripts/test-deb.sh that runs in the Debian root.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive LC_ALL=C HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

mount -t proc proc /proc
mount -t tmpfs tmpfs /tmp
ip link set lo up
cd /test

passed=0
fail() { echo "FAIL: $*" >&2; exit 1; }
ok() { passed=$((passed + 1)); echo "ok: $*"; }
is() { [ "$2" = "$3" ] || fail "$1: $2, want $3"; ok "$1"; }

# until_true repeats a command until it succeeds, for at most a minute.
until_true() {
	for _ in $(seq 600); do
		"$@" >/tmp/last 2>&1 && return
		sleep 0.1
	done
	tail -n 5 /tmp/last /test/node.log >&2
	fail "still failing after a minute: $*"
}

# commands prints the code blocks of one section of docs/install.md.
commands() {
	awk -v heading="## $1" '
		/^## / { inside = ($0 == heading) }
		inside && /^ *```$/ { code = 0 }
		inside && code { sub(/^    /, ""); print }
		inside && /^ *```sh$/ { code = 1 }' install.md
}

# What the documentation expects of the machine: sudo, an editor, systemd, and a node that runs as its own user.
cat >/usr/local/bin/sudo <<'END'
#!/bin/sh
exec "$@"
END
cat >/usr/local/bin/sudoedit <<'END'
#!/bin/sh
sed -i 's,^BTC_RPC_PORT=.*,BTC_RPC_PORT=18443,; s,^BTC_RPC_COOKIE_FILE=.*,BTC_RPC_COOKIE_FILE=/var/lib/bitcoind/regtest/.cookie,' "$1"
END
cat >/usr/local/bin/systemctl <<'END'
#!/bin/bash
# Starts the service as its unit says.
[ "$*" = "enable --now specterd" ] || exit 0
unit() { sed -n "s/^$1=//p" /lib/systemd/system/specterd.service; }
mapfile -t environment < <(unit Environment)
: >/test/specterd.log
umask "$(unit UMask)"
cd /
setsid setpriv --reuid="$(unit User)" --regid="$(unit Group)" --init-groups env "${environment[@]}" $(unit ExecStart) >>/test/specterd.log 2>&1 &
until grep -q '"listening"' /test/specterd.log; do sleep 0.1; done
END
chmod +x /usr/local/bin/*
useradd --system --create-home --home-dir /var/lib/bitcoind --shell /usr/sbin/nologin bitcoin
chmod 0710 /var/lib/bitcoind
setpriv --reuid=bitcoin --regid=bitcoin --init-groups /opt/bitcoind/bitcoind -regtest -datadir=/var/lib/bitcoind -rpccookieperms=group \
	-server -listen=0 -blockfilterindex=1 >/test/node.log 2>&1 &
until_true test -e /var/lib/bitcoind/regtest/.cookie
chmod g+x /var/lib/bitcoind/regtest

rpc() { curl -sS --fail-with-body -u "$(cat /var/lib/bitcoind/regtest/.cookie)" http://127.0.0.1:18443/ -d "{\"method\": \"$1\", \"params\": $2}"; }
until_true rpc getblockchaininfo '[]'
rpc generatetoaddress '[101, "bcrt1qft5p2uhsdcdc3l2ua4ap5qqfg4pjaqlp250x7us7a8qqhrxrxfsqseac85"]' >/dev/null

stop() {
	server=$(pgrep -x specterd) || fail "no server runs"
	kill "$server"
	for _ in $(seq 300); do
		kill -0 "$server" 2>/dev/null || return 0
		sleep 0.1
	done
	fail "the server does not stop"
}

as_other() { setpriv --reuid=nobody --regid=nogroup --clear-groups "$@"; }
state() { dpkg-query --show --showformat='${db:Status-Status}' specterd 2>/dev/null || echo not-installed; }
mode() { stat --format='%U:%G %a' "$1"; }
wallets() { curl -sS -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $1" http://127.0.0.1:25441/api/v1/wallets; }

# A new user: the commands of "Debian and Ubuntu", a password in the console, and the commands of "First token".
began=$(date +%s)
cd /test/old
install_commands=$(cd /test && commands "Debian and Ubuntu")
[ "$(echo "$install_commands" | wc -l)" = 5 ] || fail "the commands of docs/install.md are: $install_commands"
bash -euc "$install_commands" >/test/install.log 2>&1 || { tail -n 30 /test/install.log /test/specterd.log >&2; fail "the commands of docs/install.md"; }
ok "docs/install.md, Debian and Ubuntu: installed, started, ready"

cookies=/tmp/cookies
page=$(curl -sSL -H 'Accept: text/html' --cookie-jar $cookies --cookie $cookies http://127.0.0.1:25441/)
echo "$page" | grep -q 'Choose the password of its first administrator' || fail "the console shows: $page"
page=$(curl -sSL -H 'Accept: text/html' --cookie-jar $cookies --cookie $cookies -H 'Origin: http://127.0.0.1:25441' \
	--data-urlencode 'password=quiet orange ladder 8' http://127.0.0.1:25441/first-run)
echo "$page" | grep -q 'Your password is set' || fail "after the first run, the console shows: $page"
curl -sS -H 'Accept: text/html' --cookie $cookies http://127.0.0.1:25441/users | grep -q 'All users' || fail "the admin is not signed in"
ok "the console sets the first password and signs in"

token_commands=$(cd /test && commands "First token")
cd /tmp
bash -euc "$token_commands; "'echo "$token" >/test/token' >/test/token.log 2>/test/token.err || { cat /test/token.* >&2; fail "the commands of First token"; }
grep -q '"items":\[\]' /test/token.log || fail "the first request with a token printed $(cat /test/token.log)"
ok "docs/install.md, First token: $(($(date +%s) - began)) s after the first command"
token=$(cat /test/token)

# What is installed.
is "user" "$(getent passwd specterd | cut -d: -f6,7)" /var/lib/specterd:/usr/sbin/nologin
is "settings" "$(mode /etc/specterd/specterd.env)" "root:specterd 640"
is "data" "$(mode /var/lib/specterd)" "specterd:specterd 700"
is "database" "$(mode /var/lib/specterd/specterd.db)" "specterd:specterd 600"
is "server's user" "$(ps -o user= -C specterd)" specterd
as_other cat /etc/specterd/specterd.env >/dev/null 2>/tmp/refused && fail "others can read the settings"
grep -q 'Permission denied' /tmp/refused || fail "reading the settings fails with $(cat /tmp/refused)"
as_other specterd-admin doctor 2>/tmp/refused && fail "specterd-admin runs without root"
grep -q 'requires root: sudo specterd-admin doctor' /tmp/refused || fail "specterd-admin says $(cat /tmp/refused)"
ok "others cannot read the settings or use specterd-admin"
specterd-admin doctor >/tmp/doctor 2>&1 || { cat /tmp/doctor >&2; fail "specterd-admin doctor"; }
ok "specterd-admin doctor"
bash -c '. /usr/share/bash-completion/bash_completion; . /usr/share/bash-completion/completions/specterd; complete -p specterd' >/dev/null ||
	fail "bash completion"
for page in 1/specterd 8/specterd-admin; do
	warnings=$(zcat "/usr/share/man/man${page%/*}/${page#*/}.${page%/*}.gz" | LC_ALL=C.UTF-8 man --warnings --local-file - 2>&1 >/dev/null)
	[ -z "$warnings" ] || fail "man page $page: $warnings"
done
ok "completion and manual pages"

# An upgrade keeps the administrator's settings, although the package has new ones.
stop
echo '# of the administrator' >>/etc/specterd/specterd.env
before=$(sha256sum </etc/specterd/specterd.env)
apt-get --yes -qq -o Dpkg::Options::=--force-confold install /test/new/*.deb >/test/upgrade.log 2>&1 || { cat /test/upgrade.log >&2; fail "upgrade"; }
[ "$(dpkg-query --show --showformat='${Version}' specterd)" != 0~0-1 ] || fail "nothing was upgraded"
is "settings after the upgrade" "$(sha256sum </etc/specterd/specterd.env)" "$before"
is "owner after the upgrade" "$(mode /etc/specterd/specterd.env)" "root:specterd 640"
grep -q 'SPECTER_BACKUP_KEEP=7' /etc/specterd/specterd.env.dpkg-dist || fail "the new settings are not beside the old ones"
grep -q 'is installed and not started' /test/upgrade.log && fail "an upgrade says what the first installation says"
systemctl enable --now specterd
is "token after the upgrade" "$(wallets "$token")" 200

# Removing keeps settings and data, and a new installation uses them.
stop
apt-get --yes -qq remove specterd >/dev/null 2>&1
is "state after removal" "$(state)" config-files
[ ! -e /usr/bin/specterd ] || fail "the program is not removed"
is "settings after removal" "$(sha256sum </etc/specterd/specterd.env)" "$before"
is "database after removal" "$(mode /var/lib/specterd/specterd.db)" "specterd:specterd 600"
apt-get --yes -qq install /test/new/*.deb >/dev/null 2>&1
systemctl enable --now specterd
is "token after a new installation" "$(wallets "$token")" 200

# Purging deletes the settings, keeps the data, and says so.
stop
data=$(cd /var/lib/specterd && find . -type f -exec sha256sum {} + | sort)
apt-get --yes -qq purge specterd >/test/purge.log 2>&1
is "state after the purge" "$(state)" not-installed
[ ! -e /etc/specterd/specterd.env ] || fail "the settings are not purged"
grep -q 'was NOT deleted: /var/lib/specterd' /test/purge.log || fail "the purge says: $(cat /test/purge.log)"
is "data after the purge" "$(cd /var/lib/specterd && find . -type f -exec sha256sum {} + | sort)" "$data"
apt-get --yes -qq install /test/new/*.deb >/dev/null 2>&1
sudoedit /etc/specterd/specterd.env
systemctl enable --now specterd
is "token after purge and a new installation" "$(wallets "$token")" 200

# Without data, a purge leaves nothing.
stop
rm -r /var/lib/specterd/*
apt-get --yes -qq purge specterd >/test/purge.log 2>&1
left=$(find / -xdev -name '*specterd*' ! -path '/test/*' ! -path '/var/log/*' ! -path '/var/cache/*')
[ -z "$left" ] || fail "the purge leaves $left"
grep -q 'NOT deleted' /test/purge.log && fail "the purge reports data that does not exist"
ok "a purge without data leaves nothing"

# The archive, as a user without rights.
useradd --create-home tester
cp /test/SHA256SUMS /test/specterd-*.tar.gz /home/tester
chmod a+rx /var/lib/bitcoind /var/lib/bitcoind/regtest
chmod a+r /var/lib/bitcoind/regtest/.cookie
archive_commands=$(cd /test && commands "Archive" | sed 's,/var/lib/bitcoind/.cookie BTC_RPC_PORT=8332,/var/lib/bitcoind/regtest/.cookie BTC_RPC_PORT=18443,; s/specterd serve$/SERVER/')
echo "$archive_commands" | grep -q '^SPECTER_API_ACTIVE=true SERVER$' || fail "the commands of Archive are: $archive_commands"
server='setpriv --reuid=tester --regid=tester --clear-groups env HOME=/home/tester specterd serve >/test/archive.log 2>&1 &'
archive_commands=${archive_commands//SERVER/"$server"}
(cd /home/tester && bash -euc "$archive_commands" >/test/unpack.log 2>&1) || { cat /test/unpack.log >&2; fail "the commands of Archive"; }
until_true specterd health --ready
is "server of the archive" "$(ps -o user= -C specterd)" tester
[ -e /home/tester/.specterd/specterd.db ] || fail "the archive's server has its data elsewhere"
stop

echo "$passed passed, 0 failed"
