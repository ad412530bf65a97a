"""Power cuts: a data directory on an ext4 of its own, shut down at random moments of load.

EXT4_IOC_SHUTDOWN drops everything that was not synced, as pulling the plug does.
"""

import fcntl
import os
import random
import struct

import harness
import workload

EXT4_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2
CUTS = 300 if harness.SOAK else 12
MEGABYTES = 512


class PowerCut(harness.ServerTest):
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

    def make_disk(self):
        """None, or why there cannot be one here."""
        if not harness.is_root():
            return "only root may mount"
        self.image, self.disk = self.directory / "image", self.directory / "disk"
        self.disk.mkdir()
        with open(self.image, "wb") as file:
            file.truncate(MEGABYTES << 20)
        harness.run("mkfs.ext4", "-q", "-F", self.image)
        mounted = self.mount()
        if mounted.returncode != 0:
            return mounted.stderr.strip()
        self.addCleanup(harness.run, "umount", "-l", self.disk, check=False)
        return None

    def test_nothing_acknowledged_is_lost_when_the_power_goes(self):
        if reason := self.make_disk():
            return self.not_run(reason)
        seed = harness.seed_of_test()
        generator = random.Random(seed)
        # The test's own files are not on the disk that loses power.
        server = self.server(data=self.disk / "data", config={
            "log_file_bytes": 1 << 20, "memtable_record_count_max": 2048,
            "memtable_bytes_max": 4 << 20})
        writers = [workload.Writer(f"w{i}", f"{seed}/{i}") for i in range(4)]
        server.start()
        for _ in range(CUTS):
            for writer in writers:
                writer.start(workload.client_maker(server))
            flipper = workload.Flipper(server, generator.random())
            flipper.start()
            workload.run_for(generator.random() * 0.6)
            self.cut()
            # Answers that were on their way while the power went count: they were acknowledged.
            server.kill()
            flipper.end()
            for writer in writers:
                writer.stop()
                writer.refused.clear()  # a dead disk refuses writes, rightly
            self.assertEqual(self.unmount().returncode, 0)
            self.assertEqual(self.mount().returncode, 0)
            server.start()
            self.assertEqual(workload.settle(server, writers)[:5], [], f"seed {seed}")
            harness.wait_until("both stores are in sync", lambda: all(
                server.follower(role)["state"] == "in-sync" for role in ("legacy", "unified")), 60)
            for percentage in (100, 0):
                self.assertEqual(workload.check_routed(server, writers, percentage)[:5], [],
                                 f"seed {seed}")
        harness.report(f"power cuts: {CUTS}, {sum(w.acknowledged for w in writers)} writes acknowledged")
        self.assertEqual(server.stop(), 0)
        self.assert_equal_stores(server)


if __name__ == "__main__":
    harness.main()
