#!/usr/bin/env python3
"""A small application of the old kind: bookmarks in LMDB, opened by the program itself.

    before.py DIR add URL TITLE | get URL | list [PREFIX] | count
"""

import json
import sys

import lmdb


class Bookmarks:
    def __init__(self, directory):
        self.environment = lmdb.open(directory, max_dbs=4, map_size=1 << 30)
        self.bookmarks = self.environment.open_db(b"bookmarks")
        self.visits = self.environment.open_db(b"visits")

    def add(self, url, title):
        with self.environment.begin(write=True) as transaction:
            transaction.put(url.encode(), json.dumps({"title": title}).encode(), db=self.bookmarks)
            transaction.put(url.encode(), b"0", db=self.visits)

    def get(self, url):
        with self.environment.begin(write=True) as transaction:
            value = transaction.get(url.encode(), db=self.bookmarks)
            if value is None:
                return None
            visits = int(transaction.get(url.encode(), b"0", db=self.visits)) + 1
            transaction.put(url.encode(), b"%d" % visits, db=self.visits)
            return {**json.loads(value), "visits": visits}

    def list(self, prefix=""):
        with self.environment.begin(db=self.bookmarks) as transaction:
            with transaction.cursor() as cursor:
                if cursor.set_range(prefix.encode()) if prefix else cursor.first():
                    for key, _ in cursor:
                        if not key.startswith(prefix.encode()):
                            break
                        yield key.decode()

    def count(self):
        with self.environment.begin() as transaction:
            return transaction.stat(self.bookmarks)["entries"]


def main(bookmarks, command, *arguments):
    if command == "add":
        bookmarks.add(*arguments)
    elif command == "get":
        print(json.dumps(bookmarks.get(*arguments)))
    elif command == "list":
        print(*sorted(bookmarks.list(*arguments)), sep="\n")
    elif command == "count":
        print(bookmarks.count())
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(Bookmarks(sys.argv[1]), *sys.argv[2:])
