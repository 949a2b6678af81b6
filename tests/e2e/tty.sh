# SPDX-License-Identifier: Apache-2.0
# A terminal: Ctrl-C, Ctrl-Z, size, job control.
# timeout: 120
. "$(dirname "$0")/lib.sh"
need python3
cat >terminal.py <<'P'
import fcntl, os, pty, re, select, signal, struct, sys, termios, time
sandbox = sys.argv[1]
bad = 0
PROMPT = r"bash-[0-9.]+[#$] "  # bash ignores PS1 of the environment as root
class Session:
    def __init__(self, *argv):
        self.out = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="dumb", HISTFILE="")
            os.execv(argv[0], argv)
        self.size(24, 80)
    def size(self, r, c):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", r, c, 0, 0))
    def send(self, s): os.write(self.fd, s.encode())
    def expect(self, pattern, t=10):
        end = time.time() + t
        while True:
            m = re.search(pattern.encode(), self.out)
            if m:
                self.out = self.out[m.end():]
                return True
            if time.time() > end or not select.select([self.fd], [], [], max(0, end - time.time()))[0]: return False
            try: d = os.read(self.fd, 4096)
            except OSError: d = b""
            if not d: return False
            self.out += d
    def status(self, t=10):
        end = time.time() + t
        while time.time() < end:
            p, st = os.waitpid(self.pid, os.WNOHANG)
            if p: return os.waitstatus_to_exitcode(st)
            select.select([self.fd], [], [], 0.02)[0] and self.drain()
        os.kill(self.pid, signal.SIGKILL); os.waitpid(self.pid, 0)
        return "hangs"
    def drain(self):
        try: self.out += os.read(self.fd, 4096)
        except OSError: pass
def check(ok, what, s=None):
    global bad
    if not ok:
        bad += 1
        print("FAIL:", what, (s.out[-300:] if s else ""))
s = Session(sandbox, "--", "sh", "-c", "tty; stty size; sleep 30")
check(s.expect(r"/dev/"), "tty has a name", s); check(s.expect(r"24 80"), "size at the start", s)
# Not while the shell starts the sleep: a Ctrl-C in that moment is lost by dash natively, too.
time.sleep(0.5)
s.send("\x03"); st = s.status(); check(st in (130, -2), f"Ctrl-C ends the command: {st}")
s = Session(sandbox, "--", "bash", "--norc", "--noprofile", "-i")
check(s.expect(PROMPT), "prompt", s); check(b"no job control" not in s.out, "job control", s)
s.send("sleep 100\n"); time.sleep(0.5); s.send("\x03"); check(s.expect(PROMPT), "Ctrl-C ends the job, not the shell", s)
s.send("sleep 100\n"); time.sleep(0.5); s.send("\x1a"); check(s.expect("Stopped"), "Ctrl-Z stops the job", s); s.expect(PROMPT)
s.send("jobs\n"); check(s.expect(r"\[1\]\+ +Stopped"), "jobs", s); s.expect(PROMPT)
s.send("bg\n"); s.expect(PROMPT); s.send("kill %1; wait; echo end''ed\n"); check(s.expect("ended\r"), "bg, kill", s); s.expect(PROMPT)
s.size(50, 132); os.kill(s.pid, signal.SIGWINCH); time.sleep(0.3); s.send("stty size\n"); check(s.expect("50 132"), "resize", s); s.expect(PROMPT)
s.send("cat\n"); time.sleep(0.5); s.send("line one\n"); check(s.expect("line one\r\nline one"), "cat", s); s.send("\x04"); check(s.expect(PROMPT), "end of file", s)
s.send("test -t 0 && test -t 1 && echo is''atty\n"); check(s.expect("isatty"), "isatty", s); s.expect(PROMPT)
s.send("exit 7\n"); st = s.status(); check(st == 7, f"exit status {st}")
# The whole sandbox as a job of a shell outside.
s = Session("/bin/bash", "--norc", "--noprofile", "-i")
s.expect(PROMPT)
s.send(f"{sandbox} -- sh -c 'echo beg''in; sleep 2; echo fin''ished'\n"); check(s.expect("begin"), "starts", s)
time.sleep(0.3); s.send("\x1a"); check(s.expect("Stopped"), "Ctrl-Z stops the sandbox", s)
s.send("fg\n"); check(s.expect("finished"), "fg goes on", s); s.send("exit\n"); s.status()
# Only some of 0, 1, 2 are the terminal.
s = Session("/bin/sh", "-c", f"echo piped | {sandbox} -- sh -c 'read x; echo got $x; test -t 0 || echo notty; test -t 1 && echo outtty'")
check(s.expect("got piped") and s.expect("notty") and s.expect("outtty"), "stdin is a pipe", s); check(s.status() == 0, "status")
s = Session("/bin/sh", "-c", f"{sandbox} -- sh -c 'stty raw -echo; kill -9 $$' ; stty -a | grep -c -- -icanon; echo restored")
check(s.expect("0\r\nrestored"), "the terminal's modes are restored", s); s.status()
sys.exit(bad != 0)
P
python3 terminal.py "$SANDBOX" || fail "terminal"
finish
