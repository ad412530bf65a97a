"""Notifications of the real process: to a receiver that is there, away, hanging or slow to like them; to a program."""

import contextlib
import hashlib
import hmac
import http.server
import json
import pathlib
import shutil
import socket
import ssl
import stat
import subprocess
import threading
import time

import harness

SECRET = "an example of a secret"
QUICK = {"ms_min": 20, "ms_max": 100, "seconds_max": 3600}


class Receiver:
    """Keeps what it is sent. Its port stays the same over a stop and a start."""

    def __init__(self, context=None):
        self.context = context
        self.requests = []  # (headers, body)
        self.statuses = []  # of the next answers; 204 when there are none left
        self.headers = {}
        self.release = threading.Event()  # while it is clear, answers wait
        self.release.set()
        self.server = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]

    def start(self):
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.release.wait(60)
                receiver.requests.append((dict(self.headers), body))
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 204)
                for name, value in receiver.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                with contextlib.suppress(OSError):
                    self.end_headers()

            def log_message(self, *_):
                pass

        http.server.ThreadingHTTPServer.allow_reuse_address = True
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.server.daemon_threads = True
        if self.context:
            self.server.socket = self.context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def stop(self):
        self.release.set()
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    @property
    def url(self):
        return f"{'https' if self.context else 'http'}://127.0.0.1:{self.port}/hook?key=hidden"

    def documents(self):
        return [json.loads(body) for _, body in list(self.requests)]

    def kinds(self):
        return [document["kind"] for document in self.documents()]

    def wait_for(self, kind, seconds=10):
        return harness.wait_until(
            f"a notification {kind}",
            lambda: next((d for d in self.documents() if d["kind"] == kind), None), seconds)


class NotifyTest(harness.ServerTest):
    def receiver(self, **options):
        receiver = Receiver(**options)
        self.addCleanup(receiver.stop)
        return receiver

    def notified_server(self, *sinks, **config):
        config = {"notifications": list(sinks), "notification_retry": QUICK,
                  "migration": {"is_backed_up_before": False}, **config}
        return self.server(config=config)

    def file(self, name, text):
        path = self.directory / name
        path.write_text(text)
        path.chmod(0o600)
        return str(path)

    @staticmethod
    def backup(server):
        server.cli("backup", "create", "--data-dir", server.data)

    @staticmethod
    def sink(server, name="webhook-1"):
        status, document = server.http("GET", "/v1/notifications")
        assert status == 200, document
        return next(sink for sink in document["sinks"] if sink["name"] == name)


class WebhookTest(NotifyTest):
    def test_a_backup_is_told_of_and_signed(self):
        receiver = self.receiver().start()
        server = self.notified_server({"kind": "webhook", "url": receiver.url,
                                       "secret_file": self.file("secret", SECRET + "\n")}).start()
        server.redis().set("k", "v")

        self.backup(server)

        told = receiver.wait_for("backup.result")
        self.assertEqual(told["severity"], "info")
        self.assertEqual(told["detail"]["status"], "done")
        self.assertIn(str(server.data), told["source"])
        headers, body = receiver.requests[receiver.documents().index(told)]
        self.assertEqual(headers["X-Switchback-Id"], told["id"])
        self.assertLess(abs(int(headers["X-Switchback-Timestamp"]) - time.time()), 60)
        signed = headers["X-Switchback-Timestamp"].encode() + b"." + body
        expected = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
        self.assertEqual(headers["X-Switchback-Signature"], "sha256=" + expected)
        sink = harness.wait_until("it counts as delivered",
                                  lambda: (s := self.sink(server))["delivered"] == 1 and s)
        self.assertEqual(sink["waiting"], 0)
        self.assertEqual(sink["target"], f"http://127.0.0.1:{receiver.port}")
        metrics = server.http("GET", "/metrics")[1]
        self.assertIn('switchback_notifications_total{sink="webhook-1",outcome="delivered"} 1\n',
                      metrics)
        self.assertIn('switchback_notifications_waiting{sink="webhook-1"} 0\n', metrics)
        self.assertEqual(server.stop(), 0)
        log = server.log_path.read_text()
        self.assertNotIn(SECRET, log)
        self.assertNotIn("hidden", log)

    def test_a_receiver_that_was_away_is_told_when_it_is_back(self):
        receiver = self.receiver()
        server = self.notified_server({"kind": "webhook", "url": receiver.url}).start()
        self.backup(server)
        harness.wait_until("some attempts", lambda: self.sink(server)["failed"] >= 2)
        self.assertEqual(self.sink(server)["waiting"], 1)

        receiver.start()

        receiver.wait_for("backup.result")
        harness.wait_until("nothing waits", lambda: self.sink(server)["waiting"] == 0)

    def test_what_waits_outlives_a_kill(self):
        receiver = self.receiver()
        server = self.notified_server({"kind": "webhook", "url": receiver.url}).start()
        self.backup(server)
        harness.wait_until("it is in the spool", lambda: self.sink(server)["waiting"] == 1)
        server.kill()

        receiver.start()
        server.start()

        receiver.wait_for("backup.result")

    def test_one_that_hangs_holds_up_neither_the_server_nor_its_stop(self):
        receiver = self.receiver().start()
        receiver.release.clear()
        other = self.receiver().start()
        server = self.notified_server({"kind": "webhook", "url": receiver.url},
                                      {"kind": "webhook", "url": other.url}).start()

        self.backup(server)

        other.wait_for("backup.result")
        server.redis().set("k", "v")
        begun = time.monotonic()
        self.assertEqual(server.stop(), 0)
        self.assertLess(time.monotonic() - begun, 5)

    def test_refusals_and_redirections_are_final_and_a_busy_receiver_is_not(self):
        receiver = self.receiver().start()
        receiver.headers = {"Location": f"http://127.0.0.1:{receiver.port}/elsewhere"}
        receiver.statuses = [404, 302, 503, 204]
        server = self.notified_server({"kind": "webhook", "url": receiver.url}).start()

        for count in range(3):
            self.backup(server)
            harness.wait_until("an answer", lambda: len(receiver.requests) > count)

        harness.wait_until("the last one again", lambda: len(receiver.requests) == 4)
        harness.wait_until("it is counted", lambda: self.sink(server)["delivered"] == 1)
        sink = self.sink(server)
        self.assertEqual((sink["refused"], sink["failed"], sink["waiting"]), (2, 1, 0))
        ids = [headers["X-Switchback-Id"] for headers, _ in receiver.requests]
        self.assertEqual(ids[2], ids[3])
        self.assertEqual(len(set(ids)), 3)

    def test_only_the_kinds_that_are_wanted_come_and_slack_has_its_form(self):
        receiver, slack = self.receiver().start(), self.receiver().start()
        server = self.notified_server(
            {"kind": "webhook", "url": receiver.url, "events": ["migration.*"]},
            {"kind": "webhook", "name": "chat", "format": "slack",
             "url_file": self.file("url", slack.url + "\n")}).start()

        self.backup(server)
        server.cli("migrate", "abandon", "--data-dir", server.data)
        harness.wait_until("unified is let go",
                           lambda: server.migration()["state"] == "rolled-back")
        server.migrate()

        told = receiver.wait_for("migration.result")
        self.assertEqual(told["detail"]["status"], "done")
        self.assertNotIn("backup.result", receiver.kinds())
        harness.wait_until("the chat has both", lambda: len(slack.requests) >= 2)
        self.assertEqual(list(slack.documents()[0]), ["text"])
        self.assertIn("*[info] Backup", slack.documents()[0]["text"])


