"""The unit, and what the server tells a service manager."""

import os
import re
import shutil
import socket
import subprocess

import harness

UNIT = harness.ROOT / "packaging/switchback.service"
PERIOD_SECONDS = 0.6
# The score of systemd-analyze security, where 10 is a service that may do anything.
EXPOSURE_MAX = 2.0


class Manager:
    """The end of NOTIFY_SOCKET that systemd has."""

    def __init__(self, directory):
        self.path = str(directory / "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)

    def next(self, seconds):
        """The next state, or None."""
        self.socket.settimeout(seconds)
        try:
            return self.socket.recv(4096).decode()
        except socket.timeout:
            return None

    def forget(self):
        while self.next(0.001):
            pass


class WatchdogTest(harness.ServerTest):
    def start(self, failpoints=""):
        manager = Manager(self.directory)
        self.addCleanup(manager.socket.close)
        environment = {"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": str(int(PERIOD_SECONDS * 1e6)),
                       "SWITCHBACK_FAILPOINTS": failpoints}
        os.environ.update(environment)
        try:
            server = self.server().start()
        finally:
            for name in environment:
                del os.environ[name]
        return server, manager

    def test_a_server_that_works_gives_signs_of_life(self):
        server, manager = self.start()

        self.assertEqual(manager.next(10), "READY=1")
        for _ in range(5):
            self.assertEqual(manager.next(10), "WATCHDOG=1")
        server.redis().set("k", "v")
        self.assertEqual(server.stop(), 0)

        states = []
        while state := manager.next(0.01):
            states.append(state)
        self.assertIn("STOPPING=1", states)
        self.assertNotIn("WATCHDOG=1", states[states.index("STOPPING=1") + 1:])

    def test_a_pipeline_that_hangs_falls_silent_and_speaks_again(self):
        server, manager = self.start("log.append=delay:4000@1")
        self.assertEqual(manager.next(10), "READY=1")
        writer = server.raw()
        self.addCleanup(writer.close)
        writer.sendall(b"SET k v\r\n")
        harness.wait_until("the log names what is silent",
                           lambda: "the write pipeline does not answer" in server.log_path.read_text())
        manager.forget()

        self.assertIsNone(manager.next(2 * PERIOD_SECONDS), "systemd would have restarted it by now")
        self.assertEqual(writer.recv(5), b"+OK\r\n")
        self.assertEqual(manager.next(10), "WATCHDOG=1")
        self.assertIn("the write pipeline answers again", server.log_path.read_text())

    def test_signs_of_life_are_given_behind_tls(self):
        if not shutil.which("openssl"):
            self.skipTest("openssl is not installed")
        key, certificate = self.directory / "key.pem", self.directory / "certificate.pem"
        harness.run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost",
                    "-keyout", key, "-out", certificate)
        os.chmod(key, 0o600)
        manager = Manager(self.directory)
        self.addCleanup(manager.socket.close)
        os.environ.update(NOTIFY_SOCKET=manager.path, WATCHDOG_USEC="600000")
        try:
            self.server(config={"tls": {"certificate": str(certificate), "key": str(key)}}).start()
        finally:
            del os.environ["NOTIFY_SOCKET"], os.environ["WATCHDOG_USEC"]

        self.assertEqual(manager.next(10), "READY=1")
        for _ in range(3):
            self.assertEqual(manager.next(10), "WATCHDOG=1")


class UnitTest(harness.ServerTest):
    def setUp(self):
        super().setUp()
        if not shutil.which("systemd-analyze"):
            self.not_run("systemd-analyze is not installed")
            self.skipTest("systemd-analyze is not installed")
        # verify looks whether the program is there.
        self.unit = self.directory / "switchback.service"
        self.unit.write_text(UNIT.read_text().replace("/usr/bin/switchback", harness.BINARY))

    def analyze(self, *arguments):
        done = subprocess.run(["systemd-analyze", *map(str, arguments)], capture_output=True, text=True,
                              timeout=60, check=False)
        return done.returncode, done.stdout + done.stderr

    def test_systemd_has_nothing_to_say_about_it(self):
        code, text = self.analyze("verify", "--man=no", self.unit)

        self.assertEqual(code, 0, text)
        self.assertEqual([line for line in text.splitlines() if "switchback" in line], [])

    def test_it_may_do_little(self):
        code, text = self.analyze("security", "--offline=yes", "--no-pager", self.unit)
        if "Unknown option" in text or "unrecognized option" in text:
            self.not_run("systemd-analyze knows no security of a file")
            self.skipTest("an old systemd-analyze")
        self.assertEqual(code, 0, text)

        exposure = float(re.search(r"Overall exposure level for \S+: ([\d.]+)", text).group(1))
        harness.report(f"systemd-analyze security: {exposure}")
        self.assertLessEqual(exposure, EXPOSURE_MAX, text)

    def test_it_asks_the_system_for_nothing_else(self):
        if not shutil.which("strace"):
            self.not_run("strace is not installed")
            self.skipTest("strace is not installed")
        allowed = self.allowed()
        trace = self.directory / "trace"
        server = self.server()
        plain = server.command()
        server.command = lambda: ["strace", "-f", "-qq", "-o", str(trace), "-e", "signal=none", *plain]
        server.start()
        client = server.redis()
        client.set("k", "v")
        server.migrate()
        server.route(100)
        self.assertEqual(client.get("k"), b"v")
        client.close()
        server.cli("backup", "create", "--url", server.url())
        os.kill(server.pid, 15)
        server.process.wait(60)
        server.process = None

        used = set(re.findall(r"^\d+ +(?:<\.\.\. )?(\w+)(?:\(| resumed)", trace.read_text(), re.M))
        self.assertIn("fdatasync", used)
        self.assertEqual(used - allowed, set(), "the unit's SystemCallFilter refuses these")

    def allowed(self):
        """What the unit's filters come to, line by line as systemd reads them."""
        found = set()
        for line in re.findall(r"^SystemCallFilter=(.*)$", UNIT.read_text(), re.M):
            calls = {call for word in line.lstrip("~").split() for call in self.expand(word)}
            found = found - calls if line.startswith("~") else found | calls
        return found

    def expand(self, word):
        return self.calls(word) if word.startswith("@") else {word}

    def calls(self, name):
        code, text = self.analyze("syscall-filter", name)
        self.assertEqual(code, 0, text)
        found = set()
        for line in text.splitlines()[1:]:
            word = line.strip().split(" ")[0]
            if word and not word.startswith("#"):
                found |= self.expand(word)
        return found


if __name__ == "__main__":
    harness.main()
