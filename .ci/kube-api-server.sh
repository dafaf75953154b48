#!/usr/bin/env bash
# Builds an API server of Kubernetes and its etcd from their Go modules, once, for cli/kubernetes/cluster.spec.ts, and prints the
# folder that has both: export KUBEBUILDER_ASSETS=$(bash .ci/kube-api-server.sh). Some ten minutes on two cores; 140 MB are kept.
set -euo pipefail

kubernetes=1.36.3
etcd=3.6.16
assets=${CRUCIBLE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/crucible}/kubernetes-$kubernetes-etcd-$etcd
if [[ ! -x $assets/kube-apiserver || ! -x $assets/etcd ]]; then
  module=$(mktemp -d)
  trap 'rm -rf "$module"' EXIT
  mkdir -p "$assets"
  export GOFLAGS="-mod=mod -buildvcs=false" GOWORK=off CGO_ENABLED=0
  cd "$module"
  printf 'module etcd\ngo 1.26.0\nrequire go.etcd.io/etcd/server/v3 v%s\n' "$etcd" >go.mod
  go build -ldflags='-s -w' -o "$assets/etcd" go.etcd.io/etcd/server/v3 >&2
  # Its own go.mod has its parts from folders beside it, which the module does not carry: they are modules of the same release.
  go mod download -json "k8s.io/kubernetes@v$kubernetes" >download.json
  parts=$(go mod edit -json "$(sed -n 's/.*"GoMod": "\(.*\)",\{0,1\}/\1/p' download.json)" |
    sed -n 's|.*"Path": "\(k8s.io/[a-z-]*\)",|\1|p' | sort -u | grep -v '^k8s.io/kubernetes$')
  {
    printf 'module apiserver\ngo 1.26.0\nrequire k8s.io/kubernetes v%s\n' "$kubernetes"
    for part in $parts; do
      case $part in k8s.io/klog | k8s.io/kube-openapi | k8s.io/utils | k8s.io/system-validators | k8s.io/gengo) continue ;; esac
      printf 'replace %s => %s v0.%s\n' "$part" "$part" "${kubernetes#1.}"
    done
  } >go.mod
  go build -ldflags='-s -w' -o "$assets/kube-apiserver" k8s.io/kubernetes/cmd/kube-apiserver >&2
fi
echo "$assets"
