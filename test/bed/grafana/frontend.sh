#!/bin/bash
# Builds Grafana's home folder, including its pages, from the same Go module as the backend:
#   frontend.sh WORKDIR OUTDIR      needs node 18+ and the npm registry
# The module zip lacks public/vendor (Go drops folders of that name), and two dependencies are not in the npm
# registry. Only the retired Angular panels use them, so small stubs replace them.
set -euo pipefail
OUT=${2:?usage: frontend.sh WORKDIR OUTDIR}
MOD=github.com/grafana/grafana VER=v1.9.2-0.20230609164553-81d85ce8028d
SRC=$(GOFLAGS=-mod=mod GOSUMDB=off GOWORK=off go mod download -json $MOD@$VER | sed -n 's/.*"Dir": "\(.*\)",/\1/p')
W=$(mktemp -d "$1/pages.XXXX"); trap 'rm -rf "$W"' EXIT
mkdir "$W/cache" "$W/g" && cp -r "$SRC/." "$W/g"; chmod -R u+w "$W"; cd "$W/g"
sed -i 's#"tether-drop": "[^"]*"#"tether-drop": "1.4.2"#; s#"xlsx": "[^"]*"#"xlsx": "0.18.5"#' package.json
sed -i 's/^nodeLinker: pnp/nodeLinker: node-modules/' .yarnrc.yml          # pnp of yarn 3.4 fails on node 20
sed -i 's/symlinks: false/symlinks: true/' scripts/webpack/webpack.common.js  # workspaces are links under node_modules
sed -i "s/devtool: 'source-map'/devtool: false/" scripts/webpack/webpack.prod.js
# To save time: no tests, linters, storybook and type definitions (webpack strips types without them), no build
# cache, no compressed package cache.
node - <<'JS'
const fs = require('fs');
const drop = /^(@types\/|@storybook\/|storybook|@testing-library\/|@typescript-eslint\/|@betterer|@cypress|@jest|@lingui|@mdx|@nrwl|@pmmmwh|@rollup|@swc\/|@wojtekmaj|@grafana\/eslint|axe|babel-jest|betterer|blink-diff|chromatic|cypress|devtools-protocol|enzyme|eslint|expect-puppeteer|fork-ts|http-server|husky|i18next-parser|jest|jimp|lerna|lint-staged|msw|mutationobserver|nx|pa11y|playwright|plop|prettier|puppeteer|react-refresh|react-test-renderer|rollup|rudder|sinon|stylelint|ts-jest|ts-node|webpack-bundle-analyzer)/;
for (const dir of ['.', ...['packages', 'plugins-bundled/internal'].flatMap((d) => fs.readdirSync(d).map((n) => `${d}/${n}`))]) {
  const file = `${dir}/package.json`;
  if (!fs.existsSync(file)) continue;
  const pkg = JSON.parse(fs.readFileSync(file));
  for (const name of Object.keys(pkg.devDependencies || {})) if (drop.test(name)) delete pkg.devDependencies[name];
  fs.writeFileSync(file, JSON.stringify(pkg, null, 2));
}
const prod = 'scripts/webpack/webpack.prod.js';
fs.writeFileSync(prod, fs.readFileSync(prod, 'utf8').replace(/cache: \{[\s\S]*?\n    \},\n/, 'cache: false,\n'));
JS
mkdir -p public/vendor/{bootstrap,flot,tagsinput}
cat >public/vendor/bootstrap/bootstrap.js <<'JS'
const $ = require('jquery');
for (const name of ['tooltip', 'modal', 'typeahead', 'popover', 'dropdown', 'tab']) {
  const plugin = function () { return this; };
  plugin.defaults = {};
  plugin.Constructor = function () {};
  plugin.Constructor.prototype = { show() {}, hide() {}, enforceFocus() {} };
  $.fn[name] = $.fn[name] || plugin;
}
JS
echo "const \$ = require('jquery'); \$.plot = \$.plot || Object.assign(() => ({}), { plugins: [] });" >public/vendor/flot/jquery.flot.js
for f in crosshair dashes fillbelow gauge selection stack stackpercent time; do : >public/vendor/flot/jquery.flot.$f.js; done
: >public/vendor/tagsinput/bootstrap-tagsinput.js
export YARN_ENABLE_TELEMETRY=0 YARN_ENABLE_IMMUTABLE_INSTALLS=false CYPRESS_INSTALL_BINARY=0 HUSKY=0 \
    YARN_ENABLE_GLOBAL_CACHE=false YARN_CACHE_FOLDER="$W/cache" YARN_COMPRESSION_LEVEL=0
node .yarn/releases/yarn-3.4.1.cjs install --mode=skip-build
NODE_ENV=production NODE_OPTIONS=--max_old_space_size=4000 node node_modules/webpack/bin/webpack.js --config scripts/webpack/webpack.prod.js
mkdir -p "$OUT/public/app"; cp -r conf "$OUT/"
for d in build views emails dashboards img fonts gazetteer locales maps lib robots.txt; do [ ! -e public/$d ] || cp -r public/$d "$OUT/public/"; done
cp -r public/app/plugins "$OUT/public/app/"
find "$OUT/public/app" -type f \( -name '*.ts' -o -name '*.tsx' -o -name '*.snap' -o -name '*.scss' \) -delete
