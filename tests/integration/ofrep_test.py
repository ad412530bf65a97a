"""Flags for applications: OpenFeature's SDKs with their OFREP providers against the live server, and flagd's own evaluator
as the reference for what a flagd document says."""

import json
import random
import shutil
import subprocess

import harness

FOLDER = harness.ROOT / "tests/openfeature"
ONE = {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "off"}
TEXTS = {"state": "ENABLED", "variants": {"a": "A", "b": "B", "true": "T", "false": "F"},
         "defaultVariant": "a"}
RULES = 120
CONTEXTS = 12


def missing():
    if shutil.which("node") is None:
        return "there is no node: script/bootstrap installs it"
    if not (FOLDER / "node_modules/@openfeature/server-sdk").is_dir():
        return "there is no OpenFeature SDK: script/test installs it with npm, which needs its registry"
    return ""


class RuleMaker:
    """Random targeting rules within what all evaluators agree on: nothing that they look at is missing or no number."""

    def __init__(self, generator):
        self.random = generator

    def text(self):
        return self.random.choice([{"var": "targetingKey"}, {"var": "email"}, {"var": ["tier", "none"]}, "abc",
                                   {"cat": [{"var": "tier"}, "-", {"var": "age"}]}, {"substr": [{"var": "email"}, -4]},
                                   {"var": "$flagd.flagKey"}])

    def number(self, depth):
        if depth == 0:
            return self.random.choice([{"var": "age"}, 0, 1, 17.5, -3])
        operator = self.random.choice(["+", "-", "*", "max", "min", "%"])
        return {operator: [self.number(depth - 1), self.random.choice([2, 3, 7])]}

    def truth(self, depth):
        pick = self.random.randrange(9 if depth > 0 else 6)
        if pick == 0:
            return {self.random.choice(["===", "!=="]): [self.text(), self.text()]}
        if pick == 1:
            return {self.random.choice(["<", "<=", ">", ">="]): [self.number(1), self.number(1)]}
        if pick == 2:
            return {self.random.choice(["starts_with", "ends_with"]): [self.text(), self.random.choice(["a", "gold", ".com"])]}
        if pick == 3:
            return {"sem_ver": [{"var": "version"}, self.random.choice(["=", "!=", "<", "<=", ">", ">=", "^", "~"]),
                                self.random.choice(["1.2.3", "v1.2.3", "2.0.0-beta.2", "1", "nonsense"])]}
        if pick == 4:
            return {"in": [self.text(), self.random.choice([["abc", "gold", "u1"], "abcgold"])]}
        if pick == 5:
            return {self.random.choice(["all", "some", "none"]): [{"var": "roles"}, {"===": [{"var": ""}, "admin"]}]}
        if pick == 6:
            return {self.random.choice(["and", "or"]): [self.truth(depth - 1), self.truth(depth - 1)]}
        if pick == 7:
            return {self.random.choice(["!", "!!"]): [self.truth(depth - 1)]}
        return {"===": [{"fractional": [self.text(), ["x", 3], ["y", 4]]}, "x"]}

    def variant(self, depth):
        pick = self.random.randrange(5)
        if pick == 0 or depth == 0:
            return self.random.choice(["a", "b", None, "missing-one"])
        if pick == 1:
            weights = [self.random.choice([0, 1, 25, 50, -4]) for _ in range(3)]
            return {"fractional": [["a", weights[0]], ["b", weights[1]], [self.variant(0), weights[2]]]}
        if pick == 2:
            return self.truth(depth)
        return {"if": [self.truth(depth), self.variant(depth - 1), self.variant(depth - 1)]}

    def context(self):
        context = {"targetingKey": "u%d" % self.random.randrange(5000), "age": self.random.randrange(90),
                   "email": self.random.choice(["a@b.com", "abc", ""]),
                   "version": self.random.choice(["1.2.3", "1.9.0", "2.0.0-beta.11", "x", "1.2"]),
                   "tier": self.random.choice(["gold", "silver"]),
                   "roles": self.random.sample(["admin", "user", "ops"], self.random.randrange(4))}
        return context


