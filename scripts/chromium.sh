#!/usr/bin/env bash
# Prints the path of a Chromium; installs it by its package's name where that is possible.
# Status 3: it can't be had here; stderr says why.
set -euo pipefail

for name in "${RINGLOG_CHROMIUM:-}" chromium chromium-browser google-chrome-stable google-chrome; do
    [ -n "$name" ] && command -v "$name" && exit 0
done
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "chromium: install it (Debian: chromium), or name one in RINGLOG_CHROMIUM" >&2
    exit 3
fi
{ apt-get update && apt-get install -y --no-install-recommends chromium; } >&2 ||
    { echo "chromium: apt-get install chromium failed" >&2; exit 3; }
command -v chromium
