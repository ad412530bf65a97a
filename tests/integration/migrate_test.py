"""A whole migration of the real process: forth, back, interrupted, and to its end."""

import contextlib
import json
import os
import threading

import lmdb

import harness
import stores

COUNT = 30_000


def make_environment(path, count=COUNT, value=b"v" * 100):
    path.mkdir(parents=True)
    environment = lmdb.open(str(path), map_size=1 << 30, max_dbs=8)
    users = environment.open_db(b"users")
    with environment.begin(write=True) as transaction:
        for i in range(count):
            transaction.put(b"user:%08d" % i, value, db=users)
    environment.close()
    return path


class Traffic:
    """Clients that write, count and delete until told to stop, and know what was acknowledged."""

    def __init__(self, server):
        self.client = server.redis()
        self.client.execute_command("SELECT", "users")
        self.expected = {}
        self.increments = 0
        self.stopping = threading.Event()
        self.error = None
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        connection = self.client.connection_pool.get_connection("_")
        try:
            connection.send_command("SELECT", "users")
            connection.read_response()
            i = 0
            while not self.stopping.is_set():
                i += 1
                key = b"user:%08d" % (i * 7919 % COUNT)
                command = ("DEL", key) if i % 3 == 0 else ("SET", key, b"new %d" % i)
                connection.send_command(*command)
                connection.read_response()
                self.expected[key] = None if i % 3 == 0 else b"new %d" % i
                connection.send_command("INCR", "counter")
                connection.read_response()
                self.increments += 1
        except Exception as error:  # pylint: disable=broad-except
            self.error = error

    def stop(self):
        self.stopping.set()
        self.thread.join()
        if self.error:
            raise self.error


