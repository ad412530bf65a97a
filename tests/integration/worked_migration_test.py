"""The worked migration of examples/migration, as its README has it: before, after, both ways out."""

import json
import subprocess

import harness

EXAMPLE = harness.ROOT / "examples/migration"
DOC, SITE = "https://sqlite.org/docs.html", "https://www.openldap.org/doc"


class WorkedMigration(harness.ServerTest):
    def run_example(self, program, place, *arguments):
        done = subprocess.run(["/usr/bin/python3", EXAMPLE / program, place, *arguments],
                              capture_output=True, text=True, timeout=60, check=True)
        return done.stdout.strip()

    def before(self, *arguments):
        return self.run_example("before.py", self.directory / "bookmarks", *arguments)

    def after(self, server, *arguments):
        return self.run_example("after.py", f"redis://127.0.0.1:{server.address()[1]}", *arguments)

    def served(self):
        self.before("add", SITE, "LMDB")
        self.before("add", DOC, "SQLite")
        self.assertEqual(json.loads(self.before("get", DOC)), {"title": "SQLite", "visits": 1})
        server = self.server(legacy=self.directory / "bookmarks").start()
        self.assertEqual(json.loads(self.after(server, "get", DOC)),
                         {"title": "SQLite", "visits": 2})
        return server

    def cli(self, server, *arguments):
        return server.cli(*arguments, "--data-dir", server.data).stdout

    def moved(self):
        server = self.served()
        self.cli(server, "backup", "create", "--note", "before the migration")
        server.migrate()
        self.cli(server, "rollout", "start", "--steps", "50,100", "--interval", "1s",
                 "--min-operations", "0", "--dry-run")
        for percentage in (10, 100):
            server.route(percentage)
            self.after(server, "add", f"https://example.org/{percentage}", "new")
        self.assertEqual(self.after(server, "count"), "4")
        self.assertEqual(self.after(server, "list", "https://example.org/").splitlines(),
                         ["https://example.org/10", "https://example.org/100"])
        return server

    def test_stay(self):
        server = self.moved()
        self.cli(server, "verify")
        self.cli(server, "migrate", "complete", "--yes", "--wait")
        self.assertEqual(json.loads(self.after(server, "get", DOC))["visits"], 3)
        server.stop()
        count = harness.run("sqlite3", server.data / "gen-1/unified.sqlite",
                            "SELECT count(*) FROM bookmarks").stdout.strip()
        self.assertEqual(count, "4")

    def test_go_back_for_good(self):
        server = self.moved()
        self.cli(server, "rollback", "now", "--reason", "had a bad feeling")
        self.after(server, "add", "https://example.org/last", "after the rollback")
        server.stop()
        self.cli(server, "rollback", "full", "--yes")
        self.assertEqual(self.before("count"), "5")
        self.assertEqual(json.loads(self.before("get", DOC)), {"title": "SQLite", "visits": 3})


if __name__ == "__main__":
    harness.main()
