#!/usr/bin/env python3
"""Writes real data from Debian's unicode-data and iso-codes packages as the input of mdb_load.

Several named databases and a few records in the main one, tens of thousands of records in all.
Keys are what a person would look up (1F600, deu, AT-9), values are compact JSON.
"""

import json
import re
import sys

UNICODE = "/usr/share/unicode"
ISO = "/usr/share/iso-codes/json"
MAP_BYTES = 256 << 20


def unicode_lines(name):
    """Fields of each line of a Unicode data file, comments dropped."""
    with open(f"{UNICODE}/{name}", encoding="utf-8") as file:
        for line in file:
            content = line.split("#", 1)[0].strip()
            if content:
                yield [field.strip() for field in content.split(";")]


def characters():
    names = ("name", "category", "combining", "bidi", "decomposition")
    for fields in unicode_lines("UnicodeData.txt"):
        value = {name: field for name, field in zip(names, fields[1:]) if field}
        for name, field in (("upper", fields[12]), ("lower", fields[13])):
            if field:
                value[name] = field
        yield fields[0], value


def ranges(name, label):
    for fields in unicode_lines(name):
        yield fields[0], {label: fields[1]}


def emoji():
    """Code points joined by '-', with the status and the name that stands in the comment."""
    line_form = re.compile(r"^([0-9A-F ]+?)\s*; (\S+)\s*# (\S+) E(\S+) (.+)$")
    with open(f"{UNICODE}/emoji/emoji-test.txt", encoding="utf-8") as file:
        for line in file:
            if match := line_form.match(line.rstrip("\n")):
                points, status, text, version, name = match.groups()
                yield points.replace(" ", "-"), {
                    "emoji": text, "name": name, "status": status, "version": version}


def iso(table, key_field):
    with open(f"{ISO}/iso_{table}.json", encoding="utf-8") as file:
        for entry in json.load(file)[table]:
            yield entry[key_field], entry


def databases():
    # The main database comes first: mdb_load keeps the last name it read.
    yield None, [("about", {"made-of": ["unicode-data", "iso-codes"]})]
    yield "unicode", characters()
    yield "unicode-blocks", ranges("Blocks.txt", "block")
    yield "unicode-scripts", ranges("Scripts.txt", "script")
    yield "unicode-aliases", ranges("NameAliases.txt", "alias")
    yield "emoji", emoji()
    yield "languages", iso("639-3", "alpha_3")
    yield "language-families", iso("639-5", "alpha_3")
    yield "countries", iso("3166-1", "alpha_2")
    yield "subdivisions", iso("3166-2", "code")
    yield "currencies", iso("4217", "alpha_3")
    yield "writing-systems", iso("15924", "alpha_4")


def main():
    out = sys.stdout.buffer
    for name, records in databases():
        out.write(b"VERSION=3\nformat=bytevalue\n")
        if name:
            out.write(b"database=%s\n" % name.encode())
        out.write(b"type=btree\nmapsize=%d\nmaxreaders=126\nHEADER=END\n" % MAP_BYTES)
        for key, value in dict(records).items():
            text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
            out.write(b" %s\n %s\n" % (key.encode().hex().encode(), text.encode().hex().encode()))
        out.write(b"DATA=END\n")


if __name__ == "__main__":
    main()
