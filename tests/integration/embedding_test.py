"""The C interface as others meet it: the header, what the library shows, the examples, Python by ctypes, kill -9."""

import os
import pathlib
import re
import subprocess
import sys
import threading

import harness

BUILD = pathlib.Path(harness.BINARY).resolve().parent.parent
LIBRARY = BUILD / "lib/libswitchback.so.0"
HEADER = harness.ROOT / "server/capi/switchback.h"
EXAMPLES = harness.ROOT / "examples"
C_FLAGS = ("-Wall", "-Wextra", "-Wpedantic", "-Werror")
KILLS = 200 if harness.SOAK else 12
WRITERS = 4

os.environ["SWITCHBACK_LIBRARY"] = str(LIBRARY)
sys.path.insert(0, str(EXAMPLES / "python-ctypes"))

C_SAYS = """\
legacy answers alice = 100
unified answers alice = 100
transferred: yes
transferred: no
  alice = 90
  bob = 10
legacy answers bob = 10
"""
PYTHON_SAYS = """\
legacy answers {'alice': '1', 'anna': '1'}
unified answers {'alice': '1', 'anna': '1'}
anna was 1: True
anna was 1: False
legacy answers {'anna': '2'}
{
  "USE_UNIFIED_DB_SERVICE": {
    "enabled": false,
    "percentage": 100
  }
}
2 users, stage dualwrite
a second time: conflict
"""

# Writes numbers under keys of its own, and says so once the library has: "KEY NUMBER".
WRITER = """
import sys, threading
from switchback import Switchback
db = Switchback(sys.argv[1], log_level=4)
db.set_percentage(float(sys.argv[2]))
def write(name):
    number = int(db.get("counters", name.encode()) or 0)
    while True:
        number += 1
        db.put("counters", name.encode(), str(number).encode())
        sys.stdout.write(f"{name} {number}\\n")
        sys.stdout.flush()
for name in sys.argv[3:]:
    threading.Thread(target=write, args=(name,)).start()
"""


def declared():
    """The functions that the header has."""
    text = re.sub(r"/\*.*?\*/", "", HEADER.read_text(), flags=re.S)
    return sorted(set(re.findall(r"SWITCHBACK_API [^;(]*?\b(switchback_\w+)\(", text)))


class FormTest(harness.ServerTest):
    """What a compiler and a linker see."""

    def syntax(self, *command):
        done = harness.run(*command, "-fsyntax-only", HEADER, check=False)
        self.assertEqual(done.returncode, 0, f"{command}\n{done.stderr}")

    def test_the_header_is_plain_c_and_good_for_cpp(self):
        for standard in ("c99", "c11", "c17"):
            self.syntax("cc", "-x", "c", f"-std={standard}", *C_FLAGS)
        for standard in ("c++11", "c++20"):
            self.syntax("c++", "-x", "c++", f"-std={standard}", *C_FLAGS)

    def test_only_what_the_header_declares_is_visible(self):
        rows = harness.run("nm", "-D", "--defined-only", LIBRARY).stdout.splitlines()
        names = [row.split()[-1] for row in rows if row.split()[-2] != "A"]

        self.assertEqual(sorted(name.split("@")[0] for name in names), declared())
        self.assertTrue(all("@@SWITCHBACK_" in name for name in names), names)
        self.assertGreater(len(names), 30)

    def test_needs_no_more_than_it_uses(self):
        needed = harness.run("readelf", "-d", LIBRARY).stdout

        self.assertIn("Library soname: [libswitchback.so.0]", needed)
        self.assertNotIn("TEXTREL", needed)
        # LMDB is inside, with its writes paced; the others belong to parts of the server.
        for other in ("lmdb", "curl", "ssl", "pugixml"):
            self.assertNotIn(f"[lib{other}.so", needed)


