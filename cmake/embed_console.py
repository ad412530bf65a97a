#!/usr/bin/env python3
"""Turns the files of the console into one C++ file: embed_console.py CONSOLE_DIRECTORY OUTPUT.

Each file is there as it is and compressed, so that the server compresses and reads nothing at run time. The output depends
on the content alone: no dates, no paths of this machine.
"""

import gzip
import hashlib
import pathlib
import sys

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
LINE_BYTES = 100


def served_files(root):
    """(path in a URL, file), index.html as "/"."""
    for file in sorted(root.rglob("*")):
        if file.suffix in TYPES and file.is_file() and "node_modules" not in file.parts:
            name = file.relative_to(root).as_posix()
            yield ("/" if name == "index.html" else "/console/" + name), file


def escaped(byte):
    character = chr(byte)
    if character in '\\"?':
        return "\\" + character
    return character if 32 <= byte < 127 else f"\\{byte:03o}"


def literal(data):
    lines = (data[at:at + LINE_BYTES] for at in range(0, len(data), LINE_BYTES))
    text = "\n".join('    "' + "".join(map(escaped, line)) + '"' for line in lines)
    return text or '    ""'


def entry(path, file):
    data = file.read_bytes()
    packed = gzip.compress(data, compresslevel=9, mtime=0)
    etag = '\\"' + hashlib.sha256(data).hexdigest()[:16] + '\\"'
    return (f'  ConsoleFile{{"{path}", "{TYPES[file.suffix]}", "{etag}",\n'
            f"   std::string_view(\n{literal(data)},\n    {len(data)}),\n"
            f"   std::string_view(\n{literal(packed)},\n    {len(packed)})}},\n")


def main():
    root, output = map(pathlib.Path, sys.argv[1:3])
    text = ('// Made by cmake/embed_console.py from console/.\n#include "server/http/console_files.hpp"\n\n'
            "namespace switchback {\nnamespace {\n\nconst ConsoleFile kFiles[] = {\n"
            + "".join(entry(path, file) for path, file in served_files(root))
            + "};\n\n}  // namespace\n\nstd::span<const ConsoleFile> ConsoleFiles() {\n  return kFiles;\n}\n\n}  // namespace switchback\n")
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(text, encoding="ascii")


if __name__ == "__main__":
    main()
