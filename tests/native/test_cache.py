"""Machine code in the user's cache: found when it is right, absent when anything is wrong with it."""

import ctypes
import os

import pytest

from rvsim.native import cache, compiler, link
from rvsim.native.ir import Module


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def blob():
    module = Module()
    f = module.function("answer", "i64", [], exported=True)
    f.ret(42)
    return link.link(compiler.compile_object(module.text()))


def stored(blob, stamp="stamp"):
    cache.store("test", stamp, blob[0], {"answer": blob[1]["answer"]}, ["extra"])
    (path,) = [e.path for e in os.scandir(cache.cache_directory("code"))]
    return path


def test_stored_code_runs_after_loading(blob):
    stored(blob)
    code = cache.load("test", "stamp")
    assert code.function("answer", ctypes.c_int64)() == 42
    assert code.extra == ["extra"]


def test_another_stamp_is_absent(blob):
    stored(blob)
    assert cache.load("test", "other") is None


def test_same_file_name_with_another_stamp_is_absent(blob):
    """File names hold a checksum only; what counts is the stamp inside."""
    path = stored(blob)
    os.rename(path, cache._path("test", "other"))
    assert cache.load("test", "other") is None


@pytest.mark.parametrize("damage", ["truncated", "code", "header", "empty", "garbage"])
def test_damaged_file_is_absent(blob, damage):
    path = stored(blob)
    with open(path, "rb") as file:
        data = bytearray(file.read())
    if damage == "truncated":
        data = data[: len(data) // 2]
    elif damage == "code":
        data[-1] ^= 1
    elif damage == "header":
        data[40] ^= 1
    elif damage == "empty":
        data = b""
    else:
        data = bytearray(os.urandom(len(data)))
    with open(path, "wb") as file:
        file.write(data)
    assert cache.load("test", "stamp") is None


def test_file_that_others_may_write_is_not_executed(blob):
    os.chmod(stored(blob), 0o622)
    assert cache.load("test", "stamp") is None


def test_directory_that_cannot_be_written_is_no_error(blob, own_cache):
    own_cache.parent.mkdir(exist_ok=True)
    own_cache.write_text("a file where a directory should be")
    cache.store("test", "stamp", blob[0], {}, None)
    assert cache.load("test", "stamp") is None


def test_nothing_is_left_behind_and_old_entries_go(blob):
    for n in range(cache.KEEP + 5):
        cache.store("test", f"stamp {n}", blob[0], {"answer": blob[1]["answer"]}, None)
    names = os.listdir(cache.cache_directory("code"))
    assert len(names) == cache.KEEP
    assert not [n for n in names if n.endswith(".tmp")]


def test_stamp_changes_with_a_source_file(tmp_path):
    source = tmp_path / "a.py"
    source.write_text("x = 1")
    before = cache.source_stamp(str(tmp_path))
    source.write_text("x = 22")
    assert cache.source_stamp(str(tmp_path)) != before


def test_linker_refuses_what_it_does_not_know():
    with pytest.raises(link.CannotLink, match="x86-64"):
        link.link(b"\x7fELF\x01" + bytes(100))


def test_sources_that_change_while_a_process_runs_are_noticed(tmp_path):
    source = tmp_path / "a.py"
    source.write_text("x = 1")
    cache_time = cache._IMPORTED_AT
    try:
        cache._IMPORTED_AT = source.stat().st_ctime_ns
        assert not cache.changed_since_import(str(tmp_path))
        cache._IMPORTED_AT -= 1
        assert cache.changed_since_import(str(tmp_path))
    finally:
        cache._IMPORTED_AT = cache_time
