"""What clients that watch are told: progress, changes, what they missed, and when the server goes."""

import http.client
import json
import os
import pathlib
import select
import socket
import subprocess
import time

import harness


class Stream:
    """One client of GET /v1/events that collects what comes."""

    def __init__(self, server, topics="", last_event_id=None):
        endpoint = server.endpoints["http"]
        self.connection = http.client.HTTPConnection(endpoint["host"], endpoint["port"], timeout=20)
        headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
        self.connection.request("GET", "/v1/events" + (f"?topics={topics}" if topics else ""),
                                headers=headers)
        self.response = self.connection.getresponse()
        self.events = []
        self.is_over = False
        self.text = b""

    def close(self):
        self.response.close()
        self.connection.close()

    def read(self):
        """The next events; at the end of the stream none."""
        piece = self.response.read1(65536)
        self.is_over = not piece
        self.text += piece
        *blocks, self.text = self.text.split(b"\n\n")
        for block in blocks:
            fields = dict(line.split(": ", 1) for line in block.decode().split("\n")
                          if not line.startswith(":"))
            if "data" in fields:
                self.events.append((fields["id"], fields["event"], json.loads(fields["data"])))

    def until(self, condition, seconds=20):
        """Reads on until an event fulfils the condition; that event."""
        deadline = time.monotonic() + seconds
        looked_at = 0
        while True:
            for event in self.events[looked_at:]:
                if condition(event[1], event[2]):
                    return event
            looked_at = len(self.events)
            if self.is_over or time.monotonic() > deadline:
                raise AssertionError(f"it did not come; these did: {self.events}")
            self.read()

    def of(self, topic):
        return [data for _, name, data in self.events if name == topic]


