#!/usr/bin/env python3
"""Includes point down only (docs/architecture.md, "Layers"), no files include each other, and a name means one thing: two
classes of one name make functions of the same symbol, of which the linker takes either, without a word."""

import pathlib
import re
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Folder -> folders it may include besides itself.
LAYERS = {
    "common": set(),
    "backends": {"common"},
    "flags": {"common"},
    "service": {"common", "backends", "flags"},
    "migration": {"common", "backends", "flags", "service"},
    "rollback": {"common", "backends", "flags", "service", "migration"},
    "server": {"common", "backends", "flags", "service", "migration", "rollback"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)


def includes(root=ROOT):
    """(file, included path) of every quoted include in the layers."""
    for layer in LAYERS:
        for file in sorted((root / layer).rglob("*.[ch]pp")):
            for target in INCLUDE.findall(file.read_text(encoding="utf-8")):
                yield file.relative_to(root), pathlib.PurePosixPath(target)


def upward(pairs):
    for file, target in pairs:
        layer, target_layer = file.parts[0], target.parts[0]
        if target_layer != layer and target_layer not in LAYERS[layer]:
            yield f"{file} includes {target}"


def cycles(pairs):
    """Files that reach themselves through others. Folders cannot, once includes point down."""
    edges = {}
    for file, target in pairs:
        edges.setdefault(str(file), set()).add(str(target))

    def reachable(start):
        seen, waiting = set(), list(edges.get(start, ()))
        while waiting:
            file = waiting.pop()
            if file not in seen:
                seen.add(file)
                waiting.extend(edges.get(file, ()))
        return seen

    return [file for file in sorted(edges) if file in reachable(file)]


NAMESPACE = re.compile(r"^namespace ([\w:]*) ?\{")
CLASS = re.compile(r"^(?:struct|class)\s+(?:alignas\(\w+\)\s+)?(\w+)(?:\s+final)?\s*(?::(?!:)[^;{]*)?\{")


def classes(text):
    """Qualified names of the classes that other files could see, wherever they are defined."""
    within = []
    for line in text.splitlines():
        if begun := NAMESPACE.match(line):
            within.append(begun[1])
        elif re.match(r"\}  // namespace", line):
            within.pop()
        elif (found := CLASS.match(line)) and "" not in within:
            yield "::".join(within + [found[1]])


def ambiguous(texts):
    places = {}
    for file, text in texts:
        for name in classes(text):
            places.setdefault(name, []).append(str(file))
    return {name: files for name, files in places.items() if len(files) > 1}


class Layering(unittest.TestCase):
    def test_includes_point_down_only(self):
        self.assertEqual(list(upward(includes())), [])

    def test_no_files_include_each_other(self):
        self.assertEqual(cycles(includes()), [])

    def test_every_layer_has_sources(self):
        folders = {file.parts[0] for file, _ in includes()}
        self.assertGreaterEqual(folders, {"backends", "flags", "service", "migration", "server"})

    def test_quoted_includes_are_paths_from_the_root(self):
        lost = [f"{f} includes {t}" for f, t in includes() if not (ROOT / t).is_file()]
        self.assertEqual(lost, [])

    def test_a_name_means_one_class(self):
        files = [file for layer in LAYERS for file in sorted((ROOT / layer).rglob("*.[ch]pp"))]
        texts = [(file.relative_to(ROOT), file.read_text(encoding="utf-8")) for file in files]
        self.assertGreater(sum(len(list(classes(text))) for _, text in texts), 300)
        self.assertEqual(ambiguous(texts), {})

    def test_it_would_notice(self):
        text = "namespace switchback {\nstruct A {\n};\n%s}  // namespace switchback\n"
        own = "namespace {\nclass B final : public A {\n};\n}  // namespace\n"
        self.assertEqual(ambiguous([("a.hpp", text % own), ("b.hpp", text % own)]),
                         {"switchback::A": ["a.hpp", "b.hpp"]})
        pairs = [(pathlib.PurePosixPath(f), pathlib.PurePosixPath(t)) for f, t in (
            ("flags/a.cpp", "backends/b.hpp"), ("service/a.cpp", "bench/x.hpp"),
            ("server/http/a.hpp", "server/resp/b.hpp"), ("server/resp/b.hpp", "server/http/a.hpp"),
            ("service/a.cpp", "flags/ok.hpp"))]
        self.assertEqual(list(upward(pairs)),
                         ["flags/a.cpp includes backends/b.hpp", "service/a.cpp includes bench/x.hpp"])
        self.assertEqual(cycles(pairs), ["server/http/a.hpp", "server/resp/b.hpp"])


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=1))
