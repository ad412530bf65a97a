"""Switchback from Python, by any client of Redis (Debian: python3-redis).

    /usr/bin/python3 examples/python/example.py [PORT]
"""

import os
import sys

import redis


def main():
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 6380
    client = redis.Redis(port=port, password=os.environ.get("SWITCHBACK_PASSWORD"), decode_responses=True)

    client.set("python:alice", "1")
    client.incr("python:alice")
    print("alice =", client.get("python:alice"))

    # One batch of the commit log: both stores get all of it, or nothing.
    with client.pipeline(transaction=True) as transaction:
        transaction.set("python:bob", "7")
        transaction.delete("python:alice")
        transaction.execute()
    print("alice =", client.get("python:alice"), "bob =", client.get("python:bob"))

    # Only if nobody has changed it meanwhile.
    with client.pipeline() as transaction:
        transaction.watch("python:bob")
        value = int(transaction.get("python:bob"))
        transaction.multi()
        transaction.set("python:bob", value * 6)
        transaction.execute()
    print("bob =", client.get("python:bob"))

    # What Switchback does not do is said, not ignored.
    try:
        client.set("python:bob", "1", ex=60)
    except redis.ResponseError as error:
        print("refused:", error)


if __name__ == "__main__":
    main()
