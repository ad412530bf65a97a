"""The real process, started, killed and asked. Every wait has a deadline; none stands for an event."""

import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

import redis

import stores

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BINARY = os.environ.get("SWITCHBACK_BINARY", str(ROOT / "build/release/bin/switchback"))
SOAK = bool(os.environ.get("SWITCHBACK_SOAK"))
FLAG = "USE_UNIFIED_DB_SERVICE"
START_SECONDS = 60


def wait_until(what, condition, seconds=30.0, pause=0.005):
    """The first true value of condition(). Fails with `what` when there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(pause)


def report(line):
    """For people who read the test's log: figures, and what could not be run here."""
    print(line, flush=True)
    if path := os.environ.get("SWITCHBACK_TEST_LOG"):
        with open(path, "a", encoding="utf-8") as file:
            file.write(line + "\n")


def seed_of_test():
    seed = int(os.environ.get("SWITCHBACK_TEST_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"SWITCHBACK_TEST_SEED={seed}", flush=True)
    return seed


class Server:
    """One `switchback serve` after the other on one data directory."""

    def __init__(self, directory, data=None, legacy=None, config=None, arguments=()):
        self.directory = pathlib.Path(directory)
        self.data = pathlib.Path(data or self.directory / "data")
        self.flags_path = self.data / "flags.json"
        self.legacy = legacy
        self.arguments = list(arguments)
        self.log_path = self.directory / "server.log"
        self.process = None
        self.endpoints = None
        self.directory.mkdir(parents=True, exist_ok=True)
        if config:
            path = self.directory / "config.json"
            path.write_text(json.dumps(config))
            self.arguments += ["--config", str(path)]

    def command(self):
        command = [BINARY, "serve", "--data-dir", str(self.data), "--port", "0", "--http-port", "0"]
        if self.legacy:
            command += ["--legacy", str(self.legacy)]
        return command + self.arguments

    def spawn(self):
        assert self.process is None, "one at a time"
        (self.data / "endpoints.json").unlink(missing_ok=True)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log,
                                            start_new_session=True)
        return self

    def is_ready(self):
        if self.process.poll() is not None:
            code = self.process.returncode
            raise AssertionError(f"the server stopped with {code}:\n{self.log_tail()}")
        try:
            self.endpoints = json.loads((self.data / "endpoints.json").read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return False
        return True

    def start(self):
        begun = time.monotonic()
        self.spawn()
        wait_until("the server is ready", self.is_ready, START_SECONDS, pause=0.002)
        self.start_seconds = time.monotonic() - begun
        return self

    @property
    def pid(self):
        return self.endpoints["pid"]

    def log_tail(self, lines=30):
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])

    def kill(self):
        """As kill -9 does: nothing of ours runs any more."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None

    def stop(self, seconds=60):
        """A clean stop; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(seconds)
        self.process = None
        return code

    def abandon(self):
        if self.process is not None and self.process.poll() is None:
            self.kill()
        self.process = None

    # ---- doors

    def address(self):
        return self.endpoints["resp"]["host"], self.endpoints["resp"]["port"]

    def redis(self, **options):
        host, port = self.address()
        options.setdefault("socket_timeout", 60)
        return redis.Redis(host=host, port=port, **options)

    def raw(self):
        connection = socket.create_connection(self.address(), timeout=60)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def url(self):
        return f"http://{self.endpoints['http']['host']}:{self.endpoints['http']['port']}"

    def http(self, method, path, body=None):
        """(status, document)."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url() + path, data=data, method=method)
        if data is not None:
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, self._document(response)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, self._document(error)

    @staticmethod
    def _document(response):
        text = response.read().decode()
        return json.loads(text) if "json" in response.headers.get("Content-Type", "") else text

    def status(self):
        return self.http("GET", "/v1/status")[1]

    def follower(self, role):
        return self.status()["followers"][role]

    def migration(self):
        return self.http("GET", "/v1/migration")[1]

    def cli(self, *arguments, check=True):
        done = subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True,
                              timeout=120, check=False)
        if check and done.returncode != 0:
            raise AssertionError(f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    # ---- what tests do with it

    def write_flags(self, value):
        """As a person with an editor does: a new file renamed over the old one."""
        temporary = self.flags_path.with_suffix(".new")
        temporary.write_text(json.dumps({FLAG: value}))
        os.rename(temporary, self.flags_path)

    def effective(self):
        return self.status()["routing"]["effective_percentage"]

    def route(self, percentage):
        """Writes the flags file and waits until the routing follows."""
        self.write_flags(False if percentage == 0 else {"enabled": True, "percentage": percentage})
        wait_until(f"{percentage} % in effect",
                   lambda: abs(self.effective() - percentage) < 0.001)

    def migrate(self, seconds=60):
        if not self.migration()["can_flip"]:
            status, document = self.http("POST", "/v1/migration/start", {})
            assert status in (202, 409), document  # 409: an interrupted fill goes on by itself
        return wait_until("unified is in sync",
                          lambda: self.migration()["can_flip"], seconds, pause=0.02)

    def store_paths(self):
        generation = (self.data / "CURRENT").read_text().strip()
        paths = json.loads((self.data / generation / "stores.json").read_text())
        return str(self.data / paths["legacy"]), str(self.data / paths["unified"])

    def contents(self):
        """Of both stores. Only after a stop."""
        assert self.process is None
        legacy, unified = self.store_paths()
        return stores.lmdb_content(legacy), stores.sqlite_content(unified)


class ServerTest(unittest.TestCase):
    """Gives each test a directory and servers that do not outlive it."""

    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="switchback-test."))
        self.addCleanup(shutil.rmtree, self.directory, True)

    def server(self, name="server", **options):
        server = Server(options.pop("directory", self.directory / name), **options)
        self.addCleanup(self._end, server)
        return server

    def _end(self, server):
        outcome = getattr(self, "_outcome", None)
        errors = outcome is not None and getattr(outcome, "result", None) is not None and (
            outcome.result.errors or outcome.result.failures)
        server.abandon()
        if errors and server.log_path.exists():
            print(f"---- {server.log_path}\n{server.log_tail()}", flush=True)

    def assert_equal_stores(self, server):
        legacy, unified = server.contents()
        if legacy != unified:
            self.fail("the stores differ:\n" + stores.difference(legacy, unified))
        return legacy

    def not_run(self, reason):
        """Says so where people see it; a test that cannot run here has proved nothing."""
        report(f"NOT RUN: {self.id()}: {reason}")


def main():
    if path := os.environ.get("SWITCHBACK_TEST_LOG"):
        pathlib.Path(path).unlink(missing_ok=True)
    unittest.main(module="__main__", verbosity=2, failfast=False)


def is_root():
    return os.geteuid() == 0


def run(*command, check=True, **options):
    return subprocess.run(list(map(str, command)), check=check, capture_output=True, text=True,
                          **options)


if __name__ == "__main__":
    sys.exit("a library")
