"""Records over HTTP on the real process: any bytes, conditions, pages, batches, both stores."""

import base64
import http.client
import json
import threading
import urllib.parse

import lmdb

import harness


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def json(self):
        return json.loads(self.body)


class Records(harness.ServerTest):
    def setUp(self):
        super().setUp()
        self.started = self.server().start()

    def ask(self, method, path, body=None, **headers):
        host = self.started.endpoints["http"]
        connection = http.client.HTTPConnection(host["host"], host["port"], timeout=60)
        try:
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            if method == "POST":
                sent.setdefault("Content-Type", "application/json")
                body = json.dumps(body)
            connection.request(method, path, body, sent)
            return Answer(connection.getresponse())
        finally:
            connection.close()

    @staticmethod
    def path(collection, key):
        return f"/v1/collections/{collection}/records/{urllib.parse.quote(key, safe='')}"

    def test_the_same_records_over_both_doors(self):
        key, value = b"a/b\0%\xff\r\n", bytes(range(256))
        self.assertEqual(self.ask("PUT", self.path("default", key), value).status, 201)
        redis = self.started.redis()
        self.assertEqual(redis.get(key), value)
        redis.set(key, b"two")
        answer = self.ask("GET", self.path("default", key))
        self.assertEqual((answer.status, answer.body), (200, b"two"))
        self.assertEqual(answer.headers["Content-Type"], "application/octet-stream")
        head = self.ask("HEAD", self.path("default", key))
        self.assertEqual((head.status, head.body, head.headers["Content-Length"]), (200, b"", "3"))
        self.assertEqual(self.ask("DELETE", self.path("default", key)).status, 204)
        self.assertIsNone(redis.get(key))
        self.assertEqual(self.ask("GET", self.path("default", key)).status, 404)

    def test_keys_of_up_to_511_bytes_and_curl(self):
        longest = b"\xff" * 511
        self.assertEqual(self.ask("PUT", self.path("c", longest), b"1").status, 201)
        self.assertEqual(self.ask("GET", self.path("c", longest)).body, b"1")
        self.assertEqual(self.ask("PUT", self.path("c", longest + b"k"), b"1").status, 400)
        source = self.directory / "value"
        source.write_bytes(b"x" * (3 << 20))
        url = self.started.url() + "/v1/collections/c/records/large"
        done = harness.run("curl", "-sS", "-T", source, "-w", "%{http_code}", url)
        self.assertEqual(done.stdout, "201")
        copy = self.directory / "copy"
        harness.run("curl", "-sS", "-o", copy, url)
        self.assertEqual(copy.read_bytes(), source.read_bytes())

    def test_a_value_of_64_mib_and_one_byte_more(self):
        value = b"v" * (64 << 20)
        self.assertEqual(self.ask("PUT", self.path("c", b"k"), value).status, 201)
        self.assertEqual(self.ask("GET", self.path("c", b"k")).body, value)
        # It is refused by its length, before a byte of it is read.
        url = self.started.url() + self.path("c", b"k")
        source = self.directory / "value"
        source.write_bytes(value + b"v")
        done = harness.run("curl", "-sS", "-T", source, "-w", "%{http_code}", "-o", "/dev/null",
                           url)
        self.assertEqual(done.stdout, "413")
        self.assertEqual(len(self.ask("GET", self.path("c", b"k")).body), 64 << 20)

    def test_of_many_that_compare_and_set_each_step_has_one_winner(self):
        path = self.path("c", b"counter")
        self.ask("PUT", path, b"0")
        thread_count, step_count = 6, 20

        def count():
            for _ in range(step_count):
                while True:
                    seen = self.ask("GET", path)
                    answer = self.ask("PUT", path, str(int(seen.body) + 1).encode(),
                                      If_Match=seen.headers["ETag"])
                    if answer.status == 204:
                        break
                    self.assertEqual(answer.status, 412)

        threads = [threading.Thread(target=count) for _ in range(thread_count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(self.ask("GET", path).body, str(thread_count * step_count).encode())

    def test_pages_and_collections(self):
        keys = sorted(b"user:%04d\xff" % i for i in range(250)) + [b"zzz"]
        pipe = self.started.redis().pipeline()
        pipe.execute_command("SELECT", "people")
        for key in keys:
            pipe.set(key, b"v" + key)
        pipe.execute()
        found, path = [], "/v1/collections/people/records?prefix=user%3A&limit=100&values=true"
        pages = 0
        while path:
            page = self.ask("GET", path).json
            found += [base64.b64decode(record["key_base64"]) for record in page["records"]]
            for record in page["records"]:
                value = base64.b64decode(record["value_base64"])
                self.assertEqual(value, b"v" + base64.b64decode(record["key_base64"]))
            path, pages = page["next"], pages + 1
        self.assertEqual((found, pages), (keys[:-1], 3))
        exact = self.ask("GET", "/v1/collections?count=exact").json
        self.assertIn({"name": "people", "records": 251}, exact["collections"])
        self.started.cli("drain", "--data-dir", self.started.data)
        quick = self.ask("GET", "/v1/collections").json
        self.assertEqual(quick["is_exact"], False)
        self.assertIn({"name": "people", "records": 251}, quick["collections"])

    def test_a_batch_is_all_or_nothing_also_after_kill_9(self):
        operations = [{"op": "put", "key": f"k{i}", "value": "1"} for i in range(100)]
        answer = self.ask("POST", "/v1/collections/b/batch", {"operations": operations})
        self.assertEqual(answer.status, 200, answer.body)
        broken = operations[:-1] + [{"op": "put", "key": "k99", "value": "2",
                                     "if_none_match": "*"}]
        for operation in broken[:-1]:
            operation["value"] = "2"
        answer = self.ask("POST", "/v1/collections/b/batch", {"operations": broken})
        self.assertEqual((answer.status, answer.json["operations"]), (412, ["99"]))
        self.started.kill()
        self.started.start()
        page = self.ask("GET", "/v1/collections/b/records?limit=1000&values=true").json
        self.assertEqual({record["value"] for record in page["records"]}, {"1"})
        self.assertEqual(len(page["records"]), 100)

    def test_reads_say_which_role_answers_and_both_copies_can_be_compared(self):
        self.started.stop()
        legacy = self.directory / "lmdb"
        legacy.mkdir()
        with lmdb.open(str(legacy), map_size=1 << 26, max_dbs=4) as environment:
            with environment.begin(write=True) as transaction:
                transaction.put(b"k", b"1", db=environment.open_db(b"c", txn=transaction))
        self.started = self.server("adopted", legacy=legacy).start()
        path = self.path("c", b"k")
        self.assertEqual(self.ask("GET", path).headers["Switchback-Role"], "legacy")
        refused = self.ask("GET", path + "?role=unified")
        self.assertEqual((refused.status, refused.json["type"]),
                         (409, "urn:switchback:error:refused"))
        self.started.cli("migrate", "start", "--wait", "--data-dir", self.started.data)
        self.started.route(100)
        self.ask("PUT", path, b"2")
        self.assertEqual(self.ask("GET", path).headers["Switchback-Role"], "unified")
        for role in ("legacy", "unified"):
            answer = self.ask("GET", f"{path}?role={role}")
            self.assertEqual((answer.body, answer.headers["Switchback-Role"]), (b"2", role))
            self.assertRegex(answer.headers["Switchback-Copy"], r"^sequence=\d+$")
        self.ask("DELETE", path)
        self.assertEqual(self.ask("GET", path + "?role=unified").status, 404)

    def test_a_rollback_does_not_queue_behind_records(self):
        stop = threading.Event()
        failures = []

        def write(number):
            while not stop.is_set():
                answer = self.ask("PUT", self.path("c", b"k%d" % number), b"v" * 1000)
                if answer.status not in (201, 204):
                    failures.append(answer.body)

        threads = [threading.Thread(target=write, args=(i,)) for i in range(16)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(20):
                status, document = self.started.http("PUT", "/v1/flags/" + harness.FLAG,
                                                     {"enabled": False})
                self.assertEqual(status, 200, document)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual(failures, [])

    def test_pages_of_other_sites_cannot_write(self):
        path = self.path("c", b"k")
        for headers in ({"Origin": "https://evil.example"}, {"Sec_Fetch_Site": "cross-site"}):
            self.assertEqual(self.ask("PUT", path, b"1", **headers).status, 403)
        self.assertEqual(self.ask("PUT", path, b"1", Host="evil.example").status, 421)
        self.assertEqual(self.ask("GET", path).status, 404)


if __name__ == "__main__":
    harness.main()