class UseTest(harness.ServerTest):
    def setUp(self):
        super().setUp()
        symbols = harness.run("nm", "-D", "--undefined-only", LIBRARY).stdout
        if re.search(r"__[at]san_init", symbols):
            self.not_run("a library with a sanitizer goes into no program without it")
            self.skipTest("sanitizer")

    def run_program(self, *command, **environment):
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=120, check=False,
                              env=dict(os.environ, **environment))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_c_with_an_installed_library(self):
        prefix = self.directory / "prefix"
        harness.run("cmake", "--install", BUILD, "--prefix", prefix, "--component", "c_library")
        package = next(prefix.rglob("switchback.pc"))
        flags = self.run_program("pkg-config", "--cflags", "--libs", "switchback", PKG_CONFIG_PATH=str(package.parent))
        version = self.run_program("pkg-config", "--modversion", "switchback", PKG_CONFIG_PATH=str(package.parent))
        program = self.directory / "example"

        harness.run("cc", "-std=c99", *C_FLAGS, EXAMPLES / "c-embed/example.c", "-o", program, *flags.split())
        said = self.run_program(program, self.directory / "data", LD_LIBRARY_PATH=str(package.parent.parent))

        self.assertEqual(said, C_SAYS)
        self.assertIn(version.strip(), harness.run(harness.BINARY, "--version").stdout)
        self.assertNotIn(str(harness.ROOT), package.read_text())

    def test_python(self):
        said = self.run_program("/usr/bin/python3", EXAMPLES / "python-ctypes/example.py", self.directory / "data")

        self.assertEqual(said, PYTHON_SAYS)

    def test_library_and_server_take_turns_at_one_directory(self):
        import switchback
        server = self.server().start()
        server.redis().set("k", "of the server")
        with self.assertRaises(switchback.Error) as refused:
            switchback.Switchback(server.data, log_level=4)
        self.assertEqual(refused.exception.code, "conflict")
        self.assertIn(str(server.pid), str(refused.exception))
        server.stop()

        with switchback.Switchback(server.data, log_level=4) as db:
            self.assertEqual(db.get("default", b"k"), b"of the server")
            db.put("default", b"k", b"of the library")
            failed = harness.run(*server.command(), check=False)
            self.assertEqual(failed.returncode, 1, failed.stderr)
            self.assertIn(f"process {os.getpid()}", failed.stderr)
            failed = harness.run(harness.BINARY, "status", "--data-dir", server.data, check=False)
            self.assertNotEqual(failed.returncode, 0)

        server.start()
        self.assertEqual(server.redis().get("k"), b"of the library")

    def test_what_a_killed_server_left_counts_here_too(self):
        import switchback
        data = self.directory / "data"
        switchback.Switchback(data, log_level=4).close()
        (data / "guard.json").write_text("a latch that nobody can read: it holds")
        (data / "endpoints.json").write_text("{}")
        (data / "flags.json").write_text('{"USE_UNIFIED_DB_SERVICE": true}')

        with switchback.Switchback(data, log_level=4) as db:
            self.assertEqual(db.percentage(), 0)
            self.assertTrue(db.status()["latched"]["reason"])
            self.assertEqual(db.status()["routing"]["desired_percentage"], 100)
            self.assertFalse((data / "endpoints.json").exists(), "it would lead commands astray")

    def test_a_program_that_keeps_crashing_comes_up_on_legacy(self):
        import switchback
        data = self.directory / "data"
        with switchback.Switchback(data, log_level=4) as db:
            db.set_percentage(100)
        for _ in range(3):
            self.write_and_kill(data, ["k"], 100, {}, acknowledgements=1)

        with switchback.Switchback(data, log_level=4) as db:
            self.assertEqual(db.status()["latched"]["cause"], "crash-loop")
            self.assertEqual(db.percentage(), 0)
            db.rearm()
            self.assertEqual(db.percentage(), 100)

    def test_acknowledged_writes_survive_kill_9(self):
        import switchback
        data = self.directory / "data"
        names = [f"counter-{i}" for i in range(WRITERS)]
        acknowledged = dict.fromkeys(names, 0)
        total = 0
        for round_ in range(KILLS):
            percentage = (0, 100, 50)[round_ % 3]
            total += self.write_and_kill(data, names, percentage, acknowledged, acknowledgements=50 + 37 * round_ % 200)

            with switchback.Switchback(data, log_level=4, without_guard=1) as db:
                for name in names:
                    found = int(db.get("counters", name.encode()) or 0)
                    # What was under way may be there, too: one write a thread.
                    self.assertIn(found - acknowledged[name], (0, 1), name)
                    acknowledged[name] = found
        harness.report(f"embedding: {KILLS} kills, {total} writes acknowledged, none lost")

    def write_and_kill(self, data, names, percentage, acknowledged, acknowledgements):
        writer = subprocess.Popen(["/usr/bin/python3", "-c", WRITER, str(data), str(percentage), *names],
                                  stdout=subprocess.PIPE, text=True,
                                  env=dict(os.environ, PYTHONPATH=str(EXAMPLES / "python-ctypes")))
        deadline = threading.Timer(60, writer.kill)
        deadline.start()
        count = 0
        # All that it has said counts, also what was read after its end.
        for line in writer.stdout:
            if not line.endswith("\n"):
                break
            name, number = line.split()
            acknowledged[name] = int(number)
            count += 1
            if count == acknowledgements:
                writer.kill()
        writer.stdout.close()
        self.assertEqual(writer.wait(), -9)
        deadline.cancel()
        self.assertGreaterEqual(count, acknowledgements)
        return count


if __name__ == "__main__":
    harness.main()
