"""Who may do what on the real process: named tokens over both doors, their roles, guessing, TLS and Unix sockets."""

import json
import os
import socket
import ssl
import subprocess
import unittest.mock
import urllib.error
import urllib.request

import redis

import harness


def make_token(name, role):
    """(token, line of the file), made by the program."""
    done = harness.run(harness.BINARY, "token", "new", name, "--role", role, "--json")
    document = json.loads(done.stdout)
    return document["token"], document["line"]


class Tokens(harness.ServerTest):
    def setUp(self):
        super().setUp()
        self.tokens, self.lines = {}, []
        for name, role in (("vera", "viewer"), ("olaf", "operator"), ("adam", "admin")):
            self.tokens[name], line = make_token(name, role)
            self.lines.append(line)
        self.path = self.directory / "tokens.json"
        self.write(self.lines)

    def write(self, lines, mode=0o600):
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps({"tokens": lines}))
        os.chmod(new, mode)
        os.rename(new, self.path)

    def start(self, **config):
        return self.server(config={"tokens_file": str(self.path), **config}).start()

    @staticmethod
    def ask(server, token, method, path, body=None, **headers):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(server.url() + path, data=data, method=method,
                                         headers=headers)
        request.add_header("Content-Type", "application/json")
        if token:
            request.add_header("Authorization", "Bearer " + token)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, json.loads(response.read() or b"null"), response.headers
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read()), error.headers

    def status(self, *arguments):
        return self.ask(*arguments)[0]

    def user(self, server, name):
        return server.redis(username=name, password=self.tokens[name])

    def test_roles_over_http(self):
        server = self.start()
        flag = "/v1/flags/" + harness.FLAG
        for name, read, write, destroy in (("vera", 200, 403, 403), ("olaf", 200, 200, 403),
                                           ("adam", 200, 200, 200)):
            token = self.tokens[name]
            self.assertEqual(self.status(server, token, "GET", "/v1/status"), read)
            self.assertEqual(self.status(server, token, "PUT", flag, {"enabled": False}), write)
            self.assertEqual(self.status(server, token, "POST", "/v1/backups/prune",
                                         {"dry_run": True}), destroy)
            who = self.ask(server, token, "GET", "/v1/whoami")[1]
            self.assertEqual((who["name"], who["role"]),
                             (name, {"vera": "viewer", "olaf": "operator", "adam": "admin"}[name]))
            self.assertEqual("PUT /v1/flags/{name}" in who["operations"], write == 200)
            self.assertEqual("POST /v1/backups/prune" in who["operations"], destroy == 200)
        for token in ("", "wrong", self.tokens["adam"][:-1], self.lines[2]["sha256"]):
            self.assertEqual(self.status(server, token, "GET", "/v1/status"), 401)
        self.assertEqual(self.status(server, "", "GET", "/healthz"), 200)
        self.assertEqual(self.status(server, "", "GET", "/openapi.json"), 200)

    def test_roles_over_resp(self):
        server = self.start()
        with self.assertRaises(redis.AuthenticationError):
            server.redis().get("k")
        vera, olaf, adam = (self.user(server, name) for name in ("vera", "olaf", "adam"))
        olaf.set("k", "1")
        self.assertEqual(vera.get("k"), b"1")
        for client, command in ((vera, ("SET", "k", "2")), (vera, ("CONFIG", "GET", "port")),
                                (olaf, ("FLUSHALL",)), (olaf, ("CLIENT", "LIST"))):
            with self.assertRaises(redis.exceptions.NoPermissionError):
                client.execute_command(*command)
        self.assertEqual(adam.config_get("port").keys(), {"port"})
        adam.flushall()
        self.assertIsNone(vera.get("k"))
        host, port = server.address()
        done = harness.run("redis-cli", "-h", host, "-p", port, "--user", "vera", "SET", "k", "1",
                           env={**os.environ, "REDISCLI_AUTH": self.tokens["vera"]})
        self.assertIn("NOPERM", done.stdout)

    def test_the_tokens_name_is_the_actor_in_the_history(self):
        server = self.start()
        token = self.tokens["olaf"]
        flag = "/v1/flags/" + harness.FLAG
        self.assertEqual(self.status(server, token, "PUT", flag,
                                     {"enabled": False, "actor": "adam", "reason": "r"}), 200)
        self.assertEqual(self.status(server, token, "POST", "/v1/backups", {}), 202)
        harness.wait_until("the backup is made", lambda: self.ask(
            server, token, "GET", "/v1/backups/status")[1]["state"] == "done")
        entries = self.ask(server, token, "GET", "/v1/history")[1]["entries"]
        actors = {entry["record"]["actor"] for entry in entries} - {"flags file"}
        self.assertEqual(actors, {"olaf (adam)", "olaf"})
        log = server.log_path.read_text()
        self.assertIn("PUT " + flag + " by olaf: 200 [request ", log)
        for secret in self.tokens.values():
            self.assertNotIn(secret, log)

    def test_the_cli_shows_its_token(self):
        server = self.start()
        with unittest.mock.patch.dict(os.environ, SWITCHBACK_TOKEN=self.tokens["vera"]):
            server.cli("status", "--data-dir", server.data)
            refused = server.cli("drain", "--data-dir", server.data, check=False)
        self.assertIn("needs the role operator", refused.stderr)
        with unittest.mock.patch.dict(os.environ, SWITCHBACK_TOKEN="wrong"):
            self.assertIn("SWITCHBACK_TOKEN", server.cli("status", "--data-dir", server.data,
                                                         check=False).stderr)

    def test_tokens_are_read_anew_and_a_broken_file_changes_nothing(self):
        server = self.start()
        olaf = self.user(server, "olaf")
        olaf.set("k", "1")
        connection = olaf.connection_pool.get_connection("_")
        connection.send_command("GET", "k")
        self.assertEqual(connection.read_response(), b"1")

        self.path.write_text("{")
        harness.wait_until("the broken file is noticed",
                           lambda: "tokens of before stay" in server.log_path.read_text())
        self.assertEqual(self.status(server, self.tokens["olaf"], "GET", "/v1/status"), 200)
        self.write(self.lines, mode=0o644)
        harness.wait_until("the open file is noticed", lambda: "chmod 600" in
                           server.log_path.read_text())

        token, line = make_token("nina", "viewer")
        self.write([self.lines[0], self.lines[2], line])
        harness.wait_until("the new file is noticed", lambda: server.log_path.read_text().count(
            "3 named tokens are in force") == 2)
        self.assertEqual(self.status(server, token, "GET", "/v1/status"), 200)
        self.assertEqual(self.status(server, self.tokens["olaf"], "GET", "/v1/status"), 401)
        connection.send_command("GET", "k")  # a connection that was open all the time
        with self.assertRaises(redis.AuthenticationError):
            connection.read_response()

    def test_a_file_that_others_can_read_is_refused_at_the_start(self):
        self.write(self.lines, mode=0o640)
        server = self.server(config={"tokens_file": str(self.path)})
        server.spawn()
        self.assertNotEqual(server.process.wait(60), 0)
        self.assertIn("chmod 600", server.log_path.read_text())

    def test_guessing_is_slowed_down(self):
        server = self.start()
        statuses = [self.status(server, f"guess {i}", "GET", "/v1/status") for i in range(12)]
        self.assertEqual(statuses, [401] * 10 + [429] * 2)
        status, problem, headers = self.ask(server, "guess", "GET", "/v1/status")
        self.assertEqual((status, problem["type"]),
                         (429, "urn:switchback:error:too-many-logins"))
        self.assertGreater(int(headers["Retry-After"]), 0)
        # Both doors count together; who is on the machine and has a right token is not locked out.
        with self.assertRaisesRegex(redis.ResponseError, "too many failed logins"):
            server.redis(username="vera", password="guess").ping()
        self.assertEqual(self.status(server, self.tokens["vera"], "GET", "/v1/status"), 200)

    def test_an_address_that_others_reach_needs_tokens(self):
        refused = self.server("open", arguments=["--bind", "0.0.0.0"])
        refused.spawn()
        self.assertEqual(refused.process.wait(60), 3)
        self.assertIn("tokens_file", refused.log_path.read_text())
        server = self.server("named", config={"tokens_file": str(self.path)},
                             arguments=["--bind", "0.0.0.0"]).start()
        self.assertEqual(self.status(server, self.tokens["vera"], "GET", "/v1/status"), 200)
        self.assertEqual(self.status(server, "", "GET", "/v1/status"), 401)

    def test_the_single_token_and_the_password_are_an_admins(self):
        (self.directory / "t").write_text("the single token")
        (self.directory / "p").write_text("the password")
        server = self.start(token_file=str(self.directory / "t"),
                            password_file=str(self.directory / "p"))
        self.assertEqual(self.status(server, "the single token", "POST", "/v1/backups/prune",
                                     {"dry_run": True}), 200)
        server.redis(password="the password").flushall()
        self.assertEqual(self.user(server, "vera").dbsize(), 0)


