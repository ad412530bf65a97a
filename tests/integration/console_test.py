"""The console in a real browser: runs tests/console with node's own test runner."""

import contextlib
import os
import shutil
import signal
import subprocess

import harness

FOLDER = harness.ROOT / "tests/console"
CHROMIUM = os.environ.get("SWITCHBACK_CHROMIUM", "/usr/bin/chromium")
SECONDS = 900


def missing():
    """What is not here to run it with, or ""."""
    if shutil.which("node") is None:
        return "there is no node: script/bootstrap installs it"
    if not os.access(CHROMIUM, os.X_OK):
        return f"there is no {CHROMIUM}: script/bootstrap installs it"
    for package in ("playwright-core", "axe-core"):
        if not (FOLDER / "node_modules" / package).is_dir():
            return f"there is no {package}: script/test installs it with npm, which needs its registry"
    return ""


class Console(harness.ServerTest):
    def test_vendored_code_is_what_is_pinned(self):
        pinned = (harness.ROOT / "console/package.json").read_text()
        for line in (harness.ROOT / "console/vendor/VERSIONS").read_text().splitlines():
            name, version = line.split()
            self.assertIn(f'"{name}": "{version}"', pinned, "run script/vendor-console")

    def test_in_chromium(self):
        if why := missing():
            self.not_run(why)
            return
        tests = sorted(str(file) for file in FOLDER.glob("*.test.mjs"))
        # One after the other: each has a server and a browser of its own, and some measure.
        # What they print is this log.
        command = ["node", "--test", "--test-concurrency=1", "--test-reporter=spec", *tests]
        with subprocess.Popen(command, cwd=FOLDER, start_new_session=True) as node:
            try:
                code = node.wait(SECONDS)
            finally:
                # Servers and browsers do not outlive a test that was cut off.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(node.pid, signal.SIGKILL)
        self.assertEqual(code, 0)


if __name__ == "__main__":
    harness.main()
