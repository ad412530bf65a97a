"""Switchback inside a Python program, without a server: as much of switchback.h as the example needs, by ctypes.

The library is found where the linker finds it, or where SWITCHBACK_LIBRARY says.
"""

import ctypes
import json
import os

from ctypes import POINTER, byref, c_char_p, c_double, c_int, c_int32, c_size_t, c_uint32, c_uint64, c_void_p


class Error(Exception):
    """`code` is a word: "refused", "busy", "conflict"."""

    def __init__(self, code, message):
        super().__init__(f"{code}: {message}")
        self.code = code


class Options(ctypes.Structure):
    """switchback_options."""

    _fields_ = [("size", c_size_t), ("data_dir", c_char_p), ("legacy_path", c_char_p), ("unified_path", c_char_p),
                ("flags_path", c_char_p), ("ack", c_int32), ("log_level", c_int32), ("without_guard", c_int32),
                ("reserved", c_int32), ("value_bytes_max", c_uint64), ("memtable_bytes_max", c_uint64),
                ("log_bytes_max", c_uint64)]


_BYTES = (c_char_p, c_size_t)
_RECORD = (c_void_p, c_char_p, *_BYTES)  # db, collection, key
# Functions that return a code, and what they take.
_SIGNATURES = {
    "open": (POINTER(Options), POINTER(c_void_p)),
    "close": (c_void_p,),
    "put": (*_RECORD, *_BYTES),
    "get": (*_RECORD, POINTER(c_void_p), POINTER(c_size_t)),
    "delete": (*_RECORD, POINTER(c_int)),
    "compare_and_set": (*_RECORD, *_BYTES, *_BYTES, POINTER(c_int)),
    "count": (c_void_p, c_char_p, POINTER(c_uint64)),
    "scan": (c_void_p, c_char_p, *_BYTES, *_BYTES, c_uint64, POINTER(c_void_p)),
    "cursor_next": (c_void_p, POINTER(c_void_p), POINTER(c_size_t), POINTER(c_void_p), POINTER(c_size_t)),
    "get_percentage": (c_void_p, POINTER(c_double), POINTER(c_double)),
    "set_percentage": (c_void_p, c_double),
    "reload_flags": (c_void_p,),
    "rollback_now": (c_void_p, c_char_p, c_uint32),
    "rearm": (c_void_p,),
    "migration_start": (c_void_p,),
    "migration_wait": (c_void_p, c_uint32),
    "status_json": (c_void_p, POINTER(c_void_p)),
}


def _load():
    library = ctypes.CDLL(os.environ.get("SWITCHBACK_LIBRARY", "libswitchback.so.0"))
    for name in ("error_message", "version"):
        getattr(library, f"switchback_{name}").restype = c_char_p
    library.switchback_code_name.argtypes = (c_int,)
    library.switchback_code_name.restype = c_char_p
    for name in ("free", "cursor_free"):
        getattr(library, f"switchback_{name}").argtypes = (c_void_p,)
        getattr(library, f"switchback_{name}").restype = None
    for name, arguments in _SIGNATURES.items():
        getattr(library, f"switchback_{name}").argtypes = arguments
    return library


_library = _load()


def _call(name, *arguments):
    # ctypes lets other threads of Python run meanwhile; the message belongs to this one.
    code = getattr(_library, f"switchback_{name}")(*arguments)
    if code != 0:
        raise Error(_library.switchback_code_name(code).decode(), _library.switchback_error_message().decode())


def _take(pointer, size):
    """The bytes of a buffer that the library gave, which is freed."""
    try:
        return ctypes.string_at(pointer, size)
    finally:
        _library.switchback_free(pointer)


def _bytes(value):
    return (value, 0 if value is None else len(value))


class Switchback:
    """One data directory. Keys and values are bytes. Any number of threads may use it, but close() comes last."""

    def __init__(self, data_dir, **options):
        """`options` are members of switchback_options; paths as str."""
        texts = {name: os.fsencode(value) if isinstance(value, (str, os.PathLike)) else value
                 for name, value in options.items()}
        self._db = c_void_p()
        asked = Options(size=ctypes.sizeof(Options), data_dir=os.fsencode(data_dir), **texts)
        _call("open", byref(asked), byref(self._db))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        db, self._db = self._db, c_void_p()
        _call("close", db)

    def put(self, collection, key, value):
        """Durable on return."""
        _call("put", self._db, collection.encode(), *_bytes(key), *_bytes(value))

    def get(self, collection, key):
        """None when there is no such record."""
        value, size = c_void_p(), c_size_t()
        _call("get", self._db, collection.encode(), *_bytes(key), byref(value), byref(size))
        return None if value.value is None else _take(value, size.value)

    def delete(self, collection, key):
        """Whether there was one."""
        existed = c_int()
        _call("delete", self._db, collection.encode(), *_bytes(key), byref(existed))
        return bool(existed.value)

    def compare_and_set(self, collection, key, expected, value):
        """None as `expected`: no record; None as `value`: delete it."""
        swapped = c_int()
        _call("compare_and_set", self._db, collection.encode(), *_bytes(key), *_bytes(expected), *_bytes(value),
              byref(swapped))
        return bool(swapped.value)

    def count(self, collection):
        count = c_uint64()
        _call("count", self._db, collection.encode(), byref(count))
        return count.value

    def scan(self, collection, prefix=b"", start=b"", limit=0):
        """Pairs of key and value, in order."""
        cursor = c_void_p()
        _call("scan", self._db, collection.encode(), *_bytes(prefix), *_bytes(start), limit, byref(cursor))
        try:
            key, key_size, value, value_size = c_void_p(), c_size_t(), c_void_p(), c_size_t()
            while True:
                _call("cursor_next", cursor, byref(key), byref(key_size), byref(value), byref(value_size))
                if key.value is None:
                    return
                yield ctypes.string_at(key, key_size.value), ctypes.string_at(value, value_size.value)
        finally:
            _library.switchback_cursor_free(cursor)

    def percentage(self):
        """What share of the keys SQLite answers."""
        effective = c_double()
        _call("get_percentage", self._db, byref(effective), None)
        return effective.value

    def set_percentage(self, percentage):
        _call("set_percentage", self._db, percentage)

    def reload_flags(self):
        _call("reload_flags", self._db)

    def rollback_now(self, reason, wait_ms=1000):
        _call("rollback_now", self._db, reason.encode(), wait_ms)

    def rearm(self):
        _call("rearm", self._db)

    def migrate(self, wait_ms=60000):
        """Fills SQLite and waits for the end of it."""
        _call("migration_start", self._db)
        _call("migration_wait", self._db, wait_ms)

    def status(self):
        text = c_void_p()
        _call("status_json", self._db, byref(text))
        return json.loads(_take(text, -1))


def version():
    return _library.switchback_version().decode()
