/** Shell for the helper pod: only applets that every build of busybox has. The claim is mounted at /data. */

/** Not copied and not swapped: our own folders (hidden from the component by the dot) and lost+found. */
const SKIP = `*/lost+found|*/.before-restore|*/.genai-obs-*`;

/** Runs `command` with "$f" set to each top-level entry of a folder that `skip` does not match. */
function eachEntry(folder: string, command: string, skip = SKIP): string {
  return (
    `for f in ${folder}/* ${folder}/.[!.]*; do case "$f" in ${skip}) ;; ` +
    `*) if [ -e "$f" ] || [ -L "$f" ]; then ${command}; fi ;; esac; done`
  );
}

/** Prints the lines of `file` that `names` does not contain, NUL-separated. */
const linesNotIn = (names: string, file: string): string =>
  `awk 'FILENAME == "${names}" { known[$0] = 1; next } !($0 in known)' ${names} ${file} | tr '\\n' '\\0'`;

/** Folder of symlinks to the files to copy, which tar follows. Not every busybox tar can read a list of names. */
export const FARM = '/tmp/farm';

/** First pass, while the component runs: selects files under `paths` that did not change for ten seconds. */
export function earlyScript(paths: string[]): string {
  return [
    `set -e; rm -rf ${FARM}; mkdir ${FARM}; now=$(date +%s); cd /data; : >/tmp/all`,
    // Lines of: size mtime ctime inode path. Ignores files that are deleted meanwhile.
    `for f in ${paths.join(' ')}; do [ ! -e "$f" ] || ` +
      `find "$f" -type f -exec stat -c '%s %Y %Z %i %n' {} + >>/tmp/all 2>/dev/null || true; done`,
    `awk -v t=$((now - 10)) '$3 < t' /tmp/all >/tmp/seen`,
    `for f in ${paths.join(' ')}; do [ ! -e "/data/$f" ] || cp -rs "/data/$f" ${FARM}/ 2>/dev/null || true; done`,
    // Files that are not in the list wait for the second pass.
    `cd ${FARM}; find . -type l | cut -c3- >/tmp/links; cut -d' ' -f5- /tmp/seen >/tmp/keep`,
    `${linesNotIn('/tmp/keep', '/tmp/links')} | xargs -0 -r rm -f --`,
    'wc -l </tmp/seen',
  ].join('\n');
}

/** Discards the first pass, so that the second copies everything. */
export const FORGET_EARLY = ': >/tmp/seen';

/** Second pass, while the component is stopped: selects everything that differs from the first pass. */
export function restScript(exclude: string[]): string {
  return [
    `set -e; [ -e /tmp/seen ] || : >/tmp/seen; rm -rf ${FARM}; mkdir ${FARM}; cd /data`,
    eachEntry('/data', `cp -rs "$f" ${FARM}/`),
    ...exclude.map((path) => `rm -rf ${FARM}/${path}`),
    `cd ${FARM}; find . -type l | cut -c3- >/tmp/links`,
    `cd /data; tr '\\n' '\\0' </tmp/links | xargs -0 -r stat -c '%s %Y %Z %i %n' >/tmp/now`,
    `awk 'FILENAME == "/tmp/seen" { seen[$0] = 1; next } $0 in seen' /tmp/seen /tmp/now | ` +
      `cut -d' ' -f5- | tr '\\n' '\\0' >/tmp/same`,
    `cd ${FARM}; xargs -0 -r rm -f -- </tmp/same`,
  ].join('\n');
}

/** Prints `size path` of every file at the stop, then `end`: kubectl exec can truncate output without an error. */
export const FULL_LIST = `cut -d' ' -f1,5- /tmp/now && echo end`;

export const listScript = (folder: string): string =>
  `set -e; cd ${folder}; find . -type f -exec stat -c '%s %n' {} + | sed 's| [.]/| |'; echo end`;

/** Prints `interrupted` when a killed restore moved data aside, otherwise `whole`: empty output means lost output. */
export const INTERRUPTED = 'if [ -e /data/.before-restore ]; then echo interrupted; else echo whole; fi';

