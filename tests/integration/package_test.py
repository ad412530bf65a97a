"""The Debian package: what is in it, and its life on a machine: installed, started, upgraded, removed, purged. The
machine is an overlay over this one, thrown away afterwards."""

import json
import os
import re
import shutil
import subprocess
import textwrap

import harness
from machines import BUILD, UNIT, VERSION, Machine, make_package


class ContentTest(harness.ServerTest):
    def setUp(self):
        super().setUp()
        self.package = make_package()

    def field(self, name):
        return harness.run("dpkg-deb", "-f", self.package, name).stdout.strip()

    def files(self):
        rows = harness.run("dpkg-deb", "-c", self.package).stdout.splitlines()
        return {row.split()[5].lstrip("."): (row.split()[0], row.split()[1]) for row in rows}

    def test_says_what_it_is_and_needs(self):
        self.assertEqual(self.field("Package"), "switchback")
        self.assertEqual(self.field("Version"), VERSION)
        for library in ("libc6", "libsqlite3-0", "libssl3", "libspdlog1.10", "adduser"):
            self.assertIn(library, self.field("Depends"))
        self.assertNotIn("-dev", self.field("Depends"))

    def test_has_what_belongs_to_a_service(self):
        files = self.files()
        for name in ("/usr/bin/switchback", "/usr/lib/systemd/system/switchback.service", "/etc/switchback/config.json",
                     "/usr/share/man/man1/switchback.1.gz", "/usr/share/man/man1/switchback-serve.1.gz",
                     "/usr/share/bash-completion/completions/switchback",
                     "/usr/share/zsh/vendor-completions/_switchback",
                     "/usr/share/fish/vendor_completions.d/switchback.fish",
                     "/usr/share/doc/switchback/copyright", "/usr/share/doc/switchback/docs/operations.md"):
            self.assertIn(name, files)
        self.assertFalse([name for name in files if name.endswith((".a", ".hpp"))])
        for name, (mode, owner) in files.items():
            self.assertEqual(owner, "root/root", name)
            self.assertTrue(mode.startswith("l") or "w" not in mode[4:], name)

    def test_has_the_library_for_other_languages(self):
        files = self.files()
        for name in ("libswitchback.so", "libswitchback.so.0", f"libswitchback.so.{VERSION}", "pkgconfig/switchback.pc"):
            self.assertIn(f"/usr/lib/{name}", files)
        self.assertEqual([name for name in files if "/include/" in name and not name.endswith("/")],
                         ["/usr/include/switchback.h"])
        control = self.directory / "control"
        harness.run("dpkg-deb", "-e", self.package, control)
        self.assertIn("ldconfig", (control / "triggers").read_text())
        self.assertIn("libswitchback 0 switchback", (control / "shlibs").read_text())

    def test_the_configuration_is_the_administrators(self):
        control = self.directory / "control"
        harness.run("dpkg-deb", "-e", self.package, control)

        self.assertEqual((control / "conffiles").read_text(), "/etc/switchback/config.json\n")
        for script in ("postinst", "prerm", "postrm"):
            harness.run("sh", "-n", control / script)
            self.assertTrue(os.access(control / script, os.X_OK))
        settings = json.loads((harness.ROOT / "packaging/config.json").read_text())
        self.assertEqual(settings["bind"], "127.0.0.1")

    def test_installing_without_a_package_touches_nothing_else(self):
        target = self.directory / "target"
        code = harness.run("cmake", "--install", BUILD, "--prefix", "/usr/local", check=False,
                           env=dict(os.environ, DESTDIR=str(target)))

        self.assertEqual(code.returncode, 0, code.stderr)
        self.assertTrue((target / "usr/local/bin/switchback").exists())
        self.assertFalse((target / "etc").exists())

    def test_lintian_finds_no_error(self):
        if not shutil.which("lintian"):
            self.not_run("lintian is not installed")
            self.skipTest("lintian is not installed")
        # The project has no domain for its mail so far.
        done = harness.run("lintian", "--allow-root", "--fail-on", "error", "--suppress-tags",
                           "bogus-mail-host,bogus-mail-host-in-debian-changelog", self.package, check=False)
        harness.report("lintian: " + "; ".join(line for line in done.stdout.splitlines() if line.startswith("W:")))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


