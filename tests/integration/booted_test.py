"""The package under a real systemd: a machine is booted in namespaces of its own, and the service is installed,
started, used, broken and removed there."""

import json
import pathlib
import re
import shutil
import tempfile

import harness
import machines
from machines import BootedMachine, Unbootable, make_package

STATE = "/var/lib/switchback"
CONFIG = "/etc/switchback/config.json"
DEB = "/root/switchback.deb"
WATCHDOG_SECONDS = 3
STARTS_MAX = int(re.search(r"^StartLimitBurst=(\d+)$", machines.UNIT.read_text(), re.M)[1])
# What sandbox_probe.py must meet. Everything else it may do.
REFUSED = {
    "write etc": "EROFS", "write configuration": "EACCES", "write usr": "EROFS", "write var": "EROFS",
    "write the cgroup": "EROFS", "see a home": "EACCES", "see the root's home": "EACCES", "see others' tmp": "ENOENT",
    "see other processes": "ENOENT", "see a device": "ENOENT", "map writable code": "EPERM",
    "netlink socket": "EAFNOSUPPORT", "packet socket": "EAFNOSUPPORT", "user namespace": "EPERM",
    "set-user-ID file": "EPERM", "realtime": "EPERM", "personality": "EPERM", "ptrace": "EPERM", "mount": "EPERM",
    "chroot": "EPERM", "host name": "EPERM", "clock": "EPERM", "kernel log": "EPERM", "another user": "EPERM",
}


