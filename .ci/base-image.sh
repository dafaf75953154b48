#!/usr/bin/env bash
# Makes debian:bookworm-slim where no registry can be reached: a minimal Debian by debootstrap, with this machine's own
# certificate authorities, since what a build downloads may pass a proxy that they vouch for.
set -euo pipefail

image=debian:bookworm-slim
if docker image inspect "$image" >/dev/null 2>&1; then exit 0; fi
if [ "$(id -u)" != 0 ]; then
  docker pull --quiet "$image"
  exit
fi
if ! command -v debootstrap >/dev/null; then
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends debootstrap >/dev/null
fi
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
echo "making $image by debootstrap"
debootstrap --variant=minbase bookworm "$root" >"$root.log" 2>&1 || {
  tail -n 5 "$root.log"
  exit 1
}
rm -rf "$root.log" "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
if [ -d /usr/local/share/ca-certificates ]; then
  mkdir -p "$root/usr/local/share/ca-certificates"
  cp -a /usr/local/share/ca-certificates/. "$root/usr/local/share/ca-certificates/"
fi
tar -C "$root" -c . | docker import --change 'CMD ["bash"]' - "$image" >/dev/null