class LifeTest(harness.ServerTest):
    """Each test is one script in one machine; what it prints is looked at here."""

    def setUp(self):
        super().setUp()
        if not harness.is_root():
            self.skip("only root can install a package")
        self.machine = Machine(self.directory)
        code, text = self.machine.run("true")
        if code != 0:
            self.skip(f"no overlay can be mounted here: {' '.join(text.split())}")
        self.package = make_package()
        program = re.search(r"^ExecStart=(.*)$", UNIT.read_text(), re.M).group(1)
        user = re.search(r"^User=(.*)$", UNIT.read_text(), re.M).group(1)
        # As the unit starts it. The machine may have neither.
        self.start = (f"setpriv --reuid {user} --regid {user} --clear-groups --no-new-privs --bounding-set=-all "
                      f"{program} 2>>/server.log & server=$!; until [ -e /var/lib/switchback/endpoints.json ]; do "
                      "kill -0 $server || { cat /server.log; exit 1; }; sleep 0.02; done")

    def skip(self, reason):
        self.not_run(reason)
        self.skipTest(reason)

    def live(self, script):
        code, text = self.machine.run(f"""
            mkdir -p /run/systemd/system
            rm -f /usr/sbin/policy-rc.d  # how containers keep services from being started
            install_it() {{ dpkg --force-confold -i {self.package} >>/dpkg.log 2>&1 || {{ cat /dpkg.log; exit 1; }}; }}
            {script}
        """)
        self.assertEqual(code, 0, text)
        return text

    def test_installed_it_serves_as_a_user_of_its_own(self):
        text = self.live(f"""
            install_it
            stat -c '%n %U %G %a' /var/lib/switchback /etc/switchback /etc/switchback/config.json
            getent passwd switchback | cut -d: -f6,7
            {self.start}
            redis-cli -p 6380 set k v
            curl -fsS -o /dev/null -w '%{{http_code}}\\n' http://127.0.0.1:8080/healthz
            stat -c '%U' /var/lib/switchback/CURRENT
            switchback status --json | jq -r .stage
            kill $server; wait $server; echo "stopped: $?"
            cat /calls
        """)

        for line in ("/var/lib/switchback switchback switchback 700", "/etc/switchback root switchback 750",
                     "/etc/switchback/config.json root root 644", "/var/lib/switchback:/usr/sbin/nologin",
                     "OK", "200", "dualwrite", "stopped: 0"):
            self.assertIn(line + "\n", text)
        self.assertRegex(text, r"--system daemon-reload\n")
        self.assertRegex(text, r"start (--no-ask-password )?switchback.service\n")

    def test_programs_find_the_library(self):
        text = self.live(f"""
            install_it
            cc -std=c99 {harness.ROOT}/examples/c-embed/example.c -o /example $(pkg-config --cflags --libs switchback)
            /example /data 2>/dev/null
            /usr/bin/python3 {harness.ROOT}/examples/python-ctypes/example.py /data 2>/dev/null | tail -1
        """)

        self.assertIn("legacy answers bob = 10\n", text)
        self.assertIn("a second time: conflict\n", text)

    def test_an_upgrade_keeps_data_and_configuration_and_restarts(self):
        text = self.live(f"""
            install_it
            sed -i 's/"info"/"warning"/' /etc/switchback/config.json
            {self.start}
            redis-cli -p 6380 set k v
            kill $server; wait $server
            touch /active
            : >/calls
            install_it
            cat /calls
            grep log_level /etc/switchback/config.json
            {self.start}
            redis-cli -p 6380 get k
            kill $server; wait $server
        """)

        self.assertRegex(text, r"try-restart (--no-ask-password )?switchback.service\n")
        self.assertNotRegex(text, r"(?m)^(--\S+ )*stop ")
        self.assertIn('"log_level": "warning"', text)
        self.assertTrue(text.endswith("v\n"), text)

    def test_removed_it_leaves_configuration_and_data_purged_only_data(self):
        text = self.live(f"""
            install_it
            {self.start}
            redis-cli -p 6380 set k v
            kill $server; wait $server
            : >/calls
            dpkg -r switchback >/dev/null
            cat /calls
            ls /etc/switchback /usr/bin/switchback 2>&1 || true
            dpkg -P switchback
            ls -d /etc/switchback 2>&1 || true
            ls /var/lib/switchback | grep CURRENT
            find /usr /etc -name '*switchback*' -newer /script.sh -not -path '*/local/*'
            echo end
        """)

        self.assertRegex(text, r"stop (--no-ask-password )?switchback.service\n")
        self.assertIn("config.json\n", text)
        self.assertIn("cannot access '/usr/bin/switchback'", text)
        self.assertIn("the data in /var/lib/switchback is kept", text)
        self.assertIn("cannot access '/etc/switchback'", text)
        self.assertTrue(text.endswith("CURRENT\nend\n"), text)

    def test_purged_without_data_nothing_stays(self):
        text = self.live("""
            install_it
            dpkg -P switchback >/dev/null
            ls -d /etc/switchback /var/lib/switchback 2>&1 || true
            dpkg -l switchback 2>&1 | tail -1
        """)

        self.assertIn("cannot access '/etc/switchback'", text)
        self.assertIn("cannot access '/var/lib/switchback'", text)
        self.assertIn("no packages found", text)


