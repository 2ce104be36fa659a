/**
 * Shell for the helper pod: busybox only, and only applets that every build of it has. The data are at /data.
 * Names of ours begin with a dot, so that a component takes no notice of them.
 */
/** Left out of copies and swaps: ours, and the file system's own. */
const SKIP = `*/lost+found|*/.before-restore|*/.genai-obs-*`;

/** For every entry at the top of a folder but those of SKIP; the command sees "$f". */
function eachEntry(folder: string, command: string, skip = SKIP): string {
  return `for f in ${folder}/* ${folder}/.[!.]*; do case "$f" in ${skip}) ;; *) if [ -e "$f" ] || [ -L "$f" ]; then ${command}; fi ;; esac; done`;
}

/** Folder of symlinks to what is to be copied: tar follows them. Busybox' tar cannot always read a list of names. */
export const FARM = '/tmp/farm';

/** While the component runs: what was not touched for ten seconds under `paths`. What goes away meanwhile does no harm. */
export function earlyScript(paths: string[]): string {
  return [
    `set -e; rm -rf ${FARM}; mkdir ${FARM}; now=$(date +%s); cd /data; : >/tmp/all`,
    // Lines of: size mtime ctime inode path.
    `for f in ${paths.join(' ')}; do [ ! -e "$f" ] || find "$f" -type f -exec stat -c '%s %Y %Z %i %n' {} + >>/tmp/all 2>/dev/null || true; done`,
    `awk -v t=$((now - 10)) '$3 < t' /tmp/all >/tmp/seen`,
    `for f in ${paths.join(' ')}; do [ ! -e "/data/$f" ] || cp -rs "/data/$f" ${FARM}/ 2>/dev/null || true; done`,
    // What is not in the list stays for the second pass.
    `cd ${FARM}; find . -type l | cut -c3- >/tmp/links; cut -d' ' -f5- /tmp/seen >/tmp/keep`,
    `awk 'FILENAME == "/tmp/keep" { keep[$0] = 1; next } !($0 in keep)' /tmp/keep /tmp/links | tr '\\n' '\\0' | xargs -0 -r rm -f --`,
    'wc -l </tmp/seen',
  ].join('\n');
}

/** Forgets the first pass: everything is copied in the second. */
export const FORGET_EARLY = ': >/tmp/seen';

/** While nobody writes: a farm of everything that differs from the first pass. */
export function restScript(exclude: string[]): string {
  return [
    `set -e; [ -e /tmp/seen ] || : >/tmp/seen; rm -rf ${FARM}; mkdir ${FARM}; cd /data`,
    eachEntry('/data', `cp -rs "$f" ${FARM}/`),
    ...exclude.map((path) => `rm -rf ${FARM}/${path}`),
    `cd ${FARM}; find . -type l | cut -c3- >/tmp/links`,
    `cd /data; tr '\\n' '\\0' </tmp/links | xargs -0 -r stat -c '%s %Y %Z %i %n' >/tmp/now`,
    `awk 'FILENAME == "/tmp/seen" { seen[$0] = 1; next } $0 in seen' /tmp/seen /tmp/now | cut -d' ' -f5- | tr '\\n' '\\0' >/tmp/same`,
    `cd ${FARM}; xargs -0 -r rm -f -- </tmp/same`,
  ].join('\n');
}

/** `size path` of every file at the stop. A list ends with `end`: a connection may lose the rest without a word. */
export const FULL_LIST = `cut -d' ' -f1,5- /tmp/now && echo end`;

export function listScript(folder: string): string {
  return `set -e; cd ${folder}; find . -type f -exec stat -c '%s %n' {} + | sed 's| [.]/| |'; echo end`;
}

/** Of a read-only mount: prints `interrupted` when the data of a restore stand aside, else `whole`: an answer may get lost. */
export const INTERRUPTED = 'if [ -e /data/.before-restore ]; then echo interrupted; else echo whole; fi';

