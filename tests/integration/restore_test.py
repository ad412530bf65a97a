"""Restores of the real process: under load, undone, killed at every step, out of space."""

import json
import os
import shutil
import threading

import lmdb

import harness

POINTS = ["restore.safety", "restore.unpack", "restore.built", "restore.switch",
          "service.switch@1", "service.switch@2", "directory.current", "directory.switched"]


class Clients:
    """Writes and reads without a pause; each write that was acknowledged is remembered."""

    def __init__(self, server):
        self.server = server
        self.acknowledged = 0
        self.failures = []
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def __enter__(self):
        self.thread.start()
        harness.wait_until("clients run", lambda: self.acknowledged > 50)
        return self

    def __exit__(self, *_):
        self.is_over.set()
        self.thread.join()

    def _run(self):
        client = self.server.redis()
        i = 0
        while not self.is_over.is_set():
            i += 1
            try:
                client.set("live", i)
                self.acknowledged = i
                client.get("base")
                client.mget("base", "live", "none")
            except Exception as error:  # pylint: disable=broad-except
                self.failures.append(repr(error))
                return


class RestoreTest(harness.ServerTest):
    def cli(self, server, *arguments, check=True):
        return server.cli(*arguments, "--data-dir", server.data, check=check)

    def create(self, server):
        return json.loads(self.cli(server, "backup", "create", "--json").stdout)["id"]

    def prepared(self, **options):
        server = self.server(**options).start()
        client = server.redis()
        client.set("base", "backed up")
        client.mset({f"k{i}": "v" * 100 for i in range(3000)})
        return server

    def assert_is_one_of(self, server, expected):
        """The whole content is that of before or that of the backup, in both stores."""
        client = server.redis()
        found = (client.get("base"), client.get("later"))
        self.assertIn(found, expected)
        self.assertEqual(client.dbsize(), 3001 + (found[1] is not None))
        harness.wait_until("both stores are in sync", lambda: all(
            server.follower(role)["state"] == "in-sync" for role in ("legacy", "unified")))
        self.assertEqual(self.cli(server, "verify").returncode, 0)
        return found

    def test_a_backup_of_an_earlier_format_is_restored_into_another_data_directory(self):
        """Made by the first program that wrote each format; never made anew."""
        earlier = sorted((harness.ROOT / "tests" / "data").glob("backups-of-format-*/*"))
        self.assertTrue(earlier)
        for made in earlier:
            with self.subTest(made.parent.name):
                server = self.server(name=made.parent.name).start()
                server.redis().set("greeting", "not this one")
                shutil.copytree(made, server.data / "backups" / made.name)
                verified = self.cli(server, "backup", "verify", made.name, "--full")
                self.assertIn("is whole (every record)", verified.stdout)
                refused = self.cli(server, "restore", made.name, "--yes", check=False)
                self.assertIn("--foreign", refused.stderr)
                self.assertEqual(server.redis().get("greeting"), b"not this one")
                self.cli(server, "restore", made.name, "--yes", "--foreign")
                client = server.redis()
                self.assertEqual(client.get("greeting"), b"hello")
                self.assertEqual(client.get("user:5"), b"v" * 200)
                self.assertIsNone(client.get("user:3"))
                self.assertEqual(client.dbsize(), 6)
                self.assertEqual(self.cli(server, "verify").returncode, 0)

    def test_under_load_no_client_fails_and_the_way_back_is_there(self):
        server = self.prepared()
        backup = self.create(server)
        server.redis().set("base", "changed")
        with Clients(server) as clients:
            self.cli(server, "restore", backup, "--yes", "--reason", "a bad deploy")
            self.assertEqual(server.redis().get("base"), b"backed up")
            before = clients.acknowledged
            harness.wait_until("writes go on", lambda: clients.acknowledged > before + 50)
            self.cli(server, "restore", "--undo", "--yes")
            self.assertEqual(server.redis().get("base"), b"changed")
        self.assertEqual(clients.failures, [])
        self.assertEqual(self.cli(server, "verify").returncode, 0)
        status = server.status()
        self.assertEqual((status["epoch"], status["generation"]), (3, "gen-3"))
        server.kill()
        server.start()
        self.assertEqual(server.redis().get("base"), b"changed")
        self.assert_equal_stores(self.stopped(server))

    def stopped(self, server):
        self.assertEqual(server.stop(), 0, server.log_tail())
        return server

    def test_killed_at_any_step_it_is_the_old_or_the_new(self):
        server = self.prepared()
        backup = self.create(server)
        server.redis().set("later", "acknowledged")
        self.stopped(server)
        old, new = (b"backed up", b"acknowledged"), (b"backed up", None)
        seen = {}
        for point in POINTS:
            name, _, hit = point.partition("@")
            os.environ["SWITCHBACK_FAILPOINTS"] = f"{name}=abort" + (f"@{hit}" if hit else "")
            try:
                server.start()
            finally:
                del os.environ["SWITCHBACK_FAILPOINTS"]
            self.cli(server, "restore", backup, "--yes", check=False)
            server.process.wait(30)
            server.process = None
            server.start()
            found = self.assert_is_one_of(server, (old, new))
            seen[point] = "new" if found == new else "old"
            server.redis().set("later", "acknowledged")
            self.stopped(server)
        harness.report(f"killed in a restore: {seen}")
        self.assertEqual(seen.pop("directory.switched"), "new")
        self.assertEqual(set(seen.values()), {"old"})
        server.start()
        self.cli(server, "restore", backup, "--yes")
        self.assertEqual(self.assert_is_one_of(server, (old, new)), new)
        generations = [path.name for path in server.data.glob("gen-*")]
        self.assertEqual(len(generations), 2, generations)

    def test_an_adopted_environment_is_left_alone_and_may_be_named_again(self):
        app = self.directory / "app"
        app.mkdir()
        environment = lmdb.open(str(app), map_size=1 << 28, max_dbs=4)
        users = environment.open_db(b"users")
        with environment.begin(write=True) as transaction:
            transaction.put(b"alice", b"1", db=users)
        environment.close()
        server = self.server(legacy=app).start()
        self.cli(server, "migrate", "start", "--wait")
        backup = self.create(server)
        client = server.redis()
        client.execute_command("SELECT", "users")
        client.set("alice", "2")
        self.cli(server, "restore", backup, "--yes")
        client = server.redis()
        client.execute_command("SELECT", "users")
        self.assertEqual(client.get("alice"), b"1")
        self.assertNotEqual(server.follower("legacy")["path"], str(app))
        self.stopped(server)
        server.start()  # with --legacy as always
        client = server.redis()
        client.execute_command("SELECT", "users")
        self.assertEqual(client.get("alice"), b"1")
        environment = lmdb.open(str(app), readonly=True, lock=False, max_dbs=4)
        users = environment.open_db(b"users", create=False)
        with environment.begin() as transaction:
            self.assertEqual(transaction.get(b"alice", db=users), b"2")
        environment.close()
        self.cli(server, "restore", "--undo", "--yes")
        self.assertEqual(server.follower("legacy")["path"], str(app))

    def test_two_at_once_and_what_cannot_be_meant_are_refused(self):
        server = self.prepared(config={"backup_bytes_per_second": 300_000})
        self.cli(server, "backup", "create", "--no-wait")
        harness.wait_until("it is listed", lambda: json.loads(
            self.cli(server, "backup", "status", "--json").stdout)["state"] != "running", 60)
        backup = json.loads(self.cli(server, "backup", "list", "--json").stdout)["backups"][0]["id"]
        status, _ = server.http("POST", f"/v1/backups/{backup}/restore",
                                {"confirm": True, "no_safety_backup": True})
        self.assertEqual(status, 202)
        refused = self.cli(server, "restore", backup, "--yes", check=False)
        self.assertEqual(refused.returncode, 3, refused.stderr)
        self.assertIn("restore of backup " + backup, refused.stderr)
        self.cli(server, "backup", "cancel")
        harness.wait_until("it ends", lambda: json.loads(
            self.cli(server, "backup", "status", "--json").stdout)["state"] != "running", 60)
        self.assertEqual(server.status()["generation"], "gen-1")
        for arguments, code in ((["--undo", "--yes"], 1), (["nothing", "--yes"], 1), ([], 2),
                                ([backup], 3), ([backup, "--undo"], 2)):
            done = self.cli(server, "restore", *arguments, check=False)
            self.assertEqual(done.returncode, code, (arguments, done.stderr))
        status, problem = server.http("POST", f"/v1/backups/{backup}/restore", {})
        self.assertEqual((status, problem["type"]), (409, "urn:switchback:error:refused"))
        self.assertEqual(server.redis().get("base"), b"backed up")

    def test_to_the_moment_before_a_bad_deploy(self):
        server = self.prepared(config={"log_file_bytes": 1 << 20})
        backup = self.create(server)
        client = server.redis()
        for i in range(3000):
            client.set(f"k{i % 100}", b"%08d" % i + b"x" * 1000)
        client.set("base", "good")
        moment = server.status()["last_sequence"]
        client.set("base", "bad")
        client.flushdb()
        self.cli(server, "drain")
        archive = server.data / "log-archive"
        harness.wait_until("the log's past is archived", lambda: list(archive.glob("*.zst")))
        plan = json.loads(self.cli(server, "restore", "--to-sequence", moment, "--dry-run",
                                   "--json").stdout)
        self.assertEqual((plan["id"], plan["until"], plan["batches_lost"]), (backup, moment, 2))
        with Clients(server) as clients:
            self.cli(server, "restore", "--to-sequence", moment, "--yes")
        self.assertEqual(clients.failures, [])
        client = server.redis()
        self.assertEqual(client.get("base"), b"good")
        self.assertEqual(client.get("k99"), b"%08d" % 2999 + b"x" * 1000)
        self.assertEqual(self.cli(server, "verify").returncode, 0)
        for arguments in (["--to-sequence", 10**9], ["--to-time", "2001-01-01T00:00:00Z"]):
            done = self.cli(server, "restore", *arguments, "--yes", check=False)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn("the log reaches from batch 1", done.stderr)
        done = self.cli(server, "restore", "--to-time", "yesterday", "--yes", check=False)
        self.assertEqual(done.returncode, 2, done.stderr)
        server.kill()
        server.start()
        self.assertEqual(server.redis().get("base"), b"good")

    def test_a_full_disk_leaves_everything_as_it_was(self):
        disk = self.directory / "small"
        disk.mkdir()
        if not harness.is_root() or harness.run(
                "mount", "-t", "tmpfs", "-o", "size=100m", "tmpfs", disk,
                check=False).returncode != 0:
            return self.not_run("cannot mount a small tmpfs")
        self.addCleanup(harness.run, "umount", "-l", disk, check=False)
        server = self.prepared(name="small/s", config={
            "backup_dir": str(self.directory / "elsewhere")})
        backup = self.create(server)
        server.redis().set("later", "acknowledged")
        filler = disk / "filler"
        free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
        filler.write_bytes(b"x" * (free - 200_000))
        done = self.cli(server, "restore", backup, "--yes", check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stderr, "space|full")
        self.assertEqual(server.status()["generation"], "gen-1")
        filler.unlink()
        self.assertEqual(server.redis().get("later"), b"acknowledged")
        self.cli(server, "restore", backup, "--yes")
        self.assertEqual(server.redis().get("later"), None)


if __name__ == "__main__":
    harness.main()