class BareMachineTest(harness.ServerTest):
    """The package on a Debian that has nothing else: what it needs is what it says. Takes minutes and a mirror."""

    def setUp(self):
        super().setUp()
        reason = None
        if not harness.SOAK:
            reason = "only with SWITCHBACK_SOAK"
        elif not harness.is_root() or not shutil.which("debootstrap"):
            reason = "needs root and debootstrap"
        if reason:
            self.not_run(reason)
            self.skipTest(reason)

    def test_needs_what_it_says(self):
        root = self.directory / "bare" / "root"
        root.parent.mkdir()
        done = subprocess.run(["unshare", "--mount", "bash", "-ec", textwrap.dedent(f"""
            mount -t tmpfs none {root.parent}
            debootstrap --variant=minbase bookworm {root} >/dev/null || {{ echo no mirror; exit 77; }}
            cp /etc/apt/apt.conf.d/* {root}/etc/apt/apt.conf.d/
            cp {make_package()} {root}/root/switchback.deb
            mount -t proc none {root}/proc
            mount --rbind /dev {root}/dev
            printf '#!/bin/sh\\nexit 101\\n' >{root}/usr/sbin/policy-rc.d
            chmod 755 {root}/usr/sbin/policy-rc.d
            chroot {root} apt-get update -q >/dev/null
            chroot {root} apt-get install -y -q --no-install-recommends /root/switchback.deb >/dev/null
            chroot {root} bash -ec '
              setpriv --reuid switchback --regid switchback --clear-groups \\
                switchback serve --config /etc/switchback/config.json --port 0 --http-port 0 &
              server=$!
              until [ -e /var/lib/switchback/endpoints.json ]; do kill -0 $server; sleep 0.02; done
              switchback status --data-dir /var/lib/switchback
              kill $server
              wait $server
            '
            chroot {root} apt-get purge -y -q switchback
        """)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=1000, check=False)
        if done.returncode == 77:
            self.not_run("no mirror of Debian answers")
            self.skipTest("no mirror of Debian answers")

        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("stopped: both stores are complete", done.stdout)


if __name__ == "__main__":
    harness.main()
