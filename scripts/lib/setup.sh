# Sourced by the scripts beside this folder: puts what is missing in place, and does nothing when it is there already.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
CACHE=$ROOT/.cache
LOGS=$CACHE/log
NODE=$ROOT/node_modules/.bin/node
NPM_VERSION=11.19.1
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
  install_node
  if [ -d "$ROOT/node_modules/vitest" ]; then wanted=all; fi # a developer's folder keeps what it has
  if [ "$wanted" = run ]; then omit=(--omit=dev); fi
  say "installing the npm packages…"
  # "npm ci" insists that the lock file names every optional package of every platform, which not every registry has.
  # Install scripts stay off: the three packages that have one (node, bun and deno) only put a binary in place with it.
  (cd "$ROOT" && PATH=$TOOLS/bin:$PATH run_logged npm-install "$TOOLS/bin/node" "$TOOLS/node_modules/npm/bin/npm-cli.js" \
    install --no-save --ignore-scripts --no-audit --no-fund "${omit[@]}")
  mkdir -p "$ROOT/node_modules/.bin"
  ln -sfn "../../${TOOLS#"$ROOT"/}/bin/node" "$NODE"
  if [ "$wanted" = all ]; then place_runtimes; fi
  echo "$hash $wanted" >"$stamp"
}

# The Node that the lock file names, from its npm package for this platform, and a current npm to go with it: older ones
# leave out optional packages that need a newer Node than the machine's.
install_node() {
  local version package
  command -v npm >/dev/null || fail "npm is missing: install Node 18 or newer with npm (Debian: apt-get install npm)"
  version=$(cd "$ROOT" && node -p "require('./package-lock.json').packages['node_modules/node'].version")
  package=$(node -p "['node', process.platform, process.arch].join('-')")
  TOOLS=$CACHE/node-$version
  if [ -x "$TOOLS/bin/node" ]; then return; fi
  say "installing Node $version…"
  mkdir -p "$TOOLS/bin"
  run_logged npm-node npm install --prefix "$TOOLS" --no-save --ignore-scripts --no-audit --no-fund \
    "$package@$version" "npm@$NPM_VERSION"
  # The one library of its own that a small Debian lacks.
  "$TOOLS/node_modules/$package/bin/node" --version >/dev/null 2>&1 || install_debian_packages libatomic1
  "$TOOLS/node_modules/$package/bin/node" --version >/dev/null || fail "Node $version does not start on this machine"
  ln -sfn "../node_modules/$package/bin/node" "$TOOLS/bin/node"
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