class Migration(harness.ServerTest):
    def adopted(self, count=COUNT, **options):
        legacy = make_environment(self.directory / "app", count)
        return self.server(legacy=legacy, **options).start()

    def cli(self, server, *arguments, check=True):
        return server.cli(*arguments, "--data-dir", server.data, check=check)

    def state(self, server):
        return server.migration()["state"]

    def assert_traffic_is_there(self, server, traffic):
        content = self.assert_equal_stores(server)["users"]
        for key, value in traffic.expected.items():
            self.assertEqual(content.get(key), value)
        self.assertEqual(int(content[b"counter"]), traffic.increments)

    def test_forth_to_the_end_and_back_again_under_writes(self):
        server = self.adopted()
        kept = server.legacy
        traffic = Traffic(server)
        self.cli(server, "migrate", "start", "--wait", "--reason", "a test")
        status = server.migration()
        self.assertEqual((status["state"], status["percent"]), ("complete", 100))
        self.assertEqual(status["verify"]["outcome"], "clean")
        self.assertTrue(status["can_flip"])
        self.assertEqual(server.status()["stage"], "dualwrite")

        refused = self.cli(server, "migrate", "complete", "--yes", check=False)
        self.assertEqual(refused.returncode, 3, refused.stderr)
        self.cli(server, "flags", "set", harness.FLAG, "true")
        refused = self.cli(server, "migrate", "complete", check=False)  # nobody has confirmed
        self.assertEqual(refused.returncode, 3, refused.stderr)
        traffic.stop()
        self.cli(server, "migrate", "complete", "--yes", "--wait")
        self.assertEqual(server.status()["stage"], "complete")
        self.assertEqual(server.migration()["kept_legacy"], str(kept))
        content = stores.lmdb_content(str(kept), with_reserved=True)
        self.assertNotIn("__switchback", content)
        self.assertEqual(int(content["users"][b"counter"]), traffic.increments)

        traffic = Traffic(server)  # on unified alone
        base = int(content["users"][b"counter"])
        self.assertEqual(server.stop(), 0, server.log_tail())
        traffic.stopping.set()
        traffic.thread.join()
        server.start()  # with --legacy as always
        self.assertEqual(server.status()["stage"], "complete")
        self.cli(server, "migrate", "start", "--reverse", "--wait")
        self.cli(server, "flags", "set", harness.FLAG, "false")
        harness.wait_until("legacy answers", lambda: server.effective() == 0)
        client = server.redis()
        client.execute_command("SELECT", "users")
        self.assertEqual(self.cli(server, "verify").returncode, 0)
        legacy = server.follower("legacy")["path"]
        self.assertNotEqual(legacy, str(kept))
        self.assertEqual(server.stop(), 0, server.log_tail())
        server.legacy = legacy
        filled = self.assert_equal_stores(server)["users"]
        self.assertGreaterEqual(int(filled[b"counter"]), base + traffic.increments)

    def test_a_cancelled_copy_is_gone_and_legacy_goes_on(self):
        server = self.adopted()
        traffic = Traffic(server)
        self.cli(server, "migrate", "start", "--set", "bytes_per_second=200000")
        harness.wait_until("some records", lambda: server.migration()["records_done"] > 0)

        second = self.cli(server, "migrate", "start", check=False)
        self.assertEqual(second.returncode, 1)
        self.assertIn("migration 1, begun by", second.stderr)
        self.cli(server, "migrate", "cancel", "--wait", "--reason", "not today")

        status = server.migration()
        self.assertEqual(status["state"], "rolled-back")
        self.assertIn("not today", status["last_result"])
        self.assertEqual(server.status()["stage"], "off")
        refused = self.cli(server, "flags", "set", harness.FLAG, "true", check=False)
        self.assertEqual(refused.returncode, 3)
        self.cli(server, "migrate", "start", "--wait", "--set", "bytes_per_second=0")
        traffic.stop()
        self.assertEqual(server.stop(), 0, server.log_tail())
        self.assert_traffic_is_there(server, traffic)

    def test_a_way_back_that_is_killed_goes_on_at_the_next_start(self):
        server = self.adopted()
        self.cli(server, "migrate", "start", "--set", "bytes_per_second=200000")
        harness.wait_until("some records", lambda: server.migration()["records_done"] > 0)
        for step in range(1, 6):
            server.kill()
            os.environ["SWITCHBACK_FAILPOINTS"] = f"migration.rollback=abort@{step}"
            try:
                server.start()
                if self.state(server) != "rolling-back":
                    with contextlib.suppress(OSError):  # it may end before it answers
                        server.http("POST", "/v1/migration/cancel", {})
                harness.wait_until("it is killed", lambda: server.process.poll() is not None)
            finally:
                del os.environ["SWITCHBACK_FAILPOINTS"]
            server.process = None
            server.start()
            harness.wait_until("rolled back", lambda: self.state(server) == "rolled-back")
            if step < 5:
                self.cli(server, "migrate", "start", "--set", "bytes_per_second=200000")
        self.assertEqual(server.follower("legacy")["state"], "in-sync")

    def test_a_pause_outlives_a_restart(self):
        server = self.adopted()
        self.cli(server, "migrate", "start", "--set", "bytes_per_second=400000")
        harness.wait_until("some records", lambda: server.migration()["records_done"] > 0)
        self.cli(server, "migrate", "pause")
        self.assertEqual(server.stop(), 0, server.log_tail())
        server.start()
        self.assertEqual(self.state(server), "paused")
        traffic = Traffic(server)

        self.cli(server, "migrate", "set", "bytes_per_second=0")
        self.cli(server, "migrate", "resume")

        harness.wait_until("it is complete", lambda: self.state(server) == "complete", 60)
        traffic.stop()
        self.assertEqual(server.stop(), 0, server.log_tail())
        self.assert_traffic_is_there(server, traffic)

    def test_a_pause_past_the_logs_budget_begins_anew_and_says_so(self):
        server = self.adopted(config={"log_bytes_max": 16 << 20, "log_file_bytes": 1 << 20})
        self.cli(server, "migrate", "start", "--set", "bytes_per_second=400000")
        harness.wait_until("some records", lambda: server.migration()["records_done"] > 0)
        self.cli(server, "migrate", "pause")
        client = server.redis()
        client.execute_command("SELECT", "users")
        value = os.urandom(100_000)
        for i in range(400):
            client.set(f"big{i % 10}", value)
        harness.wait_until("it is given up",
                           lambda: server.follower("unified")["state"] == "detached", 60)

        self.cli(server, "migrate", "set", "bytes_per_second=0")
        self.cli(server, "migrate", "resume")

        harness.wait_until("it is complete", lambda: self.state(server) == "complete", 60)
        self.assertIn("began anew", server.migration()["note"])
        self.assertEqual(server.stop(), 0, server.log_tail())
        self.assert_equal_stores(server)

    def test_too_many_invalid_records_roll_it_back_and_are_listed(self):
        server = self.adopted(config={"validation": {"users": {"format": "json"}}})

        done = self.cli(server, "migrate", "start", "--wait", check=False)

        self.assertEqual(done.returncode, 1)
        status = server.migration()
        self.assertEqual(status["state"], "rolled-back")
        self.assertIn("records are invalid", status["last_result"])
        client = server.redis()
        client.execute_command("SELECT", "users")
        status, page = server.http("GET", "/v1/migration/invalid?limit=2")
        self.assertEqual(status, 200)
        self.assertEqual(page["records"][0]["reason"], "the value is not JSON")
        self.assertEqual(len(page["records"]), 2)

    def test_a_flag_waits_for_the_verify_or_for_an_operators_word(self):
        server = self.adopted()
        self.cli(server, "migrate", "start", "--wait", "--no-verify")
        self.assertFalse(server.migration()["can_flip"])
        refused = self.cli(server, "flags", "set", harness.FLAG, "true", "--percentage", "5",
                           check=False)
        self.assertEqual(refused.returncode, 3)
        self.assertIn("not been verified", refused.stderr)
        server.write_flags({"enabled": True, "percentage": 5})  # an editor is refused as well
        harness.wait_until("it is refused", lambda: server.status()["routing"]["is_refused"])
        self.assertEqual(server.effective(), 0)

        self.cli(server, "verify")
        self.cli(server, "flags", "set", harness.FLAG, "true", "--percentage", "5")
        self.assertEqual(server.effective(), 5)
        self.assertEqual(server.stop(), 0, server.log_tail())
        server.start()
        harness.wait_until("it is in effect", lambda: server.effective() == 5)

        self.cli(server, "flags", "set", harness.FLAG, "false")
        self.cli(server, "migrate", "abandon", "--wait")
        self.cli(server, "migrate", "start", "--wait", "--no-verify")
        self.cli(server, "flags", "set", harness.FLAG, "true", "--percentage", "7",
                 "--allow-unverified", "--reason", "a demo")
        self.assertEqual(server.effective(), 7)

    def test_a_full_target_disk_stops_the_copy_and_space_lets_it_go_on(self):
        disk = self.directory / "small"
        disk.mkdir()
        mount = ("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk)
        if not harness.is_root() or harness.run(*mount, check=False).returncode != 0:
            return self.not_run("cannot mount a small tmpfs")
        self.addCleanup(harness.run, "umount", "-l", disk, check=False)
        server = self.adopted(arguments=["--unified", str(disk / "unified.sqlite")])
        traffic = Traffic(server)
        self.cli(server, "migrate", "start", "--set", "disk_free_bytes_min=0")
        harness.wait_until("it stands still", lambda: "full" in server.migration()["waiting"])
        self.assertEqual(self.state(server), "running")

        harness.run("mount", "-o", "remount,size=64m", disk)

        harness.wait_until("it is complete", lambda: self.state(server) == "complete", 60)
        traffic.stop()
        self.assertEqual(server.stop(), 0, server.log_tail())
        server.store_paths = lambda: (str(server.legacy), str(disk / "unified.sqlite"))
        self.assert_traffic_is_there(server, traffic)
        return None

    def test_the_throttle_stops_before_the_disk_is_full_and_says_so(self):
        disk = self.directory / "small"
        disk.mkdir()
        mount = ("mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", disk)
        if not harness.is_root() or harness.run(*mount, check=False).returncode != 0:
            return self.not_run("cannot mount a small tmpfs")
        self.addCleanup(harness.run, "umount", "-l", disk, check=False)
        (disk / "ballast").write_bytes(bytes(62 << 20))
        server = self.adopted(arguments=["--unified", str(disk / "unified.sqlite")])
        self.cli(server, "migrate", "start")
        harness.wait_until("it says why it stands still",
                           lambda: "disk_free_bytes" in server.migration()["waiting"])

        (disk / "ballast").unlink()

        harness.wait_until("it is complete", lambda: self.state(server) == "complete", 60)
        return None

    def test_some_collections_go_first_and_the_rest_later(self):
        server = self.adopted()
        traffic = Traffic(server)
        other = server.redis()
        other.execute_command("SELECT", "orders")
        other.mset({f"order:{i}": "new" for i in range(1000)})

        refused = self.cli(server, "migrate", "start", "--collections", "users,nobody", check=False)
        self.assertEqual(refused.returncode, 2, refused.stderr)
        self.assertIn("orders, users", refused.stderr)
        self.cli(server, "migrate", "start", "--collections", "users", "--wait")
        self.assertEqual(server.migration()["collections"], ["users"])
        self.assertEqual(server.migration()["verify"]["outcome"], "clean")
        self.cli(server, "flags", "set", harness.FLAG, "true")
        harness.wait_until("unified answers", lambda: server.effective() == 100)
        self.assertEqual(other.get("order:7"), b"new")
        other.set("order:7", "changed")
        server.kill()
        traffic.stopping.set()
        traffic.thread.join()

        server.start()
        other = server.redis()
        other.execute_command("SELECT", "orders")
        self.assertEqual(other.get("order:7"), b"changed")
        self.assertEqual(server.follower("unified")["collections"], ["users"])
        self.assertIn("holds these collections only: users", self.cli(server, "status").stdout)
        self.assertEqual(self.cli(server, "verify").returncode, 0)
        refused = self.cli(server, "migrate", "complete", "--yes", check=False)
        self.assertEqual(refused.returncode, 3, refused.stderr)
        self.assertIn("some of the collections", refused.stderr)
        refused = self.cli(server, "migrate", "start", check=False)
        self.assertEqual(refused.returncode, 3, refused.stderr)

        self.cli(server, "flags", "set", harness.FLAG, "false")
        harness.wait_until("legacy answers", lambda: server.effective() == 0)
        self.cli(server, "migrate", "start", "--wait")
        self.assertEqual(server.migration()["collections"], None)
        server.stop()
        content = self.assert_equal_stores(server)
        self.assertEqual(content["orders"][b"order:7"], b"changed")

    def test_the_two_stores_must_be_two(self):
        path = self.directory / "same"
        server = self.server(arguments=["--legacy", str(path), "--unified", str(path)])
        done = harness.run(*server.command(), check=False)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("must be two stores", done.stderr + done.stdout)
        self.assertFalse(path.exists())


if __name__ == "__main__":
    harness.main()
