"""Backups off the machine: a bucket of a real object server, a directory, and the real process, killed and lied to."""

import hashlib
import json
import os
import pathlib
import re
import shutil
import tempfile

import harness
import object_server

PART_BYTES = 5 << 20
VALUE_BYTES = 1 << 20


class TargetTest(harness.ServerTest):
    @staticmethod
    def backup(server, *arguments, code=0):
        done = server.cli("backup", *arguments, "--json", "--data-dir", server.data, check=False)
        text = done.stdout if done.stdout.strip() else done.stderr
        if done.returncode != code:
            raise AssertionError(f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}")
        return json.loads(text)

    @staticmethod
    def fill(server, count):
        """Values that no compression makes small; their digest by key."""
        digests = {}
        client = server.redis()
        for i in range(count):
            value = os.urandom(VALUE_BYTES)
            client.set(f"key{i}", value)
            digests[f"key{i}"] = hashlib.sha256(value).digest()
        return digests

    def assert_nothing_here(self, server):
        self.assertEqual(list((server.data / "backups").iterdir()), [])

    def assert_holds(self, server, digests):
        client = server.redis()
        for key, digest in digests.items():
            self.assertEqual(hashlib.sha256(client.get(key)).digest(), digest, key)

    def start_with(self, server, failpoints):
        os.environ["SWITCHBACK_FAILPOINTS"] = failpoints
        try:
            return server.start()
        finally:
            del os.environ["SWITCHBACK_FAILPOINTS"]


