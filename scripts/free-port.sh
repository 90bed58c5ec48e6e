#!/usr/bin/env bash
# Prints a port of loopback on which nobody listens.
set -euo pipefail
while :; do
    port=$((20000 + RANDOM % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; exit; }
done
