"""An S3 server on loopback: OpenStack Swift (Debian: python3-swift) with its S3 interface, all of it in one process
over one directory. It checks signatures (SigV4) and hashes of payloads, and knows multipart uploads.

As a program it is that process: object_server.py DIRECTORY. For tests there is ObjectServer."""

import importlib.util
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

ACCESS_KEY = "test:tester"
SECRET_KEY = "an/example+secret"
KINDS = ("account", "container", "object")

PROXY = """
[DEFAULT]
swift_dir = {directory}
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck listing_formats s3api tempauth slo dlo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = {secret} .admin
""" + "".join(f"[filter:{name}]\nuse = egg:swift#{name}\n" for name in (
    "catch_errors", "gatekeeper", "healthcheck", "listing_formats", "slo", "dlo"))

STORAGE = """
[DEFAULT]
swift_dir = {directory}
devices = {directory}/devices
mount_check = false
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
"""


def why_not_available():
    """None when it is."""
    # Looked for, not imported: it changes the sockets of the process.
    return None if importlib.util.find_spec("swift") else "python3-swift is not installed"


class ObjectServer:
    """The process. Its port stays the same over a stop and a start."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.process = None

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self, seconds=30):
        with open(self.directory / "log", "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, __file__, str(self.directory), str(self.port)],
                stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + seconds
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError("no object server:\n" + (self.directory / "log").read_text())
            time.sleep(0.02)
        return self

    def _answers(self):
        try:
            with urllib.request.urlopen(self.endpoint + "/healthcheck", timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            return False

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.process = None

    def requests(self):
        """Method and path with query of each so far, in order."""
        path = self.directory / "requests"
        return path.read_text().splitlines() if path.exists() else []

    def make_bucket(self, name):
        """By Swift's own interface, which needs no signature."""
        request = urllib.request.Request(self.endpoint + "/auth/v1.0", headers={
            "X-Storage-User": ACCESS_KEY, "X-Storage-Pass": SECRET_KEY})
        with urllib.request.urlopen(request, timeout=30) as answer:
            url, token = answer.headers["X-Storage-Url"], answer.headers["X-Auth-Token"]
        request = urllib.request.Request(f"{url}/{name}", method="PUT",
                                         headers={"X-Auth-Token": token})
        with urllib.request.urlopen(request, timeout=30):
            return name

    def data_files(self):
        """The files that hold the objects' bytes, the largest first."""
        return sorted((self.directory / "devices").rglob("*.data"),
                      key=lambda path: -path.stat().st_size)


# ---- the process itself


class MemoryCache:
    """What Swift keeps in memcached elsewhere."""

    def __init__(self):
        self.values = {}

    def get(self, key, **_):
        return self.values.get(key)

    def set(self, key, value, **_):
        self.values[key] = value

    def delete(self, key, **_):
        self.values.pop(key, None)

    def incr(self, key, delta=1, **_):
        self.values[key] = max(0, self.values.get(key, 0) + delta)
        return self.values[key]


def make_ring(directory, kind, port):
    from swift.common.ring import RingBuilder
    builder = RingBuilder(1, 1, 0)
    builder.add_dev({"region": 1, "zone": 1, "weight": 1, "ip": "127.0.0.1", "port": port,
                     "replication_ip": "127.0.0.1", "replication_port": port, "device": "disk",
                     "meta": ""})
    builder.rebalance()
    builder.get_ring().save(str(directory / f"{kind}.ring.gz"))


def serve(directory, port):
    import eventlet
    import eventlet.patcher
    eventlet.patcher.monkey_patch(all=False, socket=True, select=True, thread=True)
    from eventlet import wsgi
    from swift.common import utils
    from swift.common.http_protocol import SwiftHttpProtocol
    from swift.common.wsgi import loadapp

    utils.HASH_PATH_SUFFIX = b"switchback"
    (directory / "devices" / "disk").mkdir(parents=True, exist_ok=True)
    quiet = utils.NullLogger()

    def spawn(kind, listener, template, wrap=lambda app: app):
        path = directory / f"{kind}.conf"
        path.write_text(template.format(directory=directory, kind=kind, secret=SECRET_KEY))
        app = wrap(loadapp(str(path), global_conf={"log_name": kind}))
        return eventlet.spawn(wsgi.server, listener, app, quiet, protocol=SwiftHttpProtocol,
                              capitalize_response_headers=False)

    for kind in KINDS:
        listener = eventlet.listen(("127.0.0.1", 0))
        make_ring(directory, kind, listener.getsockname()[1])
        spawn(kind, listener, STORAGE)

    cache = MemoryCache()

    def with_cache(app):
        def call(environment, start_response):
            environment["swift.cache"] = cache
            with open(directory / "requests", "a", encoding="utf-8") as requests:
                requests.write(f"{environment['REQUEST_METHOD']} {environment['PATH_INFO']}"
                               f"?{environment.get('QUERY_STRING', '')}\n")
            return app(environment, start_response)
        return call

    spawn("proxy", eventlet.listen(("127.0.0.1", port)), PROXY, with_cache).wait()


if __name__ == "__main__":
    serve(pathlib.Path(sys.argv[1]), int(sys.argv[2]))
