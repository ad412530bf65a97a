#!/usr/bin/env bash
# Installs the library into a temporary prefix, builds examples/embed against it as a foreign project
# would, and runs it.
#   find_package_test.sh BUILD_DIR [CXX_COMPILER]
set -euo pipefail

source_dir=$(cd "$(dirname "$0")/../.." && pwd)
build_dir=$1
compiler=${2:-c++}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cmake --install "$build_dir" --prefix "$work/prefix" --component library >"$work/install.log"
# No build type: neither optimising nor debug information would tell us more, and both take time.
cmake -S "$source_dir/examples/embed" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/prefix" -DCMAKE_BUILD_TYPE= \
      -DCMAKE_CXX_COMPILER="$compiler" >"$work/configure.log" 2>&1 || { cat "$work/configure.log"; exit 1; }
cmake --build "$work/build" >"$work/build.log" 2>&1 || { cat "$work/build.log"; exit 1; }

# Nothing of the source tree may be needed: the flags that point there would hide a missing header.
if grep -rqE --include=flags.make --include=build.ninja -e "-(I|isystem) ?$source_dir" "$work/build"; then
  echo "the example is built with headers of the source tree" >&2
  exit 1
fi

# The library brings its own LMDB, whose writes are paced: the example must not get the system's instead.
own_lmdb=' T mdb_txn_begin'
library_symbols=$(nm "$(find "$work/prefix" -name libswitchback_backends.a)")
example_symbols=$(nm "$work/build/embed")
if [[ $library_symbols == *"$own_lmdb"* && $example_symbols != *"$own_lmdb"* ]]; then
  echo "the example is linked with the system's LMDB, whose writes are not paced" >&2
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
