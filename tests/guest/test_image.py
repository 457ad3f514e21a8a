"""The key and its index: right whatever happens to the recipe, and cheap on a warm start."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from rvsim.errors import UserError
from rvsim.guest import image
from rvsim.guest.image import guest_paths, recipe_key


@pytest.fixture
def recipe(tmp_path):
    folder = tmp_path / "recipe"
    (folder / "files").mkdir(parents=True)
    (folder / "step.py").write_text("STEP = 1\n")
    (folder / "files" / "kernel.config").write_text("CONFIG_A=y\n")
    return folder


def test_the_key_is_sixteen_digits_and_the_same_every_time(cache, recipe):
    key = recipe_key(str(recipe))
    assert len(key) == 16 and int(key, 16) >= 0
    assert recipe_key(str(recipe)) == key


@pytest.mark.parametrize("change", ["content", "new file", "name", "removed", "moved to another folder"])
def test_every_change_to_the_recipe_changes_the_key(cache, recipe, change):
    key = recipe_key(str(recipe))
    if change == "content":
        (recipe / "files" / "kernel.config").write_text("CONFIG_B=y\n")
    elif change == "new file":
        (recipe / "other.py").write_text("")
    elif change == "name":
        (recipe / "step.py").rename(recipe / "stop.py")
    elif change == "removed":
        (recipe / "step.py").unlink()
    else:
        (recipe / "step.py").rename(recipe / "files" / "step.py")
    assert recipe_key(str(recipe)) != key


def test_a_change_that_keeps_size_and_time_is_noticed(cache, recipe):
    path = recipe / "files" / "kernel.config"
    before = path.stat()
    key = recipe_key(str(recipe))
    path.write_text("CONFIG_B=y\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    assert recipe_key(str(recipe)) != key


def test_a_change_of_times_alone_keeps_the_key(cache, recipe):
    key = recipe_key(str(recipe))
    os.utime(recipe / "step.py", (1, 1))
    assert recipe_key(str(recipe)) == key


def test_compiled_files_and_editors_copies_do_not_enter_the_key(cache, recipe):
    key = recipe_key(str(recipe))
    (recipe / "__pycache__").mkdir()
    (recipe / "__pycache__" / "step.cpython-311.pyc").write_bytes(b"x")
    (recipe / "step.py~").write_text("old")
    (recipe / ".step.py.swp").write_text("open")
    assert recipe_key(str(recipe)) == key


def test_the_index_spares_the_hashing(cache, recipe, monkeypatch):
    key = recipe_key(str(recipe))
    monkeypatch.setattr(image, "hash_files", lambda files, salt="": pytest.fail("hashed again"))
    assert recipe_key(str(recipe)) == key


@pytest.mark.parametrize("content", [b"", b"short\n", b"\xff\xfe\n", b"0123456789abcdef\nsomething else"])
def test_a_damaged_index_only_costs_time(cache, recipe, content):
    key = recipe_key(str(recipe))
    (index,) = (cache / "rvsim" / "guest" / "index").iterdir()
    index.write_bytes(content)
    assert recipe_key(str(recipe)) == key


def test_without_a_writable_cache_the_key_is_found_all_the_same(tmp_path, recipe, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert len(recipe_key(str(recipe))) == 16


def test_a_relative_cache_home_is_ignored_as_the_xdg_specification_says(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert image.cache_directory() == str(tmp_path / ".cache" / "rvsim")


def publish(size=5, contents="Image 5\nfw_dynamic.bin 5\ninitrd.cpio 5\n"):
    folder = os.path.join(image.guest_home(), recipe_key())
    os.makedirs(folder)
    for name in ("Image", "initrd.cpio", "fw_dynamic.bin"):
        with open(os.path.join(folder, name), "wb") as file:
            file.write(bytes(size))
    with open(os.path.join(folder, image.CONTENTS), "w") as file:
        file.write(contents)
    return folder


def test_without_an_image_the_message_names_setup_and_ones_own_guest(cache):
    with pytest.raises(UserError, match=r"make setup.*--kernel FILE") as failure:
        guest_paths()
    assert "\n" not in str(failure.value)


def test_the_paths_of_a_built_image_are_absolute(cache):
    folder = publish()
    paths = guest_paths()
    assert paths.kernel == os.path.join(folder, "Image")
    assert os.path.isabs(paths.initrd) and os.path.isabs(paths.firmware)


@pytest.mark.parametrize("size", [0, 4, 6])
def test_a_file_of_another_size_than_was_built_is_refused(cache, size):
    publish(size)
    with pytest.raises(UserError, match=rf"Image: {size} bytes where 5 were built: run `make setup`"):
        guest_paths()


def test_a_missing_file_is_refused(cache):
    os.unlink(os.path.join(publish(), "initrd.cpio"))
    with pytest.raises(UserError, match=r"initrd.cpio: no bytes where 5"):
        guest_paths()


WARM = """
import sys, time
import os
start = time.process_time()
from rvsim.guest import guest_paths
guest_paths()
spent = time.process_time() - start
heavy = {"hashlib", "pathlib", "json", "re", "typing", "dataclasses", "subprocess", "rvsim.guest.builder"}
print(spent, *sorted(heavy & (set(sys.modules) - before)))
"""


def test_a_warm_look_up_imports_nothing_heavy_and_takes_milliseconds(cache):
    publish()
    guest_paths()  # writes the index
    best = 1.0
    for _ in range(10):
        command = [sys.executable, "-c", "import sys; before = set(sys.modules)\n" + WARM]
        spent, *heavy = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        assert not heavy
        best = min(best, float(spent))
    assert best < 0.005  # under 1 on a quiet machine; the tests share theirs
