# SPDX-License-Identifier: Apache-2.0
# python3: subprocess, sqlite3, multiprocessing, threads, sockets, temporary files.
# timeout: 300
. "$(dirname "$0")/lib.sh"
need python3
cat >p.py <<'P'
import sqlite3, subprocess, multiprocessing, threading, tempfile, os, socket, json, shutil, mmap, fcntl, select, sys
def square(x): return x * x
if __name__ == "__main__":
    print(subprocess.run(["sh", "-c", "echo out; echo err >&2; exit 3"], capture_output=True, text=True))
    print(subprocess.check_output("echo a | tr a b", shell=True))
    try: subprocess.run(["/no/such"])
    except FileNotFoundError as e: print(e)
    p = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE); print(p.communicate(b"x" * 100000)[0].count(b"x"))
    try: subprocess.run(["sleep", "5"], timeout=0.1)
    except subprocess.TimeoutExpired: print("timeout")
    db = sqlite3.connect("t.db"); db.execute("pragma journal_mode=wal"); db.execute("create table t(a,b)")
    with db: db.executemany("insert into t values(?,?)", ((i, str(i)) for i in range(5000)))
    print(db.execute("select count(*), sum(a) from t").fetchone()); db.execute("vacuum"); db.close()
    for m in ("fork", "spawn"):
        with multiprocessing.get_context(m).Pool(2) as pool: print(pool.map(square, range(10)))
    q = multiprocessing.Queue(); w = multiprocessing.Process(target=q.put, args=("queued",)); w.start(); print(q.get()); w.join(); print(w.exitcode)
    from multiprocessing import shared_memory
    s = shared_memory.SharedMemory(create=True, size=100); s.buf[0] = 7; t = shared_memory.SharedMemory(s.name); print(t.buf[0]); t.close(); s.close(); s.unlink()
    ts = [threading.Thread(target=lambda i=i: open(f"th{i}", "w").write("x" * i)) for i in range(20)]
    [t.start() for t in ts]; [t.join() for t in ts]; print(sum(os.path.getsize(f"th{i}") for i in range(20)))
    with tempfile.TemporaryDirectory() as d: open(d + "/f", "w").write("t"); print(os.listdir(d))
    l = socket.socket(); l.bind(("127.0.0.1", 0)); l.listen(); c = socket.create_connection(l.getsockname()); a, _ = l.accept(); c.sendall(b"tcp"); print(a.recv(9))
    u = socket.socket(socket.AF_UNIX); u.bind("u.sock"); u.listen(); c = socket.socket(socket.AF_UNIX); c.connect("u.sock"); a, _ = u.accept(); c.sendall(b"unix"); print(a.recv(9))
    shutil.copytree("dir", "copied"); shutil.rmtree("copied"); print(sorted(os.listdir("."))[:5])
    with open("file", "r+b") as f: m = mmap.mmap(f.fileno(), 0); m[0:3] = b"mmm"; m.flush(); print(open("file").read(5))
    with open("lockfile", "w") as f: fcntl.lockf(f, fcntl.LOCK_EX); fcntl.flock(f, fcntl.LOCK_EX); print("locked")
    print(sum(1 for _ in os.walk("/usr/lib/python3")) > 0, os.getcwd(), os.path.realpath("dirlink"), os.stat("hard").st_nlink, sys.executable)
    os.environ["X"] = "1"; print(subprocess.check_output(["sh", "-c", "echo $X"]))
P
same python3 p.py
same python3 -c 'import os; os.execvp("echo", ["echo", "exec", "from", "python"])'
same python3 -c 'import json, ssl, ctypes, asyncio, zlib, email, decimal; print(asyncio.run(asyncio.sleep(0.01, "slept")))'
same sh -c 'python3 -m venv --without-pip v && v/bin/python -c "import sys; print(sys.prefix)"; python3 -m compileall -q dir; python3 -m zipfile -c z.zip file && python3 -m zipfile -l z.zip | tail -n 1 | cut -c1-20'
command -v sqlite3 >/dev/null && same sqlite3 s.db 'create table t(a); insert into t values(1),(2); select sum(a) from t; .tables'
command -v perl >/dev/null && same perl -e 'use File::Find; use IPC::Open3; find(sub { $n++ }, "dir"); print "$n\n"; open(F, ">pf"); print F "perl"; close F; print -s "pf", "\n"; print `echo sub | cat`; system("exit 3"); print $? >> 8, "\n"; $p = fork; exit 4 unless $p; wait; print $? >> 8, "\n"; opendir D, "dir"; print join(",", sort readdir D), "\n"; rename "pf", "pg"; unlink "pg"; printf "%o\n", (stat "file")[2]; flock(STDIN, 2); kill 0, $$; $SIG{ALRM} = sub { print "alarm\n" }; alarm 1; sleep 3; exec "echo", "done"'
finish