class BootedTest(harness.ServerTest):
    """The tests of a class share a machine; each begins with the package installed and a service without data."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.place = pathlib.Path(tempfile.mkdtemp(prefix="switchback-test."))
        cls.addClassCleanup(shutil.rmtree, cls.place, True)
        cls.machine = BootedMachine(cls.place)
        cls.addClassCleanup(cls.machine.stop)
        cls.unbootable = None
        try:
            cls.machine.start()
        except Unbootable as error:
            cls.unbootable = str(error)
            return
        cls.machine.copy_in(make_package(), DEB)

    def setUp(self):
        super().setUp()
        if self.unbootable:
            self.not_run(self.unbootable)
            self.skipTest(self.unbootable)
        if self.machine.run("dpkg-query -W -f '${db:Status-Status}' switchback", check=False)[1] == "installed":
            self.sh("systemctl stop switchback; systemctl reset-failed switchback 2>/dev/null || true; "
                    f"rm -rf /etc/systemd/system/switchback.service.d; find {STATE} -mindepth 1 -delete")
            self.machine.write(CONFIG, (harness.ROOT / "packaging/config.json").read_text())
            self.cursor = self.next_cursor()
            self.sh("systemctl daemon-reload && systemctl --quiet enable --now switchback")
        else:
            self.cursor = self.next_cursor()
            self.install()

    def sh(self, script):
        """What it prints; a failure is one of the test, too."""
        return self.machine.run(script)

    def install(self, package=DEB):
        return self.sh(f"dpkg --force-confold -i {package}")

    def show(self, name):
        return self.sh(f"systemctl show --property={name} --value switchback")

    def is_active(self):
        return self.show("ActiveState") == "active"

    def redis(self, command):
        return self.sh(f"redis-cli -p 6380 {command}")

    def status(self):
        return json.loads(self.sh("switchback status --json"))

    def next_cursor(self):
        return re.search(r"-- cursor: (\S+)", self.sh("journalctl --no-pager --lines=0 --show-cursor"))[1]

    def log(self):
        """Of this test: what the service said, and what systemd said of it."""
        return self.sh(f"journalctl --no-pager --output=cat --after-cursor='{self.cursor}' --unit=switchback")

    def configure(self, **settings):
        self.machine.write(CONFIG, json.dumps(json.loads(self.sh(f"cat {CONFIG}")) | settings))

    def drop_in(self, *lines):
        self.sh("mkdir -p /etc/systemd/system/switchback.service.d")
        self.machine.write("/etc/systemd/system/switchback.service.d/test.conf", "\n".join(["[Service]", *lines, ""]))
        self.sh("systemctl daemon-reload")

    def main_process(self):
        """Its id while the service is active, else None."""
        shown = dict(line.split("=") for line in
                     self.sh("systemctl show --property=ActiveState,MainPID switchback").splitlines())
        return shown["MainPID"] if shown["ActiveState"] == "active" and shown["MainPID"] != "0" else None

    def wait_for_restart(self, old, or_failed=False):
        def state():
            if or_failed and self.show("ActiveState") == "failed":
                return "failed"
            return "active" if self.main_process() not in (None, old) else None

        return harness.wait_until("systemd has started it again", state, pause=0.05)

    def foreign_files(self):
        return self.sh(f"find {STATE} ! -user switchback -o ! -group switchback")


class ServiceTest(BootedTest):
    def test_installed_it_is_enabled_and_serves(self):
        self.assertEqual(self.sh("systemctl is-enabled switchback"), "enabled")
        self.assertEqual(self.show("ActiveState"), "active")
        self.assertEqual(self.sh("curl -fsS http://127.0.0.1:8080/healthz | jq -r .status"), "alive")
        self.redis("set k v")
        self.assertEqual(self.redis("get k"), "v")
        self.assertEqual(self.foreign_files(), "")
        self.assertIn(f"process {self.main_process()} has the directory",
                      self.sh(f"switchback doctor --data-dir {STATE}"))
        # Type=notify: whoever starts it finds it ready.
        self.assertEqual(self.sh("systemctl restart switchback && redis-cli -p 6380 get k"), "v")
        # As a boot does.
        self.sh("systemctl stop switchback && systemctl start multi-user.target")
        harness.wait_until("it is started with the others", self.is_active, pause=0.05)

    def test_a_reload_reads_the_flags_again(self):
        pid = self.main_process()
        self.machine.write(f"{STATE}/flags.json", json.dumps({harness.FLAG: True}))

        self.sh("systemctl reload switchback")

        harness.wait_until("the signal has come", lambda: "SIGHUP: the flags are read again" in self.log())
        harness.wait_until("the flag is in effect",
                           lambda: self.status()["routing"]["effective_percentage"] == 100)
        self.assertEqual(self.main_process(), pid)

    def test_killed_it_comes_back_with_its_data(self):
        self.redis("set k v")
        pid = self.main_process()

        self.sh(f"kill -KILL {pid}")

        self.wait_for_restart(pid)
        self.assertEqual(self.redis("get k"), "v")
        self.assertEqual(self.show("NRestarts"), "1")

    def test_a_loop_of_crashes_ends(self):
        self.drop_in("RestartSec=0")
        self.sh("systemctl restart switchback")

        for _ in range(STARTS_MAX):
            pid = self.main_process()
            self.sh(f"kill -KILL {pid}")
            if self.wait_for_restart(pid, or_failed=True) == "failed":
                break

        self.assertEqual(self.show("ActiveState"), "failed")
        self.assertIn("Start request repeated too quickly", self.log())
        self.assertNotEqual(self.machine.run("systemctl start switchback", check=False)[0], 0)
        self.sh("systemctl reset-failed switchback && systemctl start switchback")

    def test_one_that_hangs_is_replaced(self):
        self.drop_in(f"WatchdogSec={WATCHDOG_SECONDS}s")
        self.sh("systemctl restart switchback")
        self.redis("set k v")
        pid = self.main_process()

        self.sh(f"kill -STOP {pid}")

        self.wait_for_restart(pid)
        self.assertIn("Watchdog timeout", self.log())
        self.assertEqual(self.redis("get k"), "v")

    def test_a_stop_leaves_everything_complete(self):
        self.redis("set k v")

        self.sh("systemctl stop switchback")

        self.assertEqual(self.show("ActiveState"), "inactive")
        self.assertEqual(self.show("Result"), "success")
        self.assertEqual((self.show("ExecMainCode"), self.show("ExecMainStatus")), ("1", "0"))  # exited, by itself
        self.assertIn("stopped: both stores are complete", self.log())
        self.assertIn("healthy", self.sh(f"switchback doctor --data-dir {STATE}"))
        self.sh("systemctl start switchback")
        self.assertEqual(self.redis("get k"), "v")

    def test_a_port_that_is_taken_is_waited_for(self):
        self.sh("systemctl stop switchback")
        self.sh("systemd-run --quiet --unit=other --service-type=exec redis-server --port 6380")
        harness.wait_until("the port is taken",
                           lambda: self.machine.run("redis-cli -p 6380 ping", check=False)[0] == 0, pause=0.05)

        code, _ = self.machine.run("systemctl start switchback", check=False)

        self.assertNotEqual(code, 0)
        self.assertIn("Address already in use", self.log())
        self.install()  # succeeds all the same
        self.sh("systemctl stop other")
        harness.wait_until("it has come up", self.is_active, pause=0.05)

    def test_with_the_service_stopped_root_leaves_it_its_files(self):
        self.redis("set k v")
        self.sh(f"systemctl stop switchback && rm -f {STATE}/flags.json {STATE}/.flags.json.lock")
        self.machine.write("/root/records", '{"collection":"default","key":"imported","value":"yes"}\n')
        for command in (f"flags set {harness.FLAG} true", "schema create one", "drain", "import - </root/records",
                        "export 2>/dev/null", "history", "doctor"):
            self.sh(f"switchback {command} --data-dir {STATE}")
            self.assertEqual(self.foreign_files(), "", command)
        # Nothing to repair is no reason to leave anything behind.
        self.machine.run(f"switchback doctor --repair --data-dir {STATE}", check=False)
        self.assertEqual(self.foreign_files(), "")

        self.sh("systemctl start switchback")

        self.assertEqual(self.redis("get imported"), "yes")
        self.assertEqual({one["state"] for one in self.status()["followers"].values()}, {"in-sync"})
        self.sh(f"switchback flags set {harness.FLAG} false")

    def test_the_server_runs_without_privileges(self):
        pid = self.main_process()
        status = dict(re.findall(r"^(\w+):\s*(.*)$", self.sh(f"cat /proc/{pid}/status"), re.M))

        user, group = self.sh("id -u switchback"), self.sh("id -g switchback")
        self.assertEqual(status["Uid"].split(), [user] * 4)
        self.assertEqual(status["Gid"].split(), [group] * 4)
        self.assertEqual(status["Groups"].split(), [group])
        for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            self.assertEqual(int(status[name], 16), 0, name)
        self.assertEqual(status["NoNewPrivs"], "1")
        self.assertEqual(status["Seccomp"], "2")
        self.assertEqual(status["Umask"], "0077")
        self.assertRegex(self.sh(f"cat /proc/{pid}/limits"), r"Max core file size +0 +0 ")

    def test_what_it_may_do_and_what_not(self):
        self.sh("mkdir -p /home/alice && touch /root/secret /tmp/others && mknod -m 666 /dev/others c 1 3")
        self.machine.copy_in(harness.ROOT / "tests/integration/sandbox_probe.py", "/opt/probe.py")
        self.sh("systemctl stop switchback")
        self.drop_in("Type=oneshot", "ExecStart=", "ExecStart=/usr/bin/python3 /opt/probe.py",
                     "Restart=no", "WatchdogSec=0", "StandardOutput=file:/root/outcome.json")

        self.sh("systemctl start switchback")

        outcome = json.loads(self.sh("cat /root/outcome.json"))
        self.assertEqual({name: what for name, what in outcome.items() if what != "ok"}, REFUSED)
        self.assertGreater(len(outcome), len(REFUSED))

    def test_everything_it_is_for_works_in_it(self):
        self.configure(backup_compression=True, http_unix_socket="/run/switchback/http.sock", notifications=[
            {"kind": "command", "argv": ["/usr/bin/tee", "/run/switchback/told"], "events": ["restore.result"]}])
        self.sh("systemctl restart switchback")
        self.redis("set k old")
        backup = json.loads(self.sh("switchback backup create --json"))["id"]
        self.sh("switchback backup verify --full " + backup)
        self.sh("switchback verify")
        self.sh(f"switchback flags set {harness.FLAG} true --data-dir {STATE}")
        self.redis("set k new")
        self.assertEqual(self.status()["routing"]["effective_percentage"], 100)
        self.sh(f"switchback schema create by_size --data-dir {STATE}")
        self.sh(f"echo 'CREATE INDEX by_size ON \"default\"(length(value));' >{STATE}/schema/0001_by_size.up.sql")
        self.sh(f"echo 'DROP INDEX by_size;' >{STATE}/schema/0001_by_size.down.sql")
        self.sh("switchback schema up && switchback schema down")
        self.assertEqual(self.sh("switchback export 2>/dev/null | jq -r .value"), "new")
        self.sh("switchback rollback now --reason test")
        self.assertEqual(self.status()["routing"]["effective_percentage"], 0)
        self.sh(f"switchback restore {backup} --yes")
        self.assertEqual(self.redis("get k"), "old")
        self.sh("switchback restore --undo --yes")
        self.assertEqual(self.redis("get k"), "new")
        harness.wait_until("the program has been told",
                           lambda: "restore.result" in self.sh("cat /run/switchback/told 2>/dev/null || true"))
        self.sh("curl -fsS --unix-socket /run/switchback/http.sock http://localhost/readyz")
        self.assertEqual(self.foreign_files(), "")

        self.sh("systemctl stop switchback")

        self.assertEqual(self.show("Result"), "success")
        self.assertIn("healthy", self.sh(f"switchback doctor --full --data-dir {STATE}"))

    def test_secrets_can_be_roots(self):
        secrets = {"password": "a password of some length", "token": "a-token-of-some-length-0123456789"}
        for name, secret in secrets.items():
            self.machine.write(f"/root/{name}", secret)
        self.sh("cd /etc/switchback && openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost "
                "-keyout key.pem -out certificate.pem && chmod 600 /root/password /root/token key.pem && "
                "chown switchback key.pem")
        self.configure(bind="0.0.0.0", **{f"{name}_file": f"/run/credentials/switchback.service/{name}"
                                          for name in secrets},
                       tls={"certificate": "/etc/switchback/certificate.pem", "key": "/etc/switchback/key.pem"})
        self.drop_in(*(f"LoadCredential={name}:/root/{name}" for name in secrets))

        self.sh("systemctl restart switchback")

        self.assertEqual(self.sh(f"REDISCLI_AUTH='{secrets['password']}' redis-cli -p 6380 --tls --insecure set k v"),
                         "OK")
        self.sh(f"SWITCHBACK_TOKEN={secrets['token']} switchback status --url https://localhost:8080 "
                "--cacert /etc/switchback/certificate.pem")

    def test_what_lies_elsewhere_needs_a_drop_in_and_is_migrated(self):
        self.redis("set k v")
        self.sh(f"systemctl stop switchback && switchback detach --yes --data-dir {STATE}")
        self.sh(f"mkdir /srv/app && cp -a {STATE}/gen-1/legacy /srv/app/lmdb && mkdir -m 700 /srv/backups && "
                f"chown -R switchback: /srv/app /srv/backups && find {STATE} -mindepth 1 -delete")
        self.configure(legacy="/srv/app/lmdb", backup_dir="/srv/backups")
        self.assertNotEqual(self.machine.run("systemctl start switchback", check=False)[0], 0)
        self.assertIn("Read-only file system", self.log())

        self.drop_in("ReadWritePaths=/srv/app /srv/backups")
        self.sh("systemctl start switchback")

        self.assertEqual(self.redis("get k"), "v")
        self.sh("switchback migrate start --wait")
        self.sh(f"switchback flags set {harness.FLAG} true")
        self.assertEqual(self.redis("get k"), "v")
        self.sh("switchback migrate complete --yes --wait")
        self.assertEqual(self.status()["stage"], "complete")
        self.assertEqual(self.redis("get k"), "v")
        self.sh("switchback migrate start --reverse --wait")
        self.assertNotEqual(self.sh("ls /srv/backups"), "")  # of before the migrations


class PackageTest(BootedTest):
    def newer_package(self):
        unpacked, package = self.directory / "unpacked", self.directory / "newer.deb"
        harness.run("dpkg-deb", "-R", make_package(), unpacked)
        control = unpacked / "DEBIAN/control"
        control.write_text(control.read_text().replace(f"Version: {machines.VERSION}\n", "Version: 99.0\n"))
        harness.run("dpkg-deb", "-Znone", "-b", unpacked, package)
        self.machine.copy_in(package, "/root/newer.deb")
        return "/root/newer.deb"

    def test_an_upgrade_restarts_what_runs_and_starts_nothing(self):
        self.redis("set k v")
        self.configure(log_level="warning")
        pid = self.main_process()

        self.install(self.newer_package())

        self.assertEqual(self.sh("dpkg-query -W -f '${Version}' switchback"), "99.0")
        self.assertTrue(self.is_active())
        self.assertNotEqual(self.main_process(), pid)
        self.assertEqual(self.show("NeedDaemonReload"), "no")
        self.assertEqual(self.redis("get k"), "v")
        self.assertIn("warning", self.sh("cat /etc/switchback/config.json"))

        self.sh("systemctl disable --now switchback")
        self.install()
        self.assertEqual(self.show("ActiveState"), "inactive")
        self.assertEqual(self.machine.run("systemctl is-enabled switchback", check=False)[1], "disabled\n")

    def test_removed_and_purged(self):
        self.redis("set k v")

        self.sh("dpkg -r switchback")

        self.assertEqual(self.show("ActiveState"), "inactive")
        self.assertIn("stopped: both stores are complete", self.log())
        self.sh(f"test -e /etc/switchback/config.json && test -e {STATE}/CURRENT && ! test -e /usr/bin/switchback")

        self.install()
        self.assertEqual(self.redis("get k"), "v")
        self.assertEqual(self.sh("systemctl is-enabled switchback"), "enabled")

        self.assertIn(f"the data in {STATE} is kept", self.sh("dpkg -P switchback"))
        self.assertEqual(self.show("LoadState"), "not-found")
        self.sh(f"! test -e /etc/switchback && test -e {STATE}/CURRENT && id switchback")
        self.assertEqual(self.sh("systemctl --failed --no-legend; find /etc/systemd -name 'switchback.*'"), "")


if __name__ == "__main__":
    harness.main()
