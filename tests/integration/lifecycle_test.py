"""Starting, stopping, adopting, letting go; and clients that do not read."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time

import lmdb

import harness
import stores


def make_environment(path, single_file=False, map_bytes=1 << 20):
    """Records in the main database and in named ones, binary, in a map with no room to grow."""
    if not single_file:
        path.mkdir(parents=True)
    environment = lmdb.open(str(path), subdir=not single_file, map_size=map_bytes, max_dbs=8)
    users, blobs = environment.open_db(b"users"), environment.open_db(b"blobs")
    with environment.begin(write=True) as transaction:
        for i in range(500):
            transaction.put(b"user:%d" % i, b"name %d" % i, db=users)
        for i in range(1, 256):
            transaction.put(bytes([i, 0, 255 - i]), bytes(range(256)), db=blobs)
        transaction.put(b"\xff" * 511, b"longest key", db=blobs)
        transaction.put(b"plain", b"a record of the main database")
    environment.close()


class Stopping(harness.ServerTest):
    def test_sigterm_answers_what_is_in_flight_and_leaves_both_stores_complete(self):
        server = self.server().start()
        connection = server.raw()
        count = 5000
        request = b"".join(b"SET k%d v%d\r\n" % (i, i) for i in range(count))
        connection.sendall(request)
        harness.wait_until("the first answers", lambda: connection.recv(5, socket.MSG_PEEK))

        server.process.send_signal(signal.SIGTERM)

        answers = b""
        while part := connection.recv(1 << 16):
            answers += part
        connection.close()
        self.assertEqual(server.process.wait(30), 0, server.log_tail())
        server.process = None
        acknowledged = answers.count(b"+OK\r\n")
        self.assertGreater(acknowledged, 0)
        content = self.assert_equal_stores(server)["default"]
        for i in range(acknowledged):
            self.assertEqual(content[b"k%d" % i], b"v%d" % i)
        self.assertFalse((server.data / "endpoints.json").exists())

    def test_sighup_reads_the_flags_and_stops_nothing(self):
        server = self.server().start()
        server.write_flags(False)
        harness.wait_until("the file is read", lambda: server.http(
            "GET", "/v1/flags")[1]["revision"] == 1)
        before = server.http("GET", "/v1/flags")[1]["load_count"]
        for _ in range(3):
            server.process.send_signal(signal.SIGHUP)
        harness.wait_until("the flags are read again", lambda: server.http(
            "GET", "/v1/flags")[1]["load_count"] > before)
        self.assertIn("SIGHUP: the flags are read again", server.log_tail())
        self.assertEqual(server.redis().ping(), True)
        server.process.send_signal(signal.SIGHUP)
        self.assertEqual(server.stop(), 0)

    def test_a_stop_and_a_start_keep_everything(self):
        server = self.server().start()
        server.redis().mset({f"k{i}": i for i in range(1000)})
        server.route(50)
        for _ in range(3):
            self.assertEqual(server.stop(), 0, server.log_tail())
            server.start()
            self.assertEqual(server.redis().dbsize(), 1000)
            self.assertEqual(server.effective(), 50, "the flags file is the truth")

    def test_a_stopped_directory_can_be_moved(self):
        server = self.server().start()
        server.redis().mset({f"k{i}": i for i in range(1000)})
        server.route(50)
        backup = server.cli("backup", "create", "--data-dir", server.data, "--json").stdout.splitlines()[-1]
        server.cli("restore", json.loads(backup)["id"], "--data-dir", server.data, "--yes")
        self.assertEqual(server.stop(), 0, server.log_tail())
        before = server.contents()

        moved = self.server("moved")
        moved.data.parent.mkdir(exist_ok=True)
        shutil.move(server.data, moved.data)
        moved.start()

        self.assertEqual(moved.redis().dbsize(), 1000)
        self.assertEqual(moved.effective(), 50)
        moved.cli("restore", "--undo", "--data-dir", moved.data, "--yes")
        self.assertEqual(moved.redis().dbsize(), 1000)
        self.assertEqual(moved.stop(), 0, moved.log_tail())
        self.assertEqual(moved.contents(), before)
        self.assertFalse(server.data.exists(), "nothing is made where it was")
        self.assertEqual(moved.cli("doctor", "--data-dir", moved.data).returncode, 0)

    def test_an_idle_server_stops_at_once_though_clients_are_connected(self):
        server = self.server().start()
        idle = [server.raw() for _ in range(20)]
        begun = time.monotonic()
        self.assertEqual(server.stop(), 0)
        self.assertLess(time.monotonic() - begun, 10)
        for connection in idle:
            connection.close()

    def test_ready_again_soon_after_a_kill_with_a_log_to_replay(self):
        server = self.server().start()
        with server.redis().pipeline(transaction=False) as pipeline:
            for i in range(50_000):
                pipeline.set(f"k{i}", b"x" * 100)
            pipeline.execute()
        server.kill()
        server.start()
        harness.report(f"ready {server.start_seconds * 1000:.0f} ms after kill -9, process start "
                       "and this machine's load included")
        self.assertLess(server.start_seconds, 10)
        self.assertEqual(server.redis().dbsize(), 50_000)


class SlowClients(harness.ServerTest):
    def test_a_client_that_does_not_read_is_cut_off_and_others_are_served(self):
        server = self.server(config={"output_bytes_max": 1 << 20}).start()
        server.redis().set("big", b"b" * (512 << 10))
        slow = server.raw()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.settimeout(60)

        try:
            slow.sendall(b"MGET" + b" big" * 64 + b"\r\n")
            for _ in range(64):
                slow.sendall(b"GET big\r\n" * 64)
        except (BrokenPipeError, ConnectionResetError):
            pass

        harness.wait_until("it is cut off",
                           lambda: server.status()["server"]["resp"]["slow_clients_closed"] == 1
                           if "server" in server.status() else self.is_closed(slow), 30)
        self.assertEqual(server.redis().get("big"), b"b" * (512 << 10))
        slow.close()

    @staticmethod
    def is_closed(connection):
        try:
            while connection.recv(1 << 20):
                pass
            return True
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False

    def test_more_clients_than_allowed_are_told_so(self):
        server = self.server(config={"clients_max": 5}).start()
        connections = [server.raw() for _ in range(5)]
        for connection in connections:
            connection.sendall(b"PING\r\n")
            self.assertEqual(connection.recv(100), b"+PONG\r\n")
        with server.raw() as sixth:
            self.assertIn(b"max number of clients reached", sixth.recv(100))
        connections.pop().close()
        harness.wait_until("a place is free", lambda: self.pings(server))
        for connection in connections:
            connection.close()

    @staticmethod
    def pings(server):
        with server.raw() as connection:
            connection.sendall(b"PING\r\n")
            try:
                return connection.recv(100) == b"+PONG\r\n"
            except ConnectionResetError:
                return False


class Adoption(harness.ServerTest):
    def adopt(self, **options):
        legacy = self.directory / "old"
        make_environment(legacy, **options)
        before = stores.lmdb_content(str(legacy))
        return self.server(legacy=legacy), before

    def exercise(self, server):
        """Writes and deletes over RESP; {collection: {key: value or None}}."""
        changes = {"users": {b"user:1": b"changed", b"user:2": None, b"user:new": b"new"},
                   "blobs": {b"\xff" * 511: b"still the longest"},
                   "main": {b"plain": b"changed too"},
                   "fresh": {b"a": b"1"}}
        for name, records in changes.items():
            client = server.redis(db=name)
            for key, value in records.items():
                if value is None:
                    self.assertEqual(client.delete(key), 1)
                else:
                    self.assertTrue(client.set(key, value))
            client.close()
        return changes

    @staticmethod
    def changed(content, changes):
        content = {name: dict(records) for name, records in content.items()}
        for name, records in changes.items():
            for key, value in records.items():
                if value is None:
                    content[name].pop(key)
                else:
                    content.setdefault(name, {})[key] = value
        return content

    def check_adoption(self, **options):
        server, before = self.adopt(**options)
        server.start()
        self.assertEqual(server.follower("legacy")["state"], "in-sync")
        changes = self.exercise(server)
        server.migrate()
        server.route(100)
        client = server.redis(db="users")
        self.assertEqual(client.mget("user:1", "user:2", "user:3"), [b"changed", None, b"name 3"])
        client.close()
        self.assertEqual(server.stop(), 0)
        expected = self.changed(before, changes)
        self.assertEqual(stores.difference(self.assert_equal_stores(server), expected), "")

        server.cli("detach", "--data-dir", server.data, "--yes")

        legacy, unified = server.store_paths()
        everything = stores.lmdb_content(legacy, with_reserved=True)
        self.assertEqual(stores.difference(everything, expected), "", "the records, nothing else")
        self.assertEqual(stores.difference(stores.sqlite_content(unified), expected), "")
        dump = harness.run("mdb_dump", *(["-n"] if options.get("single_file") else []), "-a", legacy)
        self.assertNotIn("__switchback", dump.stdout)
        schema = harness.run("sqlite3", unified, ".schema").stdout
        self.assertNotIn("__switchback", schema)

    def test_a_directory(self):
        self.check_adoption()

    def test_a_single_file(self):
        self.check_adoption(single_file=True)

    def test_a_map_that_is_too_small_grows(self):
        server, _ = self.adopt()
        server.start()
        client = server.redis()
        for i in range(400):
            client.set(f"large{i}", os.urandom(10_000))
        self.assertEqual(server.http("POST", "/v1/drain", {})[0], 200)
        self.assertEqual(server.stop(), 0)
        content = stores.lmdb_content(str(server.legacy))
        self.assertEqual(len(content["default"]), 400)

    def test_leftovers_of_a_killed_process_do_not_matter(self):
        server, before = self.adopt()
        holder = subprocess.Popen(
            ["/usr/bin/python3", "-c",
             "import lmdb, sys\n"
             f"e = lmdb.open({str(server.legacy)!r}, max_dbs=8)\n"
             "t = e.begin()\n"
             "t.get(b'plain')\n"
             "print('held', flush=True)\n"
             "sys.stdin.read()\n"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.assertEqual(holder.stdout.readline(), "held\n")
        holder.kill()
        holder.communicate()
        server.start()
        self.assertEqual(server.follower("legacy")["state"], "in-sync")
        self.assertEqual(server.stop(), 0)
        self.assertEqual(stores.difference(stores.lmdb_content(str(server.legacy)), before), "")

    def test_databases_that_cannot_be_served_are_named_and_left_alone(self):
        server, _ = self.adopt()
        environment = lmdb.open(str(server.legacy), map_size=4 << 20, max_dbs=8)
        tags = environment.open_db(b"tags", dupsort=True)
        with environment.begin(write=True, db=tags) as transaction:
            transaction.put(b"k", b"1")
            transaction.put(b"k", b"2")
        environment.close()

        server.start()

        unservable = server.follower("legacy")["unservable"]
        self.assertEqual([entry["name"] for entry in unservable], ["tags"])
        self.assertIn("DUPSORT", unservable[0]["reason"].upper())
        server.redis().set("k", "v")
        self.assertEqual(server.stop(), 0)
        environment = stores.open_lmdb(str(server.legacy), readonly=True)
        tags = environment.open_db(b"tags", create=False, dupsort=True)
        with environment.begin(db=tags) as transaction:
            self.assertEqual(list(transaction.cursor()), [(b"k", b"1"), (b"k", b"2")])
        environment.close()

    def test_a_key_of_main_that_names_a_database_is_refused(self):
        server, _ = self.adopt()
        server.start()
        client = server.redis(db="main")
        with self.assertRaises(harness.redis.ResponseError):
            client.set("users", "confusion")
        self.assertEqual(server.redis(db="users").get("user:1"), b"name 1")

    def test_detach_is_refused_while_a_server_runs(self):
        server, _ = self.adopt()
        server.start()
        done = server.cli("detach", "--data-dir", server.data, "--yes", check=False)
        self.assertEqual(done.returncode, 3, done.stderr)


if __name__ == "__main__":
    harness.main()
