#!/usr/bin/env python3
"""compare_stores.py LMDB SQLITE: whether both hold the same records. Exit code 1 when not."""

import sys

import stores


def main():
    legacy, unified = stores.lmdb_content(sys.argv[1]), stores.sqlite_content(sys.argv[2])
    if legacy != unified:
        print(stores.difference(legacy, unified))
        return 1
    print(f"equal: {stores.count(legacy)} records in {len(legacy)} collections")
    return 0


if __name__ == "__main__":
    sys.exit(main())
