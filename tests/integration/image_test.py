"""The recipe of the image, read against the unit, the configuration and the program it is to run."""

import json
import re
import shlex

import harness

DOCKERFILE = harness.ROOT / "packaging/Dockerfile"
UNIT = harness.ROOT / "packaging/switchback.service"


class ImageTest(harness.ServerTest):
    def setUp(self):
        super().setUp()
        text = DOCKERFILE.read_text()
        text = re.sub(r"^#.*\n", "", text, flags=re.M).replace("\\\n", "")
        self.steps = [line.split(None, 1) for line in text.splitlines() if line.strip()]

    def values(self, name):
        return [value for step, value in self.steps if step == name]

    def test_is_made_of_known_steps_in_two_stages(self):
        self.assertEqual(self.values("FROM"), ["debian:12 AS build", "debian:12-slim"])
        known = {"FROM", "WORKDIR", "COPY", "RUN", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK",
                 "ENTRYPOINT"}
        self.assertEqual({step for step, _ in self.steps} - known, set())
        for command in self.values("RUN"):
            harness.run("bash", "-n", "-c", command)

    def test_runs_as_the_package_says_and_not_as_root(self):
        user, group = self.values("USER")[0].split(":")
        made = " ".join(self.values("RUN"))
        self.assertRegex(made, rf"groupadd .*--gid {group} switchback\b")
        self.assertRegex(made, rf"useradd .*--uid {user} --gid {group} .*switchback\b")
        self.assertGreater([step for step, _ in self.steps].index("USER"),
                           max(number for number, (step, _) in enumerate(self.steps) if step == "RUN"))

    def test_it_can_be_built(self):
        self.not_run("building takes an engine for images, a registry and half an hour: the recipe is only read")
        self.skipTest("only read")

    def test_its_command_and_ports_are_the_servers(self):
        started = shlex.split(re.search(r"^ExecStart=(.*)$", UNIT.read_text(), re.M).group(1))
        entry = json.loads(self.values("ENTRYPOINT")[0])
        self.assertEqual(entry[:len(started)], started)
        self.assertEqual(entry[len(started):], ["--log-format", "json"])
        settings = json.loads((harness.ROOT / "packaging/config.json").read_text())
        self.assertEqual(self.values("EXPOSE"), [f"{settings['port']} {settings['http_port']}"])
        self.assertIn(f"http://127.0.0.1:{settings['http_port']}/healthz", self.values("HEALTHCHECK")[0])

    def test_what_it_copies_is_there(self):
        for value in self.values("COPY"):
            source = value.split()[0]
            if not source.startswith("--"):
                self.assertTrue((harness.ROOT / source).exists(), source)


if __name__ == "__main__":
    harness.main()
