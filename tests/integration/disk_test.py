"""A full disk and a failing sync: writes are refused with a clear error, reads go on, and the
service recovers by itself. Nothing acknowledged is lost."""

import os
import subprocess
import time

import redis

import harness
import workload

SMALL = {"log_file_bytes": 1 << 20, "log_bytes_max": 16 << 20}



class FullDisk(harness.ServerTest):
    def mount(self, megabytes):
        path = self.directory / "small"
        path.mkdir()
        if harness.run("mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", path,
                       check=False).returncode != 0:
            return None
        # Clean-ups run last in, first out: the server ends before its disk goes.
        self.addCleanup(harness.run, "umount", "-l", path, check=False)
        return path

    @staticmethod
    def fill(path):
        with open(path, "wb", buffering=0) as file:  # nothing left to flush when it is closed
            try:
                while file.write(b"x" * 65536):
                    pass
            except OSError:
                pass

    def test_writes_are_refused_reads_go_on_and_space_brings_writes_back(self):
        disk = self.mount(64) if harness.is_root() else None
        if disk is None:
            return self.not_run("cannot mount a small tmpfs")
        server = self.server(directory=disk / "server", config=SMALL).start()
        client = server.redis()
        acknowledged = {}
        for i in range(200):
            acknowledged[b"k%d" % i] = b"v" * 1000
            client.set(b"k%d" % i, acknowledged[b"k%d" % i])

        self.fill(disk / "ballast")
        error = None
        for i in range(20_000):
            key = b"more%d" % i
            try:
                client.set(key, b"v" * 2000)
                acknowledged[key] = b"v" * 2000
            except redis.ResponseError as refused:
                error = str(refused)
                break
        self.assertIsNotNone(error, "a full disk refuses writes")
        harness.report(f"full disk: a write gets: {error}")
        self.assertRegex(error.lower(), "space|full|oom|log")
        self.assertEqual(client.get(b"k7"), acknowledged[b"k7"], "reads go on")
        self.assertEqual(server.http("GET", "/healthz")[0], 200)

        (disk / "ballast").unlink()
        harness.wait_until("writes are back", lambda: self.try_set(client, b"again", b"1"), 30)
        acknowledged[b"again"] = b"1"
        server.kill()
        server.start()
        found = server.redis().mget(list(acknowledged))
        self.assertEqual(dict(zip(acknowledged, found)), acknowledged)
        harness.wait_until("both stores are in sync", lambda: all(
            server.follower(role)["state"] == "in-sync" for role in ("legacy", "unified")), 60)
        self.assertEqual(server.stop(), 0)
        self.assert_equal_stores(server)

    @staticmethod
    def try_set(client, key, value):
        try:
            return client.set(key, value)
        except redis.ResponseError:
            return False


class FailingSync(harness.ServerTest):
    """strace makes system calls fail, as a dying disk would."""

    def attach(self, server, *inject):
        arguments = ["strace", "-f", "-qq", "-o", "/dev/null"]
        for fault in inject:
            arguments += ["-e", f"inject={fault}"]
        calls = ",".join(sorted({fault.split(":")[0] for fault in inject}))
        tracer = subprocess.Popen(arguments + ["-e", f"trace={calls}", "-p", str(server.pid)],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.addCleanup(tracer.wait)
        self.addCleanup(tracer.kill)
        status = f"/proc/{server.pid}/status"

        def is_attached():
            if tracer.poll() is not None:
                return "no"
            with open(status, encoding="ascii") as file:
                return "yes" if f"TracerPid:\t{tracer.pid}\n" in file.read() else ""
        if harness.wait_until("strace is attached", is_attached) == "no":
            return None
        return tracer

    def detach(self, server, tracer):
        tracer.terminate()
        tracer.wait(30)
        with open(f"/proc/{server.pid}/status", encoding="ascii") as file:
            self.assertIn("TracerPid:\t0", file.read())

    def test_a_log_that_cannot_sync_refuses_writes_and_comes_back(self):
        server = self.server().start()
        client = server.redis()
        client.set("before", "1")
        tracer = self.attach(server, "fdatasync:error=EIO", "fsync:error=EIO",
                             "sync_file_range:error=EIO")
        if tracer is None:
            return self.not_run("strace cannot attach")

        deadline = time.monotonic() + 30
        error = None
        while error is None and time.monotonic() < deadline:
            try:
                client.set("during", "2")
            except redis.ResponseError as refused:
                error = str(refused)
        self.assertIsNotNone(error, "a write whose log cannot be synced is not acknowledged")
        harness.report(f"failing sync: a write gets: {error}")
        self.assertEqual(client.get("before"), b"1", "reads go on")

        self.detach(server, tracer)
        harness.wait_until("writes are back",
                           lambda: FullDisk.try_set(client, "after", "3"), 30)
        server.kill()
        server.start()
        client = server.redis()
        self.assertEqual(client.mget("before", "after"), [b"1", b"3"])
        self.assertEqual(server.stop(), 0)
        self.assert_equal_stores(server)

    def test_writers_under_a_failing_disk_lose_nothing_acknowledged(self):
        seed = harness.seed_of_test()
        server = self.server(config=SMALL).start()
        writers = [workload.Writer(f"w{i}", f"{seed}/{i}") for i in range(4)]
        for writer in writers:
            writer.start(workload.client_maker(server))
        # Every eleventh sync fails, the log's and the stores'.
        tracer = self.attach(server, "fdatasync:error=EIO:when=3+11", "fsync:error=EIO:when=2+7")
        if tracer is None:
            for writer in writers:
                writer.stop()
            return self.not_run("strace cannot attach")
        workload.run_for(5, server.process)
        self.detach(server, tracer)
        server.kill()
        for writer in writers:
            writer.stop()
        refused = sum(len(writer.refused) for writer in writers)
        harness.report(f"failing disk: {sum(w.acknowledged for w in writers)} writes acknowledged, "
                       f"{refused} refused")

        server.start()

        self.assertEqual(workload.settle(server, writers)[:5], [])
        self.assertGreater(refused, 0)
        harness.wait_until("both stores are in sync", lambda: all(
            server.follower(role)["state"] == "in-sync" for role in ("legacy", "unified")), 60)
        self.assertEqual(workload.check_routed(server, writers, 100)[:5], [])
        self.assertEqual(server.stop(), 0)
        self.assert_equal_stores(server)


if __name__ == "__main__":
    os.umask(0o022)
    harness.main()
