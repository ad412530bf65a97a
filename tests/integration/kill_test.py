"""kill -9 at random moments of load, flips, backfill and recovery: nothing acknowledged is lost.

About a hundred kills; SWITCHBACK_SOAK=1 makes it thousands. SWITCHBACK_TEST_SEED repeats a run.
"""

import random
import time

import harness
import stores
import workload

WORLDS = 60 if harness.SOAK else 4
KILLS_PER_WORLD = 50 if harness.SOAK else 26
WRITERS = 4
COLD_RECORDS = 60_000


class World:
    """One data directory with its writers, killed again and again."""

    def __init__(self, test, seed, index):
        self.test = test
        self.random = random.Random(f"{seed}/{index}")
        directory = test.directory / f"world-{index}"
        legacy = directory / "old"
        workload.make_cold_environment(legacy, COLD_RECORDS)
        self.server = test.server(directory=directory, legacy=legacy, config=self.random_limits(),
                                  arguments=self.random.choice(([], [], ["--ack", "stores"])))
        self.writers = workload.make_writers(WRITERS, self.random.random(), COLD_RECORDS)
        self.kills = self.kills_in_recovery = self.kills_in_fill = self.checks_on_unified = 0

    def random_limits(self):
        """Small ones, so that files of the log and segments of the memtable come and go."""
        return {"guard": {"crash_count_max": 0},  # it would take the kills for a crash loop
                "log_file_bytes": self.random.choice((1 << 20, 4 << 20, 32 << 20)),
                "memtable_bytes_max": self.random.choice((1 << 20, 8 << 20, 128 << 20)),
                "memtable_record_count_max": self.random.choice((1024, 20_000, 262_144))}

    def run(self, kills):
        self.server.start()
        for _ in range(kills):
            self.round()
        self.finish()

    def round(self):
        if not self.server.migration()["can_flip"]:
            self.server.http("POST", "/v1/migration/start", {})
        for writer in self.writers:
            writer.start(workload.client_maker(self.server))
        flipper = workload.Flipper(self.server, self.random.random())
        flipper.start()
        workload.run_for(self.random.choice((0.01, 0.05, 0.2, 0.5)) * self.random.random() * 2)
        self.kills_in_fill += self.server.migration()["state"] == "running"
        self.server.kill()
        self.kills += 1
        flipper.end()
        for writer in self.writers:
            writer.stop()
        self.recover()

    def recover(self):
        while self.random.random() < 0.35:  # the recovery is killed too
            self.server.spawn()
            time.sleep(self.random.choice((0.002, 0.02, 0.1)) * self.random.random())
            self.server.kill()
            self.kills += 1
            self.kills_in_recovery += 1
        self.server.start()
        # The flag stands wherever the crash left it; both stores are asked.
        complaints = workload.settle(self.server, self.writers)
        complaints += workload.check_routed(self.server, self.writers, 0)
        if self.server.migration()["can_flip"]:
            complaints += workload.check_routed(self.server, self.writers, 100)
            self.checks_on_unified += 1
        self.test.assertEqual(complaints[:5], [])
        refused = [text for writer in self.writers for text in writer.refused]
        self.test.assertEqual(refused[:3], [], "no write is refused")

    def finish(self):
        self.server.migrate()
        self.test.assertEqual(workload.check_routed(self.server, self.writers, 100)[:5], [])
        self.test.assertEqual(self.server.stop(), 0)
        content = self.test.assert_equal_stores(self.server)
        expected = workload.expected_content(self.writers, COLD_RECORDS)
        self.test.assertEqual(stores.difference(content, expected), "")


class Kill(harness.ServerTest):
    def test_nothing_acknowledged_is_lost(self):
        seed = harness.seed_of_test()
        totals = dict.fromkeys(
            ("kills", "kills_in_recovery", "kills_in_fill", "checks_on_unified", "acknowledged"), 0)
        for index in range(WORLDS):
            with self.subTest(world=index, seed=seed):
                world = World(self, seed, index)
                world.run(KILLS_PER_WORLD * 3 // 4)
                for name in totals:
                    totals[name] += (sum(writer.acknowledged for writer in world.writers)
                                     if name == "acknowledged" else getattr(world, name))
        harness.report(f"kill -9: {totals}")
        # The test must have tested what it says.
        self.assertGreaterEqual(totals["kills"], WORLDS * KILLS_PER_WORLD * 3 // 4)
        self.assertGreater(totals["kills_in_recovery"], 0)
        self.assertGreater(totals["kills_in_fill"], 0)
        self.assertGreater(totals["checks_on_unified"], 0)
        self.assertGreater(totals["acknowledged"], 1000)


if __name__ == "__main__":
    harness.main()
