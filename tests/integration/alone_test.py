"""One process owns a data directory, and a foreign commit to either store is noticed (I8)."""

import sqlite3

import harness
import stores


class Alone(harness.ServerTest):
    def test_a_second_server_on_the_same_directory_is_refused_and_names_the_first(self):
        first = self.server().start()
        first.redis().set("k", "v")
        second = self.server(directory=first.directory)
        second.process = None

        done = second.cli("serve", "--data-dir", first.data, "--port", 0, "--http-port", 0, check=False)

        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn(str(first.pid), done.stderr)
        self.assertEqual(first.redis().get("k"), b"v")
        self.assertTrue((first.data / "endpoints.json").exists(), "the first one's file stays")

    def test_a_killed_servers_directory_is_free_again(self):
        server = self.server().start()
        server.redis().set("k", "v")
        server.kill()

        server.start()

        self.assertEqual(server.redis().get("k"), b"v")

    def start_with_records(self):
        server = self.server().start()
        server.redis().mset({f"k{i}": f"v{i}" for i in range(100)})
        self.assertEqual(server.http("POST", "/v1/drain", {})[0], 200)
        return server

    def test_a_foreign_commit_to_lmdb_takes_legacy_out_of_service(self):
        server = self.start_with_records()
        environment = stores.open_lmdb(server.store_paths()[0], map_size=1 << 30)
        with environment.begin(write=True) as transaction:
            database = environment.open_db(b"default", transaction, create=False)
            transaction.put(b"k1", b"foreign", db=database)
        environment.close()

        harness.wait_until("legacy is out of service",
                           lambda: server.follower("legacy")["state"] != "in-sync", 15)

        self.assertNotEqual(server.follower("legacy")["reason"], "")
        self.assertEqual(server.redis().get("k1"), b"v1", "unified answers")
        server.redis().set("k2", "after")
        self.assertEqual(server.redis().get("k2"), b"after", "writes go on")

        # The operator accepts it: it is the truth now, and unified needs a new fill.
        status, answer = server.http("POST", "/v1/legacy/accept", {})
        self.assertEqual(status, 200, answer)
        harness.wait_until("legacy serves again",
                           lambda: server.follower("legacy")["state"] == "in-sync", 15)
        self.assertEqual(server.redis().mget("k1", "k2"), [b"foreign", b"after"])
        server.migrate()
        server.route(100)
        self.assertEqual(server.redis().mget("k1", "k2"), [b"foreign", b"after"])
        self.assertEqual(server.stop(), 0)
        self.assert_equal_stores(server)

    def test_a_foreign_commit_to_sqlite_takes_unified_out_of_service(self):
        server = self.start_with_records()
        server.route(100)
        database = sqlite3.connect(server.store_paths()[1], timeout=10)
        database.execute('UPDATE "default" SET value = ? WHERE key = ?', (b"foreign", b"k1"))
        database.commit()
        database.close()

        harness.wait_until("unified is out of service",
                           lambda: server.follower("unified")["state"] != "in-sync", 15)

        self.assertEqual(server.effective(), 0)
        self.assertEqual(server.redis().get("k1"), b"v1", "legacy answers")
        server.redis().set("k2", "after")
        self.assertEqual(server.redis().get("k2"), b"after", "writes go on")
        # A fill from legacy makes it ours again.
        server.migrate()
        server.route(100)
        self.assertEqual(server.redis().get("k1"), b"v1")
        self.assertEqual(server.stop(), 0)
        self.assert_equal_stores(server)

    def test_foreign_readers_may_go_on(self):
        server = self.start_with_records()
        legacy, unified = server.store_paths()

        self.assertEqual(stores.lmdb_content(legacy)["default"][b"k7"], b"v7")
        self.assertEqual(stores.sqlite_content(unified)["default"][b"k7"], b"v7")
        server.redis().set("k7", "changed")
        self.assertEqual(server.http("POST", "/v1/drain", {})[0], 200)

        self.assertEqual(stores.lmdb_content(legacy)["default"][b"k7"], b"changed")
        self.assertEqual(stores.sqlite_content(unified)["default"][b"k7"], b"changed")
        self.assertEqual({server.follower(role)["state"] for role in ("legacy", "unified")},
                         {"in-sync"})

    def test_a_commit_while_no_server_ran_is_found_at_start(self):
        server = self.start_with_records()
        self.assertEqual(server.stop(), 0)
        environment = stores.open_lmdb(server.store_paths()[0], map_size=1 << 30)
        with environment.begin(write=True) as transaction:
            database = environment.open_db(b"default", transaction, create=False)
            transaction.put(b"k1", b"foreign", db=database)
        environment.close()

        try:
            server.start()
        except AssertionError as refused:  # a refusal at start that says why is as good
            self.assertIn("process", str(refused))
            return
        harness.wait_until("legacy is not trusted",
                           lambda: server.follower("legacy")["state"] != "in-sync", 15)


if __name__ == "__main__":
    harness.main()
