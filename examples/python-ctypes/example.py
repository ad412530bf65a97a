"""Opens a data directory in this very process, fills it, goes to SQLite by the flags file, and back.

    /usr/bin/python3 examples/python-ctypes/example.py DIRECTORY
"""

import json
import os
import pathlib
import sys

from switchback import Error, Switchback


def flip(data_dir, value):
    """As anybody does who has an editor: a new file renamed over the old one."""
    path = pathlib.Path(data_dir) / "flags.json"
    new = path.with_suffix(".new")
    new.write_text(json.dumps({"USE_UNIFIED_DB_SERVICE": value}))
    os.rename(new, path)


def show(db):
    store = "unified" if db.percentage() > 0 else "legacy"
    print(store, "answers", {key.decode(): value.decode() for key, value in db.scan("users", prefix=b"a")})


def main():
    data_dir = sys.argv[1]
    with Switchback(data_dir) as db:
        for name in (b"alice", b"anna", b"bob"):
            db.put("users", name, b"1")
        show(db)

        flip(data_dir, {"enabled": True, "percentage": 100})
        db.reload_flags()  # it would be noticed within milliseconds; this waits for it
        show(db)

        # Only if nobody has changed it meanwhile.
        print("anna was 1:", db.compare_and_set("users", b"anna", b"1", b"2"))
        print("anna was 1:", db.compare_and_set("users", b"anna", b"1", b"3"))
        db.delete("users", b"alice")

        db.rollback_now("the example is over")
        show(db)
        print((pathlib.Path(data_dir) / "flags.json").read_text().strip())
        print(db.count("users"), "users, stage", db.status()["stage"])

        try:
            Switchback(data_dir)
        except Error as error:
            print("a second time:", error.code)


if __name__ == "__main__":
    main()
