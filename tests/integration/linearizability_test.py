"""One order of all operations on a key, across flips and percentages; MULTI/EXEC and MGET show one
point in time. And first: the checker itself finds what it should."""

import itertools
import math
import random
import threading
import time
import unittest

import harness
import workload
from linearizability import Operation, violation

SECONDS = 60 if harness.SOAK else 8


def brute_force(history):
    """Whether some order explains the history, by trying all (small histories only)."""
    certain = [operation for operation in history if operation.end < math.inf]
    maybe = [operation for operation in history
             if operation.end == math.inf and operation.kind == "write"]
    for size in range(len(maybe) + 1):
        for chosen in itertools.combinations(maybe, size):
            if explains(certain + list(chosen), None):
                return True
    return False


def explains(rest, value):
    if not rest:
        return True
    horizon = min(operation.end for operation in rest)
    for index, operation in enumerate(rest):
        if operation.start > horizon:
            continue
        if operation.kind == "read" and operation.value != value:
            continue
        after = operation.value if operation.kind == "write" else value
        if explains(rest[:index] + rest[index + 1:], after):
            return True
    return False


class Checker(unittest.TestCase):
    def test_a_stale_read_is_found(self):
        history = [Operation("write", 1, 0, 1), Operation("write", 2, 2, 3), Operation("read", 1, 4, 5)]
        self.assertIsNotNone(violation(history))

    def test_a_value_that_goes_and_comes_back_is_found(self):
        history = [Operation("write", 1, 0, 9), Operation("write", 2, 0, 9), Operation("read", 1, 1, 2),
                   Operation("read", 2, 3, 4), Operation("read", 1, 5, 6)]
        self.assertIsNotNone(violation(history))

    def test_a_lost_write_is_found(self):
        history = [Operation("write", 1, 0, 1), Operation("read", None, 2, 3)]
        self.assertIsNotNone(violation(history))

    def test_an_unanswered_write_may_have_happened_or_not(self):
        write = Operation("write", 1, 0, math.inf)
        self.assertIsNone(violation([write, Operation("read", None, 5, 6)]))
        self.assertIsNone(violation([write, Operation("read", 1, 5, 6)]))
        self.assertIsNotNone(violation(
            [write, Operation("read", 1, 5, 6), Operation("read", None, 7, 8)]))

    def test_it_agrees_with_trying_all_orders(self):
        seed = harness.seed_of_test()
        generator = random.Random(seed)
        verdicts = {True: 0, False: 0}
        for _ in range(3000):
            history = []
            for value in range(1, generator.randint(2, 4)):
                start = generator.random()
                end = math.inf if generator.random() < 0.1 else start + generator.random() / 2
                history.append(Operation("write", value, start, end))
            for _ in range(generator.randint(1, 4)):
                start = generator.random()
                history.append(Operation("read", generator.choice([None, 1, 2]), start,
                                         start + generator.random() / 2))
            values = {operation.value for operation in history if operation.kind == "write"}
            history = [o for o in history if o.kind == "write" or o.value in values | {None}]
            verdict = brute_force(history)
            verdicts[verdict] += 1
            self.assertEqual(violation(history) is None, verdict, f"seed {seed}: {history}")
        self.assertGreater(min(verdicts.values()), 100, verdicts)


