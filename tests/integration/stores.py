"""What is in the two stores, read with other people's tools: py-lmdb and Python's sqlite3."""

import os
import sqlite3

import lmdb

RESERVED = b"__switchback"


def open_lmdb(path, **options):
    return lmdb.open(path, subdir=os.path.isdir(path), max_dbs=1100, create=False, **options)


def lmdb_content(path, with_reserved=False):
    """{collection: {key: value}} in bytes. Records of the main database are `main`."""
    content = {}
    environment = open_lmdb(path, readonly=True)
    try:
        with environment.begin() as transaction:
            main = dict(transaction.cursor())
            for name in list(main):
                try:
                    database = environment.open_db(name, transaction, create=False)
                except lmdb.Error:
                    continue  # a plain record
                del main[name]
                if name != RESERVED or with_reserved:
                    content[name.decode()] = dict(transaction.cursor(database))
            content["main"] = main
    finally:
        environment.close()
    return {name: records for name, records in content.items() if records}


def sqlite_content(path):
    content = {}
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        tables = [row[0] for row in database.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table'")]
        pairs = {}
        if "__switchback_collections" in tables:
            pairs = {table: collection for collection, table in database.execute(
                "SELECT collection, table_name FROM __switchback_collections")}
        for table in tables:
            if table.startswith(RESERVED.decode()):
                continue
            rows = database.execute(f'SELECT key, value FROM "{table}"')
            content[pairs.get(table, table)] = {bytes(key): bytes(value) for key, value in rows}
        check = database.execute("PRAGMA integrity_check").fetchone()[0]
        if check != "ok":
            raise AssertionError(f"{path}: integrity_check says {check}")
    finally:
        database.close()
    return {name: records for name, records in content.items() if records}


def count(content):
    return sum(len(records) for records in content.values())


def difference(left, right, shown=5):
    """The first few records in which two contents differ, for people."""
    lines = []
    for name in sorted(set(left) | set(right)):
        ours, theirs = left.get(name, {}), right.get(name, {})
        if ours == theirs:
            continue
        for key in sorted(set(ours) | set(theirs)):
            if ours.get(key) != theirs.get(key):
                lines.append(f"{name}/{key!r}: {ours.get(key)!r:.80} != {theirs.get(key)!r:.80}")
    rest = len(lines) - shown
    return "\n".join(lines[:shown] + ([f"... and {rest} more"] if rest > 0 else []))
