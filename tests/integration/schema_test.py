"""Schema versions on the real process: the example of docs/schema.md, with writers running."""

import json
import os
import random
import signal
import threading
import unittest.mock

import harness

UP = """ALTER TABLE users ADD COLUMN email TEXT GENERATED ALWAYS AS (
  CASE WHEN json_valid(CAST(value AS TEXT))
       THEN json_extract(CAST(value AS TEXT), '$.email') END) VIRTUAL;
CREATE INDEX users_email ON users(email);
"""
DOWN = "DROP INDEX users_email;\nALTER TABLE users DROP COLUMN email;\n"


class Writers:
    """Clients that write documents and other things, and read back what they wrote."""

    def __init__(self, server, count=3):
        self.server = server
        self.failures = []
        self.written = 0
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
        choose = random.Random(number)
        client = self.server.redis(db=1)
        while not self.is_over.is_set():
            key = f"w{number}:{choose.randrange(200)}"
            value = choose.choice([json.dumps({"email": f"{key}@example.org"}).encode(), b"{", b"",
                                   b"\xff\xfe\x00", b"[1]", b"text"])
            try:
                client.set(key, value)
                if client.get(key) != value:
                    self.failures.append(f"{key} reads otherwise")
            except Exception as error:  # pylint: disable=broad-except
                self.failures.append(repr(error))
            self.written += 1


class Schema(harness.ServerTest):
    def schema_server(self, **options):
        server = self.server(config={"collections": {"1": "users"}}, **options).start()
        self.files = server.data / "schema"
        return server

    def schema(self, server, *arguments, check=True):
        return server.cli("schema", *arguments, "--data-dir", server.data, check=check)

    def add(self, server, name, up, down):
        made = json.loads(self.schema(server, "create", name, "--json").stdout)
        for path, text in ((made["up"], up), (made["down"], down)):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)

    def sql(self, server, statement, *arguments):
        done = server.cli("sql", statement, *arguments, "--json", "--data-dir", server.data)
        return json.loads(done.stdout)

    def find(self, server, email):
        return self.sql(server, "SELECT key FROM users WHERE email = ?", "--param", email)["rows"]

    def test_the_example_with_writers_running(self):
        server = self.schema_server()
        server.route(50)
        users = server.redis(db=1)
        users.set("alice", '{"name":"Alice","email":"alice@example.org"}')
        self.add(server, "add_email", UP, DOWN)
        with Writers(server) as writers:
            self.schema(server, "up", "--reason", "find people")
            self.assertEqual(self.find(server, "alice@example.org"), [["alice"]])
            users.set("bob", '{"email":"bob@example.org"}')
            self.assertEqual(self.find(server, "bob@example.org"), [["bob"]])
            plan = self.sql(server, "EXPLAIN QUERY PLAN SELECT key FROM users WHERE email = ?",
                            "--param", "x")
            self.assertIn("users_email", str(plan["rows"]))
            self.schema(server, "validate")
            for _ in range(3):
                self.schema(server, "down")
                self.schema(server, "up")
            before = writers.written
            harness.wait_until("writers go on", lambda: writers.written > before + 100)
        self.assertEqual(writers.failures, [])
        status = server.http("GET", "/v1/schema")[1]
        self.assertEqual((status["version"], len(status["copies"])), (1, 5))
        self.assertEqual(server.follower("unified")["state"], "in-sync")
        self.assertEqual(server.stop(), 0, server.log_tail())
        self.assert_equal_stores(server)

    def test_what_would_refuse_a_record_is_refused_and_nothing_changes(self):
        server = self.schema_server()
        users = server.redis(db=1)
        users.set("alice", '{"email":"alice@example.org"}')
        unguarded = UP.replace("CASE WHEN json_valid(CAST(value AS TEXT))", "").replace(
            "THEN", "").replace("END)", ")")
        self.add(server, "add_email", unguarded, DOWN)

        done = self.schema(server, "up", check=False)

        self.assertEqual(done.returncode, 3, done)
        self.assertIn("could not be put", done.stderr)
        users.set("bad", "{")
        code, problem = server.http("POST", "/v1/schema/up", {})
        # Now a record is in the way.
        self.assertEqual((code, problem["version"]), (422, 0), problem)
        self.assertIn("malformed JSON", problem["detail"])
        self.assertEqual(self.schema(server, "status", "--json").returncode, 0)

    def test_a_kill_during_a_migration_leaves_all_or_nothing(self):
        for place in ("schema.copy", "schema.changed", "sqlite.committed", "schema.validate"):
            with self.subTest(place):
                self.kill_at(place)

    def kill_at(self, place):
        server = self.server(place, config={"collections": {"1": "users"}}).start()
        server.redis(db=1).set("alice", '{"email":"alice@example.org"}')
        self.add(server, "add_email", UP, DOWN)
        self.assertEqual(server.stop(), 0)
        with unittest.mock.patch.dict(os.environ, SWITCHBACK_FAILPOINTS=f"{place}=abort"):
            server.start()
        server.cli("schema", "up", "--data-dir", server.data, check=False)
        self.assertEqual(server.process.wait(30), -signal.SIGKILL)
        server.process = None

        server.start()

        status = server.http("GET", "/v1/schema")[1]
        is_committed = place in ("sqlite.committed", "schema.validate")
        self.assertEqual(status["version"], 1 if is_committed else 0)
        self.schema(server, "to", 1)
        self.assertEqual(self.find(server, "alice@example.org"), [["alice"]])
        self.schema(server, "validate")
        self.assertEqual(server.stop(), 0, server.log_tail())

    def test_queries_only_read_and_speak_ndjson(self):
        server = self.schema_server()
        server.redis(db=1).mset({"a": "1", "b": b"\xff"})
        for statement in ("DELETE FROM users", "ATTACH 'x' AS y", "PRAGMA journal_mode"):
            self.assertEqual(server.http("POST", "/v1/query", {"sql": statement})[0], 409)
        lines = server.cli("sql", "SELECT key, value FROM users ORDER BY key", "--ndjson",
                           "--data-dir", server.data).stdout.splitlines()
        self.assertEqual([json.loads(line) for line in lines],
                         [{"key": "a", "value": "1"}, {"key": "b", "value": {"base64": "/w=="}}])
        table = server.cli("sql", "SELECT count(*) AS n FROM users", "--data-dir", server.data).stdout
        self.assertEqual(table.splitlines()[:3], ["n", "-", "2"])


if __name__ == "__main__":
    harness.main()
