# SPDX-License-Identifier: Apache-2.0
# Every way to write that is not open(2): nothing may get through a read-only bind. And every name of a hidden file.
. "$(dirname "$0")/lib.sh"
need python3
top=$(dirname "$PWD")
mkdir -p "$top/ro/dir" "$top/covered" && echo data >"$top/ro/file" && chmod 666 "$top/ro/file" && echo SECRET >"$top/covered/flag" || exit 1
before=$(manifest "$top/ro")
cat >attack.py <<'P'
import os, mmap, fcntl, socket, ctypes
R = "/mnt"; f = R + "/file"
def t(name, fn):
    try: print("FAIL", name, fn())
    except OSError: pass
fd = os.open(f, os.O_RDONLY); d = os.open(R, os.O_RDONLY)
self = "/proc/self/fd/%d" % fd
for fl in os.O_WRONLY, os.O_RDWR, os.O_RDONLY | os.O_TRUNC, os.O_WRONLY | os.O_APPEND:
    for p in f, self, "/dev/fd/%d" % fd: t("open %s %o" % (p, fl), lambda: os.open(p, fl))
def opath():
    return os.open("/proc/self/fd/%d" % os.open(f, os.O_PATH), os.O_RDWR)
t("O_PATH, then open", opath)
t("create", lambda: os.open(R + "/new", os.O_CREAT | os.O_WRONLY))
t("O_TMPFILE", lambda: os.open(R, os.O_TMPFILE | os.O_RDWR))
t("mmap", lambda: mmap.mmap(fd, 4, mmap.MAP_SHARED, mmap.PROT_WRITE))
def later():
    m = mmap.mmap(fd, 4, mmap.MAP_SHARED, mmap.PROT_READ)
    c = ctypes.CDLL(None, use_errno=True)
    a = int([l.split("-")[0] for l in open("/proc/self/maps") if l.rstrip().endswith("/mnt/file")][0], 16)
    if c.mprotect(ctypes.c_void_p(a), 4096, 3): raise OSError()
t("mmap, then mprotect", later)
for p in f, fd, self:
    t("truncate", lambda: os.truncate(p, 0)); t("chmod", lambda: os.chmod(p, 0o777)); t("chown", lambda: os.chown(p, 0, 0))
    t("utime", lambda: os.utime(p)); t("setxattr", lambda: os.setxattr(p, "user.a", b"x"))
t("fallocate", lambda: os.posix_fallocate(fd, 0, 9))
t("unlink", lambda: os.unlink(f)); t("rename", lambda: os.rename(f, R + "/b")); t("link", lambda: os.link(f, R + "/l"))
t("mkdir", lambda: os.mkdir(R + "/m")); t("symlink", lambda: os.symlink("x", R + "/s")); t("mkfifo", lambda: os.mkfifo(R + "/p"))
t("link out", lambda: os.link(f, "/tmp/out")); t("rename out", lambda: os.rename(f, "/tmp/out"))
t("rename in", lambda: os.rename("/tmp", R + "/t")); t("link a descriptor", lambda: os.link(self, R + "/q", follow_symlinks=True))
def setfl():
    fcntl.fcntl(fd, fcntl.F_SETFL, os.O_APPEND | os.O_RDWR)
    return os.write(fd, b"x")
t("F_SETFL", setfl)
a, b = socket.socketpair()
socket.send_fds(a, [b"x"], [fd]); got = socket.recv_fds(b, 1, 1)[1][0]
t("passed on, write", lambda: os.write(got, b"x")); t("passed on, open", lambda: os.open("/proc/self/fd/%d" % got, os.O_RDWR))
t("FS_IOC_SETFLAGS", lambda: fcntl.ioctl(fd, 0x40086602, b"\x10\0\0\0"))
zero = os.open("/dev/zero", 0); text = os.open("/etc/passwd", 0)
t("sendfile", lambda: os.sendfile(fd, zero, 0, 4)); t("copy_file_range", lambda: os.copy_file_range(text, fd, 4))
t("fchmod of the directory", lambda: os.fchmod(d, 0o777)); t("beneath", lambda: os.open("z", os.O_CREAT | os.O_WRONLY, dir_fd=d))
t("..", lambda: os.mkdir("dir/../m2", dir_fd=d))
P
is 0 "" --ro-bind "$top/ro" /mnt -- python3 "$PWD/attack.py"
[ "$before" = "$(manifest "$top/ro")" ] || fail "the read-only bind has changed"

c=$top/covered
for p in "$c/flag" "/proc/self/root$c/flag" "/proc/1/root$c/flag" "$c/../covered/flag" "/proc/self/cwd/covered/flag" "$c/./flag"; do
	"$SANDBOX" --hide "$c" --chdir "$top" -- cat "$p" 2>/dev/null | grep -q SECRET && fail "hidden, and seen by $p"
done
"$SANDBOX" --hide "$c" --chdir "$top" -- sh -c "mv covered seen; rmdir covered; umount covered; mv '$top' '$top-2'; cat seen/flag '$top-2/covered/flag'" 2>/dev/null |
	grep -q SECRET && fail "what is hidden came to light by a rename"
finish
