"""The guard and rollbacks, with the real process under load: trips, flips, restarts, crash loops."""

import contextlib
import json
import os
import subprocess
import threading
import time

import redis

import harness
import stores


@contextlib.contextmanager
def failpoints(text):
    os.environ["SWITCHBACK_FAILPOINTS"] = text
    try:
        yield
    finally:
        del os.environ["SWITCHBACK_FAILPOINTS"]


class Readers:
    """Clients that read without a pause. An error of any of them is one too many."""

    def __init__(self, server, count=2):
        self.server = server
        self.reads = 0
        self.failures = []
        self.is_over = threading.Event()
        self.threads = [threading.Thread(target=self._run) for _ in range(count)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        harness.wait_until("clients read", lambda: self.reads > 100)
        return self

    def __exit__(self, *_):
        self.is_over.set()
        for thread in self.threads:
            thread.join()

    def _run(self):
        client = self.server.redis()
        i = 0
        while not self.is_over.is_set():
            i += 1
            try:
                if client.get(f"k{i % 500}") != b"v":
                    self.failures.append("a wrong value")
                if i % 10 == 0:
                    client.set(f"w{i % 100}", i)
                self.reads += 1
            except Exception as error:  # pylint: disable=broad-except
                self.failures.append(repr(error))
                return


class GuardTest(harness.ServerTest):
    def prepared(self, config=None):
        server = self.server(config=config).start()
        server.redis().mset({f"k{i}": "v" for i in range(500)})
        server.migrate()
        self.assertEqual(server.http("POST", "/v1/drain", {})[0], 200)
        return server

    def guard(self, server):
        return server.http("GET", "/v1/guard")[1]

    def cli(self, server, *arguments, check=True):
        return server.cli(*arguments, "--data-dir", server.data, check=check)

    def tripped(self, server, failure, seconds):
        """Restarts with the failure, flips, and gives the seconds until it is rolled back."""
        server.stop()
        with failpoints(failure):
            server.start()
        with Readers(server) as readers:
            server.write_flags(True)
            begun = time.monotonic()
            harness.wait_until("the guard trips",
                               lambda: self.guard(server)["state"] == "tripped", seconds)
            took = time.monotonic() - begun
        self.assertEqual(readers.failures, [])
        self.assertEqual(server.effective(), 0)
        return took

    def test_a_store_that_fails_is_left_and_stays_left_until_somebody_rearms(self):
        server = self.prepared()
        took = self.tripped(server, "sqlite.read=error", 10)
        harness.report(f"guard: errors, rolled back {took:.2f} s after the flip in the file")
        guard = self.guard(server)
        self.assertEqual(guard["latched"]["cause"], "guard")
        self.assertEqual(guard["latched"]["detail"]["stream"], "errors")
        errors = server.http("GET", "/v1/metrics/comparison")[1]["recent_errors"]
        self.assertTrue(errors)
        self.assertNotIn("k1", json.dumps(errors[0]["key_hash"]))
        # The record of it: evidence and validation.
        operation = harness.wait_until("the rollback is recorded", lambda: (
            lambda o: o if o and o["final_status"] else None)(
                server.http("GET", "/v1/rollback")[1]["operation"]))
        self.assertEqual(operation["actor"], "guard")
        archive = server.data / "evidence" / (operation["evidence"] + ".tar.zst")
        names = subprocess.run(["tar", "--zstd", "-tf", archive], capture_output=True, text=True,
                               check=False).stdout
        if names:
            for name in ("comparison.json", "flags.json", "guard.json", "log.txt", "status.json"):
                self.assertIn(name, names)

        server.kill()
        server.start()  # without the failure, the flag still on
        self.assertEqual(self.guard(server)["state"], "tripped")
        self.assertEqual(server.effective(), 0)
        trip = guard["latched"]["id"]
        self.assertEqual(self.cli(server, "rollback", "rearm", trip + 1, check=False).returncode, 1)
        self.cli(server, "rollback", "rearm", trip, "--reason", "mended")
        harness.wait_until("the flag counts again", lambda: server.effective() == 100)
        self.assertEqual(self.guard(server)["state"], "watching")

    def test_a_store_that_is_slow_is_left(self):
        server = self.prepared()
        took = self.tripped(server, "sqlite.read=delay:20", 15)
        harness.report(f"guard: slow reads, rolled back {took:.2f} s after the flip in the file")
        self.assertEqual(self.guard(server)["latched"]["detail"]["stream"], "slow_reads")

    def test_dry_run_says_so_and_changes_nothing(self):
        server = self.prepared({"guard": {"dry_run": True}})
        server.stop()
        with failpoints("sqlite.read=error"):
            server.start()
        with Readers(server) as readers:
            server.write_flags(True)
            harness.wait_until("it would have tripped",
                               lambda: self.guard(server)["dry_trips"] > 0, 10)
        self.assertEqual(readers.failures, [])
        self.assertEqual(self.guard(server)["state"], "watching")
        self.assertEqual(server.effective(), 100)

    def test_rolled_back_on_request_under_load_again_and_again(self):
        server = self.prepared()
        answers = []
        with Readers(server) as readers:
            for flip in range(50):  # two flips each
                server.route(100)
                begun = time.monotonic()
                status, answer = server.http("POST", "/v1/rollback", {"reason": f"flip {flip}"})
                answers.append(time.monotonic() - begun)
                self.assertEqual(status, 202, answer)
                self.assertEqual(server.effective(), 0)
                harness.wait_until("the file says off", lambda: (
                    server.http("GET", "/v1/rollback/check")[1]["latched"] is None))
        self.assertEqual(readers.failures, [])
        self.assertGreaterEqual(server.status()["routing"]["flips"], 100)
        answers.sort()
        harness.report(f"rollback now, {2 * len(answers)} flips under load: answered in {1e3 * answers[len(answers) // 2]:.1f} ms "
                       f"(median), {1e3 * answers[-1]:.1f} ms at most")
        self.assertIs(json.loads(server.flags_path.read_text())[harness.FLAG]["enabled"], False)
        server.stop()
        self.assert_equal_stores(server)

    def test_commands(self):
        server = self.prepared()
        self.assertIn("legacy can take every key",
                      self.cli(server, "rollback", "check").stdout)
        server.route(50)
        done = json.loads(self.cli(server, "rollback", "now", "--reason", "drill", "--json").stdout)
        self.assertEqual(done["percentage_before"], 50)
        self.assertEqual(done["operation"]["final_status"], "SUCCESS")
        self.assertEqual(server.effective(), 0)
        self.assertIn("ok  stores", self.cli(server, "rollback", "validate").stdout)
        for arguments in (["rollback", "status"], ["rollback", "guard"], ["rollback", "list"],
                          ["status", "--compare"]):
            self.assertTrue(self.cli(server, *arguments).stdout)
            json.loads(self.cli(server, *arguments, "--json").stdout)
        self.assertEqual(self.cli(server, "rollback", check=False).returncode, 2)

    def test_a_rollback_that_is_killed_is_finished_at_the_next_start(self):
        server = self.prepared()
        server.route(100)
        server.stop()
        for point in ("rollback.flags", "evidence.write"):
            with failpoints(f"{point}=abort"):
                server.start()
            harness.wait_until("keys go to unified", lambda: server.effective() == 100)
            self.assertEqual(server.http("POST", "/v1/rollback", {"actor": "test"})[0], 202)
            server.process.wait(30)
            server.process = None
            server.start()
            self.assertEqual(server.effective(), 0)
            harness.wait_until("the file says off", lambda: (
                server.http("GET", "/v1/rollback/check")[1]["latched"] is None))
            server.route(100)
            server.stop()

    def test_assisted_it_proposes_and_a_person_confirms(self):
        server = self.prepared({"guard": {"escalation": "assisted"}})
        server.stop()
        with failpoints("sqlite.read=error"):
            server.start()
        with Readers(server) as readers:
            server.write_flags(True)
            for decision in ("dismiss", "confirm"):
                proposal = harness.wait_until("it proposes to go back",
                                              lambda: self.guard(server)["proposal"], 10)
                self.assertEqual(self.guard(server)["state"], "proposed")
                self.assertEqual(server.effective(), 100)
                self.assertEqual(self.cli(server, "rollback", decision, proposal["id"] + 1,
                                          check=False).returncode, 1)
                self.cli(server, "rollback", decision, "--reason", "seen")
        self.assertEqual(readers.failures, [])
        self.assertEqual(self.guard(server)["state"], "tripped")
        self.assertEqual(server.effective(), 0)
        told = self.cli(server, "history", "--json").stdout
        self.assertIn("guard-dismiss", told)
        self.assertIn("guard-confirm", told)

    def test_a_restore_that_failed_half_way_refuses_writes_until_somebody_has_looked(self):
        server = self.prepared()
        backup = json.loads(self.cli(server, "backup", "create", "--json").stdout)["id"]
        server.stop()
        with failpoints("restore.check=error@1"):
            server.start()
        failed = self.cli(server, "backup", "restore", backup, "--yes", check=False)
        self.assertEqual(failed.returncode, 1, failed.stdout)
        for restarted in (False, True):
            client = server.redis()
            self.assertEqual(client.get("k1"), b"v", "reads go on")
            with self.assertRaises(redis.exceptions.ReadOnlyError):
                client.set("k1", "x")
            self.assertEqual(client.delete("no such key"), 0, "it changes nothing")
            status, problem = server.http("POST", "/v1/migration/start", {})
            self.assertEqual((status, problem["type"].split(":")[-1].split("/")[-1]),
                             (409, "safe-mode"), problem)
            self.assertIn("REFUSED: safe mode", self.cli(server, "status").stdout)
            told = self.cli(server, "rollback", "safe-mode", check=False)
            self.assertEqual(told.returncode, 3)
            self.assertIn("restore --undo", told.stdout)
            if not restarted:
                server.kill()
                server.start()
        self.cli(server, "restore", "--undo", "--yes")
        self.cli(server, "rollback", "leave-safe-mode", "--reason", "looked at it")
        self.assertEqual(server.redis().set("k1", "x"), True)
        self.assertEqual(self.cli(server, "rollback", "leave-safe-mode", check=False).returncode, 1)
        self.assertIn("safe-mode-leave", self.cli(server, "history", "--json").stdout)

    def test_the_flag_read_only_refuses_writes_while_it_is_on(self):
        server = self.prepared()
        client = server.redis()
        self.cli(server, "flags", "set", "READ_ONLY", "true")
        def is_refused():
            try:
                client.set("w", "1")
                return False
            except redis.exceptions.ReadOnlyError:
                return True
        harness.wait_until("writes are refused", is_refused)
        self.assertEqual(client.get("k1"), b"v")
        self.assertEqual(server.http("GET", "/readyz")[0], 200)
        self.cli(server, "flags", "set", "READ_ONLY", "false")
        harness.wait_until("writes are taken again", lambda: not is_refused())

    def test_a_crash_loop_with_the_flag_on_ends_on_legacy(self):
        server = self.prepared()
        server.route(100)
        for _ in range(3):
            server.kill()
            server.start()
            self.assertEqual(self.guard(server)["state"], "watching")
        server.kill()
        server.start()
        self.assertEqual(self.guard(server)["latched"]["cause"], "crash-loop")
        self.assertEqual(server.effective(), 0)

    def test_full_rollback_leaves_a_plain_environment_whatever_kills_it(self):
        for index, point in enumerate(("", "full.detach", "full.remove")):
            server = self.server(f"full-{index}").start()
            server.redis().mset({f"k{i}": "v" for i in range(300)})
            server.migrate()
            server.route(100)
            server.redis().set("last", "written")
            command = ["rollback", "full", "--yes", "--json"]
            self.assertEqual(self.cli(server, *command, check=False).returncode, 3,
                             "refused while a server runs")
            server.stop()
            if point:
                with failpoints(f"{point}=abort"):
                    self.assertNotEqual(self.cli(server, *command, check=False).returncode, 0)
            exported = self.directory / f"export-{index}"
            done = json.loads(self.cli(server, *command, "--export", exported).stdout)
            self.assertEqual(done["records"], 301)
            self.assertTrue(done["compared"])
            content = stores.lmdb_content(done["legacy"])
            self.assertEqual(content["default"][b"last"], b"written")
            self.assertEqual(sum(map(len, content.values())), 301)
            left = sorted(os.listdir(server.data))
            self.assertNotIn("control.sqlite", left)
            self.assertNotIn("CURRENT", left)
            self.assertEqual([name for name in left if name.startswith("full")], [])
            dump = harness.run("mdb_dump", "-l", done["legacy"]).stdout.split()
            self.assertEqual(dump, ["default"], "no trace of ours")
            if point != "full.remove":
                self.assertTrue((exported / "unified.sqlite").exists())

    def test_bad_requests_change_nothing(self):
        server = self.prepared()
        for path, body in (("/v1/rollback", {"wait_ms": -1}), ("/v1/rollback", {"now": True}),
                           ("/v1/guard/rearm", {"trip": "x"}), ("/v1/guard/rearm", {"trip": 7}),
                           ("/v1/rollback", {"reason": 5})):
            self.assertIn(server.http("POST", path, body)[0], (400, 404), (path, body))
        self.assertIsNone(self.guard(server)["latched"])
        for guard in ({"limit": 0}, {"errors": {"tolerated_rate": 0.5, "caught_rate": 0.1}},
                      {"nothing": 1}, []):
            bad = self.server("bad", config={"guard": guard})
            bad.spawn()
            self.assertEqual(bad.process.wait(30), 1, guard)
            bad.process = None


if __name__ == "__main__":
    harness.main()