class EventsTest(harness.ServerTest):
    def prepared(self, records=3000, **options):
        server = self.server(**options).start()
        pipe = server.redis().pipeline(transaction=False)
        for i in range(records):
            pipe.set(b"k%d" % i, b"v" * 100)
        pipe.execute()
        return server

    def stream(self, server, **options):
        stream = Stream(server, **options)
        self.addCleanup(stream.close)
        return stream

    def backup(self, server):
        status, document = server.http("POST", "/v1/backups", {"actor": "ada"})
        self.assertEqual(status, 202, document)
        return document["id"]

    def test_says_hello_and_tells_of_backups_restores_and_flags(self):
        server = self.prepared()
        server.migrate()
        stream = self.stream(server)
        self.assertEqual(stream.response.status, 200)
        self.assertEqual(stream.response.headers["Content-Type"], "text/event-stream")
        self.assertEqual(stream.response.headers["Cache-Control"], "no-store")
        _, _, hello = stream.until(lambda name, _: name == "hello")
        self.assertFalse(hello["is_resumed"])
        self.assertEqual(hello["state"]["server"]["state"], "serving")
        self.assertEqual(hello["state"]["follower"]["unified"]["state"], "in-sync")
        self.assertEqual(hello["state"]["migration"]["state"], "complete")

        backup = self.backup(server)
        stream.until(lambda name, data: name == "backup" and data["state"] == "done")
        mine = [data for data in stream.of("backup") if data.get("id") == backup]
        stages = [data["stage"] for data in mine]
        for stage in ("space", "pin", "copy", "check", "publish"):
            self.assertIn(stage, stages)
        self.assertEqual(mine[-1]["percent"], 100)
        ended = stream.until(lambda name, data: name == "operation" and data["kind"] == "backup"
                             and data["status"] == "done")[2]
        self.assertEqual((ended["actor"], ended["detail"]["id"]), ("ada", backup))

        server.write_flags({"enabled": True, "percentage": 25})
        flags = stream.until(lambda name, data: name == "flags"
                             and data["effective_percentage"] == 25)[2]
        self.assertEqual(flags["desired_percentage"], 25)
        stream.until(lambda name, data: name == "server" and data["stage"] == "live")
        server.flags_path.write_text("{ half")
        stream.until(lambda name, data: name == "flags" and data["warning"])
        server.write_flags(False)
        stream.until(lambda name, data: name == "flags" and data["effective_percentage"] == 0)

        status, document = server.http("POST", f"/v1/backups/{backup}/restore", {"confirm": True})
        self.assertEqual(status, 202, document)
        stream.until(lambda name, data: name == "restore" and data["state"] == "done")
        self.assertIn("switch", [data["stage"] for data in stream.of("restore")])
        stream.until(lambda name, data: name == "server" and data["generation"] == "gen-2")
        self.assertEqual([int(id.rsplit("-", 1)[1]) for id, *_ in stream.events],
                         sorted(int(id.rsplit("-", 1)[1]) for id, *_ in stream.events))

    def test_tells_of_a_migration_and_a_verify(self):
        server = self.prepared(records=30000)
        stream = self.stream(server, topics="migration,verify,follower")
        stream.until(lambda name, _: name == "hello")
        status, document = server.http("POST", "/v1/migration/abandon", {})
        self.assertEqual(status, 202, document)
        stream.until(lambda name, data: name == "migration" and data["state"] == "rolled-back")

        status, document = server.http("POST", "/v1/migration/start", {})
        self.assertEqual(status, 202, document)
        done = stream.until(lambda name, data: name == "migration" and data["state"] == "complete")
        self.assertTrue(done[2]["can_flip"])
        running = [data for data in stream.of("migration") if data["state"] == "running"]
        self.assertTrue(running)
        self.assertEqual(max(data["records_total"] for data in running), 30000)
        states = [(data["role"], data["state"]) for data in stream.of("follower")]
        self.assertIn(("unified", "detached"), states)
        self.assertEqual(states[-1], ("unified", "in-sync"))
        stream.until(lambda name, data: name == "verify" and data["state"] == "clean")
        self.assertLessEqual({name for _, name, _ in stream.events},
                             {"hello", "server", "migration", "verify", "follower"})

    def test_who_comes_back_gets_what_was_missed(self):
        server = self.prepared()
        first = self.stream(server, topics="operation,backup")
        first.until(lambda name, _: name == "hello")
        last_id = first.events[-1][0]
        first.close()

        backup = self.backup(server)
        harness.wait_until("the backup is made", lambda: server.http(
            "GET", "/v1/backups/status")[1]["state"] == "done")
        second = self.stream(server, topics="operation,backup", last_event_id=last_id)
        hello = second.until(lambda name, _: name == "hello")[2]
        self.assertTrue(hello["is_resumed"])
        self.assertNotIn("state", hello)
        second.until(lambda name, data: name == "backup" and data["state"] == "done"
                     and data["id"] == backup)
        statuses = [data["status"] for data in second.of("operation")]
        self.assertEqual(statuses, ["running", "done"])
        last_id = second.events[-1][0]

        # Another process: what it was is not known any more, so there is the whole state.
        self.assertEqual(server.stop(), 0)
        server.start()
        third = self.stream(server, last_event_id=last_id)
        hello = third.until(lambda name, _: name == "hello")[2]
        self.assertFalse(hello["is_resumed"])
        self.assertIn("migration", hello["state"])
        self.assertNotEqual(third.events[0][0].rsplit("-", 1)[0], last_id.rsplit("-", 1)[0])

    def test_a_stop_ends_streams_at_once(self):
        server = self.prepared(records=10)
        streams = [self.stream(server) for _ in range(3)]
        for stream in streams:
            stream.until(lambda name, _: name == "hello")

        begun = time.monotonic()
        server.process.terminate()
        for stream in streams:
            stream.until(lambda name, data: name == "server" and data["state"] == "stopping")
            while not stream.is_over:
                stream.read()
        self.assertLess(time.monotonic() - begun, 2)
        self.assertEqual(server.process.wait(30), 0)
        server.process = None

    def test_streams_are_limited_and_places_come_back(self):
        server = self.prepared(records=10)
        streams = [self.stream(server) for _ in range(100)]
        statuses = [stream.response.status for stream in streams]
        self.assertEqual((statuses.count(200), statuses.count(503)), (64, 36))
        refused = streams[statuses.index(503)]
        self.assertEqual(refused.response.headers["Content-Type"], "application/problem+json")
        self.assertTrue(refused.response.headers["Retry-After"])
        self.assertEqual(server.http("GET", "/v1/status")[1]["stage"], "dualwrite")
        for stream in streams:
            stream.close()

        def is_let_in():
            stream = Stream(server)
            stream.close()
            return stream.response.status == 200
        harness.wait_until("the places are free again", is_let_in, pause=0.05)

    def test_a_client_that_does_not_read_blocks_nobody(self):
        server = self.prepared(records=10)
        endpoint = server.endpoints["http"]
        deaf = []
        for _ in range(20):
            client = socket.create_connection((endpoint["host"], endpoint["port"]))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.sendall(b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            deaf.append(client)
            self.addCleanup(client.close)
        stream = self.stream(server, topics="flags")
        stream.until(lambda name, _: name == "hello")
        memory = self.memory_kib(server)

        for share in range(1, 41):
            server.write_flags({"enabled": False, "percentage": share})
            status, document = server.http("PUT", f"/v1/flags/{harness.FLAG}",
                                           {"enabled": share % 2 == 0, "percentage": share})
            self.assertEqual(status, 200, document)
        revision = server.status()["routing"]["flag_revision"]
        stream.until(lambda name, data: name == "flags" and data["flag_revision"] == revision)
        self.assertLess(self.memory_kib(server) - memory, 16 << 10)

    @staticmethod
    def memory_kib(server):
        status = pathlib.Path(f"/proc/{server.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if "RssAnon" in line)

    def test_keeps_to_the_rules_of_other_routes(self):
        server = self.prepared(records=10)
        status, document = server.http("GET", "/v1/events?topics=backup,nonsense")
        self.assertEqual(status, 400)
        self.assertIn("nonsense", document["detail"])
        self.assertEqual(server.http("GET", "/v1/events?topic=backup")[0], 400)
        self.assertEqual(server.http("POST", "/v1/events", {})[0], 405)
        endpoint = server.endpoints["http"]
        connection = http.client.HTTPConnection(endpoint["host"], endpoint["port"], timeout=20)
        connection.request("HEAD", "/v1/events")
        head = connection.getresponse()
        self.assertEqual((head.status, head.read()), (200, b""))
        connection.close()
        with socket.create_connection((endpoint["host"], endpoint["port"]), 20) as old:
            old.sendall(b"GET /v1/events HTTP/1.0\r\nHost: localhost\r\n\r\n")
            text = b""
            while b"event: hello" not in text:
                text += old.recv(65536)
            self.assertNotIn(b"chunked", text)
            self.assertIn(b"Connection: close", text)
        with socket.create_connection((endpoint["host"], endpoint["port"]), 20) as foreign:
            foreign.sendall(b"GET /v1/events HTTP/1.1\r\nHost: evil.example\r\n\r\n")
            self.assertIn(b"421", foreign.recv(65536))

    def test_asks_for_the_token(self):
        token = self.directory / "token"
        token.write_text("s3cret\n")
        os.chmod(token, 0o600)
        server = self.server(config={"token_file": str(token)}).start()
        endpoint = server.endpoints["http"]
        for headers, expected in (({}, 401), ({"Authorization": "Bearer s3cret"}, 200)):
            connection = http.client.HTTPConnection(endpoint["host"], endpoint["port"], timeout=20)
            connection.request("GET", "/v1/events", headers=headers)
            self.assertEqual(connection.getresponse().status, expected)
            connection.close()

    def test_the_command_prints_and_survives_a_restart(self):
        server = self.prepared(records=10)
        command = subprocess.Popen(
            [harness.BINARY, "events", "--topics", "operation,backup", "--data-dir",
             str(server.data)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.addCleanup(command.stdout.close)
        self.addCleanup(command.kill)
        seen = b""

        def read_until(text):
            nonlocal seen
            def has_come():
                nonlocal seen
                if select.select([command.stdout], [], [], 0.05)[0]:
                    seen += os.read(command.stdout.fileno(), 65536)
                return text in seen
            harness.wait_until(f"{text} is printed", has_come, 20)
        read_until(b"hello")
        backup = self.backup(server).encode()
        read_until(b"create " + backup + b": done")
        self.assertEqual(server.stop(), 0)
        read_until(b"stopping")
        seen = b""
        server.start()
        read_until(b"hello")
        backup = self.backup(server).encode()
        read_until(b"create " + backup + b": done")
        command.terminate()
        self.assertEqual(command.wait(10), 0)
        failed = server.cli("events", "--url", "http://127.0.0.1:1", "--json", check=False)
        self.assertEqual(failed.returncode, 1)
        self.assertIn("error", json.loads(failed.stdout))


if __name__ == "__main__":
    harness.main()
