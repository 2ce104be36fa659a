#!/usr/bin/env python3
"""mkimage.py BED NAME: write the image NAME of images.json as a docker-archive to stdout.

An image is one layer of plain files; no container engine is needed. Fields of an entry:
  refs        full image references under which the image is imported
  files       {"source": "/path"}; a source is a file in BED/bin, "./x" beside this script, "which:x" a program of
              the machine, or "charts:x" a file in $GENAI_OBS_CHARTS; "x.tar" and "x.tgz" are unpacked
  libs        true: add the shared libraries of the first file
  busybox     true: add /bin/busybox and a link for each of its applets
  dirs        {"/path": uid} of writable folders
  env, user, workdir, entrypoint, cmd: as in a Dockerfile
mkimage.py BED --names: print the names.
mkimage.py BED --key NAME: print a key that changes whenever the image changes.
"""
import hashlib, io, json, os, shutil, subprocess, sys, tarfile

bed, what, *rest = sys.argv[1:]
here = os.path.dirname(os.path.abspath(__file__))
table = json.load(open(os.path.join(here, "images.json")))
if what == "--names":
    print(*table)
    sys.exit()
row = table[rest[0] if what == "--key" else what]
BUSYBOX = "/bin/busybox"
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

def source(s):
    if s.startswith("./"):
        return os.path.join(here, s[2:])
    if s.startswith("which:"):     # only system paths: a version manager's shim would not run in the image
        return os.path.realpath(shutil.which(s[6:], path=SYSTEM_PATH) or "/nonexistent/" + s[6:])
    if s.startswith("charts:"):    # upstream charts are on no package registry
        return os.path.join(os.environ.get("GENAI_OBS_CHARTS", "$GENAI_OBS_CHARTS"), s[7:])
    return os.path.join(bed, "bin", s)

files = [(source(s), d) for s, d in row.get("files", {}).items()]
if row.get("busybox"):
    files.append((BUSYBOX, "/bin/busybox"))
missing = [s for s, _ in files if not os.path.exists(s)]
if missing:
    sys.exit("missing: " + " ".join(missing))
if what == "--key":
    stats = [(s, os.stat(s).st_size, int(os.stat(s).st_mtime)) for s, _ in files]
    print(hashlib.sha256(json.dumps([row, stats, open(__file__).read()]).encode()).hexdigest()[:16])
    sys.exit()

buf = io.BytesIO()
layer = tarfile.open(fileobj=buf, mode="w")
seen = set()

def add_dir(path, uid=0, mode=0o755):
    path = path.rstrip("/")
    if not path or path in seen:
        return
    add_dir(os.path.dirname(path))
    seen.add(path)
    t = tarfile.TarInfo(path[1:])
    t.type, t.mode, t.uid, t.gid = tarfile.DIRTYPE, mode, uid, 0
    layer.addfile(t)

def add_file(path, data, mode=0o755, size=None):
    add_dir(os.path.dirname(path))
    t = tarfile.TarInfo(path[1:])
    t.mode, t.size = mode, len(data) if size is None else size
    layer.addfile(t, io.BytesIO(data) if size is None else data)

def add_link(path, target):
    add_dir(os.path.dirname(path))
    t = tarfile.TarInfo(path[1:])
    t.type, t.linkname = tarfile.SYMTYPE, target
    layer.addfile(t)

uid = int(str(row.get("user", "0")).split(":")[0])
for d, u in row.get("dirs", {}).items():   # before the files, whose parent folders belong to root
    add_dir(d, u, 0o777)
add_dir("/tmp", 0, 0o1777)
add_file("/etc/passwd", (f"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"
         + (f"app:x:{uid}:0:app:/tmp:/bin/sh\n" if uid not in (0, 65534) else "")).encode(), 0o644)
add_file("/etc/group", b"root:x:0:\nnobody:x:65534:\n", 0o644)
for s, d in files:
    if s.endswith((".tar", ".tgz")):
        with tarfile.open(s) as t:
            for m in t:
                if m.isdir():
                    add_dir(os.path.join(d, m.name))
                elif m.isfile():
                    add_file(os.path.join(d, m.name), t.extractfile(m), m.mode | 0o444, m.size)
    else:
        add_file(d, open(s, "rb"), 0o755, os.path.getsize(s))
if row.get("libs"):
    out = subprocess.run(["ldd", files[0][0]], capture_output=True, text=True, check=True).stdout
    for w in out.split():
        if w.startswith("/") and os.path.exists(w):
            add_file(w, open(w, "rb"), 0o755, os.path.getsize(w))
if row.get("busybox"):
    for a in subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split():
        if a != "busybox":
            add_link("/bin/" + a, "busybox")
layer.close()
data = buf.getvalue()
digest = hashlib.sha256(data).hexdigest()
conf = {"User": str(row.get("user", "")), "WorkingDir": row.get("workdir", "/"),
        "Env": row.get("env", []) + ["PATH=" + row.get("path", SYSTEM_PATH)]}
if "entrypoint" in row:
    conf["Entrypoint"] = row["entrypoint"]
if "cmd" in row:
    conf["Cmd"] = row["cmd"]
config = json.dumps({"architecture": "amd64", "os": "linux", "config": conf,
                     "rootfs": {"type": "layers", "diff_ids": ["sha256:" + digest]}}).encode()
cname = hashlib.sha256(config).hexdigest() + ".json"
manifest = json.dumps([{"Config": cname, "RepoTags": row["refs"], "Layers": [digest + "/layer.tar"]}]).encode()
with tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as out:
    for name, b in ((cname, config), (digest + "/layer.tar", data), ("manifest.json", manifest)):
        t = tarfile.TarInfo(name)
        t.size = len(b)
        out.addfile(t, io.BytesIO(b))