class Clients:
    """Threads that run `work(client, index)` again and again until the end."""

    def __init__(self, server, count, work):
        self.stopping = threading.Event()
        self.errors = []
        self.threads = [threading.Thread(target=self.run, args=(server, work, index), daemon=True)
                        for index in range(count)]
        for thread in self.threads:
            thread.start()

    def run(self, server, work, index):
        client = server.redis(single_connection_client=True)
        try:
            while not self.stopping.is_set():
                work(client, index)
        except Exception as error:  # any failed request fails the test
            self.errors.append(repr(error))
        finally:
            client.close()

    def end(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()


class Concurrent(harness.ServerTest):
    # Small segments, so that followers apply and evict all the time.
    CONFIG = {"memtable_record_count_max": 2048, "memtable_bytes_max": 1 << 20}

    def setUp(self):
        super().setUp()
        self.seed = harness.seed_of_test()
        self.subject = self.server(config=self.CONFIG).start()

    def run_with_flips(self, *groups, seconds=SECONDS):
        flipper = workload.Flipper(self.subject, self.seed)
        flipper.start()
        clients = [Clients(self.subject, count, work) for count, work in groups]
        workload.run_for(seconds, self.subject.process)
        for group in clients:
            group.end()
        flipper.end()
        errors = [error for group in clients for error in group.errors]
        self.assertEqual(errors[:3], [], "no request fails")
        routed = self.subject.status()["routing"]["flips"]
        self.assertGreater(routed, 10, "the routing did change")
        return routed

    def test_every_key_has_one_order_of_its_operations(self):
        keys = 12
        histories = [[] for _ in range(keys)]
        locks = [threading.Lock() for _ in range(keys)]
        counter = itertools.count(1)
        generators = [random.Random(f"{self.seed}/{i}") for i in range(8)]

        def work(client, index):
            generator = generators[index]
            key = generator.randrange(keys)
            if generator.random() < 0.4:
                value = next(counter)
                start = time.monotonic()
                client.set(f"{{k{key}}}", value)
                operation = Operation("write", value, start, time.monotonic())
            else:
                start = time.monotonic()
                # Alone, within others, or queued: every way of reading is in the same order.
                shape = generator.randrange(3)
                if shape == 0:
                    found = client.get(f"{{k{key}}}")
                elif shape == 1:
                    found = client.mget("other", f"{{k{key}}}")[1]
                else:
                    found = client.pipeline(transaction=True).get(f"{{k{key}}}").execute()[0]
                value = None if found is None else int(found)
                operation = Operation("read", value, start, time.monotonic())
            with locks[key]:
                histories[key].append(operation)

        flips = self.run_with_flips((8, work))

        operations = sum(map(len, histories))
        harness.report(f"linearizability: {operations} operations on {keys} keys, {flips} flips")
        self.assertGreater(operations, 1000)
        for key, history in enumerate(histories):
            self.assertIsNone(violation(history), f"key {key}, seed {self.seed}")

    def test_exec_and_mget_show_one_point_in_time(self):
        # The keys' own buckets route them to different stores at most percentages.
        names = [f"part:{i}" for i in range(8)]
        self.subject.redis().mset(dict.fromkeys(names, 0))
        counter = itertools.count(1)
        seen = [0] * 64
        torn = []

        def write(client, index):
            value = next(counter)
            if value % 2:
                client.mset(dict.fromkeys(names, value))
                return
            pieces = client.pipeline(transaction=True)
            for name in names:
                pieces.set(name, value)
            pieces.execute()

        def read(client, index):
            if index % 2:
                values = client.mget(names)
            else:
                pieces = client.pipeline(transaction=True)
                for name in names:
                    pieces.get(name)
                values = pieces.execute()
            seen[index] += 1
            if len(set(values)) != 1:
                torn.append(values)

        flips = self.run_with_flips((2, write), (4, read))

        harness.report(f"atomicity: {sum(seen)} reads of {len(names)} keys, {flips} flips")
        self.assertGreater(sum(seen), 500)
        self.assertEqual(torn[:3], [])

    def test_watch_lets_no_increment_get_lost(self):
        done = [0] * 8

        def work(client, index):
            with client.pipeline() as pipeline:
                try:
                    pipeline.watch("counter")
                    value = int(pipeline.get("counter") or 0)
                    pipeline.multi()
                    pipeline.set("counter", value + 1)
                    pipeline.execute()
                    done[index] += 1
                except harness.redis.WatchError:
                    pass

        self.run_with_flips((6, work), seconds=SECONDS / 2)

        self.assertGreater(sum(done), 50)
        self.assertEqual(int(self.subject.redis().get("counter")), sum(done))

    def test_increments_of_many_clients_add_up(self):
        done = [0] * 8

        def work(client, index):
            client.incr(f"n{done[index] % 5}")
            done[index] += 1

        self.run_with_flips((6, work), seconds=SECONDS / 2)

        values = self.subject.redis().mget([f"n{i}" for i in range(5)])
        self.assertEqual(sum(map(int, values)), sum(done))
        self.assertEqual(self.subject.stop(), 0)
        self.assert_equal_stores(self.subject)


if __name__ == "__main__":
    harness.main()
