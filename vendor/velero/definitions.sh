#!/usr/bin/env bash
# Copies the CustomResourceDefinitions of Velero out of its published Go modules, unchanged, one file for each minor release.
# `make definitions` runs it; src/pipeline/velero embeds the files.
#
# Usage: definitions.sh DIRECTORY
set -euo pipefail

directory=$1

# definitions MINOR VERSION: the newest known patch release stands for its minor release.
definitions() {
  local source
  source=$(cd / && go mod download -json "github.com/vmware-tanzu/velero@v$2" | sed -n 's/^\s*"Dir": "\(.*\)",\?$/\1/p')
  [ -n "$source" ] || { echo "failed to find velero@v$2" >&2; exit 1; }
  cat "$source"/config/crd/v1/bases/*.yaml "$source"/config/crd/v2alpha1/bases/*.yaml > "$directory/$1.yaml"
}

definitions 1.17 1.17.2
definitions 1.18 1.18.3
