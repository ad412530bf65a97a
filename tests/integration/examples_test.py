"""The examples are what people copy: each is run, on either store. examples/embed is tested by find_package_test.sh."""

import os
import shutil
import subprocess

import harness

EXAMPLES = harness.ROOT / "examples"
PYTHON_SAYS = """\
alice = 2
alice = None bob = 7
bob = 42
refused: """
NODE_SAYS = """\
alice = 2
alice = null bob = 7
many = node:many:1 node:many:2 node:many:3
"""
GO_SAYS = """\
alice = 2
alice = (absent)
bob = 7
many = go:many:1 go:many:2 go:many:3
refused: """
JAVA_SAYS = """\
java:alice = 1, by {role}
set 2: stored
set 3: changed by another, read it again
java:alice = 2, by {role}
java:alice = (absent), by {role}
java:carol = {{"age":42}}, by {role}
listed java:bob
listed java:carol
listed java:dora
"""
C_SAYS = """\
set OK
incr 2
set OK
strlen 3
multi OK
set QUEUED
del QUEUED
exec 2 answers
get (absent)
"""


class ExamplesTest(harness.ServerTest):
    def setUp(self):
        super().setUp()
        self.subject = self.server().start()
        self.subject.migrate()

    def on_both_stores(self, *command):
        """What it says: the same whichever store answers."""
        said = set()
        for percentage in (0, 100):
            self.subject.route(percentage)
            said.add(self.run_example(*command, self.subject.endpoints["resp"]["port"]))
        self.assertEqual(len(said), 1, said)
        return said.pop()

    def run_example(self, *command):
        # Debian's own node looks there by itself.
        environment = dict(os.environ, NODE_PATH="/usr/share/nodejs")
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=60, check=False,
                              env=environment)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(done.stderr, "")
        return done.stdout

    def skip(self, reason):
        self.not_run(reason)
        self.skipTest(reason)

    def test_python(self):
        said = self.on_both_stores("/usr/bin/python3", EXAMPLES / "python/example.py")
        self.assertTrue(said.startswith(PYTHON_SAYS), said)

    def test_node(self):
        node = shutil.which("node")
        if not node or not os.path.isdir("/usr/share/nodejs/redis"):
            self.skip("nodejs or node-redis is not installed")
        self.assertEqual(self.on_both_stores(node, EXAMPLES / "node/example.js"), NODE_SAYS)

    def test_go(self):
        go, packages = shutil.which("go"), "/usr/share/gocode"
        if not go or not os.path.isdir(f"{packages}/src/github.com/gomodule/redigo"):
            self.skip("golang-go or golang-github-gomodule-redigo-dev is not installed")
        program = self.directory / "example"
        # Debian's packages are sources below GOPATH, not modules.
        environment = dict(os.environ, GO111MODULE="off", GOPATH=packages, GOFLAGS="",
                           GOCACHE=str(self.directory / "cache"))
        example = EXAMPLES / "go/example.go"
        harness.run(go, "vet", example, env=environment)
        harness.run(go, "build", "-o", program, example, env=environment)
        said = self.on_both_stores(program)
        self.assertTrue(said.startswith(GO_SAYS), said)

    def test_java(self):
        java = shutil.which("java")
        if not java or subprocess.run([java, "--list-modules"], capture_output=True, text=True,
                                      check=False).stdout.find("jdk.compiler") < 0:
            self.skip("default-jdk-headless is not installed")
        for percentage, role in ((0, "legacy"), (100, "unified")):
            self.subject.route(percentage)
            said = self.run_example(java, EXAMPLES / "java/Example.java", self.subject.url())
            self.assertEqual(said, JAVA_SAYS.format(role=role))

    def test_c(self):
        flags = subprocess.run(["pkg-config", "--cflags", "--libs", "hiredis"], capture_output=True, text=True,
                               check=False)
        if flags.returncode != 0:
            self.skip("libhiredis-dev is not installed")
        program = self.directory / "example"
        harness.run("cc", "-Wall", "-Wextra", "-Werror", EXAMPLES / "c-hiredis/example.c", "-o", program,
                    *flags.stdout.split())
        self.assertEqual(self.on_both_stores(program), C_SAYS)


if __name__ == "__main__":
    harness.main()
