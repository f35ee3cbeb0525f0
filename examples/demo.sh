#!/bin/sh
# Three real workflows of three families, run as they are, on this machine.
# Everything is written below one new folder, so that nothing of yours is touched.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
place=$(mktemp -d "${TMPDIR:-/tmp}/segue-demo.XXXXXX")
SEGUE_STORE="sqlite://$place/segue.db"
export SEGUE_STORE
cd "$place"

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

say "1. Daggy: a diamond of nine tasks"
segue run "$here/diamond.json"

say "2. Maestro: a study whose last but one step runs once for each compression"
segue run "$here/build-archive.yaml"
segue logs build-archive compare

say "3. LUTE: two Testers; a rule and a branch decide what follows (--set daq2=false)"
segue run "$here/testers.dag" --set daq2=false --lute-command 'echo run_task -t {task_name}'

say "The study's tasks, and its graph"
segue status build-archive
segue graph build-archive --level task

say "Why was the first SocketTester skipped?"
segue why testers SocketTester

say "All runs"
segue runs

say "The graph of the diamond for a page (Mermaid)"
segue graph "$here/diamond.json" --format mermaid

printf '\nEverything lies in %s\n' "$place"
