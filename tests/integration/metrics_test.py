"""The metrics page, the alerts and the dashboard, looked at by Prometheus' own tool (script/bootstrap unpacks it into
build/tools; PROMTOOL names another). That page, alerts and docs/metrics.md fit each other is
tests/unit/server/http/metrics_docs_test.cpp."""

import json
import os
import re
import shutil
import subprocess
import unittest

import harness

RULES = harness.ROOT / "docs/prometheus/switchback.rules.yml"
DASHBOARD = harness.ROOT / "docs/grafana/switchback.json"
METRICS = harness.ROOT / "docs/metrics.md"


def expressions(node):
    """Every PromQL expression below `node`."""
    if isinstance(node, list):
        return [found for item in node for found in expressions(item)]
    if not isinstance(node, dict):
        return []
    own = [node["expr"]] if "expr" in node else []
    return own + [found for item in node.values() for found in expressions(item)]


def without_variables(expression):
    """As Grafana sends it."""
    return expression.replace("$__rate_interval", "1m").replace("$instance", ".*").replace("$job", "switchback")


class DashboardTest(unittest.TestCase):
    def setUp(self):
        self.dashboard = json.loads(DASHBOARD.read_text())

    def test_names_only_metrics_that_there_are(self):
        rows = re.findall(r"^\| `(\w+)` \| (\w+)", METRICS.read_text(), re.M)
        names = {name for name, _ in rows}
        names |= {name + suffix for name, kind in rows if kind == "histogram"
                  for suffix in ("_bucket", "_sum", "_count")}
        used = set(re.findall(r"\b(?:switchback|process)_\w+", json.dumps(self.dashboard)))

        self.assertGreater(len(used), 50)
        self.assertEqual(used - names, set())

    def test_panels_have_a_place_of_their_own(self):
        taken = set()
        ids = [panel["id"] for panel in self.dashboard["panels"]]
        self.assertEqual(len(ids), len(set(ids)))
        for panel in self.dashboard["panels"]:
            place = panel["gridPos"]
            self.assertLessEqual(place["x"] + place["w"], 24, panel["title"])
            for x in range(place["x"], place["x"] + place["w"]):
                for y in range(place["y"], place["y"] + place["h"]):
                    self.assertNotIn((x, y), taken, panel["title"])
                    taken.add((x, y))

    def test_shows_both_roles_side_by_side(self):
        panels = {panel["title"]: panel["gridPos"] for panel in self.dashboard["panels"]}
        pairs = [(title, title.replace("legacy (LMDB)", "unified (SQLite)"))
                 for title in panels if "legacy (LMDB)" in title]

        self.assertGreater(len(pairs), 4)
        for legacy, unified in pairs:
            self.assertEqual(panels[legacy]["y"], panels[unified]["y"], legacy)


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

    def test_the_dashboard_asks_what_prometheus_understands(self):
        found = [without_variables(text) for text in expressions(json.loads(DASHBOARD.read_text()))]
        self.assertGreater(len(found), 60)
        rules = self.directory / "dashboard.rules.yml"
        # JSON is YAML.
        rules.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": [
            {"record": f"dashboard:{number}", "expr": text} for number, text in enumerate(found)]}]}))

        self.assertIn("SUCCESS", self.promtool("check", "rules", rules))

    def test_the_page_is_as_a_scraper_wants_it(self):
        server = self.server(config={
            "notifications": [{"kind": "command", "argv": ["/bin/true"]}]}).start()
        server.redis().set("k", "v")

        page = server.http("GET", "/metrics")[1]

        self.assertIn("switchback_notifications_waiting", page)
        self.promtool("check", "metrics", input=page)


if __name__ == "__main__":
    harness.main()
