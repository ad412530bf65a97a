"""Export and import: any bytes there and back, live and offline, over kills, full disks and bad lines."""

import base64
import csv
import io
import json
import os
import random
import resource
import signal
import subprocess
import threading

import lmdb

import harness
import stores

KEY_CSV = ["collection", "key", "value", "key_encoding", "value_encoding"]


def awkward_records(count=300):
    """{collection: {key: value}} with everything that a text format may trip over."""
    random_bytes = random.Random(harness.seed_of_test())
    special = [b"", b"\0", b"\n", b"\r\n", b"\r", b'"', b'""', b",", b"\\", b"\\u0000", b"\xef\xbb\xbf", b"\xff",
               b"=1+1", b" a ", b"\t", b"\x7f", "Jürgen 😀\u2028".encode(), b"\xed\xa0\x80", b"{}", b"null", bytes(range(256))]
    content = {"users": {}, "a.b-c_d": {}, "other": {}}
    for number, value in enumerate(special):
        content["users"][b"value:%d" % number] = value
        if value:
            content["a.b-c_d"][value] = b"key:%d" % number
    for _ in range(count):
        key = random_bytes.randbytes(random_bytes.randrange(1, 511))
        content["other"][key] = random_bytes.randbytes(random_bytes.randrange(0, 300))
    content["other"][b"k" * 511] = b"'\",\r\n" * 1000
    return content


def jsonl_content(text):
    content = {}
    for line in text.split("\n")[:-1]:
        record = json.loads(line)
        key, value = (record[name].encode() if name in record else base64.b64decode(record[name + "_base64"], validate=True)
                      for name in ("key", "value"))
        content.setdefault(record["collection"], {})[key] = value
    return content


def csv_content(text):
    content = {}
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert rows[0] == KEY_CSV, rows[0]
    for collection, key, value, key_encoding, value_encoding in rows[1:]:
        decode = {"text": str.encode, "base64": lambda text: base64.b64decode(text, validate=True)}
        content.setdefault(collection, {})[decode[key_encoding](key)] = decode[value_encoding](value)
    return content


