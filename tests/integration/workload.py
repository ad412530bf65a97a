"""Writers that remember what was acknowledged, to compare with what is there after a crash."""

import random
import threading
import time

import lmdb
import redis

KEYS_PER_WRITER = 60
COLLECTIONS = ("default", "db1", "other")
CHUNK = 500


def cold_value(number):
    return b"value %d " % number + b"c" * 60


def make_cold_environment(path, count):
    """An LMDB environment that some program wrote: what a backfill has to carry over."""
    path.mkdir(parents=True)
    environment = lmdb.open(str(path), map_size=1 << 28, max_dbs=8)
    database = environment.open_db(b"cold")
    with environment.begin(write=True, db=database) as transaction:
        for number in range(count):
            transaction.put(b"cold:%08d" % number, cold_value(number))
    environment.close()


def make_writers(count, seed, cold_records):
    share = cold_records // count
    return [Writer(f"w{i}", f"{seed}/{i}", range(i * share, (i + 1) * share)) for i in range(count)]


def expected_content(writers, cold_records):
    """{collection: {key: value}} as far as was acknowledged."""
    expected = {"cold": {b"cold:%08d" % number: cold_value(number)
                         for number in range(cold_records)}}
    for writer in writers:
        for (collection, key), value in writer.state.items():
            records = expected.setdefault(collection, {})
            if value is None:
                records.pop(key, None)
            else:
                records[key] = value
    return {name: records for name, records in expected.items() if records}


class Writer:
    """Writes its own keys one at a time, so that at most one write of it is in doubt after a crash.

    `state` maps (collection, key) to the acknowledged value, None for a deleted key; `doubt` holds
    what the write under way would make of its keys, `maybe` what refused writes would have made of
    them: a failed sync leaves a write unknown until a later one is acknowledged. Values are never
    written twice.
    """

    def __init__(self, name, seed, cold=range(0)):
        self.name = name
        self.random = random.Random(seed)
        self.state = {}
        self.doubt = {}
        self.maybe = {}
        self.counter = 0
        self.acknowledged = 0
        self.refused = []
        self.cold = cold  # numbers of records of a large collection that is there from the start
        self.thread = None
        self.is_stopping = False

    def start(self, make_client):
        self.is_stopping = False
        self.thread = threading.Thread(target=self.run, args=(make_client,), daemon=True)
        self.thread.start()

    def stop(self):
        self.is_stopping = True
        self.thread.join()

    def run(self, make_client):
        clients = {}
        try:
            for name in COLLECTIONS + ("cold",):
                clients[name] = make_client(name)
            while not self.is_stopping:
                self.write_once(clients)
        except (redis.ConnectionError, redis.TimeoutError, OSError):
            pass  # killed: the write under way is in doubt
        finally:
            for client in clients.values():
                client.close()

    def known(self, key):
        """What the key holds as far as was acknowledged."""
        if key not in self.state and key[0] == "cold":
            return cold_value(int(key[1].removeprefix(b"cold:")))
        return self.state.get(key)

    def write_once(self, clients):
        batch = self.choose()
        self.doubt = dict(batch)
        collection = next(iter(batch))[0]
        try:
            self.send(clients[collection], batch)
        except redis.ResponseError as error:
            self.refused.append(str(error))
            self.add_to_maybe(batch)
        else:
            self.state.update(batch)
            self.acknowledged += 1
            for key in batch:
                self.maybe.pop(key, None)
        self.doubt = {}

    def add_to_maybe(self, batch):
        for key, value in batch.items():
            self.maybe.setdefault(key, set()).add(value)

    def choose(self):
        """One to four records of one collection, written as one transaction."""
        if self.cold and self.random.random() < 0.2:
            key = b"cold:%08d" % self.random.choice(self.cold)
            return {("cold", key): None if self.random.random() < 0.7 else self.next_value()}
        collection = self.random.choice(COLLECTIONS)
        batch = {}
        for _ in range(self.random.choice((1, 1, 1, 4))):
            key = b"%s:%d" % (self.name.encode(), self.random.randrange(KEYS_PER_WRITER))
            batch[collection, key] = None if self.random.random() < 0.25 else self.next_value()
        return batch

    def next_value(self):
        self.counter += 1
        return b"%s=%d;" % (self.name.encode(), self.counter) + b"." * self.random.randrange(400)

    @staticmethod
    def send(client, batch):
        if len(batch) == 1:
            ((_, key), value), = batch.items()
            client.execute_command(*(("DEL", key) if value is None else ("SET", key, value)))
            return
        pieces = client.pipeline(transaction=True)
        for (_, key), value in batch.items():
            pieces.execute_command(*(("DEL", key) if value is None else ("SET", key, value)))
        pieces.execute()


def client_maker(server):
    """A factory of clients for a collection. redis-py selects `db` on each connection it makes."""
    return lambda collection: server.redis(db=collection, retry_on_timeout=False)


def read_all(server, keys):
    """{(collection, key): value} as the server answers it now, each collection's in few MGETs."""
    by_collection = {}
    for collection, key in keys:
        by_collection.setdefault(collection, []).append(key)
    found = {}
    for collection, names in by_collection.items():
        client = server.redis(db=collection)
        for at in range(0, len(names), CHUNK):
            part = names[at:at + CHUNK]
            found.update(zip(((collection, key) for key in part), client.mget(part)))
        client.close()
    return found


def settle(server, writers):
    """After a crash: compares everything acknowledged with what is there, and decides the doubts.

    Returns complaints. A transaction in doubt must have happened as a whole or not at all.
    """
    keys = {key for writer in writers for key in (*writer.state, *writer.doubt, *writer.maybe)}
    found = read_all(server, keys)
    complaints = []
    for writer in writers:
        for key in {*writer.state, *writer.doubt, *writer.maybe}:
            possible = {writer.known(key), *writer.maybe.get(key, ())}
            if key in writer.doubt:
                possible.add(writer.doubt[key])
            if found[key] not in possible:
                complaints.append(f"{key}: {found[key]!r:.60} instead of {possible!r:.200}")
        now = {key: found[key] for key in writer.doubt}
        before = {key: writer.known(key) for key in writer.doubt}
        if now not in (before, writer.doubt) and not writer.maybe:
            complaints.append(f"torn transaction: {now!r:.200} is neither before nor after")
        writer.state.update({key: found[key] for key in {*writer.doubt, *writer.maybe}})
        writer.doubt, writer.maybe = {}, {}
    return complaints


def check_routed(server, writers, percentage):
    """Complaints about what is answered at this percentage."""
    server.route(percentage)
    expected = {key: value for writer in writers for key, value in writer.state.items()}
    found = read_all(server, expected)
    return [f"at {percentage} %: {key}: {found[key]!r:.60} instead of {value!r:.60}"
            for key, value in expected.items() if found[key] != value]


class Flipper(threading.Thread):
    """Flips between nobody, shares and everybody by renaming the flags file, as an editor does."""

    def __init__(self, server, seed):
        super().__init__(daemon=True)
        self.server, self.random, self.stopping = server, random.Random(seed), threading.Event()
        self.flips = 0

    def run(self):
        while not self.stopping.wait(self.random.uniform(0.005, 0.05)):
            value = self.random.choice((True, False, 10, 25, 50, 90))
            try:
                self.server.write_flags(
                    value if isinstance(value, bool) else {"enabled": True, "percentage": value})
                self.flips += 1
            except OSError:
                return

    def end(self):
        self.stopping.set()
        self.join()


def run_for(seconds, process=None):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and (process is None or process.poll() is None):
        time.sleep(min(0.01, seconds))
