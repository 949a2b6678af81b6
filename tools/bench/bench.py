#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""bench.py - the same work natively and in the sandbox, in alternating runs, as ratios of the best times; beside bwrap, proot and runsc
where they are installed. Everything is made in a temporary directory, which is removed."""
import argparse, json, os, shutil, subprocess, sys, tempfile, time


def runners(sandbox):
    r = {"native": [], "sandbox": [sandbox, "--"]}
    if shutil.which("bwrap"):
        r["bwrap"] = ["bwrap", "--bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--unshare-pid", "--"]
    if shutil.which("proot"):
        r["proot"] = ["proot", "-r", "/"]
    if shutil.which("runsc"):
        r["runsc"] = ["runsc", "--rootless", "--network=none", "do"]
    return r


def timed(argv, cwd, tries=1):
    """Best wall time in seconds, or None if it failed."""
    best = None
    for _ in range(tries):
        t = time.monotonic()
        if subprocess.run(argv, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
            return None
        t = time.monotonic() - t
        best = t if best is None else min(best, t)
    return best


def media(a, top):
    """The tree stress and fio on every medium. Rows: name, {medium: value}, unit. All on one file system of the host's, in turns."""
    sandbox = os.path.realpath(os.path.join(a.build, "sandbox"))
    base = os.path.join(top, "media")
    os.makedirs(os.path.join(base, "t"))
    t = os.path.join(base, "t")
    ways = {"native": ([], t), "memory": ([sandbox, "--cow-bind", t, "/mnt", "--"], "/mnt"),
            "self": ([sandbox, "--overlay", "root:memory", "--overlay", "all:self", "--cow-bind", t, "/mnt", "--"], "/mnt"),
            "dir": ([sandbox, "--overlay", "root:memory", "--overlay", f"all:dir={base}", "--cow-bind", t, "/mnt", "--"], "/mnt"),
            "bind": ([sandbox, "--bind", t, "/mnt", "--"], "/mnt")}
    # What memory is to be compared with.
    shm = tempfile.mkdtemp(prefix="sandbox-bench.", dir="/dev/shm") if os.path.isdir("/dev/shm") else None
    if shm:
        ways["tmpfs"] = ([], shm)
    if a.fsstress:
        work = lambda d: [a.fsstress, "-d", d, "-p", "20", "-n", str(a.operations), "-s", "1"]
    else:
        work = lambda d: [shutil.copy(os.path.join(a.build, "fstree"), top), d, "20", str(a.operations)]
    rows = {}

    def note(row, way, value):
        if value is not None:
            old = rows.setdefault(row, {}).get(way)
            rows[row][way] = value if old is None else min(old, value)

    def empty():
        for p in [os.path.join(d, n) for d in (t, shm) if d for n in os.listdir(d)]:
            shutil.rmtree(p) if os.path.isdir(p) and not os.path.islink(p) else os.unlink(p)

    for _ in range(a.runs):
        # The whole file is copied by the first byte that's written; cp stands for native, to the same file system. By the shell's own clock: neither
        # the sandbox's start nor throwing a gibibyte away at its end is part of the copy.
        big = os.path.join(base, "big")
        clock = 'a=$EPOCHREALTIME; {} || exit 1; b=$EPOCHREALTIME; echo $((${{b/[.,]/}} - ${{a/[.,]/}}))'
        for way, (prefix, d) in ways.items():
            if way == "bind":
                continue
            with open(os.path.join(t, "big"), "wb") as f:
                for _ in range(1024):
                    f.write(os.urandom(1 << 10) * 1024)
            subprocess.run(["sync", "-f", t])
            copy = f"printf x >>{d}/big" if prefix else f"cp {t}/big {big if way == 'native' else d}"
            out = subprocess.run([*prefix, "bash", "-c", clock.format(copy)], cwd="/", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            if out.returncode == 0:
                note("copy-up of 1 GiB, or cp", way, int(out.stdout) / 1e6)
            if os.path.exists(big):
                os.unlink(big)
            empty()
        for way, (prefix, d) in ways.items():
            subprocess.run(["sync", "-f", t])
            note("tree stress, 20 processes", way, timed([*prefix, *work(d)], top))
            empty()
            if not shutil.which("fio"):
                continue
            for kind in ("write", "read", "randwrite", "randread"):
                # Seconds a gibibyte, by fio's own clock: the start of the sandbox is another row's. Read from the page cache: whether it's still there
                # after an invalidation depends on what the disk has got to write meanwhile.
                argv = [*prefix, "fio", "--name=x", f"--directory={d}", f"--rw={kind}", "--size=256m", "--output-format=json",
                        "--bs=" + ("4k" if kind.startswith("rand") else "128k"), "--ioengine=psync", "--randrepeat=1", "--unlink=1", "--invalidate=0"]
                out = subprocess.run(argv, cwd="/", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
                try:
                    job = json.loads(out.stdout[out.stdout.index("{"):])["jobs"][0]["read" if "read" in kind else "write"]
                    note(f"fio {kind}, 1 GiB", way, (1 << 30) / job["bw_bytes"])
                except (ValueError, KeyError, IndexError, ZeroDivisionError):
                    pass
                empty()
    if shm:
        shutil.rmtree(shm)
    shown = [w for w in ways if w not in ("native", "tmpfs")]
    print(f"\nMedia, on {t}: ratios to native; the last column is memory's to a native tmpfs\n{'':<30}" + f"{'native':>11}   " +
          "".join(f"{w:>10}" for w in [*shown, "(tmpfs)"]))
    for row, r in rows.items():
        base_value = r.get("native")
        if not base_value:
            continue
        last = f"{r['memory'] / r['tmpfs']:>9.2f}x" if "memory" in r and "tmpfs" in r else ""
        print(f"{row:<30}{base_value * 1000:>11.0f} ms" +
              "".join(f"{r[w] / base_value:>9.2f}x" if w in r else f"{'-':>10}" for w in shown) + last)
    r = rows.get("tree stress, 20 processes", {})
    if "memory" in r and "bind" in r:
        print(f"the overlay makes the tree stress {r['bind'] / r['memory']:.1f} times faster than the same tree by the gofer" +
              (f"; self takes {r['self'] / r['memory']:.2f} of memory" if "self" in r else ""))


def layers(a, top):
    """diff and commit of many small files beside cp -a of the same tree. Nothing is removed between: ext4 makes files slowly after that."""
    sandbox = os.path.realpath(os.path.join(a.build, "sandbox"))
    base = os.path.join(top, "layers")
    os.makedirs(base)
    os.environ.setdefault("XDG_STATE_HOME", os.path.join(top, "state"))
    make = ("import os, sys\n"
            "for d in range(int(sys.argv[2]) // 100):\n"
            "    os.makedirs(f'{sys.argv[1]}/{d // 100}/{d}')\n"
            "    for i in range(100):\n"
            "        with open(f'{sys.argv[1]}/{d // 100}/{d}/f{i}', 'w') as f: f.write('some text\\n' * 100)\n")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([sys.executable, "-c", make, f"{base}/tree", str(a.files)], check=True)
    best = {}
    for n in range(a.runs):
        name = f"bench-{os.getpid()}-{n}"
        try:
            if subprocess.run([sandbox, "--name", name, "--", sys.executable, "-c", make, f"{base}/out{n}", str(a.files)], **quiet).returncode:
                return
            # Another order each time: who comes first pays for what others left to be written.
            works = [("cp", ["cp", "-a", f"{base}/tree", f"{base}/copy{n}"]), ("commit", [sandbox, "commit", name])]
            rows = [("diff", [sandbox, "diff", name])] + (works if n % 2 else works[::-1])
            for row, argv in rows:
                subprocess.run(["sync", "-f", base])
                t = time.monotonic()
                rc = subprocess.run(argv, **quiet).returncode
                t = time.monotonic() - t
                if rc == (1 if row == "diff" else 0):
                    best[row] = min(t, best.get(row, t))
        finally:
            subprocess.run([sandbox, "discard", name], **quiet)
    if len(best) == 3:
        print(f"\nA layer of {a.files} files: diff {best['diff']:.2f} s; commit {best['commit']:.2f} s, cp -a {best['cp']:.2f} s: "
              f"{best['commit'] / best['cp']:.2f}x")


def traced_programs(top):
    """name -> words, run in top; what is not installed is left out."""
    functions = "".join(f"int f{k}(int x)\n{{\n\tchar b[32];\n\tsnprintf(b, sizeof b, \"%d\", x + {k});\n\treturn atoi(b);\n}}\n" for k in range(150))
    files = {"t.c": "int main(void)\n{\n\treturn 0;\n}\n",
             "t.cc": "#include <string>\nint main()\n{\n\tstd::string s = \"x\";\n\treturn (int)s.size();\n}\n",
             "loop.sh": "for i in $(seq 40); do /bin/true $i; x=$(echo $i); done\n",
             "Makefile": "all: m0.o m1.o m2.o m3.o\n%.o: %.c\n\tgcc -O2 -c $< -o $@\n",
             **{f"m{i}.c": "#include <stdio.h>\n#include <stdlib.h>\n" + functions for i in range(4)}}
    for name, text in files.items():
        with open(os.path.join(top, name), "w") as f:
            f.write(text)
    programs = {"find /usr/share/doc": ["find", "/usr/share/doc"], "gcc -c": ["gcc", "-c", "t.c"], "g++ -c": ["g++", "-c", "t.cc"],
                "python -c pass": [sys.executable, "-c", "pass"], "bash, 80 forks": ["bash", "loop.sh"],
                "make -j2, 4 files": ["make", "-s", "-B", "-j2"]}
    return {name: argv for name, argv in programs.items() if shutil.which(argv[0])}


def tracing(sandbox, top, runs):
    """The same programs in turn under strace and under sandbox trace: medians, of strace's with the same calls; --effects of the trace without."""
    if not shutil.which("strace"):
        return
    log = ["-o", os.path.join(top, "log")]
    ways = {"strace": ["strace", "-f", *log], "trace": [sandbox, "trace", *log, "--"],
            "strace %file": ["strace", "-f", "-e", "%file", *log], "trace %file": [sandbox, "trace", "-e", "%file", *log, "--"],
            "effects": [sandbox, "trace", "--effects", *log, "--"], "sandbox": [sandbox, "--"]}
    print(f"\n{'traced':<24}{'strace':>10}{'all calls':>11}{'-e %file':>10}{'--effects':>11}{'not traced':>12}")
    for name, argv in traced_programs(top).items():
        got = {w: [] for w in ways}
        for n in range(2 * runs + 1):
            for w in list(ways)[::1 if n % 2 else -1]:
                got[w].append(timed([*ways[w], *argv], top))
        if any(None in g for g in got.values()):
            print(f"{name:<24}{'failed':>10}")
            continue
        t = {w: sorted(g)[runs] for w, g in got.items()}
        print(f"{name:<24}{t['strace'] * 1000:>7.0f} ms{t['trace'] / t['strace']:>10.2f}x{t['trace %file'] / t['strace %file']:>9.2f}x"
              f"{t['effects'] / t['trace']:>10.2f}x{t['sandbox'] / t['strace']:>11.2f}x")


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--build", default="build")
    p.add_argument("--runs", type=int, default=3)
    p.add_argument("--files", type=int, default=100000, help="files of the tree that find walks")
    p.add_argument("--operations", type=int, default=2000, help="of each process of the tree stress")
    p.add_argument("--fsstress", help="run this installed fsstress (LTP, xfstests) instead of our own program")
    p.add_argument("--only-tracing", action="store_true", help="only the comparison with strace")
    p.add_argument("--only-media", action="store_true", help="only the rows of the overlay's media")
    p.add_argument("--only-layers", action="store_true", help="only diff and commit of a kept sandbox")
    a = p.parse_args()
    rs = runners(os.path.realpath(os.path.join(a.build, "sandbox")))
    top = tempfile.mkdtemp(prefix="sandbox-bench.", dir="/var/tmp")
    result = {}  # (row, runner) -> best

    def note(row, who, value):
        if value is not None:
            old = result.get((row, who))
            result[row, who] = value if old is None else (max if row == "two-processes" else min)(value, old)

    try:
        if a.only_tracing:
            tracing(rs["sandbox"][0], top, a.runs)
            return 0
        if a.only_media or a.only_layers:
            (media if a.only_media else layers)(a, top)
            return 0
        micro = shutil.copy(os.path.join(a.build, "fsmicro"), top)
        for i in range(20):
            with open(f"{top}/c{i}.c", "w") as f:
                f.write(f'#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\nint f{i}(int x)\n{{\n\tprintf("%d", x);\n\treturn x;\n}}\n')
        tree = os.path.join(top, "tree")
        per = 100
        for d in range(a.files // per):
            os.makedirs(f"{tree}/{d // 100}/{d}")
            for i in range(per):
                open(f"{tree}/{d // 100}/{d}/f{i}", "w").close()
        compile20 = "mkdir -p o; for i in $(seq 0 19); do gcc -c c$i.c -o o/c$i.o || exit 1; done"
        warm = (f"find {tree} >/dev/null; s=$(date +%s%N); find {tree} >/dev/null; e=$(date +%s%N); echo $((e - s))")
        for n in range(a.runs):
            for who, prefix in rs.items():
                work = tempfile.mkdtemp(dir=top)
                out = subprocess.run([*prefix, micro], cwd=work, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
                for line in out.stdout.splitlines():
                    name, value = line.split()
                    note(name, who, float(value))
                note("start and end of true", who, timed([*prefix, "/bin/true"], top, 10))
                note("20 times gcc -c", who, timed([*prefix, "sh", "-c", compile20], top))
                note(f"find, {a.files} files, cold", who, timed([*prefix, "find", tree], top))
                out = subprocess.run([*prefix, "sh", "-c", warm], cwd=top, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
                if out.returncode == 0 and out.stdout.strip().isdigit():
                    note(f"find, {a.files} files, warm", who, int(out.stdout) / 1e9)
                shutil.rmtree(work, ignore_errors=True)
        tracing(rs["sandbox"][0], top, a.runs)
        media(a, top)
        layers(a, top)
    finally:
        shutil.rmtree(top, ignore_errors=True)

    rows = list(dict.fromkeys(r for r, _ in result))
    print(f"{'':<30}{'native':>14}" + "".join(f"{w:>10}" for w in rs if w != "native"))
    for row in rows:
        base = result.get((row, "native"))
        if row == "two-processes":
            print(f"{row + ' (rate of two / of one)':<34}{base or 0:>8.2f}x " + "".join(
                f"{result[row, w]:>9.2f}x" if (row, w) in result else f"{'failed':>10}" for w in rs if w != "native"))
            continue
        unit = " ms" if " " in row else " ns"
        shown = (base or 0) * (1000 if unit == " ms" else 1)
        cells = "".join(f"{result[row, w] / base:>9.2f}x" if base and (row, w) in result else f"{'failed':>10}" for w in rs if w != "native")
        print(f"{row:<30}{shown:>11.{1 if unit == ' ms' else 0}f}{unit}{cells}")
    s = result.get(("start and end of true", "sandbox"))
    if s:
        print(f"\nsandbox -- true: {s * 1000:.1f} ms")
    return 0 if any(w == "sandbox" for _, w in result) else 1


if __name__ == "__main__":
    sys.exit(main())
