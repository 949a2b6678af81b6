#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""bench.py - the same work natively and in the sandbox, in alternating runs, as ratios of the best times; beside bwrap, proot and runsc
where they are installed. Everything is made in a temporary directory, which is removed."""
import argparse, os, shutil, subprocess, sys, tempfile, time


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


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--build", default="build")
    p.add_argument("--runs", type=int, default=3)
    p.add_argument("--files", type=int, default=100000, help="files of the tree that find walks")
    a = p.parse_args()
    rs = runners(os.path.realpath(os.path.join(a.build, "sandbox")))
    top = tempfile.mkdtemp(prefix="sandbox-bench.", dir="/var/tmp")
    result = {}  # (row, runner) -> best

    def note(row, who, value):
        if value is not None:
            old = result.get((row, who))
            result[row, who] = value if old is None else (max if row == "two-processes" else min)(value, old)

    try:
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