class TransferTest(harness.ServerTest):
    def path(self, name):
        return self.directory / name

    def fill(self, server, content):
        client = server.redis()
        for collection, records in content.items():
            client.execute_command("SELECT", collection)
            for key, value in records.items():
                client.set(key, value)

    def run_cli(self, *arguments, code=0, **options):
        options.setdefault("timeout", 120)
        done = subprocess.run([harness.BINARY, *map(str, arguments)], capture_output=True, check=False, **options)
        self.assertEqual(done.returncode, code, (arguments, done.stdout[-2000:], done.stderr[-2000:]))
        return done

    def lines(self, name, count, value="v", prefix="k"):
        path = self.path(name)
        path.write_text("".join(json.dumps({"collection": "c", "key": f"{prefix}{number}", "value": f"{value}{number}"}) + "\n"
                                for number in range(count)))
        return path

    # ---- there and back

    def test_any_bytes_there_and_back_live(self):
        content = awkward_records()
        server = self.server().start()
        self.fill(server, content)
        for form, read in (("jsonl", jsonl_content), ("csv", csv_content)):
            file = self.path(f"all.{form}")
            self.run_cli("export", "--data-dir", server.data, "--output", file)
            self.assertEqual(read(file.read_bytes().decode()), content)
            self.assertEqual(file.stat().st_mode & 0o777, 0o600)
            other = self.server(f"other-{form}").start()
            self.run_cli("import", file, "--url", other.url())
            again = self.run_cli("export", "--format", form, "--url", other.url()).stdout
            self.assertEqual(again, file.read_bytes())
            self.assertEqual(other.stop(), 0)
            self.assertEqual(other.contents()[0], content)

    def test_any_bytes_there_and_back_offline(self):
        content = awkward_records(100)
        server = self.server().start()
        self.fill(server, content)
        server.migrate()
        self.assertEqual(server.stop(), 0)
        file = self.path("all.csv")
        self.run_cli("export", "--data-dir", server.data, "--output", file)
        for role in ("legacy", "unified"):
            alone = self.run_cli("export", "--data-dir", server.data, "--role", role, "--format", "csv").stdout
            self.assertEqual(alone, file.read_bytes())
        other = self.server("other").start()
        other.migrate()
        self.assertEqual(other.stop(), 0)
        self.run_cli("import", file, "--data-dir", other.data)
        self.assertEqual(self.assert_equal_stores(other), content)
        history = self.run_cli("history", "--data-dir", other.data).stdout.decode()
        self.assertIn("import", history)

    def test_a_plain_environment_that_is_not_ours(self):
        path = self.path("plain")
        environment = lmdb.open(str(path), max_dbs=8, map_size=64 << 20)
        users = environment.open_db(b"users")
        strange = environment.open_db(b"strange", dupsort=True)
        with environment.begin(write=True) as transaction:
            transaction.put(b"in main", b"1")
            transaction.put(b"a", b"\0", db=users)
            transaction.put(b"a", b"2", db=strange)
        # Its application has it open, and goes on writing.
        file = self.path("plain.jsonl")
        done = self.run_cli("export", "--lmdb", path, "--output", file)
        with environment.begin(write=True) as transaction:
            transaction.put(b"b", b"3", db=users)
        environment.close()
        self.assertIn(b"strange is left out: MDB_DUPSORT", done.stderr)
        self.assertEqual(jsonl_content(file.read_text()), {"main": {b"in main": b"1"}, "users": {b"a": b"\0"}})
        self.assertIn("users", stores.lmdb_content(str(path)))
        self.run_cli("export", "--lmdb", self.path("nowhere"), code=1)
        self.assertFalse(self.path("nowhere").exists())

    def test_parts_and_roles_of_a_live_server(self):
        server = self.server().start()
        self.fill(server, {"users": {b"a:%d" % i: b"1" for i in range(1500)} | {b"b": b"2"}, "other": {b"a:x": b"3"}})
        server.migrate()

        def export(*arguments, **options):
            return jsonl_content(self.run_cli("export", *arguments, "--url", server.url(), **options).stdout.decode())

        self.assertEqual(list(export("users")), ["users"])
        self.assertEqual(len(export("users", "--prefix", "a:")["users"]), 1500)
        self.assertEqual(export("other", "--role", "unified"), {"other": {b"a:x": b"3"}})
        self.assertEqual(export("--role", "legacy"), export("--role", "unified"))
        done = self.run_cli("export", "nobody", "--url", server.url(), code=1)
        self.assertIn(b"there is no collection nobody", done.stderr)

    def test_large_values_there_and_back(self):
        content = {"c": {b"text": b"x" * (3 << 20), b"bytes": os.urandom(5 << 20), b"small": b"1"}}
        server = self.server().start()
        self.fill(server, content)
        file = self.path("large.jsonl")
        self.run_cli("export", "--url", server.url(), "--output", file)
        other = self.server("other").start()
        self.run_cli("import", file, "--url", other.url())
        kept = json.loads(self.run_cli("import", file, "--on-conflict", "fail", "--json",
                                       "--url", other.url()).stdout.splitlines()[-1])
        self.assertEqual((kept["stored"], kept["kept"]), (0, 3))
        other.redis().execute_command("SELECT", "c")
        self.assertEqual(other.stop(), 0)
        self.assertEqual(other.contents()[0], content)

    # ---- files

    def test_a_file_that_is_there_is_not_replaced(self):
        server = self.server().start()
        file = self.path("out.jsonl")
        file.write_text("mine")
        done = self.run_cli("export", "--url", server.url(), "--output", file, code=3)
        self.assertIn(b"--force", done.stderr)
        self.assertEqual(file.read_text(), "mine")
        self.run_cli("export", "--url", server.url(), "--output", file, "--force")
        self.assertEqual(file.read_text(), "")
        self.assertEqual(list(self.directory.glob("*.tmp")), [])

    def test_a_full_disk_leaves_nothing(self):
        server = self.server().start()
        self.fill(server, {"c": {b"%d" % i: os.urandom(100_000) for i in range(30)}})
        disk = self.path("disk")
        disk.mkdir()
        if harness.run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk, check=False).returncode != 0:
            self.not_run("cannot mount a small tmpfs")
            self.skipTest("cannot mount a small tmpfs")
        self.addCleanup(harness.run, "umount", "-l", disk, check=False)
        done = self.run_cli("export", "--url", server.url(), "--output", disk / "out.jsonl", code=1)
        self.assertIn(b"the disk is full", done.stderr)
        self.assertEqual(list(disk.iterdir()), [])

    def test_a_server_that_goes_away_leaves_nothing(self):
        server = self.server().start()
        self.fill(server, {"c": {b"%d" % i: b"v" for i in range(10)}})
        url = server.url()
        server.kill()
        done = self.run_cli("export", "--url", url, "--output", self.path("out.jsonl"), code=1)
        self.assertIn(b"connect to", done.stderr)
        self.assertEqual(list(self.directory.glob("out*")), [])

    # ---- imports

    def test_stops_at_a_bad_line_and_goes_on(self):
        server = self.server().start()
        file = self.path("in.jsonl")
        good = ['{"collection":"c","key":"k%d","value":"v"}' % number for number in range(10)]
        file.write_text("\n".join(good[:4] + ['{"collection":"c","key":7,"value":"v"}'] + good[4:]) + "\n")
        done = self.run_cli("import", file, "--url", server.url(), "--json", code=1)
        self.assertIn(b'in.jsonl: line 5: "key" must be a string. 4 records are in', done.stderr)
        failed = json.loads(done.stdout.splitlines()[-1])
        self.assertEqual((failed["state"], failed["from_line"], failed["stored"]), ("failed", 5, 4))
        self.run_cli("import", file, "--url", server.url(), "--from-line", 6)
        self.assertEqual(server.redis().execute_command("SELECT", "c"), True)
        self.assertEqual(server.stop(), 0)
        self.assertEqual(len(server.contents()[0]["c"]), 10)

    def test_skips_bad_lines_into_a_file(self):
        server = self.server().start()
        file, rejects = self.path("in.csv"), self.path("bad.csv")
        file.write_bytes(b'collection,key,value\r\nc,a,"1\r\n2"\r\nc,,no key\r\nc,b\r\n\r\nc,d,3\r\n')
        checked = self.run_cli("import", file, "--dry-run", code=1)
        self.assertIn(b"in.csv:4: the key is empty", checked.stderr)
        self.assertIn(b"in.csv:5: the row has 2 fields", checked.stderr)
        self.assertIn(b"2 records are right, 2 lines are wrong", checked.stdout)
        self.assertEqual(server.http("GET", "/v1/collections")[1]["collections"], [])
        self.run_cli("import", file, "--url", server.url(), "--skip-bad", "--rejects", rejects, code=1)
        self.assertEqual(rejects.read_bytes(), b"collection,key,value\nc,,no key\nc,b\n")
        self.assertEqual(server.stop(), 0)
        self.assertEqual(server.contents()[0], {"c": {b"a": b"1\r\n2", b"d": b"3"}})

    def test_what_only_the_server_refuses_has_its_line(self):
        server = self.server(config={"value_bytes_max": 10}).start()
        file = self.path("in.jsonl")
        file.write_text("".join('{"key":"k%d","value":"%s"}\n' % (number, "v" * (11 if number == 6 else 1))
                                for number in range(9)))
        done = self.run_cli("import", file, "--collection", "c", "--url", server.url(), code=1)
        self.assertIn(b"line 7: ", done.stderr)
        done = self.run_cli("import", file, "--collection", "c", "--url", server.url(), "--skip-bad", code=1)
        self.assertIn(b"8 records stored", done.stdout)

    def test_conflicts(self):
        server = self.server().start()
        self.fill(server, {"c": {b"k3": b"mine"}})
        file = self.lines("in.jsonl", 6)
        done = self.run_cli("import", file, "--url", server.url(), "--on-conflict", "fail", code=1)
        self.assertIn(b"line 4: the collection c has this key with another value", done.stderr)
        self.assertIn(b"0 records are in", done.stderr)
        self.run_cli("import", file, "--url", server.url(), "--on-conflict", "skip")
        client = server.redis()
        client.execute_command("SELECT", "c")
        self.assertEqual([client.get("k3"), client.get("k5")], [b"mine", b"v5"])
        self.run_cli("import", file, "--url", server.url())
        self.assertEqual(client.get("k3"), b"v3")
        self.run_cli("import", file, "--url", server.url(), "--on-conflict", "fail")

    def test_refused_while_writes_are(self):
        server = self.server().start()
        file = self.lines("in.jsonl", 3)
        server.cli("flags", "set", "READ_ONLY", "true", "--data-dir", server.data)
        harness.wait_until("writes are refused", lambda: server.status()["writes"]["hold_reason"])
        done = self.run_cli("import", file, "--url", server.url(), code=3)
        self.assertIn(b"READ_ONLY", done.stderr)
        self.assertEqual(server.stop(), 0)
        done = self.run_cli("import", file, "--data-dir", server.data, code=3)
        self.assertIn(b"READ_ONLY", done.stderr)

    def test_standard_input_and_output(self):
        server = self.server().start()
        text = b'{"key":"a","value":"1"}\n'
        self.run_cli("import", "-", "--collection", "c", "--url", server.url(), input=text)
        done = self.run_cli("export", "--url", server.url())
        self.assertEqual(done.stdout, b'{"collection":"c","key":"a","value":"1"}\n')
        self.assertIn(b"exported 1 records", done.stderr)

    def test_memory_is_bounded(self):
        """100 MB of records, and a line of 300 MB, in 96 MiB of memory."""
        server = self.server().start()
        file = self.path("in.jsonl")
        with open(file, "wb") as out:
            for number in range(20_000):
                out.write(b'{"collection":"c","key":"k%d","value":"%s"}\n' % (number, b"v" * 5000))
            out.write(b'{"collection":"c","key":"')
            for _ in range(300):
                out.write(b"x" * (1 << 20))
        process = subprocess.Popen([harness.BINARY, "import", str(file), "--value-max", "1MiB", "--skip-bad",
                                    "--url", server.url()], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        _, status, usage = os.wait4(process.pid, 0)
        with process.stdout, process.stderr:
            printed, errors = process.stdout.read(), process.stderr.read()
        process.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(process.returncode, 1, errors)
        self.assertIn(b"20,000 records stored", printed)
        self.assertIn(b"in.jsonl:20001: the line is longer than", errors)
        self.assertLess(usage.ru_maxrss, 96 << 10, "KiB")

    # ---- kills

    def test_killed_clients_and_servers_lose_and_add_nothing(self):
        count = 40_000
        file = self.lines("in.jsonl", count)
        server = self.server().start()
        server.migrate()
        chooser = random.Random(harness.seed_of_test())
        for round_number in range(4):
            before = server.status()["writes"]["count"]
            client = subprocess.Popen([harness.BINARY, "import", str(file), "--data-dir", str(server.data), "--batch", "200"],
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            goal = before + chooser.randrange(1, count // 200 // 2)
            harness.wait_until("some of it is in", lambda: server.status()["writes"]["count"] >= goal)
            if round_number % 2 == 0:
                client.send_signal(signal.SIGKILL)
                client.wait()
            else:
                server.kill()
                self.assertEqual(client.wait(60), 1)
                server.start()
        self.run_cli("import", file, "--url", server.url())
        self.assertEqual(server.stop(), 0)
        self.assertEqual(self.assert_equal_stores(server)["c"], {b"k%d" % i: b"v%d" % i for i in range(count)})

    def test_killed_without_a_server(self):
        count = 60_000
        file = self.lines("in.jsonl", count)
        server = self.server().start()
        server.migrate()
        self.assertEqual(server.stop(), 0)
        log = server.data / "gen-1" / "log"
        for round_number in range(2):
            client = subprocess.Popen([harness.BINARY, "import", str(file), "--data-dir", str(server.data), "--batch", "50"],
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            before = sum(path.stat().st_mtime_ns for path in log.iterdir())
            harness.wait_until("it writes", lambda: sum(path.stat().st_mtime_ns for path in log.iterdir()) != before)
            client.kill()
            self.assertEqual(client.wait(), -signal.SIGKILL, round_number)
        self.run_cli("import", file, "--data-dir", server.data, "--on-conflict", "fail")
        self.assertEqual(self.assert_equal_stores(server)["c"], {b"k%d" % i: b"v%d" % i for i in range(count)})

    def test_ctrl_c_ends_it_behind_a_batch(self):
        server = self.server().start()
        reading, writing = os.pipe()
        client = subprocess.Popen([harness.BINARY, "import", "-", "--collection", "c", "--batch", "10", "--url", server.url()],
                                  stdin=reading, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        os.close(reading)
        stop = threading.Event()

        def feed():
            number = 0
            try:
                while not stop.is_set():
                    number += 1
                    os.write(writing, b'{"key":"k%d","value":"v"}\n' % number)
            except BrokenPipeError:
                pass

        feeder = threading.Thread(target=feed)
        feeder.start()
        harness.wait_until("it has begun", lambda: server.status()["writes"]["count"] > 5)
        client.send_signal(signal.SIGINT)
        _, errors = client.communicate(timeout=60)
        stop.set()
        feeder.join()
        os.close(writing)
        self.assertEqual(client.returncode, 1)
        self.assertIn(b"go on with --from-line", errors)

    def test_exports_while_clients_write_hold_what_nobody_touches(self):
        server = self.server().start()
        still = {b"still:%04d" % i: b"s" for i in range(3000)}
        self.fill(server, {"c": still})
        stop = threading.Event()

        def write():
            client = server.redis()
            client.execute_command("SELECT", "c")
            number = 0
            while not stop.is_set():
                number += 1
                client.set(b"moving:%d" % (number % 500), b"m")
                client.delete(b"moving:%d" % ((number + 250) % 500))

        writer = threading.Thread(target=write)
        writer.start()
        try:
            text = self.run_cli("export", "--url", server.url()).stdout.decode()
        finally:
            stop.set()
            writer.join()
        keys = [json.loads(line)["key"] for line in text.splitlines()]
        self.assertEqual(len(keys), len(set(keys)))
        found = jsonl_content(text)["c"]
        self.assertEqual({key: value for key, value in found.items() if key.startswith(b"still")}, still)

    # ---- figures

    def test_figures(self):
        """Records a second beside mdb_dump and mdb_load of the same records."""
        count = int(os.environ.get("SWITCHBACK_TRANSFER_RECORDS", 50_000))
        chooser = random.Random(1)
        file = self.path("in.jsonl")
        with open(file, "w", encoding="utf-8") as out:
            for number in range(count):
                value = "".join(chooser.choices("abcdefghijklmnop", k=100))
                out.write(json.dumps({"collection": "c", "key": f"key:{number:012d}", "value": value}) + "\n")
        figures = {}

        def measure(name, *command, **options):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            begun = harness.time.monotonic()
            subprocess.run(list(map(str, command)), check=True, stderr=subprocess.DEVNULL, timeout=300, **options)
            seconds = harness.time.monotonic() - begun
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            figures[name] = round(count / seconds)
            return after.ru_utime - before.ru_utime

        offline, live = self.server("offline").start(), self.server("live").start()
        offline.migrate()
        self.assertEqual(offline.stop(), 0)
        live.migrate()
        quiet = {"stdout": subprocess.DEVNULL}
        measure("import offline", harness.BINARY, "import", file, "--data-dir", offline.data, "--batch", 10000, **quiet)
        measure("import live", harness.BINARY, "import", file, "--url", live.url(), "--batch", 10000, **quiet)
        measure("export live", harness.BINARY, "export", "--url", live.url(), "--output", self.path("live.jsonl"), **quiet)
        measure("export offline", harness.BINARY, "export", "--data-dir", offline.data, "--output", self.path("off.jsonl"), **quiet)
        legacy = offline.store_paths()[0]
        measure("export --lmdb", harness.BINARY, "export", "--lmdb", legacy, "--output", self.path("lmdb.jsonl"), **quiet)
        with open(self.path("dump"), "wb") as dump:
            measure("mdb_dump", "mdb_dump", "-s", "c", legacy, stdout=dump)
        self.path("loaded").mkdir()
        measure("mdb_load", "mdb_load", "-f", self.path("dump"), self.path("loaded"), **quiet)
        self.assertEqual(self.path("live.jsonl").read_bytes(), self.path("off.jsonl").read_bytes())
        harness.report(f"{count} records of 116 B, records/s: " + ", ".join(f"{name} {rate:,}" for name, rate in figures.items()))


if __name__ == "__main__":
    harness.main()
