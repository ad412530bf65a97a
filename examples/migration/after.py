#!/usr/bin/env python3
"""The same application over Switchback: the class has changed, nothing else.

    after.py redis://127.0.0.1:6380 add URL TITLE | get URL | list [PREFIX] | count

Databases of the environment are collections under their own names; SELECT takes a name. What was one LMDB transaction is
MULTI/EXEC, or INCR where only one key is read and written.
"""

import json
import sys

import redis

from before import main


class Bookmarks:
    def __init__(self, url):
        self.bookmarks = self.collection(url, "bookmarks")
        self.visits = self.collection(url, "visits")

    @staticmethod
    def collection(url, name):
        """One connection a collection, each of which says SELECT once."""
        connection = redis.Redis(connection_pool=redis.ConnectionPool.from_url(url),
                                 single_connection_client=True)
        connection.execute_command("SELECT", name)
        return connection

    def add(self, url, title):
        with self.bookmarks.pipeline(transaction=True) as transaction:  # both or neither
            transaction.execute_command("SELECT", "bookmarks")
            transaction.set(url, json.dumps({"title": title}))
            transaction.execute_command("SELECT", "visits")
            transaction.set(url, 0)
            transaction.execute()

    def get(self, url):
        value = self.bookmarks.get(url)
        if value is None:
            return None
        return {**json.loads(value), "visits": self.visits.incr(url)}

    def list(self, prefix=""):
        for key in self.bookmarks.scan_iter(match=prefix + "*", count=1000):
            yield key.decode()

    def count(self):
        return self.bookmarks.dbsize()


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(Bookmarks(sys.argv[1]), *sys.argv[2:])
