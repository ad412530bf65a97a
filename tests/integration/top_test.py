"""`switchback top` in a terminal: what a person sees, and that the terminal is as before whatever ends it."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import threading
import time

import pyte

import harness

LEFT_THE_SCREEN = b"\x1b[?25h\x1b[?1049l"


class Terminal:
    """A pseudo-terminal with one program in it, and the screen that a person would see."""

    def __init__(self, arguments, columns=80, rows=24, **environment):
        self.master, self.slave = pty.openpty()
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.output = b""
        self.resize(columns, rows)
        self.before = termios.tcgetattr(self.slave)
        env = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "SWITCHBACK_URL")}
        env.update({"TERM": "xterm-256color", **environment})
        self.process = subprocess.Popen([harness.BINARY, "top", *map(str, arguments)], stdin=self.slave, stdout=self.slave,
                                        stderr=self.slave, env=env, start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def resize(self, columns, rows):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.screen.resize(rows, columns)

    def read(self, seconds=0.05):
        while select.select([self.master], [], [], seconds)[0]:
            piece = os.read(self.master, 65536)
            self.output += piece
            self.stream.feed(piece)
            seconds = 0

    def text(self):
        self.read()
        return "\n".join(line.rstrip() for line in self.screen.display)

    def wait_for(self, pattern, seconds=30):
        return harness.wait_until(f"{pattern!r} on the screen", lambda: re.search(pattern, self.text()), seconds)

    def press(self, keys):
        os.write(self.master, keys.encode())

    def wait_for_end(self, seconds=20):
        deadline = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.text()
            self.read()
        self.read()
        return self.process.returncode

    def is_as_before(self):
        return termios.tcgetattr(self.slave) == self.before and self.output.rstrip().endswith(LEFT_THE_SCREEN)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)


class TopTest(harness.ServerTest):
    def setUp(self):
        super().setUp()
        self.started = self.server().start()

    def top(self, *arguments, **options):
        terminal = Terminal(arguments or ["--url", self.started.url(), "--interval", "0.2"], **options)
        self.addCleanup(terminal.close)
        return terminal

    def load(self):
        """Reads and writes until the test ends."""
        stop = threading.Event()

        def work():
            client = self.started.redis()
            number = 0
            while not stop.is_set():
                number += 1
                try:
                    client.set(f"k{number % 100}", "v")
                    client.get(f"k{number % 100}")
                except OSError:
                    return

        thread = threading.Thread(target=work)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(stop.set)

    def test_shows_what_the_server_does(self):
        self.started.migrate()
        self.started.route(50)
        self.load()
        terminal = self.top()
        terminal.wait_for(r"stage live +flag 50 % asked, 50 % in effect")
        terminal.wait_for(r"legacy +lmdb +in-sync +lag \d+ batches")
        terminal.wait_for(r"unified +sqlite +in-sync +lag \d+ batches")
        terminal.wait_for(r"OPERATION +legacy/s errors +p50 +p99 +unified/s errors +p50 +p99")
        terminal.wait_for(r"\nget +[\d.,]+ +0 +[\d.]+ [um]s +[\d.]+ [um]s +[\d.,]+ +0 +[\d.]+ [um]s")
        terminal.wait_for(r"guard watching +trips 0")
        terminal.wait_for(r"slow_reads +\d+\.\d/18\.4 +\[")
        terminal.wait_for(r"writes [\d.,]+/s, p50 [\d.]+ [um]s")
        terminal.wait_for(r"clients \d+ \+ \d+")
        self.assertRegex(terminal.text().split("\n")[-1], r"q quit  p pause  s sort  r role  \? help")
        terminal.press("q")
        self.assertEqual(terminal.wait_for_end(), 0)
        self.assertTrue(terminal.is_as_before())

    def test_history_and_work_under_way(self):
        self.started.cli("flags", "set", "READ_ONLY", "true", "--data-dir", self.started.data)
        terminal = self.top(rows=40)
        terminal.wait_for(r"writes are refused: the flag READ_ONLY is on")
        terminal.wait_for(r"\d\d-\d\d \d\d:\d\d:\d\d +flag.set +READ_ONLY true")
        self.started.cli("flags", "set", "READ_ONLY", "false", "--data-dir", self.started.data)
        client = self.started.redis()
        for number in range(100):
            client.set(f"k{number}", "v" * 10_000)
        self.started.http("POST", "/v1/verify/start", {"continuous": True, "bytes_per_second": 50_000})
        terminal.wait_for(r"verify +\[[=> ]+\] [\d.]+ %  \d+ of \d+ records")
        self.started.http("POST", "/v1/verify/cancel", {})
        terminal.wait_for(r"verify  ")

    def test_keys(self):
        self.load()
        terminal = self.top()
        terminal.wait_for(r"\napply ")
        terminal.press("r")
        terminal.wait_for(r"OPERATION legacy +/s errors +p50 +p95 +p99 +p99\.9")
        terminal.press("r")
        terminal.wait_for(r"OPERATION unified ")
        terminal.press("rss")
        terminal.wait_for(r"OPERATION +legacy/s")
        terminal.press("?")
        terminal.wait_for(r"sort operations by name, by rate, by p99")
        terminal.press("?p")
        terminal.wait_for(r"PAUSED")
        still = terminal.text()
        terminal.read(0.8)
        self.assertEqual(terminal.text(), still)
        terminal.press("p")
        harness.wait_until("it goes on", lambda: terminal.text() != still and "PAUSED" not in terminal.text())
        terminal.press("\x1b[A")  # an arrow is no command
        terminal.press("q")
        self.assertEqual(terminal.wait_for_end(), 0)

    def test_every_end_leaves_the_terminal_as_it_was(self):
        ends = {"q": lambda one: one.press("q"),
                "Ctrl-C": lambda one: one.press("\x03"),
                "Ctrl-\\": lambda one: one.press("\x1c"),
                "SIGTERM": lambda one: one.process.send_signal(signal.SIGTERM),
                "SIGHUP": lambda one: one.process.send_signal(signal.SIGHUP),
                "crash": lambda one: one.process.send_signal(signal.SIGSEGV)}
        for name, end in ends.items():
            with self.subTest(name):
                terminal = self.top()
                terminal.wait_for("stage")
                self.assertNotEqual(termios.tcgetattr(terminal.slave), terminal.before)
                end(terminal)
                code = terminal.wait_for_end()
                self.assertEqual(code, -signal.SIGSEGV if name == "crash" else 0)
                self.assertTrue(terminal.is_as_before(), name)

    def test_ctrl_z_and_back(self):
        terminal = self.top()
        terminal.wait_for("stage")
        terminal.press("\x1a")
        _, status = os.waitpid(terminal.process.pid, os.WUNTRACED)
        self.assertTrue(os.WIFSTOPPED(status))
        terminal.read()
        self.assertTrue(terminal.is_as_before())
        terminal.screen.reset()
        os.kill(terminal.process.pid, signal.SIGCONT)
        terminal.wait_for("stage")
        terminal.press("q")
        self.assertEqual(terminal.wait_for_end(), 0)

    def test_small_and_changing_screens(self):
        self.load()
        terminal = self.top(columns=40, rows=10)
        terminal.wait_for(r"stage ")
        terminal.wait_for(r"q quit")
        for columns, rows in ((79, 24), (20, 5), (200, 60), (1, 1), (80, 24)):
            terminal.resize(columns, rows)
            terminal.process.send_signal(signal.SIGWINCH)
            if columns >= 20:
                terminal.wait_for(r"^switchback .*\n.*stage ")
                self.assertIn("q quit", terminal.text().split("\n")[-1])
        terminal.press("q")
        self.assertEqual(terminal.wait_for_end(), 0)
        self.assertTrue(terminal.is_as_before())

    def test_a_server_that_goes_and_comes_back(self):
        terminal = self.top("--data-dir", self.started.data, "--interval", "0.2")
        terminal.wait_for("stage ")
        self.started.kill()
        terminal.wait_for("NO ANSWER: .*trying again")
        self.assertIn("stage ", terminal.text())  # what was known
        self.started.start()  # on another port
        harness.wait_until("it is back", lambda: "NO ANSWER" not in terminal.text())
        terminal.press("q")
        self.assertEqual(terminal.wait_for_end(), 0)

    def test_no_server_at_all(self):
        url = self.started.url()
        self.started.kill()
        terminal = self.top("--url", url)
        terminal.wait_for("NO ANSWER: connect to")
        terminal.press("q")
        self.assertEqual(terminal.wait_for_end(), 0)
        done = self.started.cli("top", "--once", "--url", url, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("connect to", done.stderr)

    def test_without_colours(self):
        def colours(**environment):
            terminal = self.top(**environment)
            self.started.kill()
            terminal.wait_for("NO ANSWER")
            self.started.start()
            return re.findall(rb"\x1b\[(?:1;)?3\dm", terminal.output)

        self.assertTrue(colours())
        self.assertEqual(colours(NO_COLOR="1"), [])

    def test_dumb_terminals_and_pipes_get_plain_text(self):
        terminal = self.top("--url", self.started.url(), "--interval", "0.1", TERM="dumb", columns=150)
        harness.wait_until("several frames", lambda: terminal.text() and terminal.output.count(b"stage ") >= 3)
        terminal.press("\x03")
        self.assertEqual(terminal.wait_for_end(), 0)
        self.assertNotIn(b"\x1b", terminal.output)
        once = self.started.cli("top", "--url", self.started.url())
        self.assertEqual(once.stdout.count("stage "), 1)
        self.assertNotIn("\x1b", once.stdout)
        batch = self.started.cli("top", "--batch", 3, "--interval", 0.1, "--url", self.started.url())
        self.assertEqual(batch.stdout.count("stage "), 3)
        lines = self.started.cli("top", "--batch", 2, "--interval", 0.1, "--json", "--url", self.started.url()).stdout
        documents = [json.loads(line) for line in lines.splitlines()]
        self.assertEqual(len(documents), 2)
        self.assertIsNone(documents[0]["writes_per_second"])
        self.assertEqual(documents[1]["writes_per_second"], 0)
        self.assertEqual(documents[1]["status"]["stage"], self.started.status()["stage"])

    def test_a_viewer_may_watch(self):
        """Nothing that top asks for changes anything: a viewer's token is enough."""
        tokens = self.directory / "tokens.json"
        made = json.loads(self.started.cli("token", "new", "ann", "--role", "viewer", "--json").stdout)
        tokens.write_text(json.dumps({"tokens": [made["line"]]}))
        tokens.chmod(0o600)
        guarded = self.server("guarded", config={"tokens_file": str(tokens)}).start()
        done = subprocess.run([harness.BINARY, "top", "--once", "--url", guarded.url()], capture_output=True, text=True,
                              env={**os.environ, "SWITCHBACK_TOKEN": made["token"]}, timeout=60, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("guard watching", done.stdout)


if __name__ == "__main__":
    harness.main()