def make_certificates(directory):
    """A root, a server's certificate for localhost and 127.0.0.1, and a client's."""
    def openssl(*arguments):
        harness.run("openssl", *arguments, cwd=directory)

    def issue(name, extension):
        (directory / f"{name}.ext").write_text(extension)
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                "-CAcreateserial", "-days", "2", "-extfile", f"{name}.ext", "-out", f"{name}.pem")
        os.chmod(directory / f"{name}.key", 0o600)

    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=test root")
    issue("one", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    issue("two", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    issue("client", "extendedKeyUsage=clientAuth")


class Tls(harness.ServerTest):
    def setUp(self):
        super().setUp()
        make_certificates(self.directory)
        self.ca = self.directory / "ca.pem"
        self.certificate, self.key = self.directory / "live.pem", self.directory / "live.key"
        self.install("one")

    def install(self, name):
        """The key first, the certificate by a rename: as tools that renew them do."""
        for kind, target in (("key", self.key), ("pem", self.certificate)):
            new = target.with_suffix(".new")
            new.write_bytes((self.directory / f"{name}.{kind}").read_bytes())
            os.chmod(new, 0o600)
            os.rename(new, target)

    def start(self, arguments=(), **tls):
        return self.server(config={"tls": {"certificate": str(self.certificate),
                                           "key": str(self.key), **tls}},
                           arguments=list(arguments)).start()

    def context(self, *identity):
        context = ssl.create_default_context(cafile=self.ca)
        if identity:
            context.load_cert_chain(*identity)
        return context

    def connect(self, server, door="resp", context=None):
        host, port = server.endpoints[door]["host"], server.endpoints[door]["port"]
        plain = socket.create_connection((host, port), timeout=30)
        return (context or self.context()).wrap_socket(plain, server_hostname=host)

    def curl(self, server, path, *arguments):
        port = server.endpoints["http"]["port"]
        return harness.run("curl", "-sS", "--cacert", self.ca, *arguments,
                           f"https://127.0.0.1:{port}{path}", check=False)

    def redis_cli(self, server, *arguments):
        return harness.run("redis-cli", "--tls", "--cacert", self.ca, "-h", "127.0.0.1", "-p",
                           server.endpoints["resp"]["port"], *arguments, check=False)

    def shown(self, server, door):
        """The common name of the certificate that a new connection is shown."""
        with self.connect(server, door) as connection:
            return dict(part[0] for part in connection.getpeercert()["subject"])["commonName"]

    def test_both_ports_speak_tls_and_nothing_else(self):
        server = self.start()
        self.assertEqual(self.redis_cli(server, "SET", "k", "v").stdout, "OK\n")
        self.assertEqual(self.redis_cli(server, "GET", "k").stdout, "v\n")
        answer = self.curl(server, "/v1/collections/default/records/k")
        self.assertEqual(answer.stdout, "v", answer.stderr)
        with socket.create_connection(server.address(), timeout=30) as plain:
            plain.sendall(b"PING\r\n")
            self.assertNotIn(b"PONG", plain.recv(100))
        self.assertEqual(server.cli("status", "--data-dir", server.data, "--cacert", self.ca,
                                    "--json").returncode, 0)
        refused = server.cli("status", "--data-dir", server.data, check=False)
        self.assertIn("--cacert", refused.stderr)
        wrong_name = server.cli("status", "--cacert", self.ca, "--url",
                                f"https://127.0.0.2:{server.endpoints['http']['port']}",
                                check=False)
        self.assertEqual(wrong_name.returncode, 1)
        self.assertEqual(server.stop(), 0)

    def test_old_protocols_are_refused(self):
        server = self.start()
        port = server.endpoints["resp"]["port"]
        for version, works in (("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)):
            done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", version,
                                   "-CAfile", str(self.ca), "-verify_return_error", "-brief"],
                                  input=b"QUIT\r\n", capture_output=True, check=False, timeout=60)
            self.assertEqual(b"CONNECTION ESTABLISHED" in done.stderr, works, done.stderr)

    def test_large_values_and_long_pipelines(self):
        server = self.start()
        client = server.redis(ssl=True, ssl_ca_certs=str(self.ca))
        value = os.urandom(8 << 20)
        client.set("large", value)
        self.assertEqual(client.get("large"), value)
        pipe = client.pipeline(transaction=False)
        for i in range(20_000):
            pipe.set(f"k{i}", f"v{i}" * 10)
            pipe.get(f"k{i}")
        replies = pipe.execute()
        self.assertEqual(replies[1::2], [(f"v{i}" * 10).encode() for i in range(20_000)])
        with self.connect(server, "http") as connection:  # two requests on one connection
            for _ in range(2):
                connection.sendall(b"GET /v1/collections/default/records/large HTTP/1.1\r\n"
                                   b"Host: localhost\r\n\r\n")
                got = b""
                while not got.endswith(value[-64:]):
                    piece = connection.recv(1 << 20)
                    self.assertTrue(piece)
                    got += piece
                self.assertTrue(got.endswith(value))

    def test_a_stream_of_events_ends_cleanly(self):
        server = self.start()
        with self.connect(server, "http") as connection:
            connection.sendall(b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertIn(b"200 OK", connection.recv(4096))
            server.stop()
            rest = b""
            while piece := connection.recv(65536):  # no error: the end was said, not cut off
                rest += piece
            self.assertIn(b"stopping", rest)

    def test_clients_must_show_a_certificate_where_that_is_asked_for(self):
        server = self.start(client_ca=str(self.ca))
        identity = (self.directory / "client.pem", self.directory / "client.key")
        with self.connect(server, context=self.context(*identity)) as known:
            known.sendall(b"PING\r\n")
            self.assertEqual(known.recv(100), b"+PONG\r\n")
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            with self.connect(server) as stranger:
                stranger.sendall(b"PING\r\n")
                if not stranger.recv(100):
                    raise ConnectionError("closed")
        self.assertNotEqual(self.curl(server, "/healthz").returncode, 0)
        done = self.curl(server, "/healthz", "--cert", identity[0], "--key", identity[1])
        self.assertEqual(done.returncode, 0, done.stderr)
        server.cli("status", "--data-dir", server.data, "--cacert", self.ca, "--cert", identity[0],
                   "--key", identity[1])

    def test_a_new_certificate_is_shown_without_dropping_connections(self):
        server = self.start()
        with self.connect(server) as old:
            old.sendall(b"PING\r\n")
            self.assertEqual(old.recv(100), b"+PONG\r\n")
            self.install("two")
            harness.wait_until("the new certificate is shown",
                               lambda: self.shown(server, "resp") == "two", pause=0.1)
            self.assertEqual(self.shown(server, "http"), "two")
            old.sendall(b"SET k v\r\n")
            self.assertEqual(old.recv(100), b"+OK\r\n")

            self.certificate.write_text("nonsense")
            harness.wait_until("the broken one is noticed", lambda: "certificate of before" in
                               server.log_path.read_text())
            self.assertEqual(self.shown(server, "resp"), "two")
            old.sendall(b"GET k\r\n")
            self.assertEqual(old.recv(100), b"$1\r\nv\r\n")

    def test_a_key_that_others_can_read_or_that_does_not_fit_is_refused_at_the_start(self):
        os.chmod(self.key, 0o644)
        server = self.server(config={"tls": {"certificate": str(self.certificate),
                                             "key": str(self.key)}})
        server.spawn()
        self.assertNotEqual(server.process.wait(60), 0)
        self.assertIn("chmod 600", server.log_path.read_text())
        server.process = None
        self.key.unlink()
        self.key.write_bytes((self.directory / "two.key").read_bytes())
        os.chmod(self.key, 0o600)
        server.spawn()
        self.assertNotEqual(server.process.wait(60), 0)

    def test_strangers_that_speak_no_tls_do_no_harm(self):
        server = self.start()
        for door in ("resp", "http"):
            address = server.endpoints[door]["host"], server.endpoints[door]["port"]
            for garbage in (b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n", os.urandom(4096)):
                with socket.create_connection(address, timeout=30) as stranger:
                    stranger.sendall(garbage)
        self.assertEqual(self.redis_cli(server, "PING").stdout, "PONG\n")
        self.assertEqual(self.curl(server, "/healthz").returncode, 0)


class UnixSockets(harness.ServerTest):
    def setUp(self):
        super().setUp()
        self.resp, self.web = self.directory / "r.sock", self.directory / "h.sock"

    def start(self, **config):
        return self.server(config=config, arguments=["--unix-socket", str(self.resp),
                                                     "--http-unix-socket", str(self.web)]).start()

    @staticmethod
    def mode(path):
        return oct(path.stat().st_mode & 0o777)

    def test_both_doors(self):
        server = self.start()
        self.assertEqual((self.mode(self.resp), self.mode(self.web)), ("0o600", "0o600"))
        self.assertEqual(harness.run("redis-cli", "-s", self.resp, "SET", "k", "v").stdout, "OK\n")
        done = harness.run("curl", "-sS", "--unix-socket", self.web,
                           "http://localhost/v1/collections/default/records/k")
        self.assertEqual(done.stdout, "v")
        done = harness.run("curl", "-sS", "--unix-socket", self.web, "-o", "/dev/null", "-w",
                           "%{http_code}", "http://evil.example/v1/status")
        self.assertEqual(done.stdout, "421")
        for place in (("--url", f"unix:{self.web}"), ("--data-dir", server.data)):
            self.assertIn("stage", server.cli("status", *place, "--json").stdout)
        self.assertIn("unix:0", harness.run("redis-cli", "-s", self.resp, "CLIENT", "LIST").stdout)
        self.assertEqual(server.redis().get("k"), b"v")  # the port beside it
        self.assertEqual(server.stop(), 0)
        self.assertFalse(self.resp.exists() or self.web.exists())

    def test_for_the_group_besides(self):
        self.start(unix_socket_mode="0660")
        self.assertEqual((self.mode(self.resp), self.mode(self.web)), ("0o660", "0o660"))

    def test_what_a_killed_server_left_is_removed_but_nothing_else(self):
        server = self.start()
        server.kill()
        self.assertTrue(self.resp.exists())
        server.start()
        self.assertEqual(harness.run("redis-cli", "-s", self.resp, "PING").stdout, "PONG\n")

        other = self.server("other", arguments=["--unix-socket", str(self.resp)])
        other.spawn()
        self.assertNotEqual(other.process.wait(60), 0)
        self.assertIn("somebody listens there", other.log_path.read_text())
        self.assertEqual(harness.run("redis-cli", "-s", self.resp, "PING").stdout, "PONG\n")

        file = self.directory / "file"
        file.write_text("mine")
        third = self.server("third", arguments=["--unix-socket", str(file)])
        third.spawn()
        self.assertNotEqual(third.process.wait(60), 0)
        self.assertEqual(file.read_text(), "mine")

    def test_tokens_count_there_as_well(self):
        (self.directory / "t").write_text("the single token")
        self.start(token_file=str(self.directory / "t"))
        done = harness.run("curl", "-sS", "--unix-socket", self.web, "-o", "/dev/null", "-w",
                           "%{http_code}", "http://localhost/v1/status")
        self.assertEqual(done.stdout, "401")


if __name__ == "__main__":
    harness.main()