class Ofrep(harness.ServerTest):
    def evaluate(self, server, cases, document=None, contexts=None):
        asked = {"url": server.url(), "cases": cases, "document": document, "webContexts": contexts}
        done = subprocess.run(["node", "evaluate.mjs"], input=json.dumps(asked), capture_output=True, text=True,
                              cwd=FOLDER, timeout=120, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def put_flags(self, server, document):
        temporary = server.flags_path.with_suffix(".new")
        temporary.write_text(json.dumps(document))
        temporary.rename(server.flags_path)

    def start_with(self, name, document):
        server = self.server(name)
        server.data.mkdir(parents=True)
        server.flags_path.write_text(json.dumps(document))
        return server.start()

    def test_an_application_sees_what_is_routed(self):
        if why := missing():
            self.not_run(why)
            return
        server = self.server("routed").start()
        client = server.redis()
        for i in range(200):
            client.set(f"user:{i}", "v")
        server.migrate()
        server.cli("flags", "set", harness.FLAG, "on", "--percentage", "30", "--data-dir", server.data)
        keys = [f"user:{i}" for i in range(200)]
        cases = [{"flag": harness.FLAG, "type": "boolean", "context": {"targetingKey": key}} for key in keys]
        cases.append({"flag": harness.FLAG, "type": "boolean", "context": {}})
        cases.append({"flag": "NONE", "type": "boolean", "context": {"targetingKey": "x"}})
        cases.append({"flag": harness.FLAG, "type": "string", "context": {"targetingKey": "x"}})
        answers = self.evaluate(server, cases, contexts=[{"targetingKey": key} for key in keys[:5]])
        for key, answer in zip(keys, answers["server"]):
            explained = server.http("GET", f"/v1/flags/{harness.FLAG}/explain?key={key}")[1]
            self.assertEqual(answer["value"], explained["is_on"], key)
            self.assertEqual(answer["value"], explained["store"] == "unified", key)
            self.assertEqual(answer["reason"], "SPLIT")
        self.assertEqual([answer["errorCode"] for answer in answers["server"][200:]],
                         ["TARGETING_KEY_MISSING", "FLAG_NOT_FOUND", "TYPE_MISMATCH"])
        self.assertEqual(answers["web"]["answers"], answers["server"][:5])
        self.assertIn(304, answers["web"]["statuses"])
        # A rollback is seen by whoever asks, also while the file still says otherwise.
        server.cli("rollback", "now", "--reason", "test", "--data-dir", server.data)
        answer = self.evaluate(server, cases[:1])["server"][0]
        self.assertEqual((answer["value"], answer["reason"]), (False, "DISABLED"))

    def test_a_rule_routes_records_by_what_it_says(self):
        server = self.server("targeted").start()
        client = server.redis()
        for i in range(20):
            client.set(f"tenant-a:{i}", "v")
            client.set(f"tenant-b:{i}", "v")
        server.migrate()
        rule = {"if": [{"starts_with": [{"var": "targetingKey"}, "tenant-a"]}, "on", "off"]}
        self.put_flags(server, {"flags": {harness.FLAG: {**ONE, "targeting": rule}}})
        harness.wait_until("the rule is in force", lambda: server.http(
            "GET", f"/v1/flags/{harness.FLAG}/explain?key=tenant-a:1")[1]["store"] == "unified")
        for tenant, store in (("a", "unified"), ("b", "legacy")):
            explained = server.http("GET", f"/v1/flags/{harness.FLAG}/explain?key=tenant-{tenant}:7")[1]
            self.assertEqual((explained["store"], explained["cause"]), (store, "targeted"))
            before = self.reads(server)
            for i in range(20):
                self.assertEqual(client.get(f"tenant-{tenant}:{i}"), b"v")
            after = self.reads(server)
            self.assertEqual(after[store] - before[store], 20, f"{tenant}: {before} {after}")
        # A whole rule, by which the way back is one command as ever.
        server.cli("rollback", "now", "--reason", "test", "--data-dir", server.data)
        harness.wait_until("the file says off", lambda: json.loads(
            server.flags_path.read_text())["flags"][harness.FLAG]["state"] == "DISABLED")

    def reads(self, server):
        operations = server.status()["operations"]
        return {role: operations[role]["get"]["count"] for role in ("legacy", "unified")}

    def test_a_collection_can_have_a_flag_of_its_own(self):
        server = self.server("overridden").start()
        client = server.redis()
        for i in range(10):
            for collection in ("main", "messages"):
                client.execute_command("SELECT", collection)
                client.set(f"k{i}", "v")
        server.migrate()
        self.put_flags(server, {harness.FLAG: False, harness.FLAG + "@messages": True})
        harness.wait_until("the override is in force", lambda: server.status()["routing"]["overrides"] ==
                           {"messages": 100})
        for collection, store in (("main", "legacy"), ("messages", "unified")):
            client.execute_command("SELECT", collection)
            before = self.reads(server)
            for i in range(10):
                self.assertEqual(client.get(f"k{i}"), b"v")
            self.assertEqual(self.reads(server)[store] - before[store], 10)
            query = f"/v1/flags/{harness.FLAG}/explain?key=k1&collection={collection}"
            self.assertEqual(server.http("GET", query)[1]["store"], store)
        self.assertEqual(server.status()["stage"], "live")
        self.assertIn("with flags of their own: messages 100 %",
                      server.cli("status", "--data-dir", server.data).stdout)
        # One command brings all of them back.
        server.cli("rollback", "now", "--reason", "test", "--data-dir", server.data)
        harness.wait_until("the file says off", lambda: json.loads(
            server.flags_path.read_text())[harness.FLAG + "@messages"] is False)
        client.execute_command("SELECT", "messages")
        before = self.reads(server)
        client.get("k1")
        self.assertEqual(self.reads(server)["legacy"] - before["legacy"], 1)

    def test_rules_mean_what_flagd_means_by_them(self):
        if why := missing():
            self.not_run(why)
            return
        maker = RuleMaker(random.Random(harness.seed_of_test()))
        flags = {f"rule-{i}": {**TEXTS, "targeting": maker.variant(3)} for i in range(RULES)}
        flags["off"] = {**TEXTS, "state": "DISABLED"}
        flags["no-default"] = {"state": "ENABLED", "variants": {"a": "A"}}
        flags["refers"] = {**TEXTS, "targeting": {"if": [{"$ref": "is_gold"}, "b", "a"]}}
        document = {"flags": {**flags, harness.FLAG: ONE},
                    "$evaluators": {"is_gold": {"==": [{"var": "tier"}, "gold"]}}}
        server = self.start_with("flagd", document)
        cases = [{"flag": flag, "type": "string", "context": maker.context()}
                 for flag in flags for _ in range(CONTEXTS)]
        answers = self.evaluate(server, cases, document)
        for case, ours, theirs in zip(cases, answers["server"], answers["flagd"]):
            what = f"{case} {json.dumps(flags[case['flag']])}"
            if theirs.get("errorCode"):
                self.assertEqual(ours.get("errorCode"), theirs["errorCode"], what)
            elif theirs["reason"] != "DISABLED" and theirs.get("variant"):
                self.assertEqual(ours, theirs, what)


if __name__ == "__main__":
    harness.main()
