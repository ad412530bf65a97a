"""script/server does what it says, by itself, on real data."""

import subprocess

import harness


class Session(harness.ServerTest):
    def test_the_demonstration_checks_itself(self):
        done = subprocess.run([harness.ROOT / "script/server", "--check"], capture_output=True,
                              text=True, timeout=240, check=False,
                              env={"SWITCHBACK_BINARY": harness.BINARY, "PATH": "/usr/bin:/bin",
                                   "HOME": str(self.directory), "TMPDIR": str(self.directory)})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("ok: the rollback", done.stdout)
        self.assertIn("ok: stores after a clean stop", done.stdout)


if __name__ == "__main__":
    harness.main()
