"""Power cuts: a data directory on a disk of its own, shut down at random moments of load."""

import random

import harness
import power_disk
import stores
import workload

WORLDS = 60 if harness.SOAK else 3
CUTS_PER_WORLD = 4
COLD_RECORDS = 20_000
MEGABYTES = 512


class PowerCut(power_disk.PowerDiskTest):
    def test_nothing_acknowledged_is_lost_when_the_power_goes(self):
        if reason := self.make_disk(MEGABYTES):
            return self.not_run(reason)
        seed = harness.seed_of_test()
        generator = random.Random(seed)
        acknowledged = in_fill = 0
        for index in range(WORLDS):
            with self.subTest(world=index, seed=seed):
                writers, cuts_in_fill = self.run_world(index, generator)
                acknowledged += sum(writer.acknowledged for writer in writers)
                in_fill += cuts_in_fill
        harness.report(f"power cuts: {WORLDS * CUTS_PER_WORLD}, {in_fill} of them during a fill, "
                       f"{acknowledged} writes acknowledged")
        self.assertGreater(acknowledged, 100)

    def run_world(self, index, generator):
        legacy = self.disk / f"old-{index}"
        workload.make_cold_environment(legacy, COLD_RECORDS)
        # The test's own files are not on the disk that loses power.
        server = self.server(f"server-{index}", data=self.disk / f"data-{index}", legacy=legacy,
                             config={"guard": {"crash_count_max": 0},  # cuts are no crash loop
                                     "log_file_bytes": 1 << 20, "memtable_record_count_max": 2048,
                                     "memtable_bytes_max": 4 << 20})
        writers = workload.make_writers(4, generator.random(), COLD_RECORDS)
        server.start()
        cuts_in_fill = 0
        for _ in range(CUTS_PER_WORLD):
            cuts_in_fill += self.cut_once(server, writers, generator)
        server.migrate()
        self.assertEqual(workload.check_routed(server, writers, 100)[:5], [])
        self.assertEqual(server.stop(), 0)
        content = self.assert_equal_stores(server)
        expected = workload.expected_content(writers, COLD_RECORDS)
        self.assertEqual(stores.difference(content, expected), "")
        return writers, cuts_in_fill

    def cut_once(self, server, writers, generator):
        """Whether the power went during a fill."""
        for writer in writers:
            writer.start(workload.client_maker(server))
        flipper = workload.Flipper(server, generator.random())
        flipper.start()
        if not server.migration()["can_flip"]:
            server.http("POST", "/v1/migration/start", {})
        workload.run_for(generator.random() ** 2 * 0.6)
        was_filling = server.migration()["state"] == "running"
        self.cut()
        server.kill()
        flipper.end()
        for writer in writers:
            writer.stop()
            writer.refused.clear()  # a dead disk refuses writes, rightly
        self.power_on()
        server.start()
        self.assertEqual(workload.settle(server, writers)[:5], [])
        self.assertEqual(workload.check_routed(server, writers, 0)[:5], [])
        if server.migration()["can_flip"]:
            self.assertEqual(workload.check_routed(server, writers, 100)[:5], [])
        return was_filling


if __name__ == "__main__":
    harness.main()