class BucketTest(TargetTest):
    @classmethod
    def setUpClass(cls):
        cls.why_not = object_server.why_not_available()
        if cls.why_not:
            return
        cls.place = pathlib.Path(tempfile.mkdtemp(prefix="switchback-objects."))
        cls.addClassCleanup(shutil.rmtree, cls.place, True)
        cls.objects = object_server.ObjectServer(cls.place)
        cls.addClassCleanup(cls.objects.stop)
        cls.objects.start()
        cls.objects.make_bucket("backups")

    def setUp(self):
        super().setUp()
        if self.why_not:
            self.not_run(self.why_not)
            self.skipTest(self.why_not)

    def credentials(self, name="keys", secret=object_server.SECRET_KEY):
        path = self.directory / name
        path.write_text(json.dumps({"access_key_id": object_server.ACCESS_KEY,
                                    "secret_access_key": secret}))
        path.chmod(0o600)
        return path

    def config(self, prefix, bucket="backups", **more):
        return {"backup_target": f"s3://{bucket}/{prefix}",
                "backup_target_endpoint": self.objects.endpoint,
                "backup_target_credentials_file": str(self.credentials()),
                "backup_target_part_bytes": PART_BYTES, **more}

    def parts(self, backup):
        """(file, part number) of each part of the backup that was sent so far."""
        pattern = re.compile(rf"PUT .*/{backup['id']}/([a-z.]+)\?partNumber=(\d+)")
        return [match.groups() for match in map(pattern.search, self.objects.requests()) if match]

    def test_upload_killed_gone_on_with_and_restored_elsewhere(self):
        server = self.server(config=self.config("a/b"))
        self.start_with(server, "target.part=delay:150")
        digests = self.fill(server, 60)
        made = self.backup(server, "create")
        self.assertGreater(made["bytes"], 100 << 20)
        self.backup(server, "upload", made["id"], "--no-wait")
        harness.wait_until("some parts are there", lambda: self.backup(
            server, "status")["bytes_done"] > made["bytes"] // 3)
        before = self.parts(made)
        server.kill()
        sent = self.parts(made)
        self.assertGreater(len(before), 5)
        server.start()
        self.assertEqual(self.backup(server, "list", "--remote")["count"], 0)

        self.backup(server, "upload", made["id"])

        later = self.parts(made)[len(sent):]
        self.assertEqual(set(later) & set(before[:-1]), set(), "what was there was sent again")
        self.assertGreater(len(later), 5)
        harness.report(f"{made['bytes'] >> 20} MiB: {len(sent)} parts before kill -9, "
                       f"{len(later)} after it")
        remote = self.backup(server, "list", "--remote")
        self.assertEqual([one["id"] for one in remote["backups"]], [made["id"]])
        self.assertEqual(remote["backups"][0]["bytes"], made["bytes"])
        count = len(self.objects.requests())
        self.backup(server, "upload", made["id"])
        self.assertFalse(any(line.startswith("PUT") for line in self.objects.requests()[count:]))
        self.objects.stop()
        self.objects.start()  # what was stored is on its disk
        self.assertEqual(server.stop(), 0)

        other = self.server("other", config=self.config("a/b")).start()
        self.backup(other, "download", made["id"])
        self.assertTrue(self.backup(other, "show", made["id"])["verified"])
        done = other.cli("restore", made["id"], "--foreign", "--yes", "--data-dir", other.data)
        self.assertEqual(done.returncode, 0)
        self.assert_holds(other, digests)
        self.backup(other, "delete", made["id"], "--remote")
        self.assertEqual(self.backup(other, "list", "--remote")["count"], 0)
        self.assert_no_secrets(server)

    def assert_no_secrets(self, server):
        for path in [server.log_path, *server.data.glob("control.sqlite*")]:
            self.assertNotIn(object_server.SECRET_KEY.encode(), path.read_bytes(), path)

    def test_a_flipped_byte_in_the_bucket_is_never_published(self):
        server = self.server(config=self.config("flip")).start()
        self.fill(server, 8)
        made = self.backup(server, "create")
        self.backup(server, "upload", made["id"])
        self.backup(server, "delete", made["id"])
        size = min(PART_BYTES, 8 * VALUE_BYTES)
        path = next(p for p in self.objects.data_files() if p.stat().st_size == size)
        with open(path, "r+b") as file:
            file.seek(size // 2)
            old = file.read(1)[0]
            file.seek(size // 2)
            file.write(bytes([old ^ 1]))

        answer = self.backup(server, "download", made["id"], code=1)

        self.assertEqual(answer["error"]["code"], "corruption", answer)
        harness.report("a flipped byte: " + answer["error"]["message"])
        self.assert_nothing_here(server)

    def test_what_is_wrong_is_said(self):
        self.credentials("wrong", "not the secret")
        open_keys = self.credentials("open")
        open_keys.chmod(0o644)
        cases = [
            ({"backup_target_credentials_file": str(self.directory / "wrong")}, 2, "blanks"),
            ({"backup_target_credentials_file": str(self.credentials("bad", "wrong"))}, 3,
             "secret key"),
            ({"backup_target_credentials_file": str(open_keys)}, 3, "chmod 600"),
            ({"backup_target_credentials_file": None}, 3, "AWS_ACCESS_KEY_ID"),
            ({"backup_target": "s3://no-such-bucket"}, 1, "no such bucket"),
            ({"backup_target_region": "eu-central-1"}, 3, "region"),
        ]
        for index, (changes, code, text) in enumerate(cases):
            config = {k: v for k, v in {**self.config("x"), **changes}.items() if v is not None}
            server = self.server(f"s{index}", config=config).start()
            answer = self.backup(server, "list", "--remote", code=code)
            self.assertRegex(answer["error"]["message"], text)
            harness.report("wrong: " + answer["error"]["message"])
            self.assertNotIn("not the secret", server.log_path.read_text() + json.dumps(answer))
            server.stop()

    def test_each_goes_by_itself(self):
        server = self.server(config=self.config("own", backup_upload=True)).start()
        self.fill(server, 1)
        first = self.backup(server, "create")["id"]
        harness.wait_until("it is there", lambda: self.backup(
            server, "list", "--remote")["count"] == 1)
        self.assertEqual(self.backup(server, "list", "--remote")["backups"][0]["id"], first)


class DirectoryTest(TargetTest):
    def test_moved_and_read_without_a_server(self):
        there = self.directory / "there"
        there.mkdir()
        server = self.server(config={"backup_target": str(there)})
        self.start_with(server, "target.put=delay:40")
        digests = self.fill(server, 20)
        made = self.backup(server, "create", "--compress")
        self.backup(server, "upload", made["id"], "--no-wait")
        harness.wait_until("it moves", lambda: self.backup(server, "status")["bytes_done"] > 0)
        server.kill()
        self.assertEqual([path.name for path in there.iterdir()], [made["id"] + ".tmp"])
        server.start()
        self.backup(server, "upload", made["id"])
        self.assertEqual([path.name for path in there.iterdir()], [made["id"]])
        offline = server.cli("backup", "verify", made["id"], "--full", "--backups", there, "--json")
        self.assertTrue(json.loads(offline.stdout)["ok"])
        self.backup(server, "delete", made["id"])
        server.redis().flushdb()
        self.backup(server, "download", made["id"])
        server.cli("restore", made["id"], "--yes", "--data-dir", server.data)
        self.assert_holds(server, digests)
        shutil.rmtree(there)
        answer = self.backup(server, "list", "--remote", code=1)
        self.assertIn("mounted", answer["error"]["message"])


if __name__ == "__main__":
    harness.main()
