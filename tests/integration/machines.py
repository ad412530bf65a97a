"""Machines for a package: this one under an overlay, in namespaces of its own, thrown away afterwards. Nothing listens
where others would see it: they have networks of their own, too."""

import atexit
import functools
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import textwrap

import harness

BUILD = pathlib.Path(harness.BINARY).parent.parent
UNIT = harness.ROOT / "packaging/switchback.service"
VERSION = re.search(r"project\(switchback VERSION (\S+)", (harness.ROOT / "CMakeLists.txt").read_text()).group(1)

# Stands for systemd: whoever asks it is written down.
SYSTEMCTL = """#!/bin/sh
echo "$*" >>/calls
case "$*" in
  *preset*) exec /usr/bin/systemctl "$@" ;;  # links in files: no service manager is asked
  *is-active*) test -e /active ;;
  *is-enabled*) test -L /etc/systemd/system/multi-user.target.wants/switchback.service && echo enabled ;;
esac
"""


@functools.cache
def make_package():
    """The package of the build that is tested, made by cpack, once."""
    directory = tempfile.mkdtemp(prefix="switchback-test.")
    atexit.register(shutil.rmtree, directory, True)
    harness.run("cmake", "--build", BUILD, "--target", "switchback_c", "switchback_manual")
    done = harness.run("cpack", "-G", "DEB", "-B", directory, cwd=BUILD, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = list(pathlib.Path(directory).glob("switchback_*.deb"))
    assert len(found) == 1, found
    return found[0]


def overlay_script(place):
    """Shell commands that make `place`/root this machine's files; what is written to them is gone with the tmpfs."""
    return textwrap.dedent(f"""
        mount -t tmpfs none {place}
        mkdir {place}/root {place}/upper {place}/work
        mount -t overlay none -o lowerdir=/,upperdir={place}/upper,workdir={place}/work {place}/root
    """)


class Machine:
    """Without a service manager: one script, one machine."""

    def __init__(self, directory):
        self.directory = directory

    def run(self, script):
        """(exit code, output) of a shell script as root there. Each run begins with a fresh machine."""
        place = self.directory / "machine"
        place.mkdir(exist_ok=True)
        (self.directory / "systemctl").write_text(SYSTEMCTL)
        (self.directory / "script.sh").write_text(script)
        enter = overlay_script(place) + textwrap.dedent(f"""
            mount --rbind /proc {place}/root/proc
            mount --rbind /dev {place}/root/dev
            ip link set lo up 2>/dev/null || true
            cp {self.directory}/script.sh {place}/root/script.sh
            install -m 755 {self.directory}/systemctl {place}/root/usr/local/bin/systemctl
            exec chroot {place}/root /bin/bash -e /script.sh
        """)
        done = subprocess.run(["unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc", "bash", "-ec", enter],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, check=False)
        return done.returncode, done.stdout


SYSTEMD = "/lib/systemd/systemd"
TARGET = "switchback-test.target"

# In a mount namespace. Ends when the machine does, or when whoever started it closes standard input or is gone, and
# leaves nothing behind.
SUPERVISE = """
mkdir $PLACE/cgroup
mount -t cgroup2 none $PLACE/cgroup
mkdir $PLACE/cgroup/$CGROUP
exec 3<&0
setpriv --pdeathsig KILL unshare --mount --net --uts --ipc --pid --fork --kill-child bash -ec "$BOOT" 3<&- </dev/null &
machine=$!
echo $machine >$PID_FILE
cat <&3 >/dev/null &
wait -n || true
kill -KILL $machine $! 2>/dev/null || true
wait 2>/dev/null
for attempt in {1..500}; do
  find $PLACE/cgroup/$CGROUP -depth -type d -exec rmdir {} + 2>/dev/null && break
  sleep 0.02
done
test ! -e $PLACE/cgroup/$CGROUP
"""

# As PID 1 of all other namespaces. The cgroup is entered before its namespace is made: it is the root of what systemd
# sees. Of the units of this machine none is started but journald: their links are taken away, and what makes more.
BOOT = """
root=$PLACE/root
echo 0 >$PLACE/cgroup/$CGROUP/cgroup.procs
mount -t proc proc $root/proc -o nosuid,nodev,noexec
mount --bind $root/proc/sys $root/proc/sys
mount -o remount,bind,ro $root/proc/sys
mount -t sysfs sysfs $root/sys -o ro,nosuid,nodev,noexec
for name in run tmp dev; do mount -t tmpfs tmpfs $root/$name; done
chmod 755 $root/run $root/dev
mkdir $root/dev/pts $root/dev/shm
mount -t devpts devpts $root/dev/pts -o newinstance,ptmxmode=666
mount -t tmpfs tmpfs $root/dev/shm
ln -s pts/ptmx $root/dev/ptmx
device() { mknod -m 666 $root/dev/$1 c $2 $3; }
device null 1 3; device zero 1 5; device full 1 7; device random 1 8; device urandom 1 9; device tty 5 0
ip link set lo up

rm -rf $root/etc/systemd/system/* $root/lib/systemd/system/*.wants $root/lib/systemd/system-generators
rm -rf $root/var/log/journal
rm -f $root/usr/sbin/policy-rc.d
: >$root/etc/machine-id
: >$root/etc/fstab
cat >$root/etc/systemd/system/$TARGET <<END
[Unit]
Requires=systemd-journald.service multi-user.target
END
cd $root
mkdir before
exec unshare --cgroup bash -ec '
  mount -t cgroup2 cgroup2 sys/fs/cgroup
  pivot_root . before
  umount -l /before
  rmdir /before
  mount --make-rshared /
  exec env -i container=switchback-test PATH=$PATH $SYSTEMD --system systemd.unit=$TARGET'
"""


class Unbootable(Exception):
    """Namespaces, overlays or cgroups of version 2 are not to be had here."""


class BootedMachine:
    """One whose PID 1 is systemd."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.log_path = self.directory / "boot.log"
        self.pid_path = self.directory / "machine.pid"
        self.process = None
        self.pid = None

    def start(self):
        """Until the target is reached. Errors: Unbootable."""
        if not harness.is_root():
            raise Unbootable("only root can boot a machine")
        for program in (SYSTEMD, "unshare", "nsenter", "setpriv", "pivot_root", "ip"):
            if not shutil.which(program):
                raise Unbootable(f"{program} is not installed")
        place = self.directory / "machine"
        place.mkdir()
        environment = {"PLACE": str(place), "PID_FILE": str(self.pid_path), "SYSTEMD": SYSTEMD, "TARGET": TARGET,
                       "CGROUP": place.parent.name, "BOOT": BOOT, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
        with open(self.log_path, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(["unshare", "--mount", "bash", "-ec", overlay_script(place) + SUPERVISE],
                                            stdin=subprocess.PIPE, stdout=log, stderr=log, env=environment,
                                            start_new_session=True)
        harness.wait_until("systemd runs", self._is_booting, 30)
        harness.wait_until("systemd has booted", lambda: self.run(f"systemctl is-active {TARGET}", check=False)[0] == 0,
                           60, pause=0.05)

    def _is_booting(self):
        if self.process.poll() is not None:
            raise Unbootable(" ".join(self.log_path.read_text().split()))
        try:
            parent = self.pid_path.read_text().strip()
            self.pid = pathlib.Path(f"/proc/{parent}/task/{parent}/children").read_text().split()[0]
            # Not before: until then it has this machine's files.
            return (pathlib.Path(f"/proc/{self.pid}/comm").read_text() == "systemd\n" and
                    os.path.exists(f"/proc/{self.pid}/root/run/systemd/private"))
        except (FileNotFoundError, IndexError, ProcessLookupError):
            return False

    def run(self, script, check=True, content=None):
        """The output of a shell script in it, as root, which must not fail; without check (exit code, output)."""
        done = subprocess.run(["nsenter", "--target", self.pid, "--mount", "--net", "--uts", "--ipc", "--pid",
                               "--cgroup", "--root", "--wd", "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                               "LANG=C.UTF-8", "bash", "-ec", script],
                              input=content or b"", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120,
                              check=False)
        text = done.stdout.decode(errors="replace")
        if not check:
            return done.returncode, text
        if done.returncode != 0:
            raise AssertionError(f"{script}\n{done.returncode}: {text}\n---- journal\n{self.journal()}")
        return text.strip()

    def journal(self):
        return self.run("journalctl --no-pager --output=short-monotonic --lines=60", check=False)[1]

    def write(self, path, text):
        self.run(f"cat >{path}", content=text.encode())

    def copy_in(self, source, path):
        self.run(f"cat >{path}", content=pathlib.Path(source).read_bytes())

    def stop(self):
        """Nothing of it stays, neither processes nor mounts nor cgroups."""
        if self.process is None:
            return
        self.process.stdin.close()
        code = self.process.wait(30)
        self.process = None
        assert code == 0 or self.pid is None, f"{code}: {self.log_path.read_text()}"
