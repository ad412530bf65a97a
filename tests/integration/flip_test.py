"""Flips: how soon the routing follows the file, what is refused, and that nobody notices."""

import http.client
import json
import statistics
import threading
import time

import harness


class FlipLatency(harness.ServerTest):
    def setUp(self):
        super().setUp()
        self.subject = self.server().start()
        self.subject.redis().mset({f"k{i}": i for i in range(1000)})
        self.connection = http.client.HTTPConnection(
            self.subject.endpoints["http"]["host"], self.subject.endpoints["http"]["port"], timeout=30)
        self.addCleanup(self.connection.close)

    def effective(self):
        self.connection.request("GET", "/v1/status")
        return json.load(self.connection.getresponse())["routing"]["effective_percentage"]

    def measure(self, flip):
        """Milliseconds from the flip to the first answer that shows it, of 20 flips."""
        times = []
        for i in range(20):
            percentage = (100, 0)[i % 2]
            begun = time.monotonic()
            flip(percentage)
            harness.wait_until("the routing follows", lambda: self.effective() == percentage, 10,
                               pause=0.0002)
            times.append((time.monotonic() - begun) * 1000)
        return times

    def judge(self, what, times, bar_ms):
        within = sum(time_ms <= bar_ms for time_ms in times)
        harness.report(f"flip by {what}: {within} of {len(times)} within {bar_ms} ms, median "
                       f"{statistics.median(times):.1f} ms, most {max(times):.1f} ms")
        # How fast the disk is today is no matter of right and wrong; that nobody waits for a poll is.
        self.assertLessEqual(max(times), 1500)

    def test_the_routing_follows_a_rename_of_the_file(self):
        self.judge("rename", self.measure(
            lambda percentage: self.subject.write_flags(percentage == 100)), 50)

    def test_the_routing_follows_an_editor_that_writes_in_place(self):
        def write(percentage):
            with open(self.subject.flags_path, "w", encoding="utf-8") as file:
                json.dump({harness.FLAG: percentage == 100}, file)
        self.judge("write in place", self.measure(write), 50)

    def test_the_routing_follows_an_http_switch(self):
        def put(percentage):
            self.connection.request("PUT", f"/v1/flags/{harness.FLAG}",
                                    json.dumps({"enabled": percentage == 100}),
                                    {"Content-Type": "application/json"})
            response = self.connection.getresponse()
            response.read()
            self.assertEqual(response.status, 200)
        self.judge("HTTP", self.measure(put), 25)

    def test_no_request_fails_and_the_tail_stays_under_load(self):
        latencies, failures, stopping = [], [], threading.Event()

        def load(index):
            client = self.subject.redis(single_connection_client=True)
            at = 0
            while not stopping.is_set():
                at += 1
                begun = time.monotonic()
                try:
                    if at % 5:
                        client.get(f"k{at * 7 % 1000}")
                    else:
                        client.set(f"k{at * 3 % 1000}", at)
                except Exception as error:
                    failures.append(repr(error))
                latencies.append((begun, time.monotonic() - begun))
            client.close()

        threads = [threading.Thread(target=load, args=(i,), daemon=True) for i in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(2)  # the load before the flips is what they are compared with
        begun = time.monotonic()
        for percentage in (25, 100, 50, 0, 100, 0):
            self.subject.route(percentage)
        ended = time.monotonic()
        stopping.set()
        for thread in threads:
            thread.join()

        before = sorted(took for at, took in latencies if at < begun)
        during = sorted(took for at, took in latencies if begun <= at <= ended)
        p99_before, p99_during = (part[len(part) * 99 // 100] * 1000 for part in (before, during))
        harness.report(f"flips under load: p99 {p99_before:.2f} ms before, {p99_during:.2f} ms during; "
                       f"{len(failures)} of {len(latencies)} requests failed")
        self.assertEqual(failures[:3], [])


class Refusals(harness.ServerTest):
    def test_a_flip_to_a_store_that_is_not_filled_is_refused_and_says_why(self):
        import lifecycle_test
        legacy = self.directory / "old"
        lifecycle_test.make_environment(legacy)
        subject = self.server(legacy=legacy).start()

        subject.write_flags(True)
        routing = harness.wait_until(
            "the refusal shows", lambda: subject.status()["routing"]["is_refused"]
            and subject.status()["routing"])
        self.assertEqual(routing["effective_percentage"], 0)
        self.assertEqual(routing["desired_percentage"], 100)
        self.assertIn("unified", routing["reason"])
        status, problem = subject.http("PUT", f"/v1/flags/{harness.FLAG}", {"enabled": True})
        self.assertEqual(status, 409, problem)
        done = subject.cli("flags", "set", harness.FLAG, "true", "--url", subject.url(), check=False)
        self.assertEqual(done.returncode, 3, done.stdout + done.stderr)

        # It stays refused when the store comes in sync: nobody flips behind the operator's back.
        subject.migrate()
        self.assertEqual(subject.effective(), 0)
        subject.route(100)

    def test_broken_content_keeps_the_last_good_flags_and_warns(self):
        subject = self.server().start()
        subject.route(100)
        for content in ("", "{", "[]", '{"USE_UNIFIED_DB_SERVICE": "yes"}',
                        '{"USE_UNIFIED_DB_SERVICE": {"enabled": true, "percentage": 101}}'):
            failures = subject.status()["flags"]["reload_failures"]
            subject.flags_path.write_text(content)
            harness.wait_until(f"{content!r} is noticed", lambda: (
                subject.status()["flags"]["reload_failures"] > failures
                or subject.status()["flags"]["warning"]), 10)
            self.assertEqual(subject.effective(), 100)
        subject.route(0)
        self.assertEqual(subject.status()["flags"]["warning"], "")


if __name__ == "__main__":
    harness.main()
