"""The history of operations on the real process: all formats, notes, tampering, kill -9."""

import csv
import hashlib
import io
import json
import os
import signal
import sqlite3
import unittest.mock
import urllib.request

import harness


class History(harness.ServerTest):
    def history(self, server, *arguments, check=True):
        return server.cli("history", *arguments, "--data-dir", server.data, check=check)

    def entries(self, server, *arguments):
        return json.loads(self.history(server, *arguments, "--json").stdout)["entries"]

    def verify(self, server, *arguments):
        done = self.history(server, "verify", *arguments, "--json", check=False)
        verdict = json.loads(done.stdout)
        self.assertEqual(done.returncode, 0 if verdict["is_intact"] else 1, done)
        return verdict

    def busy_server(self):
        """One with a backup, a migration, a flag flip and a verify behind it."""
        server = self.server().start()
        server.redis().mset({f"k{i}": f"v{i}" for i in range(100)})
        server.cli("backup", "create", "--note", "=before|it", "--data-dir", server.data)
        server.migrate()
        server.cli("flags", "set", harness.FLAG, "true", "--percentage", "50", "--allow-unverified",
                   "--reason", "half", "--data-dir", server.data)
        server.cli("verify", "--data-dir", server.data)
        return server

    def sql(self, server, *statements):
        drop = ["DROP TRIGGER history_stays;", "DROP TRIGGER history_is_kept;"]
        harness.run("sqlite3", server.data / "control.sqlite", " ".join(drop + list(statements)))

    def test_all_formats_and_a_note(self):
        server = self.busy_server()
        entries = self.entries(server, "--limit", "0")
        self.assertLessEqual({"backup", "verify"}, {entry["kind"] for entry in entries})
        backup = next(entry["record"] for entry in entries if entry["kind"] == "backup")
        self.assertEqual((backup["status"], backup["reason"], backup["metrics"]["records"]),
                         ("SUCCESS", "=before|it", 100))
        self.assertTrue(backup["actor"])
        flips = [entry["record"] for entry in entries if entry["kind"] == "audit"]
        self.assertIn(f"{harness.FLAG} true at 50 %: half", [flip["detail"] for flip in flips])
        self.check_hashes(server, entries)

        path = self.directory / "history.csv"
        self.history(server, "--csv", "--limit", "0", "--output", path)
        rows = list(csv.DictReader(path.read_text().splitlines(keepends=True)))
        self.assertEqual(len(rows), len(entries))
        reasons = {row["reason"] for row in rows if row["kind"] == "backup"}
        self.assertIn("'=before|it", reasons, "no formula")
        markdown = self.history(server, "--markdown", "--kind", "backup").stdout
        self.assertIn("=before\\|it", markdown)
        self.assertIn("Head: entry", markdown)
        self.assertIn("SUCCESS", self.history(server).stdout)
        request = urllib.request.Request(server.url() + "/v1/history",
                                         headers={"Accept": "text/csv"})
        with urllib.request.urlopen(request) as response:
            self.assertEqual(len(list(csv.reader(io.StringIO(response.read().decode())))),
                             len(entries) + 1)

        number = str(backup["operation"])
        self.history(server, "note", number, "disk\nfull", "--kind", "root-cause")
        self.assertIn("root-cause", self.history(server, "show", number).stdout)
        self.assertEqual(self.history(server, "show", "9999", check=False).returncode, 1)
        self.assertEqual(self.history(server, "note", number, "x", "--kind", "rumour",
                                      check=False).returncode, 2)
        self.assertEqual(server.http("GET", "/v1/evidence")[0], 200)
        self.assertEqual(server.http("GET", "/v1/evidence/..%2Fcontrol.sqlite")[0], 400)
        self.assertEqual(server.stop(), 0)

        # Without a server the file tells the same, and takes notes.
        self.history(server, "note", number, "more disks", "--kind", "lesson")
        offline = self.entries(server, "--limit", "0")
        self.assertEqual(offline[2:], entries)
        self.assertEqual(offline[0]["record"]["note"], "lesson")
        self.assertTrue(self.verify(server)["is_intact"])

    def check_hashes(self, server, entries):
        """Anybody can compute them, by the documented rule."""
        with sqlite3.connect(f"file:{server.data}/control.sqlite?mode=ro", uri=True) as database:
            previous = "0" * 64
            rows = database.execute("SELECT number, time, kind, json, previous_hash, hash"
                                    " FROM history ORDER BY number").fetchall()
        for row in rows:
            self.assertEqual(row[4], previous)
            text = "|".join(map(str, row[:5]))
            previous = hashlib.sha256(text.encode()).hexdigest()
            self.assertEqual(row[5], previous)
        self.assertEqual(entries[0]["hash"], previous)

    def test_what_a_person_writes_into_the_flags_file_is_told(self):
        server = self.server().start()
        server.redis().set("a", "1")
        server.migrate()
        server.write_flags({"enabled": True, "percentage": 25})
        harness.wait_until("the flag counts", lambda: server.effective() == 25)
        server.stop()
        server.write_flags({"enabled": True, "percentage": 50})  # while nobody looks
        server.start()
        def told():
            return [entry["record"]["detail"] for entry in self.entries(server)
                    if entry["kind"] == "audit" and entry["record"]["action"] == "flags"]
        harness.wait_until("the history has it", lambda: any(
            f"{harness.FLAG} 50 % (before: {harness.FLAG} 25 %)" in text for text in told()))
        server.stop()
        count = len(told())
        server.start()
        self.assertEqual(len(told()), count, "the same content is told once")

    def test_tampering_is_found(self):
        server = self.server().start()
        for number in range(3):
            server.cli("verify", "--data-dir", server.data, check=False)
            server.cli("backup", "create", "--note", f"n{number}", "--data-dir", server.data)
        head = self.verify(server)["head"]
        self.assertEqual(server.stop(), 0)
        journal = server.data / "control.sqlite"
        original = journal.read_bytes()
        last = self.verify(server, "--head", head)["entries"]

        self.sql(server, "UPDATE history SET json = replace(json, 'done', 'gone') WHERE number = 2;")
        self.assertEqual(self.verify(server)["broken_at"], 2)
        self.assertIn("BROKEN at entry 2",
                      self.history(server, "verify", check=False).stdout)
        # The server goes on all the same, and says so.
        server.start()
        self.assertEqual(server.http("GET", "/v1/history/verify")[1]["broken_at"], 2)
        self.assertEqual(server.stop(), 0)

        journal.write_bytes(original)
        self.sql(server, f"DELETE FROM history WHERE number = {last};",
                 "DELETE FROM operations WHERE id = (SELECT max(id) FROM operations);")
        self.assertTrue(self.verify(server)["is_intact"])
        cut = self.verify(server, "--head", head)
        self.assertEqual((cut["is_intact"], cut["broken_at"]), (False, last))

    def test_a_kill_between_an_end_and_its_entry_leaves_neither(self):
        for place in ("journal.ended", "journal.appended"):
            with self.subTest(place):
                server = self.server(place)
                with unittest.mock.patch.dict(os.environ, SWITCHBACK_FAILPOINTS=f"{place}=abort"):
                    server.start()
                server.http("POST", "/v1/backups", {"note": "n"})
                self.assertEqual(server.process.wait(30), -signal.SIGKILL)
                server.process = None

                self.assertEqual(self.entries(server), [], "nothing has ended")

                server.start()
                entries = self.entries(server, "--kind", "backup")
                self.assertEqual([entry["record"]["status"] for entry in entries], ["FAILED"])
                self.assertTrue(self.verify(server)["is_intact"])
                self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    harness.main()
