"""Tries what a service might, and prints what came of each as JSON: "ok", or the name of the error. booted_test.py runs
it in the place of the server."""

import ctypes
import errno
import json
import mmap
import os
import socket
import subprocess
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWUSER, PTRACE_TRACEME, PER_LINUX32, CLOCK_REALTIME, SYS_ACCT = 0x10000000, 0, 8, 0, 163


def call(name, *arguments):
    if getattr(LIBC, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), name)


def write(path):
    with open(path, "w", encoding="ascii") as file:
        file.write("x")
    os.unlink(path)


def map_shared(path):
    with open(path, "wb+") as file:
        file.truncate(4096)
        with mmap.mmap(file.fileno(), 4096) as mapped:
            mapped[0] = 1
    os.unlink(path)


def change_mode(path, mode):
    with open(path, "wb"):
        pass
    try:
        os.chmod(path, mode)
    finally:
        os.unlink(path)


def listen(path=None):
    with socket.socket(socket.AF_UNIX if path else socket.AF_INET) as listener:
        listener.bind(path or ("127.0.0.1", 0))
        listener.listen()
    if path:
        os.unlink(path)


def see(path):
    os.stat(path)


STATE, RUNTIME = os.environ["STATE_DIRECTORY"], os.environ["RUNTIME_DIRECTORY"]
ATTEMPTS = {
    "write state": lambda: write(STATE + "/probe"),
    "write runtime": lambda: write(RUNTIME + "/probe"),
    "write its own tmp": lambda: write("/tmp/probe"),
    "map a file": lambda: map_shared(STATE + "/probe"),
    "listen on TCP": listen,
    "listen on a Unix socket": lambda: listen(RUNTIME + "/probe.sock"),
    "run a program": lambda: subprocess.run(["/bin/true"], check=True),
    "read configuration": lambda: open("/etc/switchback/config.json", "rb").close(),
    "statvfs": lambda: os.statvfs(STATE),
    "see free memory": lambda: open("/proc/meminfo", "rb").close(),

    "write etc": lambda: write("/etc/probe"),
    "write configuration": lambda: write("/etc/switchback/probe"),
    "write usr": lambda: write("/usr/probe"),
    "write var": lambda: write("/var/lib/probe"),
    "write the cgroup": lambda: write("/sys/fs/cgroup/probe"),
    "see a home": lambda: see("/home/alice"),
    "see the root's home": lambda: see("/root/secret"),
    "see others' tmp": lambda: see("/tmp/others"),
    "see other processes": lambda: see("/proc/1"),
    "see a device": lambda: see("/dev/others"),
    "map writable code": lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close(),
    "netlink socket": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close(),
    "packet socket": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close(),
    "user namespace": lambda: call("unshare", CLONE_NEWUSER),
    "set-user-ID file": lambda: change_mode(STATE + "/probe", 0o4700),
    "realtime": lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)),
    "personality": lambda: call("personality", PER_LINUX32),
    "ptrace": lambda: call("ptrace", PTRACE_TRACEME, 0, 0, 0),
    "mount": lambda: call("mount", b"none", b"/tmp", b"tmpfs", 0, None),
    "chroot": lambda: os.chroot("/tmp"),
    "host name": lambda: socket.sethostname("other"),
    "clock": lambda: __import__("time").clock_settime(CLOCK_REALTIME, 0),
    "kernel log": lambda: call("klogctl", 3, None, 0),
    "another user": lambda: os.setuid(0),
}


def outcome(attempt):
    try:
        attempt()
        return "ok"
    except OSError as error:
        return errno.errorcode[error.errno]


json.dump({name: outcome(attempt) for name, attempt in ATTEMPTS.items()}, sys.stdout, indent=1)
