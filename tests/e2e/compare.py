#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""compare.py STRACE-LOG TRACE-LOG - compares names, arguments and results of the calls in two logs of one program, process by process.

Left out: when a SIGCHLD comes, how often a lock was waited for or random bytes were asked for, and clone3, which a sandbox answers so that the C library takes clone.
What differs from run to run (addresses, process numbers, times, random bytes, ports) is replaced first. Prints the differences; status 1 when there
are any.
"""
import difflib, re, sys

# What a sandbox answers otherwise on purpose: numbers of processes, devices, the file system below, the network's and the host's names; and how many
# system resources happen to be there.
UNEQUAL = re.compile(r"^(getpid|gettid|getppid|set_tid_address|getpgrp|getpgid|getsid|setsid|statfs|fstatfs|sysinfo|getrandom|uname|brk|"
                     r"getdents64|restart_syscall|clock_gettime|gettimeofday|times|getrusage|sched_getaffinity|getcpu|sched_yield|futex|"
                     r"clone3|clone|vfork|prlimit64|capget|rt_sigreturn)\(")


def calls(path):
    """A list of calls for each process; those that are started at the same time appear in any order, so: by what they execute."""
    order, open_, out = [], {}, {}
    with open(path, errors="replace") as f:
        for line in f:
            m = re.match(r"(\d+) +(.*)", line.rstrip("\n"))
            if not m:
                continue
            pid, text = m[1], m[2]
            if pid not in out:
                out[pid] = []
                order.append(pid)
            if text.endswith(" <unfinished ...>"):
                open_[pid] = text[:-len(" <unfinished ...>")]
                continue
            m = re.match(r"<\.\.\. \w+ resumed>(.*)", text)
            if m:
                text = open_.pop(pid, "?") + m[1]
            out[pid].append(text)
    pids = set(order)
    lists = [[n for n in (normal(t, pids) for t in without_proc(out[p])) if n] for p in order]
    return sorted(lists, key=lambda ls: next((t for t in ls if t.startswith("execve(")), ""))


def without_proc(lines):
    """Files of /proc have other contents inside: what is done with their descriptors is left out."""
    fd = None
    for t in lines:
        m = re.match(r'openat\(AT_FDCWD, "/(?:proc|sys)/.* = (\d+)$', t)
        if m:
            fd = m[1]
        elif fd is None:
            yield t
        elif t.startswith(f"close({fd})"):
            fd = None
        elif not re.match(rf"\w+\({fd}[,)]", t):
            yield t


def normal(text, pids):
    if text.startswith(("---", "+++")):
        if "SIGCHLD" in text:  # when it arrives is chance
            return None
        return re.sub(r"si_(pid|uid|utime|stime|status)=\d+", r"si_\1=N", re.sub(r"0x[0-9a-f]{6,}", "ADDR", text))
    if UNEQUAL.match(text):
        return re.match(r"\w+", text)[0] if not text.startswith(("futex", "sched_yield", "restart_syscall", "clone", "brk", "getrandom",
                                                                    "rt_sigreturn")) else None
    text = re.sub(r" += ", " = ", text)
    text = re.sub(r"stx_mask=[A-Z_|]+", "stx_mask=M", text)
    text = re.sub(r"0x[0-9a-f]{6,}", "ADDR", text)
    text = re.sub(r"st_rdev=makedev\([^)]*\)", "DEV", text)
    text = re.sub(r"(tv_n?u?sec|ru_\w+|si_pid|l_pid|pid)=-?\d+", r"\1=N", text)
    text = re.sub(r"htons\(\d+\)", "htons(PORT)", text)
    text = re.sub(r"\b(\d+)\b", lambda m: "PID" if m[1] in pids and len(m[1]) > 0 and text.startswith(("kill(", "tgkill(", "wait4(", "waitid(",
                                                                                                     "setpgid(")) else m[1], text)
    text = re.sub(r"/tmp/cc\w+\.", "/tmp/ccTMP.", text)
    text = re.sub(r"/\* \d+ vars \*/", "/* N vars */", text)
    return text


def main():
    a, b = calls(sys.argv[1]), calls(sys.argv[2])
    bad = 0
    if len(a) != len(b):
        print(f"{len(a)} processes for strace, {len(b)} for sandbox trace")
        bad = 1
    for i, (x, y) in enumerate(zip(a, b)):
        # Not the order: with several processes, signals come at other moments, and where memory lies decides when more is asked for.
        for line in difflib.unified_diff(sorted(x), sorted(y), f"strace, process {i}", f"sandbox trace, process {i}", lineterm="", n=0):
            print(line[:300])
            bad = 1
    return bad


if __name__ == "__main__":
    sys.exit(main())