class HttpsTest(NotifyTest):
    def setUp(self):
        super().setUp()
        if not shutil.which("openssl"):
            self.not_run("openssl is not installed")
            self.skipTest("openssl is not installed")

    def context(self):
        self.certificate, key = self.directory / "cert.pem", self.directory / "key.pem"
        harness.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key,
                    "-out", self.certificate)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, key)
        return context

    def test_a_certificate_of_ones_own_is_trusted_where_it_is_named(self):
        receiver = self.receiver(context=self.context()).start()
        server = self.notified_server(
            {"kind": "webhook", "url": receiver.url, "ca_file": str(self.certificate)},
            {"kind": "webhook", "url": receiver.url}).start()

        done = server.cli("notify", "test", "--json", "--data-dir", server.data, check=False)

        self.assertEqual(done.returncode, 1)
        first, second = json.loads(done.stdout)["results"]
        self.assertEqual((first["outcome"], second["outcome"]), ("delivered", "failed"))
        self.assertIn("ca_file", second["text"])
        self.assertEqual(receiver.kinds(), ["test"])


class CommandTest(NotifyTest):
    def program(self, text):
        path = pathlib.Path(self.file("program", "#!/usr/bin/python3\n" + text))
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return str(path)

    def test_a_program_gets_the_event(self):
        out = self.directory / "out"
        program = self.program("import sys, os\n"
                               "open(sys.argv[1], 'a').write(sys.stdin.read())\n"
                               "sys.exit(0 if 'PATH' in os.environ else 1)\n")
        server = self.notified_server({"kind": "command", "argv": [program, str(out)],
                                       "events": ["backup.result"]}).start()

        self.backup(server)

        harness.wait_until("it is delivered",
                           lambda: self.sink(server, "command-1")["delivered"] == 1)
        told = json.loads(out.read_text())
        self.assertEqual(told["kind"], "backup.result")
        self.assertEqual(told["detail"]["result"]["operation"], "create")

    def test_one_that_takes_too_long_is_killed(self):
        program = self.program("import time\ntime.sleep(1000)\n")
        server = self.notified_server({"kind": "command", "argv": [program],
                                       "timeout_seconds": 1}).start()

        status, document = server.http("POST", "/v1/notifications/test", {"sink": "command-1"})

        self.assertEqual(status, 200)
        self.assertEqual(document["results"][0]["text"], "killed after 1000 ms")

    def test_the_command_line_shows_and_tests(self):
        server = self.notified_server({"kind": "command", "argv": ["/bin/true"]}).start()

        tested = server.cli("notify", "test", "--data-dir", server.data)
        shown = server.cli("notify", "status", "--data-dir", server.data)
        unknown = server.cli("notify", "test", "--sink", "x", "--data-dir", server.data,
                             check=False)

        self.assertEqual(tested.stdout, "command-1: delivered (exit code 0)\n")
        self.assertIn("/bin/true", shown.stdout)
        self.assertEqual(unknown.returncode, 1)
        self.assertIn("no sink of that name", unknown.stderr)


if __name__ == "__main__":
    harness.main()