/** Like INTERRUPTED. If whole, also deletes the temporary files of an earlier restore. */
export const INTERRUPTED_OR_CLEAN =
  'cd /data; if [ -e .before-restore ]; then echo interrupted; else ' +
  'rm -rf .genai-obs-incoming .genai-obs-obsolete .genai-obs-swapped; echo whole; fi';

/** Prints the free KiB on the claim. */
export const FREE = `df -kP /data | awk 'NR == 2 { print $4 }'`;

/** Prints the checksum of what passed through `tee /tmp/f` to stderr. The exit code is that of the pipe. */
const WITH_SUM = 'set -o pipefail; rm -f /tmp/f; mkfifo /tmp/f || exit 9; sha256sum </tmp/f >/tmp/s &';
const PRINT_SUM = 'rc=$?; wait; echo "sum $(cut -c1-64 /tmp/s)" >&2; exit $rc';

/** Writes a tar to stdout, following symlinks, and its checksum to stderr. */
export const sending = (folder: string): string => `${WITH_SUM}\ntar -chf - -C ${folder} . | tee /tmp/f; ${PRINT_SUM}`;

/** Feeds stdin to `reader`, which must read it to its end, and writes the checksum of the received bytes to stderr. */
export const receiving = (reader: string): string => `${WITH_SUM}\ntee /tmp/f | { ${reader}; }; ${PRINT_SUM}`;

/** The checksum that `sending` and `receiving` wrote. */
export const sumIn = (stderr: string): string | undefined => /^sum ([0-9a-f]{64})$/m.exec(stderr)?.[1];

/** tar can exit at the end-of-archive marker. `cat` reads the rest, or the sender would report a broken connection. */
export const UNPACK = 'mkdir -p /data/.genai-obs-incoming && tar -xof - -C /data/.genai-obs-incoming && cat >/dev/null';
export const TAKE_LIST = 'cat >/tmp/want';

/** Deletes files that no longer existed at the end of the backup, then compares all sizes with the list. */
export const CHECK_INCOMING = [
  'set -e; cd /data/.genai-obs-incoming',
  `find . -type f | cut -c3- >/tmp/have; cut -d' ' -f2- /tmp/want >/tmp/names`,
  `${linesNotIn('/tmp/names', '/tmp/have')} | xargs -0 -r rm -f --`,
  `find . -type f -exec stat -c '%s %n' {} + | sed 's| [.]/| |' | sort >/tmp/have; sort /tmp/want >/tmp/sorted`,
  `cmp -s /tmp/have /tmp/sorted || { echo 'the unpacked files differ from the list in the backup' >&2; exit 1; }`,
].join('\n');

/** While the component is stopped: moves the current data aside, and the new data in. */
export const SWAP = [
  'set -e; cd /data; mkdir .before-restore',
  eachEntry('/data', 'mv "$f" .before-restore/'),
  ': >.genai-obs-swapped',
  eachEntry('/data/.genai-obs-incoming', 'mv "$f" /data/', '*/lost+found'),
  'rm -rf .genai-obs-incoming',
].join('\n');

/**
 * While the component is stopped: undoes a swap that was interrupted at any point.
 * `.genai-obs-swapped` exists once all former data is aside: what is in place is then new, and is deleted.
 * Of an entry that is both in place and aside, the one aside is the former data.
 */
export const ROLL_BACK = [
  'set -e; cd /data; [ -d .before-restore ] || exit 0',
  `if [ -e .genai-obs-swapped ]; then ${eachEntry('/data', 'rm -rf "$f"')}; rm -f .genai-obs-swapped; fi`,
  'for f in .before-restore/* .before-restore/.[!.]*; do if [ -e "$f" ] || [ -L "$f" ]; then ' +
    'rm -rf "./${f#.before-restore/}"; mv "$f" .; fi; done',
  'rmdir .before-restore; rm -rf .genai-obs-incoming',
].join('\n');

/** Ends the swap. After the rename, a roll-back is no longer possible. */
export const COMMIT =
  'set -e; cd /data; mv .before-restore .genai-obs-obsolete; rm -rf .genai-obs-swapped .genai-obs-obsolete';
