"""Lines of the log as JSON, for programs that collect them."""

import datetime
import json
import os
import re

import harness

HOSTILE = 'flags "quoted" \\ {"level":"error"}\nsecond line\x1b[31m \xe9.json'


class LogFormatTest(harness.ServerTest):
    def lines(self, server):
        return [json.loads(line) for line in server.log_path.read_text().splitlines()]

    def test_every_line_is_one_object_whatever_it_tells(self):
        folder = self.directory / "hostile"
        folder.mkdir()
        flags = folder / HOSTILE
        flags.write_text("{ broken")
        server = self.server(arguments=["--flags", str(flags)], config={"log_format": "json"}).start()
        self.assertEqual(server.stop(), 0)

        lines = self.lines(server)
        self.assertGreater(len(lines), 3)
        for line in lines:
            self.assertEqual(list(line), ["time", "level", "message"])
            self.assertIn(line["level"], ("debug", "info", "warning", "error"))
            datetime.datetime.strptime(line["time"], "%Y-%m-%dT%H:%M:%S.%fZ")
        self.assertTrue(any(line["message"].startswith("ready: ") for line in lines))
        self.assertTrue(any(line["level"] == "warning" and "flags" in line["message"] for line in lines), lines)

    def test_a_start_that_fails_says_so_in_the_same_form(self):
        server = self.server().start()
        second = harness.run(*server.command(), "--log-format", "json", check=False)

        self.assertEqual(second.returncode, 1)
        lines = [json.loads(line) for line in second.stderr.splitlines()]
        self.assertEqual(lines[-1]["level"], "error")
        self.assertIn(str(server.pid), lines[-1]["message"])

    def test_the_option_wins_over_the_file(self):
        server = self.server(arguments=["--log-format", "text"], config={"log_format": "json"}).start()

        harness.wait_until("it says that it is ready", lambda: re.search(
            r"(?m)^\d{4}-\d\d-\d\dT\S+ .*info.* ready: ", server.log_path.read_text()))

    def test_a_wrong_form_is_refused(self):
        done = harness.run(harness.BINARY, "serve", "--data-dir", self.directory / "none", "--log-format", "xml",
                           check=False)
        self.assertEqual(done.returncode, 2)
        self.assertFalse(os.path.exists(self.directory / "none"))


if __name__ == "__main__":
    harness.main()
