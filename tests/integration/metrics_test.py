"""The metrics page and the alerts, looked at by Prometheus' own tool where it is installed (Debian: prometheus, which
brings a daemon with it, so script/bootstrap leaves it out). PROMTOOL names it if it is not in PATH. That page, alerts
and docs/metrics.md fit each other is tests/unit/server/http/metrics_docs_test.cpp."""

import os
import shutil
import subprocess

import harness

RULES = harness.ROOT / "docs/prometheus/switchback.rules.yml"


class MetricsTest(harness.ServerTest):
    def setUp(self):
        super().setUp()
        self.tool = os.environ.get("PROMTOOL") or shutil.which("promtool")
        if not self.tool:
            self.not_run("promtool is not installed")
            self.skipTest("promtool is not installed")

    def promtool(self, *arguments, **options):
        done = subprocess.run([self.tool, *map(str, arguments)], capture_output=True, text=True,
                              timeout=60, check=False, **options)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def test_the_alerts_are_valid_and_fire_when_they_should(self):
        self.assertIn("SUCCESS", self.promtool("check", "rules", RULES))
        self.promtool("test", "rules", harness.ROOT / "tests/integration/alerts.yml")

    def test_the_page_is_as_a_scraper_wants_it(self):
        server = self.server(config={
            "notifications": [{"kind": "command", "argv": ["/bin/true"]}]}).start()
        server.redis().set("k", "v")

        page = server.http("GET", "/metrics")[1]

        self.assertIn("switchback_notifications_waiting", page)
        self.promtool("check", "metrics", input=page)


if __name__ == "__main__":
    harness.main()
