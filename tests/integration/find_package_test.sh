#!/usr/bin/env bash
# Installs the library into a temporary prefix, builds examples/embed against it as a foreign project
# would, and runs it.
#   find_package_test.sh BUILD_DIR
set -euo pipefail

source_dir=$(cd "$(dirname "$0")/../.." && pwd)
build_dir=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cmake --install "$build_dir" --prefix "$work/prefix" --component library >"$work/install.log"
cmake -S "$source_dir/examples/embed" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/prefix" \
      -DCMAKE_BUILD_TYPE=Debug >"$work/configure.log" 2>&1 || { cat "$work/configure.log"; exit 1; }
cmake --build "$work/build" >"$work/build.log" 2>&1 || { cat "$work/build.log"; exit 1; }

# Nothing of the source tree may be needed: the flags that point there would hide a missing header.
if grep -rq -- "-I$source_dir" "$work/build"/*.make "$work/build/CMakeFiles" 2>/dev/null; then
  echo "the example is built with headers of the source tree" >&2
  exit 1
fi

"$work/build/embed" >"$work/output.txt"
cat "$work/output.txt"
diff - "$work/output.txt" <<'END'
legacy answers alice = 1
unified answers alice = 1
legacy answers alice = 2
END
echo "find_package: ok"
