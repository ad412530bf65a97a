"""Backups of the real process: made under load, checked, damaged, exported, interrupted."""

import json
import os
import pathlib
import sqlite3
import subprocess
import threading

import harness
import stores


class Writers:
    """Clients that write records which say which write they are."""

    def __init__(self, server, count=2):
        self.server = server
        self.written = 0
        self.slowest = 0.0
        self.is_over = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(i,)) for i in range(count)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        harness.wait_until("writers write", lambda: self.written > 100)
        return self

    def __exit__(self, *_):
        self.is_over.set()
        for thread in self.threads:
            thread.join()

    def _run(self, number):
        client = self.server.redis(db=number % 2)
        i = 0
        while not self.is_over.is_set():
            i += 1
            pipe = client.pipeline(transaction=True)
            pipe.set(f"a{number}", i)
            pipe.set(f"k{number}:{i % 500}", b"v" * 100)
            pipe.set(f"b{number}", i)
            pipe.execute()
            self.written += 1


class BackupTest(harness.ServerTest):
    def prepared(self, **options):
        server = self.server(**options).start()
        pipe = server.redis().pipeline(transaction=False)
        for i in range(2000):
            pipe.set(b"base%d" % i, os.urandom(50) * 4)
        pipe.execute()
        return server

    @staticmethod
    def backup(server, *arguments, check=True, data_dir=None):
        done = server.cli("backup", *arguments, "--json", "--data-dir", data_dir or server.data,
                          check=check)
        document = json.loads(done.stdout) if done.stdout.strip() else None
        return document if check else (done.returncode, document, done.stderr)

    def flip(self, path, byte):
        with open(path, "r+b") as file:
            file.seek(byte)
            old = file.read(1)[0]
            file.seek(byte)
            file.write(bytes([old ^ 4]))

    def test_made_under_load_checked_listed_and_exported(self):
        server = self.prepared()
        with Writers(server):
            made = [self.backup(server, "create", "--note", "under load", *more)
                    for more in ([], ["--compress"])]
        last = made[-1]
        self.assertTrue(last["verified"])
        self.assertEqual(last["roles"], ["legacy", "unified"])
        self.assertEqual(last["manifest"]["differences"], [])
        self.assertEqual(last["manifest"]["halves"][0]["collections"],
                         last["manifest"]["halves"][1]["collections"])
        listed = self.backup(server, "list")
        self.assertEqual({one["id"] for one in listed["backups"]}, {one["id"] for one in made})
        self.assertGreater(listed["bytes"], 0)
        for one in made:
            self.assertTrue(self.backup(server, "verify", one["id"])["ok"])
            full = self.backup(server, "verify", one["id"], "--full")
            self.assertTrue(full["ok"] and full["full"])
        self.assertEqual(server.stop(), 0)

        # Without a server.
        for one in made:
            self.assertEqual(self.backup(server, "show", one["id"])["id"], one["id"])
            self.assertTrue(self.backup(server, "verify", one["id"], "--full")["ok"])
            to = self.directory / ("export-" + one["id"])
            self.backup(server, "export", one["id"], "--to", to)
            legacy = stores.lmdb_content(str(to / "legacy"))
            unified = stores.sqlite_content(str(to / "unified.sqlite"))
            self.assertEqual(legacy, unified, stores.difference(legacy, unified))
            default = legacy["default"]
            self.assertEqual(default[b"a0"], default[b"b0"], "a batch is all or nothing")
            self.assertEqual(sum(key.startswith(b"base") for key in default), 2000)
            dump = harness.run("mdb_dump", "-s", "default", to / "legacy").stdout
            self.assertEqual(sum(line.startswith(" ") for line in dump.splitlines()),
                             2 * len(default))
            rows = sqlite3.connect(to / "unified.sqlite").execute(
                'SELECT count(*) FROM "default"').fetchone()[0]
            self.assertEqual(rows, len(default))
            self.assertEqual((to / "unified.sqlite").stat().st_mode & 0o777, 0o600)

    def test_lmdb_does_not_grow_while_its_pages_are_held(self):
        server = self.server(config={"backup_bytes_per_second": 10_000_000}).start()
        pipe = server.redis().pipeline(transaction=False)
        for i in range(20000):
            pipe.set(f"k0:{i}", os.urandom(500))
        pipe.execute()
        self.assertEqual(server.http("POST", "/v1/drain", {})[0], 200)
        store = server.data / "gen-1/legacy/data.mdb"
        with Writers(server, count=4) as writers:
            def grows():  # until what writing itself needs is there
                size, applied = store.stat().st_size, server.follower("legacy")["applied_sequence"]
                harness.wait_until("much of it is applied", lambda: (
                    server.follower("legacy")["applied_sequence"] > applied + 3000), 60)
                return store.stat().st_size > size
            harness.wait_until("LMDB has its size", lambda: not grows(), 60)
            before, written = store.stat().st_size, writers.written
            self.backup(server, "create")
            after = store.stat().st_size
        self.assertGreater(writers.written, written + 500)
        harness.report(f"backup under load: LMDB grew by {100 * (after / before - 1):.1f} %")
        self.assertLessEqual(after, 1.1 * before)

    def test_one_flipped_bit_is_found_and_remembered(self):
        server = self.prepared()
        made = self.backup(server, "create")
        directory = server.data / "backups" / made["id"]
        for name in ("legacy.mdb", "unified.sqlite"):
            path = directory / name
            self.flip(path, path.stat().st_size // 2)
            code, verdict, _ = self.backup(server, "verify", made["id"], check=False)
            self.assertEqual(code, 1)
            self.assertIn(name, verdict["problems"][0])
            self.assertFalse(self.backup(server, "show", made["id"])["verified"])
            self.flip(path, path.stat().st_size // 2)
        self.assertTrue(self.backup(server, "verify", made["id"])["ok"])
        self.flip(directory / "MANIFEST.json", 200)
        self.assertEqual(self.backup(server, "list")["backups"][0]["state"], "damaged")
        code, _, _ = self.backup(server, "verify", made["id"], check=False)
        self.assertEqual(code, 1)
        code, _, _ = self.backup(server, "export", made["id"], "--to", self.directory / "x",
                                 check=False)
        self.assertEqual(code, 1)

    def test_pinned_deleted_pruned(self):
        server = self.prepared(config={"backup_retention": {"count": 1}})
        first, second, third = [self.backup(server, "create")["id"] for _ in range(3)]
        self.backup(server, "pin", first)
        code, document, _ = self.backup(server, "delete", first, check=False)
        self.assertEqual((code, document["error"]["code"]), (3, "refused"))
        ids = sorted([first, second, third])
        goes = {one["id"] for one in self.backup(server, "prune", "--dry-run")["backups"]
                if one["goes"]}
        self.assertNotIn(first, goes)
        self.assertEqual([one["id"] for one in self.backup(server, "list")["backups"]], ids[::-1])
        self.backup(server, "prune")
        left = {one["id"] for one in self.backup(server, "list")["backups"]}
        self.assertEqual(left, {first, second, third} - goes)
        self.assertIn(first, left)
        self.backup(server, "unpin", first)
        self.backup(server, "delete", first)
        code, _, _ = self.backup(server, "show", first, check=False)
        self.assertEqual(code, 1)
        status, problem = server.http("GET", "/v1/backups/nothing-like-it")
        self.assertEqual((status, problem["type"]), (404, "urn:switchback:error:not-found"))
        for bad in ("..%2f..%2fetc", "a%20b", "x" * 300):
            self.assertIn(server.http("GET", "/v1/backups/" + bad)[0], (400, 404), bad)

    def test_two_at_once_are_refused_with_exit_3(self):
        # The first takes its time: both halves together are more than a second's worth.
        server = self.prepared(config={"backup_bytes_per_second": 300_000})
        first = self.backup(server, "create", "--no-wait")["id"]
        code, document, _ = self.backup(server, "create", check=False)
        self.assertEqual((code, document["error"]["code"]), (3, "refused"))
        self.assertIn(first, document["error"]["message"])
        status = self.backup(server, "status")
        self.assertEqual((status["state"], status["id"]), ("running", first))
        self.assertGreater(status["bytes_total"], 0)
        server.redis().set("still", "written")
        self.backup(server, "cancel")
        harness.wait_until("it ends", lambda: self.backup(server, "status")["state"] != "running")
        self.assertEqual(self.backup(server, "list")["count"], 0)
        self.assertEqual(list((server.data / "backups").iterdir()), [])

    def test_killed_at_any_step_leaves_no_backup(self):
        points = ["backup.begin", "backup.pin", "service.pin", "backup.copy", "lmdb.copy@1",
                  "backup.copied", "backup.check", "backup.sync", "backup.compare",
                  "backup.manifest", "backup.rename"]
        server = self.prepared()
        server.stop()
        for point in points:
            name, _, hit = point.partition("@")
            action = f"{name}=abort" + (f"@{hit}" if hit else "")
            os.environ["SWITCHBACK_FAILPOINTS"] = action
            try:
                server.start()
            finally:
                del os.environ["SWITCHBACK_FAILPOINTS"]
            server.redis().set("before", point)
            self.backup(server, "create", check=False)
            server.process.wait(30)
            server.process = None
            server.start()
            listed = self.backup(server, "list")
            self.assertEqual(listed["count"], 0, point)
            self.assertEqual(list((server.data / "backups").iterdir()), [], point)
            self.assertEqual(server.redis().get("before"), point.encode())
            server.stop()
        server.start()
        self.assertTrue(self.backup(server, "create")["verified"])

    def test_a_full_disk_is_refused_before_and_survived_meanwhile(self):
        disk = self.directory / "small"
        disk.mkdir()
        if not harness.is_root() or harness.run(
                "mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk, check=False).returncode != 0:
            return self.not_run("cannot mount a small tmpfs")
        self.addCleanup(harness.run, "umount", "-l", disk, check=False)
        for margin in (1 << 20, 0):
            server = self.prepared(name=f"m{margin}", config={
                "backup_dir": str(disk), "backup_free_bytes_min": margin})
            pipe = server.redis().pipeline(transaction=False)
            for i in range(8000):
                pipe.set(b"more%d" % i, os.urandom(400))
            pipe.execute()
            if margin:
                server.cli("drain", "--data-dir", server.data)
            code, document, _ = self.backup(server, "create", check=False)
            self.assertEqual((code, document["error"]["code"]), (1, "no_space"), document)
            self.assertRegex(document["error"]["message"], "space|full")
            harness.report(f"full disk: a backup gets: {document['error']['message']}")
            self.assertEqual(list(disk.iterdir()), [])
            self.assertEqual(server.redis().get("base1") is not None, True)
            server.stop()


if __name__ == "__main__":
    harness.main()
