"""Ordinary clients work unchanged, whichever store answers."""

import json
import pathlib
import subprocess
import textwrap

import redis

import harness

NODE_SCRIPT = textwrap.dedent("""
    const { createClient } = require('redis');
    const assert = require('assert');
    (async () => {
      const client = createClient({ socket: { host: process.argv[2], port: Number(process.argv[3]) } });
      client.on('error', (error) => { console.error(error); process.exit(1); });
      await client.connect();
      assert.strictEqual(await client.set('node:a', 'eins'), 'OK');
      assert.strictEqual(await client.get('node:a'), 'eins');
      assert.strictEqual(await client.get('node:none'), null);
      assert.strictEqual(await client.set('node:a', 'zwei', { NX: true }), null);
      assert.strictEqual(await client.incrBy('node:n', 41), 41);
      assert.strictEqual(await client.incr('node:n'), 42);
      await assert.rejects(client.incr('node:a'), /not an integer/);
      assert.deepStrictEqual(await client.mGet(['node:a', 'node:none', 'node:n']), ['eins', null, '42']);
      const replies = await client.multi().set('node:b', '1').get('node:b').exec();
      assert.deepStrictEqual(replies, ['OK', '1']);
      const many = await Promise.all([...Array(500).keys()].map((i) => client.set(`node:${i}`, `${i}`)));
      assert.ok(many.every((reply) => reply === 'OK'));
      const keys = [];
      for await (const key of client.scanIterator({ MATCH: 'node:*', COUNT: 50 })) keys.push(key);
      assert.strictEqual(new Set(keys).size, 503);
      await client.select(3);
      assert.strictEqual(await client.dbSize(), 0);
      await client.quit();
      console.log('node-redis ok');
    })().catch((error) => { console.error(error); process.exit(1); });
""")


