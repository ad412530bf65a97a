"""Who may do what on the real process: named tokens over both doors, their roles, guessing, TLS and Unix sockets."""

import base64
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
        self.assertEqual({entry["record"]["actor"] for entry in entries}, {"olaf (adam)", "olaf"})
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


if __name__ == "__main__":
    harness.main()
