# Sourced by scripts/run and scripts/test: puts what is missing in place, and does nothing when it is there already.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
CACHE=$ROOT/.cache
LOGS=$CACHE/log
NODE=$ROOT/node_modules/.bin/node
mkdir -p "$LOGS"

say() { printf '%s\n' "$*" >&2; }
fail() { say "$*" && exit 1; }

# run_logged NAME COMMAND…: a quiet step whose output lies in .cache/log/NAME.log and is shown when it fails.
run_logged() {
  local log=$LOGS/$1.log
  shift
  if "$@" >"$log" 2>&1 </dev/null; then return; fi
  tail -n 40 "$log" >&2
  say "failed: $* (all of it in ${log#"$ROOT"/})"
  return 1
}

# install_node_packages run|all: the packages of package-lock.json; "run" leaves out what only developers need.
install_node_packages() {
  local wanted=$1 hash stamp=$ROOT/node_modules/.whipstitch-installed omit=()
  hash=$(sha256sum "$ROOT/package-lock.json" | cut -d' ' -f1)
  if [ -x "$NODE" ] && [ -f "$stamp" ] && grep -qxE "$hash ($wanted|all)" "$stamp"; then return; fi
  command -v npm >/dev/null || fail "npm is missing: install Node 18 or newer with npm (Debian: apt-get install npm)"
  if [ -d "$ROOT/node_modules/vitest" ]; then wanted=all; fi # a developer's folder keeps what it has
  if [ "$wanted" = run ]; then omit=(--omit=dev); fi
  say "installing the npm packages…"
  # "npm ci" insists that the lock file names every optional package of every platform, which not every registry has.
  # Install scripts stay off: npm's versions treat them differently, and the three packages that have one (node, bun and
  # deno) only use it to put a binary in place, which happens below in one way for all.
  (cd "$ROOT" && run_logged npm-install npm install --no-save --ignore-scripts --no-audit --no-fund "${omit[@]}")
  install_node
  if [ "$wanted" = all ]; then place_runtimes; fi
  echo "$hash $wanted" >"$stamp"
}

# The Node that the lock file names, from its package for this platform, as node_modules/.bin/node.
install_node() {
  local version package folder
  version=$(cd "$ROOT" && node -p "require('./package-lock.json').packages['node_modules/node'].version")
  package=$(node -p "['node', process.platform, process.arch].join('-')")
  folder=$CACHE/node-$version
  if [ ! -x "$folder/node_modules/$package/bin/node" ]; then
    say "installing Node $version…"
    mkdir -p "$folder"
    run_logged npm-node npm install --prefix "$folder" --no-save --ignore-scripts --no-audit --no-fund "$package@$version"
  fi
  mkdir -p "$ROOT/node_modules/.bin"
  ln -sfn "../../.cache/node-$version/node_modules/$package/bin/node" "$NODE"
  "$NODE" --version >/dev/null || fail "Node $version does not start on this machine"
}

place_runtimes() {
  (cd "$ROOT/node_modules/bun" && run_logged bun-install "$NODE" install.js)
  (cd "$ROOT/node_modules/deno" && run_logged deno-install "$NODE" install.cjs)
}

# install_debian_packages NAME…: those that are missing, by apt-get.
install_debian_packages() {
  local missing=() package as_root=()
  for package in "$@"; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || fail "these Debian packages are missing: ${missing[*]} (as root: apt-get install ${missing[*]})"
    as_root=(sudo)
  fi
  say "installing ${missing[*]}…"
  run_logged apt-update "${as_root[@]}" apt-get update -q
  run_logged apt-install "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "${missing[@]}"
}