class Clients(harness.ServerTest):
    def setUp(self):
        super().setUp()
        self.subject = self.server().start()
        self.host, self.port = self.subject.address()

    def redis_cli(self, *arguments, text=None, flags=()):
        done = subprocess.run(["redis-cli", "-h", self.host, "-p", str(self.port), *flags, *arguments],
                              input=text, capture_output=True, text=True, timeout=60, check=True)
        return done.stdout.rstrip("\n")

    def test_redis_cli_in_both_protocols_on_both_stores(self):
        for percentage in (0, 100):
            self.subject.route(percentage)
            for flags in ((), ("-3",)):
                with self.subTest(percentage=percentage, flags=flags):
                    self.assertEqual(self.redis_cli("SET", "k", "v 1", flags=flags), "OK")
                    self.assertEqual(self.redis_cli("GET", "k", flags=flags), "v 1")
                    self.assertEqual(self.redis_cli("GET", "none", flags=flags), "")
                    self.assertEqual(self.redis_cli("EXISTS", "k", "none", flags=flags), "1")
                    self.assertEqual(self.redis_cli("DEL", "k", flags=flags), "1")
                    self.assertIn("wrong number of arguments", self.redis_cli("GET", flags=flags))
                    self.assertIn("unknown command", self.redis_cli("NOSUCH", flags=flags))

    def test_redis_cli_selects_by_name_and_number(self):
        self.assertEqual(self.redis_cli(text="SELECT cities\nSET vie Wien\n").split(), ["OK", "OK"])
        self.assertEqual(self.redis_cli(text="SELECT cities\nGET vie\n").split(), ["OK", "Wien"])
        self.assertEqual(self.redis_cli("GET", "vie"), "")
        self.assertEqual(self.redis_cli(text="SELECT 1\nSET a 1\nSELECT db1\nGET a\n").split(),
                         ["OK", "OK", "OK", "1"])

    def test_redis_cli_reads_and_writes_any_bytes(self):
        value = bytes(range(256)) * 64
        done = subprocess.run(["redis-cli", "-h", self.host, "-p", str(self.port), "-x", "SET", "bin"],
                              input=value, capture_output=True, timeout=60, check=True)
        self.assertEqual(done.stdout.strip(), b"OK")
        self.assertEqual(self.subject.redis().get("bin"), value)

    def test_redis_benchmark_runs_its_tests_without_an_error(self):
        done = harness.run("redis-benchmark", "-h", self.host, "-p", self.port, "-n", 3000, "-c", 20,
                           "-r", 1000, "-d", 100, "-t", "ping,set,get,incr,mset", "--csv", timeout=120)
        tests = {line.split(",")[0].strip('"') for line in done.stdout.splitlines()[1:]}
        self.assertLessEqual({"SET", "GET", "INCR"}, tests, done.stdout)
        self.assertNotIn("Error", done.stdout + done.stderr)
        done = harness.run("redis-benchmark", "-h", self.host, "-p", self.port, "-n", 20000, "-P", 16,
                           "-r", 1000, "-t", "set,get", "-q", timeout=120)
        self.assertNotIn("Error", done.stdout + done.stderr)

    def test_redis_py(self):
        client = self.subject.redis()
        self.assertTrue(client.ping())
        self.assertTrue(client.set("py", b"\x00\r\n\xff"))
        self.assertEqual(client.get("py"), b"\x00\r\n\xff")
        self.assertIsNone(client.set("py", "x", nx=True))
        self.assertEqual(client.append("py", b"z"), 5)
        self.assertEqual(client.getrange("py", 3, -1), b"\xffz")
        self.assertEqual(client.mget("py", "none"), [b"\x00\r\n\xffz", None])
        self.assertTrue(client.msetnx({"m1": 1, "m2": 2}))
        self.assertFalse(client.msetnx({"m2": 3, "m3": 3}))
        self.assertEqual(client.incrbyfloat("f", 1.5), 1.5)
        with self.assertRaisesRegex(redis.ResponseError, "not an integer or out of range"):
            client.incr("py")
        with self.assertRaises(redis.ResponseError):
            client.expire("py", 10)
        self.assertEqual(sorted(client.scan_iter(match="m?")), [b"m1", b"m2"])
        self.assertEqual(client.dbsize(), 4)
        self.assertIn("redis_version", client.info())

    def test_redis_py_pipelines_and_optimistic_locking(self):
        client = self.subject.redis()
        with client.pipeline(transaction=False) as pipeline:
            for i in range(1000):
                pipeline.set(f"p{i}", i).get(f"p{i}")
            replies = pipeline.execute()
        self.assertEqual(replies[1::2], [str(i).encode() for i in range(1000)])

        with client.pipeline() as pipeline:
            pipeline.watch("counter")
            client.set("counter", "changed by another")
            pipeline.multi()
            pipeline.set("counter", "mine")
            with self.assertRaises(redis.WatchError):
                pipeline.execute()
        self.assertEqual(client.get("counter"), b"changed by another")

    def test_node_redis(self):
        script = self.directory / "client.js"
        script.write_text(NODE_SCRIPT)
        done = harness.run("node", script, self.host, self.port, check=False, timeout=60,
                           env={"NODE_PATH": "/usr/share/nodejs", "PATH": "/usr/bin:/bin"})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("node-redis ok", done.stdout)

    def test_a_person_with_a_terminal(self):
        with self.subject.raw() as connection:
            connection.sendall(b"SET greeting \"hello there\"\r\nGET greeting\r\nQUIT\r\n")
            answer = b""
            while part := connection.recv(4096):
                answer += part
        self.assertEqual(answer, b"+OK\r\n$11\r\nhello there\r\n+OK\r\n")

    def test_a_browser_is_cut_off(self):
        with self.subject.raw() as connection:
            connection.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\nSET evil 1\r\n")
            while connection.recv(4096):
                pass
        self.assertIsNone(self.subject.redis().get("evil"))

    def test_values_survive_whichever_client_wrote_them(self):
        client = self.subject.redis()
        client.mset({f"k{i}": b"x" * i for i in range(300)})
        for percentage in (0, 50, 100):
            self.subject.route(percentage)
            self.assertEqual(client.mget([f"k{i}" for i in range(300)]),
                             [b"x" * i for i in range(300)])
        self.assertEqual(self.subject.stop(), 0)
        content = self.assert_equal_stores(self.subject)
        self.assertEqual(len(content["default"]), 300)
        self.assertFalse((pathlib.Path(self.subject.data) / "endpoints.json").exists())


class ControlPlaneClients(harness.ServerTest):
    def test_curl_and_the_command_line_agree(self):
        subject = self.server().start()
        self.assertEqual(subject.http("GET", "/healthz")[0], 200)
        self.assertEqual(subject.http("GET", "/readyz")[0], 200)
        subject.cli("flags", "set", harness.FLAG, "true", "--percentage", "25", "--url", subject.url())
        harness.wait_until("25 %", lambda: subject.effective() == 25)
        flag = subject.http("GET", f"/v1/flags/{harness.FLAG}")[1]
        self.assertEqual(flag["percentage"], 25)
        self.assertEqual(json.loads(subject.flags_path.read_text())[harness.FLAG]["percentage"], 25)
        subject.cli("flags", "set", harness.FLAG, "false", "--data-dir", subject.data)
        harness.wait_until("legacy", lambda: subject.effective() == 0)
        status = json.loads(subject.cli("status", "--json", "--url", subject.url()).stdout)
        self.assertEqual(status["routing"]["effective_percentage"], 0)
        metrics = subject.http("GET", "/metrics")[1]
        self.assertIn('switchback_operations_total{role="legacy",operation="get"}', metrics)


if __name__ == "__main__":
    harness.main()
