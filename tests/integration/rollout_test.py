"""Rollouts by the real process: to the end under load, through kills, edits, trips and silence."""

import json
import os
import threading
import time
import unittest.mock

import harness

KEYS = [f"key{i}" for i in range(400)]


class RolloutTest(harness.ServerTest):
    def setUp(self):
        super().setUp()
        self.subject = self.server()
        self.failures = []

    def start(self, failpoints=""):
        with unittest.mock.patch.dict(os.environ, SWITCHBACK_FAILPOINTS=failpoints):
            self.subject.start()
        self.subject.redis().mset({key: key for key in KEYS})

    def load(self, may_break=False):
        """Reads every key over and over until the test ends, or the server does if it may."""
        stopping = threading.Event()
        client = self.subject.redis(single_connection_client=True)

        def run():
            try:
                while not stopping.is_set():
                    for at in range(0, len(KEYS), 50):
                        pipeline = client.pipeline(transaction=False)
                        for key in KEYS[at:at + 50]:
                            pipeline.get(key)
                        for key, value in zip(KEYS[at:at + 50], pipeline.execute()):
                            if value != key.encode():
                                self.failures.append((key, value))
                    time.sleep(0.005)
            except harness.redis.RedisError as error:
                if not stopping.is_set() and not may_break:
                    self.failures.append(repr(error))

        thread = threading.Thread(target=run, daemon=True)
        thread.start()

        def stop():
            stopping.set()
            thread.join()
        self.addCleanup(stop)
        return stop

    def rollout(self):
        return self.subject.http("GET", "/v1/rollout")[1]

    def begin(self, steps="10,50,100", interval="1s", *arguments, check=True):
        return self.subject.cli("rollout", "start", "--steps", steps, "--interval", interval,
                                "--min-operations", "5", "--url", self.subject.url(), *arguments,
                                check=check)

    def act(self, *arguments, check=True):
        done = self.subject.cli("rollout", *arguments, "--json", "--url", self.subject.url(),
                                check=check)
        return done.returncode, json.loads(done.stdout)

    def flag(self):
        return json.loads(self.subject.flags_path.read_text())[harness.FLAG]

    def becomes(self, state, seconds=15):
        try:
            return harness.wait_until(f"the rollout is {state}",
                                      lambda: self.rollout()["state"] == state and self.rollout(),
                                      seconds, pause=0.02)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.rollout()}") from None

    def reaches(self, percentage, seconds=15):
        harness.wait_until(f"{percentage} % in effect",
                           lambda: self.subject.effective() == percentage, seconds, pause=0.02)

    def test_goes_to_the_end_under_load_and_can_be_steered(self):
        self.start()
        stop = self.load()
        plan = self.act("start", "--steps", "1,5,25,50,100", "--interval", "10m", "--dry-run")[1]
        self.assertEqual([step["percentage"] for step in plan["steps"]], [1, 5, 25, 50, 100])
        self.assertEqual(plan["refusals"], [])
        self.assertEqual(self.rollout()["state"], "none")

        begun = time.monotonic()
        done = self.begin("1,5,25,50,100", "1s", "--wait", "--json")
        took = time.monotonic() - begun
        status = json.loads(done.stdout)
        self.assertEqual(status["state"], "done", status)
        self.assertEqual(status["effective_percentage"], 100)
        self.assertEqual(self.flag(), {"enabled": True, "percentage": 100})
        self.assertGreaterEqual(took, 5)
        harness.report(f"rollout of 5 steps of 1 s took {took:.1f} s")
        metrics = self.subject.http("GET", "/metrics")[1]
        self.assertIn('switchback_rollout_state{state="done"} 1', metrics)
        self.assertIn("switchback_rollout_step 5", metrics)
        self.assertIn("switchback_rollout_share 1", metrics)

        refused = self.begin("1,5", check=False)
        self.assertEqual(refused.returncode, 3)
        self.assertIn("100 % already", refused.stderr)

        self.subject.route(0)
        self.begin("20,60,100", "1h", "--reason", "steered")
        self.reaches(20)
        self.assertEqual(self.begin("50,100", check=False).returncode, 3)
        self.assertEqual(self.act("pause")[1]["state"], "paused")
        self.assertEqual(self.act("resume")[1]["state"], "running")
        promoted = self.act("promote")[1]
        self.assertEqual(promoted["step"], 2)
        self.assertIn("had lasted", promoted["note"])
        self.reaches(60)
        aborted = self.act("abort", "--reason", "enough")[1]
        self.assertEqual(aborted["state"], "aborted")
        self.assertEqual(self.subject.effective(), 0)
        self.assertEqual(self.act("resume", check=False)[0], 1)
        stop()
        self.assertEqual(self.failures[:3], [])

    def test_goes_on_through_kills_before_and_after_each_write(self):
        self.start(failpoints="rollout.write=abort@2")
        stop = self.load(may_break=True)
        self.begin()
        for failpoints in ("rollout.written=abort@2", ""):
            self.subject.process.wait(20)
            self.subject.process = None
            stop()
            before = self.flag()["percentage"]
            self.start(failpoints)
            stop = self.load(may_break=True)
            self.assertGreaterEqual(self.flag()["percentage"], before)
        self.becomes("done")
        self.assertEqual(self.subject.effective(), 100)
        stop()
        self.assertEqual(self.failures[:3], [])

    def test_an_edit_stops_it_for_good(self):
        self.start()
        self.load(may_break=True)
        self.begin()
        self.subject.write_flags({"enabled": True, "percentage": 7})
        status = self.becomes("stopped-by-edit")
        self.assertIn('"percentage":7', status["note"])
        self.reaches(7)
        self.assertEqual(self.act("abort", check=False)[0], 3)
        self.subject.kill()
        self.start()
        time.sleep(1.2)  # longer than a look: nothing must happen
        self.assertEqual(self.flag(), {"enabled": True, "percentage": 7})
        self.assertEqual(self.rollout()["state"], "stopped-by-edit")

    def test_without_traffic_it_holds(self):
        self.start()
        self.begin()
        harness.wait_until("it holds", lambda: self.rollout()["hold"])
        time.sleep(2)  # longer than its interval
        status = self.rollout()
        self.assertEqual((status["state"], status["step"]), ("running", 1), status)
        self.assertEqual(self.subject.effective(), 10)
        self.load()
        self.reaches(50)

    def test_a_trip_ends_it_and_an_abort_then_takes_the_share_back(self):
        self.start(failpoints="sqlite.read=delay:20")  # slow, and answers all the same
        stop = self.load()
        self.begin("10,100", "1m")
        status = self.becomes("aborted")
        self.assertIn("guard", status["note"])
        self.assertEqual(self.flag()["percentage"], 10)
        self.assertEqual((status["desired_percentage"], status["effective_percentage"]), (10, 0))
        refused = self.begin("20", "1s", "--dry-run", check=False)
        self.assertEqual(refused.returncode, 3)
        self.assertIn("guard", refused.stdout)
        stop()
        self.assertEqual(self.failures[:3], [])
        self.assertEqual(self.act("abort")[1]["desired_percentage"], 0)
        self.assertFalse(self.flag()["enabled"])

    def test_a_latch_found_at_the_start_ends_it(self):
        self.start()
        self.begin("10,100", "1h")
        self.subject.kill()
        (self.subject.data / "guard.json").write_text(json.dumps({"last_id": 4, "engaged": {
            "id": 4, "cause": "operator", "time": "", "reason": "hands off", "detail": {}}}))
        self.start()
        self.assertIn("hands off", self.becomes("aborted")["note"])
        self.assertEqual(self.subject.effective(), 0)


if __name__ == "__main__":
    harness.main()
