"""The metrics page, the alerts and the dashboard, looked at by Prometheus' own tool (script/bootstrap unpacks it into
build/tools; PROMTOOL names another). That page, alerts, dashboard and docs/metrics.md fit each other is
tests/unit/server/http/metrics_docs_test.cpp."""

import os
import shutil
import subprocess

import harness

RULES = harness.ROOT / "docs/prometheus/switchback.rules.yml"


class MetricsTest(harness.ServerTest):
    def setUp(self):
        super().setUp()
        self.tool = os.environ.get("PROMTOOL") or shutil.which("promtool") or self.unpacked()
        if not self.tool:
            self.not_run("promtool is not installed")
            self.skipTest("promtool is not installed")

    @staticmethod
    def unpacked():
        tool = harness.ROOT / "build/tools/promtool"
        return str(tool) if tool.exists() else None

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