/** The same, and removes what an earlier restore left that is of no use. */
export const LOOK =
  'cd /data; if [ -e .before-restore ]; then echo interrupted; else rm -rf .genai-obs-incoming .genai-obs-obsolete .genai-obs-swapped; echo whole; fi';

/** Free KiB on the claim. */
export const FREE = `df -kP /data | awk 'NR == 2 { print $4 }'`;

/** Tells on stderr the checksum of what passed through `tee /tmp/f`; the exit code is that of the pipe. */
const WITH_SUM = 'set -o pipefail; rm -f /tmp/f; mkfifo /tmp/f || exit 9; sha256sum </tmp/f >/tmp/s &';
const TELL_SUM = 'rc=$?; wait; echo "sum $(cut -c1-64 /tmp/s)" >&2; exit $rc';

/** tar on stdout, symlinks followed, and the checksum of what was sent. */
export const sending = (folder: string): string => `${WITH_SUM}\ntar -chf - -C ${folder} . | tee /tmp/f; ${TELL_SUM}`;

/** Feeds stdin to `reader`, which must read it to its end, and tells the checksum of what has arrived. */
export const receiving = (reader: string): string => `${WITH_SUM}\ntee /tmp/f | { ${reader}; }; ${TELL_SUM}`;

/** The checksum that the scripts above have told. */
export const sumIn = (stderr: string): string | undefined => /^sum ([0-9a-f]{64})$/m.exec(stderr)?.[1];

/** tar may end at the archive's end mark: what comes after it is read too, or the sender would take the end for a broken connection. */
export const UNPACK = 'mkdir -p /data/.genai-obs-incoming && tar -xof - -C /data/.genai-obs-incoming && cat >/dev/null';
export const TAKE_LIST = 'cat >/tmp/want';

/** Removes files that were gone at the end of the backup, then compares all sizes with the list. */
export const CHECK_INCOMING = [
  'set -e; cd /data/.genai-obs-incoming',
  `find . -type f | cut -c3- >/tmp/have; cut -d' ' -f2- /tmp/want >/tmp/names`,
  `awk 'FILENAME == "/tmp/names" { want[$0] = 1; next } !($0 in want)' /tmp/names /tmp/have | tr '\\n' '\\0' | xargs -0 -r rm -f --`,
  `find . -type f -exec stat -c '%s %n' {} + | sed 's| [.]/| |' | sort >/tmp/have; sort /tmp/want >/tmp/sorted`,
  `cmp -s /tmp/have /tmp/sorted || { echo 'what was unpacked differs from the list of the backup' >&2; exit 1; }`,
].join('\n');

/** With the component stopped: the present data aside, the new in their place. */
export const SWAP = [
  'set -e; cd /data; mkdir .before-restore',
  eachEntry('/data', 'mv "$f" .before-restore/'),
  ': >.genai-obs-swapped',
  eachEntry('/data/.genai-obs-incoming', 'mv "$f" /data/', '*/lost+found'),
  'rm -rf .genai-obs-incoming',
].join('\n');

/**
 * With the component stopped: as it was before, from wherever the swap had got to. The mark says whether what
 * stands in place is new (it goes) or old and not yet moved (it stays). Where both are, the one in place came later.
 */
export const ROLL_BACK = [
  'set -e; cd /data; [ -d .before-restore ] || exit 0',
  `if [ -e .genai-obs-swapped ]; then ${eachEntry('/data', 'rm -rf "$f"')}; rm -f .genai-obs-swapped; fi`,
  `for f in .before-restore/* .before-restore/.[!.]*; do if [ -e "$f" ] || [ -L "$f" ]; then rm -rf "./\${f#.before-restore/}"; mv "$f" .; fi; done`,
  'rmdir .before-restore; rm -rf .genai-obs-incoming',
].join('\n');

/** The rename is the point of no return. */
export const COMMIT =
  'set -e; cd /data; mv .before-restore .genai-obs-obsolete; rm -rf .genai-obs-swapped .genai-obs-obsolete';
