#!/usr/bin/env bash
# Copies the CustomResourceDefinitions of others out of their published Go modules into the folder DIRECTORY/{hub,managed}.
# The tests take newer ones from ../shared/data/crds where that is present.
#
# Usage: definitions.sh DIRECTORY
set -euo pipefail

directory=$1
rm -rf "$directory"
mkdir -p "$directory/hub" "$directory/managed"

# copy MODULE FOLDER PATTERN...: the files of a module that match, into a folder.
copy() {
  local module=$1 folder=$2 source
  shift 2
  source=$(cd / && go mod download -json "$module" | sed -n 's/^\s*"Dir": "\(.*\)",\?$/\1/p')
  [ -n "$source" ] || { echo "failed to find the module $module" >&2; exit 1; }
  for pattern in "$@"; do
    # The pattern is one on purpose.
    # shellcheck disable=SC2086
    install -m 644 "$source"/$pattern "$directory/$folder/"
  done
}

copy open-cluster-management.io/api@v1.0.0 hub 'cluster/v1*/*.crd.yaml'
copy open-cluster-management.io/governance-policy-propagator@v0.16.0 hub \
  'deploy/crds/policy.open-cluster-management.io_*.yaml'
copy github.com/operator-framework/api@v0.31.0 managed \
  'crds/operators.coreos.com_subscriptions.yaml' 'crds/operators.coreos.com_operatorgroups.yaml' \
  'crds/operators.coreos.com_clusterserviceversions.yaml' 'crds/operators.coreos.com_catalogsources.yaml' \
  'crds/operators.coreos.com_installplans.yaml'
