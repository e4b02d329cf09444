#!/usr/bin/env bash
# Says what is missing to build the test plane, and fails; silent where all is there.
set -euo pipefail

if ! command -v go > /dev/null; then
  echo "go is not installed: the test plane (kube-apiserver, etcd, Velero, S3) is built from Go modules." >&2
  echo "Install Go 1.26 or newer (https://go.dev/dl), or run \`make test\`, which needs Rust only." >&2
  exit 1
fi
