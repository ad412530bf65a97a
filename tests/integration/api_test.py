"""The description of the interface against the live server: every operation that it names is asked, right and wrong, and
every answer has the form that it promises."""

import json
import os
import re
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import jsonschema
import lmdb

import harness

SAMPLE = {"name": harness.FLAG, "id": "20260101T000000Z-0000", "collection": "users", "key": "k"}
VALIDATORS = (("redocly", ("lint", "--extends=minimal")), ("validate-api", ()))


class Api(harness.ServerTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.asked = {}  # (method, path) -> statuses that were seen

    def setUp(self):
        super().setUp()
        self.live = self.server("live", legacy=self.legacy()).start()
        self.document = self.live.http("GET", "/openapi.json")[1]

    def legacy(self):
        path = self.directory / "lmdb"
        path.mkdir()
        with lmdb.open(str(path), map_size=1 << 26, max_dbs=4) as environment:
            with environment.begin(write=True) as transaction:
                users = environment.open_db(b"users", txn=transaction)
                for i in range(500):
                    transaction.put(b"k%04d" % i, b'{"n":%d}' % i, db=users)
        return path

    def raw(self, method, path, body=None, headers=None):
        """(status, content type, headers, bytes)."""
        headers = dict(headers or {})
        data = body
        if body is not None and not isinstance(body, bytes):
            data = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        request = urllib.request.Request(self.live.url() + path, data=data, method=method,
                                         headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return (response.status, response.headers.get("Content-Type", ""),
                        response.headers, response.read())
        except urllib.error.HTTPError as error:
            with error:
                return (error.code, error.headers.get("Content-Type", ""), error.headers,
                        error.read())

    def resolve(self, node):
        while "$ref" in node:
            parts = node["$ref"].removeprefix("#/").split("/")
            node = self.document
            for part in parts:
                node = node[part]
        return node

    def check(self, schema, document, what):
        whole = dict(schema, components=self.document["components"])
        try:
            jsonschema.Draft202012Validator(whole).validate(document)
        except jsonschema.ValidationError as error:
            self.fail(f"{what}: {error.message} at {list(error.absolute_path)}")

    def ask(self, method, template, body=None, query="", parameters=None, headers=None):
        """Asks one operation and checks the answer. Returns (status, document or bytes)."""
        operation = self.document["paths"][template][method.lower()]
        values = {**SAMPLE, **(parameters or {})}
        path = re.sub(r"\{(\w+)\}",
                      lambda found: urllib.parse.quote(str(values[found[1]]), safe=""), template)
        status, kind, got, content = self.raw(method, path + query, body, headers)
        what = f"{method} {path}{query} -> {status}"
        self.asked.setdefault((method, template), set()).add(status)
        self.assertIn(str(status), operation["responses"], f"{what}: {content[:300]}")
        self.assertIn("X-Request-Id", got, what)
        response = self.resolve(operation["responses"][str(status)])
        kinds = response.get("content", {})
        if not kinds:
            self.assertEqual(content, b"", what)
            return status, None
        kind = kind.split(";")[0]
        self.assertIn(kind, kinds, what)
        if not kind.endswith("json"):
            return status, content
        document = json.loads(content)
        self.check(kinds[kind].get("schema", {}), document, what)
        if kind == "application/problem+json":
            self.assertEqual(document["request_id"], got["X-Request-Id"])
        return status, document

    def settle(self, path, wanted):
        return harness.wait_until(f"{path} is {wanted}", lambda: self.live.http("GET", path)[1]
                                  .get("state") in wanted, pause=0.02)

    def get_all(self):
        for template, item in self.document["paths"].items():
            if "get" in item and template not in ("/v1/events", "/openapi.json"):
                self.ask("GET", template)

    def test_is_valid_for_public_validators(self):
        path = self.directory / "openapi.json"
        path.write_text(json.dumps(self.document))
        folder = harness.ROOT / "tests/openapi/node_modules/.bin"
        ran = []
        for name, arguments in VALIDATORS:
            program = shutil.which(name) or shutil.which(str(folder / name))
            if program is None:
                continue
            done = subprocess.run([program, *arguments, str(path)], capture_output=True, text=True,
                                  check=False, env={**os.environ, "REDOCLY_TELEMETRY": "off"})
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            ran.append(name)
        if not ran:
            self.not_run("no OpenAPI validator is installed: npm ci in tests/openapi")

    def test_every_operation_refuses_what_is_wrong_as_it_promises(self):
        for template, item in self.document["paths"].items():
            for method, operation in item.items():
                if method in ("parameters", "get"):
                    continue
                method = method.upper()
                responses = operation["responses"]
                if "415" in responses:
                    self.assertEqual(self.ask(method, template, b"a=1", headers={
                        "Content-Type": "application/x-www-form-urlencoded"})[0], 415)
                if "application/json" in operation.get("requestBody", {}).get("content", {}) and \
                        "octet" not in json.dumps(operation["requestBody"]):
                    self.assertEqual(self.ask(method, template, b"{", headers={
                        "Content-Type": "application/json"})[0], 400)
                    if not template.startswith("/ofrep/"):  # that protocol lets members be added
                        self.assertEqual(self.ask(method, template, {"no such member": 1})[0], 400)
                if operation.get("security") != [] and "403" in responses:
                    self.assertEqual(self.ask(method, template, {}, headers={
                        "Origin": "https://evil.example"})[0], 403)

    def test_every_path_refuses_other_methods(self):
        for template, item in self.document["paths"].items():
            path = re.sub(r"\{(\w+)\}", "x", template)
            status, _, headers, content = self.raw("PATCH", path, {})
            self.assertEqual(status, 405, template)
            self.check({"$ref": "#/components/schemas/Problem"}, json.loads(content), template)
            allowed = set(headers["Allow"].lower().split(", ")) - {"head"}
            self.assertLessEqual(set(item) - {"parameters"}, allowed | {"get", "post"}, template)

    def test_every_operation_answers_as_it_promises(self):
        ask = self.ask
        self.get_all()
        self.migration()
        self.backups()
        self.rollout_and_rollback()
        self.records()
        ask("POST", "/v1/drain", {})
        ask("POST", "/v1/query", {"sql": "SELECT count(*) AS n FROM users"})
        for action in ("validate", "up", "down"):
            ask("POST", "/v1/schema/" + action, {})
        ask("POST", "/v1/schema/to", {"version": 0})
        ask("POST", "/v1/notifications/test", {})
        ask("POST", "/v1/legacy/accept", {})
        ask("GET", "/v1/history/{id}", parameters={"id": 1})
        ask("POST", "/v1/history/{id}/notes", {"text": "seen"}, parameters={"id": 1})
        for kind in ("markdown", "csv"):
            ask("GET", "/v1/history", query="?format=" + kind)
        evidence = self.live.http("GET", "/v1/evidence")[1]["evidence"]
        self.assertEqual(ask("GET", "/v1/evidence/{name}",
                             parameters={"name": evidence[0]["name"]})[0], 200)
        self.get_all()
        self.end_of_migration()
        missing = [(method.upper(), path) for path, item in self.document["paths"].items()
                   for method in item if method != "parameters"
                   and (method.upper(), path) not in self.asked
                   and path not in ("/v1/events", "/openapi.json")]
        self.assertEqual(missing, [])

    def migration(self):
        ask = self.ask
        self.assertEqual(ask("POST", "/v1/migration/start", {"actor": "a", "reason": "r"})[0], 202)
        for action in ("pause", "resume"):
            ask("POST", "/v1/migration/" + action, {})
        ask("POST", "/v1/migration/settings", {"settings": {"bytes_per_second": 0}})
        harness.wait_until("can flip", lambda: self.live.migration()["can_flip"], pause=0.02)
        ask("POST", "/v1/verify/start", {})
        ask("POST", "/v1/verify/rate", {"bytes_per_second": 0})
        ask("POST", "/v1/verify/cancel", {})
        self.live.cli("verify", "--data-dir", self.live.data, check=False)
        self.settle("/v1/verify", ("clean",))

    def backups(self):
        ask = self.ask
        self.assertEqual(ask("POST", "/v1/backups", {"note": "n"})[0], 202)
        self.settle("/v1/backups/status", ("done",))
        # Not the first of the list: the one before the migration may be of the same second.
        known = {"id": next(one["id"] for one in self.live.http("GET", "/v1/backups")[1]["backups"]
                            if one["note"] == "n")}
        self.get_all()
        for action in ("pin", "unpin"):
            self.assertEqual(ask("POST", "/v1/backups/{id}/" + action, {}, parameters=known)[0],
                             200)
        self.assertEqual(ask("GET", "/v1/backups/{id}", parameters=known)[0], 200)
        ask("POST", "/v1/backups/{id}/verify", {}, parameters=known)
        self.settle("/v1/backups/status", ("done",))
        for action in ("upload", "download"):
            ask("POST", "/v1/backups/{id}/" + action, {}, parameters=known)
        for path in ("/v1/backups/{id}/restore", "/v1/restore", "/v1/restore/undo"):
            ask("POST", path, {"dry_run": True}, parameters=known)
            ask("POST", path, {}, parameters=known)
        self.assertEqual(ask("POST", "/v1/backups/{id}/restore", {"confirm": True},
                             parameters=known)[0], 202)
        self.settle("/v1/backups/status", ("done",))
        ask("POST", "/v1/restore/undo", {"dry_run": True})
        ask("POST", "/v1/backups/cancel", {})
        ask("POST", "/v1/backups/prune", {"dry_run": True})
        ask("DELETE", "/v1/backups/{id}", {}, parameters=known)
        for where in ("here", "target"):
            ask("GET", "/v1/backups", query="?where=" + where)

    def rollout_and_rollback(self):
        ask = self.ask
        self.live.cli("verify", "--data-dir", self.live.data, check=False)
        ask("POST", "/v1/rollout/start", {"steps": [1, 50], "dry_run": True})
        ask("POST", "/v1/rollout/start", {"steps": [1, 50]})
        for action in ("pause", "resume", "promote", "abort"):
            ask("POST", "/v1/rollout/" + action, {})
        ask("PUT", "/v1/flags/{name}", {"enabled": True, "percentage": 50})
        self.ofrep()
        self.assertEqual(ask("POST", "/v1/rollback", {"reason": "test"})[0], 202)
        harness.wait_until("the rollback is over", lambda: (self.live.http(
            "GET", "/v1/rollback")[1]["operation"] or {}).get("final_status"))
        ask("POST", "/v1/rollback/validate", {})
        ask("POST", "/v1/guard/rearm", {"trip": 99})
        for decision in ("confirm", "dismiss"):
            self.assertEqual(ask("POST", "/v1/guard/" + decision, {"proposal": 99})[0], 404)
        ask("GET", "/v1/safe-mode")
        self.assertEqual(ask("POST", "/v1/safe-mode/leave", {"id": 99})[0], 404)

    def ofrep(self):
        context = {"context": {"targetingKey": "k0001"}}
        one, all_flags = "/ofrep/v1/evaluate/flags/{key}", "/ofrep/v1/evaluate/flags"
        flag = {"key": harness.FLAG}
        self.assertEqual(self.ask("POST", one, context, parameters=flag)[1]["reason"], "SPLIT")
        self.assertEqual(self.ask("POST", one, {}, parameters=flag)[0], 400)
        self.assertEqual(self.ask("POST", one, context, parameters={"key": "NONE"})[0], 404)
        self.assertEqual(self.ask("POST", all_flags, context)[0], 200)
        tag = self.raw("POST", all_flags, context)[2]["ETag"]
        self.assertEqual(self.ask("POST", all_flags, context, headers={"If-None-Match": tag})[0], 304)
        self.assertEqual(self.ask("POST", all_flags, {"context": 1})[0], 400)

    def records(self):
        ask = self.ask
        record = "/v1/collections/{collection}/records/{key}"
        octets = {"Content-Type": "application/octet-stream"}
        self.assertEqual(ask("PUT", record, b"1", headers=octets)[0], 201)
        self.assertEqual(ask("PUT", record, b"2", headers=octets)[0], 204)
        self.assertEqual(ask("PUT", record, b"2", headers={**octets, "If-Match": '"x"'})[0], 412)
        self.assertEqual(ask("PUT", record, b"2", headers={**octets, "If-Match": "x"})[0], 400)
        self.assertEqual(ask("GET", record)[0], 200)
        self.assertEqual(ask("GET", record, headers={"If-None-Match": "*"})[0], 304)
        self.assertEqual(ask("GET", record, headers={"Accept": "image/png"})[0], 406)
        self.assertEqual(ask("GET", record, query="?role=legacy")[0], 200)
        self.assertEqual(ask("DELETE", record)[0], 204)
        self.assertEqual(ask("DELETE", record)[0], 404)
        batch = "/v1/collections/{collection}/batch"
        self.assertEqual(ask("POST", batch, {"operations": [
            {"op": "put", "key": "a", "value_json": [1]}, {"op": "delete", "key": "a"}]})[0], 200)
        self.assertEqual(ask("POST", batch, {"operations": [
            {"op": "delete", "key": "a", "if_match": "*"}]})[0], 412)
        self.assertEqual(ask("GET", "/v1/collections/{collection}/records",
                             query="?values=true&limit=3")[0], 200)
        self.assertEqual(ask("GET", "/v1/collections", query="?count=exact")[0], 200)

    def end_of_migration(self):
        for action in ("complete", "cancel", "abandon"):
            self.ask("POST", "/v1/migration/" + action, {})

    def test_a_key_makes_a_request_happen_once_also_after_kill_9(self):
        headers = {"Idempotency-Key": "deploy-7"}
        note = {"note": "once"}
        first = self.ask("POST", "/v1/backups", note, headers=headers)
        self.settle("/v1/backups/status", ("done",))
        again = self.ask("POST", "/v1/backups", note, headers=headers)
        self.assertEqual((first[0], again), (202, first))
        self.assertEqual(self.ask("POST", "/v1/backups", {}, headers=headers)[0], 422)
        self.live.kill()
        self.live.start()
        self.assertEqual(self.ask("POST", "/v1/backups", note, headers=headers), first)
        self.assertEqual(self.live.http("GET", "/v1/backups")[1]["count"], 1)
        other = self.ask("POST", "/v1/backups", note, headers={"Idempotency-Key": "deploy-8"})
        self.assertEqual(other[0], 202)
        self.settle("/v1/backups/status", ("done",))
        self.assertEqual(self.live.http("GET", "/v1/backups")[1]["count"], 2)

    def test_a_batch_is_not_done_twice(self):
        headers = {"Idempotency-Key": "b"}
        batch = "/v1/collections/{collection}/batch"
        body = {"operations": [{"op": "put", "key": "n", "value": "1", "if_none_match": "*"}]}
        first = self.ask("POST", batch, body, headers=headers)
        self.assertEqual(first[0], 200)
        self.live.redis().execute_command("SELECT", "users")
        self.assertEqual(self.ask("POST", batch, body, headers=headers), first)
        self.assertEqual(self.ask("POST", batch, body)[0], 412)

    def test_requests_are_named_in_answers_and_in_the_log(self):
        _, _, headers, content = self.raw("POST", "/v1/rollback", {"no": 1},
                                          {"X-Request-Id": "deploy/7:a"})
        self.assertEqual(headers["X-Request-Id"], "deploy/7:a")
        self.assertEqual(json.loads(content)["request_id"], "deploy/7:a")
        self.assertIn("POST /v1/rollback by somebody: 400 [request deploy/7:a]",
                      self.live.log_path.read_text())
        _, _, headers, _ = self.raw("GET", "/healthz", headers={"X-Request-Id": "a b\u00e9"})
        self.assertRegex(headers["X-Request-Id"], r"^[0-9a-f]{8}-[0-9a-f]+$")


if __name__ == "__main__":
    harness.main()
