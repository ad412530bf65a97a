"""A data directory that does not start: what the doctor says of it, and what it brings back."""

import json
import os
import pathlib
import shutil
import sqlite3

import lmdb

import harness

COUNT = 4000
POINTS = ["rescue.log", "rescue.copy", "rescue.replay", "rescue.rebuild", "rescue.check",
          "rescue.built", "directory.current", "directory.switched"]


def overwrite(path, offset, content):
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(content)


def files_of(directory):
    """{path: bytes} of a generation, but for what the engines make beside their files to read."""
    return {path.relative_to(directory): path.read_bytes()
            for path in pathlib.Path(directory).rglob("*")
            if path.is_file() and not path.name.endswith(("-shm", "-wal", "lock.mdb"))}


class DoctorTest(harness.ServerTest):
    def doctor(self, server, *arguments, code=None):
        done = server.cli("doctor", "--data-dir", server.data, *arguments, check=False)
        if code is not None:
            self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def proposals(self, server):
        document = json.loads(self.doctor(server, "--json", code=1).stdout)
        return document["proposals"]

    def names(self, server):
        return [proposal["name"] for proposal in self.proposals(server)]

    def stopped(self, *, kill=False, backup=False, **options):
        """A server with records in two collections, and one that was deleted."""
        server = self.server(**options).start()
        client = server.redis()
        pipe = client.pipeline(transaction=False)
        for i in range(COUNT):
            pipe.set(f"key:{i:06}", f"{i}-" * 20)
        pipe.execute()
        server.redis(db=3).set("elsewhere", "3")
        if backup:
            self.backup(server)
        client.set("late", "acknowledged")
        client.delete("key:000000")
        self.end(server, kill)
        return server

    def backup(self, server):
        done = server.cli("backup", "create", "--data-dir", server.data, "--json")
        return json.loads(done.stdout)["id"]

    def end(self, server, kill=False):
        if kill:
            server.kill()
        else:
            self.assertEqual(server.stop(), 0, server.log_tail())
        self.generation = server.data / (server.data / "CURRENT").read_text().strip()

    def repaired(self, server, *arguments):
        """Does it; the old files are there as they were. What the doctor said."""
        before = files_of(self.generation)
        done = self.doctor(server, "--repair", *arguments, "--json", code=0)
        self.assertEqual(files_of(self.generation), before, "the kept copy is what was there")
        return json.loads(done.stdout)

    def assert_serves(self, server, count=COUNT - 1, late=b"acknowledged"):
        """It starts with both stores, equal, and takes writes."""
        server.start()
        client = server.redis()
        self.assertEqual(client.get("late"), late)
        self.assertEqual(client.dbsize(), count + (late is not None))
        self.assertEqual(server.redis(db=3).get("elsewhere"), b"3")
        harness.wait_until("both stores are in sync", lambda: all(
            server.follower(role)["state"] == "in-sync" for role in ("legacy", "unified")))
        server.cli("verify", "--data-dir", server.data)
        client.set("after", "1")
        self.assertEqual(server.stop(), 0, server.log_tail())
        self.assert_equal_stores(server)
        self.doctor(server, code=0)

    def test_a_healthy_directory_needs_nothing(self):
        server = self.stopped()
        self.assertIn("healthy", self.doctor(server, code=0).stdout)
        done = self.repaired(server)
        self.assertEqual(done["proposal"]["name"], "start")
        self.assert_serves(server)

    def test_after_a_kill_the_start_replays(self):
        server = self.stopped(kill=True)
        document = json.loads(self.doctor(server, "--json", code=0).stdout)
        self.assertIn(document["proposals"][0]["name"], ("start", "replay"))
        self.assert_serves(server)

    def test_a_running_server_is_left_alone(self):
        server = self.server().start()
        self.assertIn("in use by process", self.doctor(server, "--repair", code=3).stderr)
        self.doctor(server, code=0)

    def damage_unified(self, server, how):
        path = self.generation / "unified.sqlite"
        if how == "deleted":
            path.unlink()
        elif how == "truncated":
            os.truncate(path, path.stat().st_size // 2)
        else:
            overwrite(path, path.stat().st_size // 2 // 8192 * 8192, b"\xee" * 8192)

    def test_unified_is_rebuilt_from_legacy_and_the_log(self):
        for how in ("deleted", "truncated", "overwritten"):
            for kill in (False, True):
                with self.subTest(how=how, kill=kill):
                    server = self.stopped(name=f"{how}-{kill}", kill=False)
                    if kill:  # batches in the log that no store has
                        server.start()
                        server.redis().set("late", "acknowledged")
                        self.end(server, kill=True)
                    for name in ("unified.sqlite-wal", "unified.sqlite-shm"):
                        (self.generation / name).unlink(missing_ok=True)
                    self.damage_unified(server, how)
                    found = self.proposals(server)[0]
                    self.assertEqual((found["name"], found["lost_batches"], found["consent"]),
                                     ("rebuild-unified", 0, "automatic"))
                    self.assertIn("unified: ", self.doctor(server).stdout)
                    self.repaired(server)
                    self.assert_serves(server)

    def damage_legacy(self, how):
        path = self.generation / "legacy" / "data.mdb"
        if how == "deleted":
            path.unlink()
        else:
            size = path.stat().st_size
            overwrite(path, size // 2 // 4096 * 4096, b"\xee" * 4096 * 4)

    def test_legacy_is_rebuilt_from_unified_and_the_log(self):
        for how in ("deleted", "overwritten"):
            with self.subTest(how=how):
                server = self.stopped(name=how)
                self.damage_legacy(how)
                found = self.proposals(server)[0]
                self.assertEqual((found["name"], found["lost_batches"]), ("rebuild-legacy", 0))
                self.repaired(server)
                self.assert_serves(server)

    def damage_log(self, missing=False):
        path = next((self.generation / "log").glob("log-*"))
        if missing:
            shutil.rmtree(self.generation / "log")
        else:
            overwrite(path, 4096 + 8192, b"\x55")

    def test_a_damaged_log_that_the_stores_have_applied_costs_nothing(self):
        server = self.stopped()
        self.damage_log()
        found = self.proposals(server)[0]
        self.assertTrue(found["name"].startswith("new-log-from-"), found)
        self.assertEqual((found["lost_batches"], found["consent"]), (0, "automatic"))
        self.assertIn("is damaged", self.doctor(server).stdout)
        self.repaired(server)
        self.assert_serves(server)

    def test_a_log_that_is_gone_costs_nobody_knows_what(self):
        server = self.stopped()
        self.damage_log(missing=True)
        found = self.proposals(server)[0]
        self.assertEqual((found["lost_batches"], found["consent"]), (None, "confirm"))
        self.doctor(server, "--repair", code=3)
        self.doctor(server, "--repair", found["name"], code=3)
        self.doctor(server, "--repair", "no-such", code=2)
        self.repaired(server, found["name"], "--yes")
        self.assert_serves(server)

    def test_current_is_missing_or_names_nothing(self):
        for content in (None, "gen-7\n"):
            with self.subTest(content=content):
                server = self.stopped(name=f"current-{content is None}")
                current = server.data / "CURRENT"
                current.unlink()
                if content:
                    current.write_text(content)
                self.assertNotEqual(server.spawn().process.wait(30), 0, "it must not begin anew")
                server.process = None
                self.assertEqual(self.names(server), ["use-gen-1"])
                self.repaired(server)
                self.assertEqual(current.read_text(), "gen-1\n")
                self.assert_serves(server)

    def test_the_older_backup_when_the_newest_is_damaged(self):
        server = self.stopped(backup=True)
        server.start()
        older = next(path.name for path in (server.data / "backups").iterdir())
        newest = self.backup(server)
        self.end(server)
        shutil.rmtree(self.generation)
        half = next((server.data / "backups" / newest).glob("unified.sqlite*"))
        overwrite(half, half.stat().st_size // 2, b"\x55" * 64)
        self.assertEqual(self.names(server), [f"backup-{older}"])
        self.assertIn(f"{newest}: ", self.doctor(server, code=1).stdout)
        self.doctor(server, "--repair", code=3)
        self.doctor(server, "--repair", "1", "--yes", code=0)
        self.assert_serves(server, count=COUNT, late=None)

    def test_a_backup_and_the_log_are_everything(self):
        server = self.stopped(backup=True)
        for path in ("legacy", "unified.sqlite"):
            path = self.generation / path
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        found = self.proposals(server)[0]
        self.assertTrue(found["name"].startswith("backup-"), found)
        self.assertEqual(found["lost_batches"], 0)
        self.repaired(server)
        self.assert_serves(server)

    def test_what_both_stores_still_hold_is_put_together(self):
        server = self.stopped()
        self.damage_unified(server, "overwritten")
        self.damage_legacy("overwritten")
        shutil.rmtree(self.generation / "log")
        self.assertEqual(self.names(server), ["reconstruct"])
        self.doctor(server, "--repair", code=3)
        done = self.repaired(server, "reconstruct", "--yes")
        problems = [one for one in done["salvage"]["collections"] if one["problem"]]
        self.assertTrue(problems, done)
        for one in problems:
            self.assertTrue(one["gaps"], one)
            for gap in one["gaps"]:
                self.assertTrue(gap["after_key"] < gap["before_key"] or not gap["before_key"], one)
        harness.report(f"put together: {done['records']} of {COUNT + 1} records, {problems}")
        self.assertGreater(done["records"], COUNT // 2)
        server.start()
        server.cli("verify", "--data-dir", server.data)

    def test_with_its_log_everything_is_put_together(self):
        server = self.stopped()
        self.damage_unified(server, "truncated")
        self.damage_legacy("overwritten")
        self.assertEqual(self.names(server), ["reconstruct"])
        self.repaired(server, "reconstruct", "--yes")
        self.assert_serves(server)

    def test_stores_that_contradict_each_other_are_a_persons_matter(self):
        server = self.stopped()
        database = sqlite3.connect(self.generation / "unified.sqlite")
        database.execute('UPDATE "default" SET value = ? WHERE key = ?',
                         (b"another", b"key:000007"))
        database.commit()
        database.close()
        found = self.proposals(server)
        self.assertEqual([one["consent"] for one in found], ["person", "person"])
        self.assertIn("A PERSON MUST DECIDE", self.doctor(server, code=1).stdout)
        self.doctor(server, "--repair", code=3)
        self.repaired(server, "rebuild-unified", "--yes")
        self.assert_serves(server)

    def test_killed_at_any_step_it_can_be_repeated(self):
        server = self.stopped()
        self.damage_unified(server, "deleted")
        for point in POINTS:
            os.environ["SWITCHBACK_FAILPOINTS"] = f"{point}=abort"
            try:
                done = self.doctor(server, "--repair")
            finally:
                del os.environ["SWITCHBACK_FAILPOINTS"]
            self.assertLess(done.returncode, 0, point)
            is_switched = point == "directory.switched"
            self.assertEqual((server.data / "CURRENT").read_text() != "gen-1\n", is_switched)
            self.doctor(server, code=0 if is_switched else 1)
        self.assert_serves(server)

    def test_an_adopted_environment_stays_as_it_is_and_may_be_named_again(self):
        app = self.directory / "app"
        app.mkdir()
        environment = lmdb.open(str(app), map_size=1 << 28, max_dbs=4)
        with environment.begin(write=True) as transaction:
            transaction.put(b"alice", b"1", db=environment.open_db(b"users", transaction))
        environment.close()
        server = self.server(legacy=app).start()
        server.cli("migrate", "start", "--wait", "--data-dir", server.data)
        server.redis().set("late", "acknowledged")
        self.end(server)
        before = (app / "data.mdb").read_bytes()
        overwrite(self.generation / "unified.sqlite", 0, b"\xee" * 64)
        self.repaired(server)
        self.assertEqual((app / "data.mdb").read_bytes(), before)
        server.start()
        self.assertEqual(server.redis().get("late"), b"acknowledged")
        harness.wait_until("unified is in sync",
                           lambda: server.follower("unified")["state"] == "in-sync")
        server.cli("verify", "--data-dir", server.data)
        self.assertEqual(server.stop(), 0)
        self.assertEqual(self.assert_equal_stores(server)["users"], {b"alice": b"1"})


if __name__ == "__main__":
    harness.main()
