#!/bin/sh
# Compiles native/ for another C library and another processor. Only whether it compiles and links is asked here;
# of the results, the body for musl is run, since this machine can.
set -u
cd "$(dirname "$0")/.." || exit 1
out=.cache/cross
failed=0
mkdir -p "$out"

find_headers() {
  version=$(node -p 'process.versions.node')
  prefix=$(node -p 'require("path").join(process.execPath, "../..")')
  for directory in "$prefix/include/node" "${XDG_CACHE_HOME:-$HOME/.cache}/node-gyp/$version/include/node"; do
    if [ -f "$directory/node_api.h" ] && [ -f "$directory/uv.h" ]; then
      echo "$directory"
      return
    fi
  done
}

headers=$(find_headers)
if [ -z "$headers" ]; then
  echo "cannot cross-compile: Node's headers not found; 'npx node-gyp install' fetches them" >&2
  exit 1
fi

# report NAME COMMAND...
report() {
  name=$1
  shift
  if "$@"; then
    echo "ok      $name"
  else
    echo "FAILED  $name"
    failed=1
  fi
}

body_is_static() {
  ! readelf -l "$1" | grep -q INTERP
}

# Alone in an empty directory: no node beside it, and none in the PATH it gets. Where the fallback places have one, it
# starts that, which finds no chaperone.cjs.
body_runs() {
  alone=$(mktemp -d) || return 1
  cp "$1" "$alone/chaperone"
  message=$(PATH="$alone" "$alone/chaperone" 2>&1)
  status=$?
  rm -rf "$alone"
  case $status:$message in
    127:*"cannot find node"*) ;;
    1:*"Cannot find module"*"chaperone.cjs"*) ;;
    *)
      echo "status $status: $message" >&2
      return 1
      ;;
  esac
}

body_is_sdnotify() {
  alone=$(mktemp -d) || return 1
  cp "$1" "$alone/sdnotify"
  NOTIFY_SOCKET= "$alone/sdnotify" --ready && "$alone/sdnotify" --help >"$alone/help" && grep -q '^usage: sdnotify ' "$alone/help"
  status=$?
  rm -rf "$alone"
  return "$status"
}

# sources_of TARGET: those that binding.gyp names.
sources_of() {
  python3 -c '
import ast, sys
targets = ast.literal_eval(open("binding.gyp").read())["targets"]
print(*[source for target in targets if target["target_name"] == sys.argv[1] for source in target["sources"]])
' "$1"
}

node scripts/native-words.mjs || exit 1
edge=$(sources_of edge)
body=$(sources_of body)

for compiler in musl-gcc aarch64-linux-gnu-gcc; do
  if ! command -v "$compiler" >/dev/null; then
    echo "FAILED  $compiler: not found"
    failed=1
    continue
  fi
  flags='-std=c11 -O3 -Wall -Wextra -Werror'
  # shellcheck disable=SC2086 # flags are words
  report "$compiler edge" "$compiler" $flags -shared -fPIC -I"$headers" $edge -o "$out/edge.$compiler.node"
  # shellcheck disable=SC2086
  report "$compiler body" "$compiler" $flags -static -s -Wl,-e,first_instruction -Idist $body -o "$out/chaperone.$compiler"
  report "$compiler body is static" body_is_static "$out/chaperone.$compiler"
done
report 'musl-gcc body runs' body_runs "$out/chaperone.musl-gcc"
report 'musl-gcc body is sdnotify' body_is_sdnotify "$out/chaperone.musl-gcc"

exit "$failed"
