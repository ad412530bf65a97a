"""A disk that loses power: an ext4 of its own in a file, mounted by loop.

EXT4_IOC_SHUTDOWN drops everything that was not synced, as pulling the plug does.
"""

import ctypes
import fcntl
import os
import struct

import harness

EXT4_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2
CLONE_NEWNS = 0x00020000


def leave_mount_namespace():
    """What this process mounts from now on is seen by it and its children only.

    Else whoever makes a namespace meanwhile holds a copy of the mount: our unmount would not close
    the file system, and the next mount would give the dead one again.
    """
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    harness.run("mount", "--make-rprivate", "/")


class PowerDiskTest(harness.ServerTest):
    """Gives a test `self.disk`, a directory. Keep the test's own files elsewhere."""

    def make_disk(self, megabytes):
        """None, or why there cannot be one here."""
        if not harness.is_root():
            return "only root may mount"
        self.image, self.disk = self.directory / "image", self.directory / "disk"
        self.disk.mkdir()
        leave_mount_namespace()
        with open(self.image, "wb") as file:
            file.truncate(megabytes << 20)
        harness.run("mkfs.ext4", "-q", "-F", self.image)
        mounted = self.mount()
        if mounted.returncode != 0:
            return mounted.stderr.strip()
        self.addCleanup(harness.run, "umount", "-l", self.disk, check=False)
        return None

    def mount(self):
        return harness.run("mount", "-o", "loop", self.image, self.disk, check=False)

    def unmount(self):
        return harness.run("umount", self.disk, check=False)

    def cut(self):
        descriptor = os.open(self.disk, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, EXT4_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(descriptor)

    def power_on(self):
        # The kernel closes a killed process's files a moment after the process is gone.
        harness.wait_until("the disk can be unmounted", lambda: self.unmount().returncode == 0)
        self.assertEqual(self.mount().returncode, 0)
