"""Manual pages and completions say what --help says, and work in the programs that read them."""

import re
import shutil
import subprocess

import harness


def output(*arguments):
    done = harness.run(harness.BINARY, *arguments)
    return done.stdout


class Help:
    """What `switchback PATH --help` shows."""

    def __init__(self, path):
        text = output(*path, "--help")
        self.path = path
        self.options = re.findall(r"^  (-\S+)", self.section(text, "Options"), re.M)
        # A flag that turns something off is shown as "--no-wait{false}".
        self.options = [name.split("{")[0] for names in self.options for name in names.split(",")]
        self.commands = re.findall(r"^  (\S+) ", self.section(text, "Subcommands"), re.M)

    @staticmethod
    def section(text, name):
        found = re.search(rf"^{name}:\n((?:  .*\n)*)", text, re.M)
        return found.group(1) if found else ""


def walk(path=()):
    shown = Help(path)
    yield shown
    for command in shown.commands:
        yield from walk((*path, command))


class ManualTest(harness.ServerTest):
    @classmethod
    def setUpClass(cls):
        cls.helps = list(walk())

    def complete(self, words, script):
        """What bash offers at the end of `words`."""
        program = f"""
            source {script}
            COMP_WORDS=({' '.join(repr(word) for word in words)})
            COMP_CWORD={len(words) - 1}
            _switchback
            printf '%s\\n' "${{COMPREPLY[@]}}"
        """
        done = harness.run("bash", "--norc", "-c", program)
        self.assertEqual(done.stderr, "")
        return done.stdout.split()

    def script(self, shell):
        path = self.directory / f"switchback.{shell}"
        path.write_text(output("completion", shell))
        return path

    def skip_without(self, program):
        if not shutil.which(program):
            self.not_run(f"{program} is not installed")
            self.skipTest(f"{program} is not installed")

    def test_help_was_understood(self):
        paths = {" ".join(shown.path) for shown in self.helps}

        self.assertGreater(len(paths), 60)
        self.assertIn("backup create", paths)
        self.assertTrue(all("--help" in shown.options for shown in self.helps))

    def test_bash_offers_every_command_and_option(self):
        script = self.script("bash")
        for shown in self.helps:
            offered = self.complete(["switchback", *shown.path, ""], script)
            self.assertEqual(set(shown.commands) - set(offered), set(), shown.path)
            self.assertEqual(set(shown.options) - set(offered), set(), shown.path)

    def test_bash_knows_where_it_is(self):
        script = self.script("bash")

        self.assertEqual(self.complete(["switchback", "bac"], script), ["backup"])
        self.assertEqual(self.complete(["switchback", "backup", "cre"], script), ["create"])
        self.assertEqual(self.complete(["switchback", "serve", "--ack", ""], script), ["log", "stores"])
        self.assertEqual(self.complete(["switchback", "completion", "f"], script), ["fish"])
        self.assertEqual(self.complete(["switchback", "serve", "--config", "/et"], script), [],
                         "bash's own names of files follow")
        # A value that is a command's name is no command.
        self.assertIn("--note", self.complete(
            ["switchback", "backup", "create", "--note", "status", "--n"], script))

    def test_bash_completes_at_a_prompt(self):
        script = self.script("bash")
        done = harness.run("bash", "--norc", "-c", f"source {script}; complete -p switchback")

        self.assertIn("-F _switchback switchback", done.stdout)

    def test_fish_offers_every_command(self):
        self.skip_without("fish")
        script = self.script("fish")
        lines = [f"complete -C 'switchback {' '.join(shown.path)} '" if shown.path else "complete -C 'switchback '"
                 for shown in self.helps]
        program = f"source {script}\n" + "\n".join(f"{line}; echo ==" for line in lines)
        done = harness.run("fish", "--no-config", "-c", program)
        self.assertEqual(done.stderr, "")

        answers = done.stdout.split("==\n")
        for shown, answer in zip(self.helps, answers):
            offered = {line.split("\t")[0] for line in answer.splitlines()}
            self.assertEqual(set(shown.commands) - offered, set(), shown.path)

    def test_fish_offers_options_and_choices(self):
        self.skip_without("fish")
        script = self.script("fish")

        def offered(line):
            done = harness.run("fish", "--no-config", "-c", f"source {script}; complete -C '{line}'")
            return {row.split("\t")[0] for row in done.stdout.splitlines()}

        self.assertIn("--compress", offered("switchback backup create --c"))
        self.assertEqual(offered("switchback serve --ack "), {"log", "stores"})

    def test_zsh_reads_its_script_and_offers_what_there_is(self):
        self.skip_without("zsh")
        script = self.script("zsh")
        # zsh's own functions of completion need a terminal: these tell what they are given.
        program = f"""
            compdef() {{ }}
            _describe() {{ local name=${{@[-1]}}; print -l -- "${{(@P)name%%:*}}"; }}
            compadd() {{ shift; print -l -- "$@"; }}
            _files() {{ print FILES; }}
            source {script}
            at() {{ words=("$@"); CURRENT=$#words; _switchback; print -- '==' }}
        """
        for shown in self.helps:
            path = " ".join(shown.path)
            program += f'at switchback {path} ""\nat switchback {path} -\n'
        program += 'at switchback serve --ack ""\nat switchback serve --config ""\n'
        done = harness.run("zsh", "-f", "-c", program, check=False)
        self.assertEqual(done.stderr, "")

        answers = [answer.split() for answer in done.stdout.split("==\n")]
        for number, shown in enumerate(self.helps):
            self.assertEqual(set(shown.commands) - set(answers[2 * number]), set(), shown.path)
            self.assertEqual(set(shown.options) - set(answers[2 * number + 1]), set(), shown.path)
        self.assertEqual(answers[-3], ["log", "stores"])
        self.assertEqual(answers[-2], ["FILES"])

    def test_pages_have_every_command_and_option(self):
        self.skip_without("groff")
        output("man", "--to", str(self.directory))
        pages = {path.name: self.rendered(path) for path in self.directory.glob("*.1")}

        for command in self.helps[0].commands:
            self.assertIn(command, pages["switchback.1"])
        for shown in self.helps:
            name = f"switchback-{shown.path[0]}.1" if shown.path else "switchback.1"
            page = pages[name]
            self.assertIn(" ".join(["switchback", *shown.path]), page)
            for option in shown.options:
                self.assertIn(option, page, shown.path)

    def rendered(self, path):
        """As man shows it; fails with what groff has to say."""
        done = subprocess.run(["groff", "-man", "-Tascii", "-ww", "-P-c", "-rLL=400n", str(path)], capture_output=True,
                              text=True, check=True)
        self.assertEqual(done.stderr, "", path)
        return re.sub(r".\x08", "", done.stdout)


if __name__ == "__main__":
    harness.main()
