#!/bin/bash
# Use the image whose root file system is $1 as `docker run --read-only --tmpfs /tmp --cap-drop ALL` does, in
# namespaces of its own; see test-image.sh.
set -euo pipefail
root=$1

die() { echo "test-image-inside.sh: $*" >&2; exit 1; }

mount --make-rprivate /
mount --bind "$root" "$root"
mount -t tmpfs -o uid=65532,gid=65532,mode=0700 data "$root/data"
mount -t tmpfs -o mode=1777 tmp "$root/tmp"
mount -o remount,bind,ro "$root"
ip link set lo up

# Another user than root loses all capabilities. The PID of a job is specterd's own.
settings=(HOME=/data HOST=0.0.0.0 SPECTER_DATA_FOLDER=/data SPECTER_API_ACTIVE=true SPECTER_LOG_FORMAT=json)
inside=("$(command -v chroot)" --userspec=65532:65532 --groups= "$root" /specterd)
specterd() { env -i "${settings[@]}" "${inside[@]}" "$@"; }

[ "$(specterd --version)" = "specterd version tested" ] || die "specterd --version says $(specterd --version)"
! timeout 60 env -i "${settings[@]}" "${inside[@]}" serve >/dev/null 2>"$root/tmp/log" || die "it serves without SPECTER_ADMIN_PASSWORD"
grep -q SPECTER_ADMIN_PASSWORD "$root/tmp/log" || die "it does not ask for SPECTER_ADMIN_PASSWORD: $(cat "$root/tmp/log")"
! specterd health >/dev/null 2>&1 || die "the health check succeeds without a server"

settings+=(SPECTER_ADMIN_PASSWORD=four-unusual-words-here)
env -i "${settings[@]}" "${inside[@]}" serve >"$root/tmp/output" 2>"$root/tmp/log" &
server=$!
for _ in $(seq 300); do
	! specterd health >/dev/null 2>&1 || break
	sleep 0.1
done
specterd health >/dev/null || die "the health check fails: $(cat "$root/tmp/log")"
token=$(specterd token create image --user admin --expires '2 days' 2>/dev/null)
curl -sS --fail -H "Authorization: Bearer $token" http://127.0.0.1:25441/api/v1/tokens/self >/dev/null || die "the token is refused"
kill -TERM "$server"
wait "$server" || die "it stopped with $?: $(cat "$root/tmp/log")"
