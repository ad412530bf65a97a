"""What `switchback flags explain` says is what happens."""

import json

import harness

KEYS = [f"key:{number}" for number in range(40)]


class Explain(harness.ServerTest):
    def explain(self, server, key):
        return json.loads(self.cli(server, key, "--json").stdout)

    @staticmethod
    def cli(server, key, *arguments):
        return server.cli("flags", "explain", key, "--data-dir", server.data, *arguments)

    @staticmethod
    def unified_reads(server):
        return server.status()["operations"]["unified"]["get"]["count"]

    def test_the_store_that_is_named_is_the_one_that_answers(self):
        server = self.server().start()
        client = server.redis()
        for key in KEYS:
            client.set(key, "value")
        server.http("POST", "/v1/drain", {})
        server.route(50)

        for key in KEYS:
            before = self.unified_reads(server)
            client.get(key)
            explained = server.http("GET", f"/v1/flags/{harness.FLAG}/explain?key={key}")[1]
            self.assertEqual(explained["store"] == "unified", self.unified_reads(server) > before, key)
            self.assertEqual(explained["is_on"], explained["bucket"] < 50)

    def test_without_a_server_the_file_says_the_same(self):
        server = self.server().start()
        server.route(50)
        with_server = [self.explain(server, key) for key in KEYS[:5]]
        text = self.cli(server, "{tenant-a}:msg:1").stdout
        server.stop()
        without = [self.explain(server, key) for key in KEYS[:5]]

        self.assertIn("entity  tenant-a", text)
        self.assertRegex(text, "store   (legacy|unified)")
        for left, right in zip(with_server, without):
            for name in ("entity", "bucket", "share", "is_on", "cause"):
                self.assertEqual(left[name], right[name])
            self.assertNotIn("store", right)


if __name__ == "__main__":
    harness.main()
