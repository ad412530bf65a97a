"""Power cuts during backups, restores, undos, moments and prunes: old or new each time, never between."""

import json
import os
import random
import subprocess
import time

import harness
import power_disk

CUTS = 200 if harness.SOAK else 10
RECORDS = 400
MEGABYTES = 768


class PowerCutOfOperations(power_disk.PowerDiskTest):
    # ---- what is in the stores: all records carry the number of the state they belong to

    def write_state(self):
        self.state += 1
        pipeline = self.server.redis().pipeline(transaction=True)
        for i in range(RECORDS):
            pipeline.set(f"k{i}", f"{self.state}:" + "v" * 200)
        pipeline.execute()
        return self.state

    def read_state(self):
        values = self.server.redis().mget([f"k{i}" for i in range(RECORDS)])
        states = {int(value.split(b":")[0]) for value in values}
        self.assertEqual(len(states), 1, "a state is whole or not there")
        return states.pop()

    def cli(self, *arguments, check=True):
        return self.server.cli(*arguments, "--data-dir", self.server.data, check=check)

    def back_up(self):
        backup = json.loads(self.cli("backup", "create", "--json").stdout)["id"]
        self.states_of_backups[backup] = self.state
        return backup

    # ---- operations: the command, and the states that may be there afterwards

    def choose(self, generator):
        now = self.write_state()
        kind = generator.choice(["create", "restore", "undo", "moment", "prune", "delete"])
        if kind == "create":
            return kind, ["backup", "create"], {now}
        if kind == "prune":
            return kind, ["backup", "prune"], {now}
        backup = generator.choice(sorted(self.states_of_backups))
        if kind == "delete":
            if len(self.states_of_backups) > 2:
                del self.states_of_backups[backup]
                return kind, ["backup", "delete", backup], {now}
            kind = "restore"
        if kind == "undo":
            self.cli("restore", backup, "--yes", "--no-safety-backup")
            return kind, ["restore", "--undo", "--yes"], {self.states_of_backups[backup], now}
        if kind == "moment":
            self.back_up()
            sequence = self.server.status()["last_sequence"]
            later = self.write_state()
            return kind, ["restore", "--to-sequence", sequence, "--yes"], {now, later}
        return kind, ["restore", backup, "--yes"], {self.states_of_backups[backup], now}

    def cut_once(self, generator):
        kind, command, allowed = self.choose(generator)
        arguments = [harness.BINARY, *map(str, command), "--data-dir", str(self.server.data)]
        operation = subprocess.Popen(arguments, stdout=subprocess.DEVNULL,
                                     stderr=subprocess.DEVNULL)
        time.sleep(generator.random() * 0.5)  # the moment of the cut is what is random here
        is_done = operation.poll() == 0
        self.cut()
        self.server.kill()
        operation.kill()
        operation.wait()
        self.power_on()
        self.server.start()
        found = self.read_state()
        self.assertIn(found, allowed, f"after {kind}")
        if is_done and kind in ("restore", "undo"):
            expected = allowed - {self.state} if kind == "restore" else {self.state}
            self.assertIn(found, expected or allowed, f"{kind} had said that it was done")
        self.state = max(self.state, found)
        self.check(kind)
        return kind, is_done

    def check(self, kind):
        harness.wait_until("both stores are in sync", lambda: all(
            self.server.follower(role)["state"] == "in-sync" for role in ("legacy", "unified")))
        self.assertEqual(self.cli("verify").returncode, 0, f"after {kind}")
        backups = json.loads(self.cli("backup", "list", "--json").stdout)["backups"]
        there = {backup["id"] for backup in backups}
        for backup in list(self.states_of_backups):
            self.assertTrue(backup in there or kind in ("prune", "delete"),
                            f"{backup} was lost by {kind}")
            if backup not in there:
                del self.states_of_backups[backup]
        leftovers = [name for name in os.listdir(self.server.data / "backups")
                     if name.endswith(".tmp")]
        self.assertEqual(leftovers, [])

    def test_old_or_new_each_time(self):
        if reason := self.make_disk(MEGABYTES):
            return self.not_run(reason)
        generator = random.Random(harness.seed_of_test())
        # The test's own files are not on the disk that loses power.
        self.server = self.server("server", data=self.disk / "data",
                                  config={"log_file_bytes": 1 << 20,
                                          "backup_retention": {"days": 30, "count": 6}})
        self.state = 0
        self.states_of_backups = {}
        self.server.start()
        self.write_state()
        self.server.migrate()
        self.back_up()
        done = {}
        for _ in range(CUTS):
            kind, is_done = self.cut_once(generator)
            before = done.get(kind, (0, 0))
            done[kind] = (before[0] + 1, before[1] + is_done)
            if not self.states_of_backups:
                self.back_up()
        for backup in sorted(self.states_of_backups):
            self.assertEqual(self.cli("backup", "verify", backup, "--full").returncode, 0)
        harness.report("power cuts of operations, and how many were done before: " +
                       ", ".join(f"{kind} {n} ({m})" for kind, (n, m) in sorted(done.items())))


if __name__ == "__main__":
    harness.main()
