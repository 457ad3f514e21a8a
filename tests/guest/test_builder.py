"""Building: restarted where it stopped, one builder at a time, published whole or not at all."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
import threading
import time

import pytest

from rvsim.errors import UserError
from rvsim.guest import image
from rvsim.guest.builder import build, clean
from rvsim.guest.image import guest_home, guest_paths, recipe_key
from rvsim.guest.step import sealed


def steps(name):
    home = os.path.join(guest_home(), "steps")
    (folder,) = (entry for entry in os.listdir(home) if entry.startswith(f"{name}-"))
    return os.path.join(home, folder)


def test_every_step_runs_once_in_order_and_the_image_is_found(cache, kitchen, progress):
    paths = build(progress, final=kitchen.final)
    assert [name for name in kitchen.ran if "part" not in name] == ["first", "second", "image"]
    assert pathlib.Path(paths.kernel).read_text() == "second"
    assert guest_paths() == paths
    assert "[1/3] first step" in progress.text and "[3/3] all" in progress.text


def test_a_built_image_is_not_built_again(cache, kitchen, progress):
    build(progress, final=kitchen.final)
    kitchen.ran.clear()
    build(progress, final=kitchen.final)
    assert kitchen.ran == []


def test_after_a_failure_the_next_attempt_goes_on_from_the_failed_step(cache, kitchen, progress):
    kitchen.failing.add("second")
    with pytest.raises(UserError, match=r"step 'second step' failed: sh -c .*status 3; the log is (\S+);") as failure:
        build(progress, final=kitchen.final)
    assert "\n" not in str(failure.value)
    assert "the reason for it" in progress.text, "the log's tail is shown"
    log = os.path.join(guest_home(), "build.log")
    assert log in str(failure.value) and "the reason for it" in pathlib.Path(log).read_text()
    assert kitchen.ran == ["first", "first part", "second", "second part"]

    kitchen.ran.clear()
    kitchen.failing.clear()
    build(progress, final=kitchen.final)
    assert kitchen.ran == ["second", "image"], "neither the finished step nor the finished part is repeated"


def test_a_failure_publishes_nothing(cache, kitchen, progress):
    kitchen.failing.add("second")
    with pytest.raises(UserError):
        build(progress, final=kitchen.final)
    assert recipe_key() not in os.listdir(guest_home())
    with pytest.raises(UserError, match="not built yet"):
        guest_paths()


@pytest.mark.parametrize(
    "damage", ["stamp removed", "stamp changed", "output cut short", "output added", "output removed"]
)
def test_a_step_whose_outputs_are_not_as_stamped_is_done_again(cache, kitchen, progress, damage):
    kitchen.failing.add("second")
    with pytest.raises(UserError):
        build(progress, final=kitchen.final)
    kitchen.failing.clear()
    folder = steps("first")
    stamp, result = pathlib.Path(folder, "stamp"), pathlib.Path(folder, "result")
    assert sealed(folder)
    if damage == "stamp removed":
        stamp.unlink()
    elif damage == "stamp changed":
        stamp.write_text(stamp.read_text() + "more 1\n")
    elif damage == "output cut short":
        result.write_text("f")
    elif damage == "output added":
        pathlib.Path(folder, "more").touch()
    else:
        result.unlink()
    kitchen.ran.clear()
    build(progress, final=kitchen.final)
    assert kitchen.ran[0] == "first"
    assert pathlib.Path(guest_paths().kernel).read_text() == "second"


def test_an_image_that_was_damaged_is_published_again_without_new_work(cache, kitchen, progress):
    paths = build(progress, final=kitchen.final)
    os.truncate(paths.kernel, 1)
    kitchen.ran.clear()
    assert build(progress, final=kitchen.final) == paths
    assert kitchen.ran == []
    assert pathlib.Path(paths.kernel).read_text() == "second"


def test_what_an_older_recipe_left_is_removed(cache, kitchen, progress):
    old = os.path.join(guest_home(), "steps", "kernel-0123456789abcdef")
    half = os.path.join(guest_home(), "work", "kernel-0123456789abcdef")
    os.makedirs(old)
    os.makedirs(half)
    build(progress, final=kitchen.final)
    assert not os.path.exists(old) and not os.path.exists(half)


def test_a_second_builder_waits_says_so_and_uses_what_the_first_built(cache, kitchen, progress):
    entered, leave = threading.Event(), threading.Event()
    bake = kitchen.first.build

    def slow(work):
        entered.set()
        assert leave.wait(20)
        bake(work)

    first = kitchen.first.replace(build=slow)
    final = kitchen.final.replace(needs=(first, kitchen.second.replace(needs=(first,))))
    builder = threading.Thread(target=build, args=(type(progress)(),), kwargs={"final": final})
    builder.start()
    assert entered.wait(20)
    second = threading.Thread(target=build, args=(progress,), kwargs={"final": final})
    second.start()
    deadline = time.monotonic() + 20
    while "waiting for it" not in progress.text and time.monotonic() < deadline:
        time.sleep(0.01)
    assert f"another build of the guest (process {os.getpid()}) is at work; waiting for it" in progress.text
    assert second.is_alive()
    leave.set()
    builder.join(20)
    second.join(20)
    assert not second.is_alive()
    assert kitchen.ran.count("first") == 1 and kitchen.ran.count("image") == 1


def test_the_lock_of_a_killed_builder_does_not_stay(cache, kitchen, progress):
    script = (
        "import sys, time; from rvsim.guest.builder import _alone; from rvsim.guest.progress import Progress\n"
        f"import os; os.makedirs({guest_home()!r})\n"
        f"with _alone({guest_home()!r}, Progress()): print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "held\n"
    holder.kill()
    holder.wait()
    holder.stdout.close()
    build(progress, final=kitchen.final)
    assert "waiting" not in progress.text


def test_clean_removes_everything_but_the_downloads(cache, kitchen, progress):
    build(progress, final=kitchen.final)
    (cache / "rvsim" / "downloads").mkdir(exist_ok=True)
    clean()
    assert os.listdir(guest_home()) == ["lock"]
    assert (cache / "rvsim" / "downloads").exists()
    clean(downloads=True)
    assert not (cache / "rvsim" / "downloads").exists()


def test_clean_of_nothing_is_nothing(cache):
    clean()
    assert not cache.exists()


def test_a_cache_that_cannot_be_written_is_named(tmp_path, monkeypatch, kitchen, progress):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(UserError, match=r"file.*: Not a directory; the guest image was not built"):
        build(progress, final=kitchen.final)


@pytest.mark.parametrize("name", ["with space", "with:colon"])
def test_a_cache_in_which_linux_cannot_be_built_is_refused_at_once(tmp_path, monkeypatch, kitchen, progress, name):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / name))
    with pytest.raises(UserError, match="set XDG_CACHE_HOME"):
        build(progress, final=kitchen.final)
    assert kitchen.ran == []


@pytest.mark.parametrize("missing", ["gcc", "make", "apt-get"])
def test_a_machine_that_cannot_build_it_says_so_at_once(cache, progress, monkeypatch, missing):
    monkeypatch.setattr(shutil, "which", lambda tool: None if tool == missing else f"/usr/bin/{tool}")
    with pytest.raises(UserError, match=f"{missing} was not found: (`apt install|bring your own guest)"):
        build(progress)
    assert progress.text == ""


def test_too_small_a_disk_is_noticed_before_the_work(cache, progress, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda tool: f"/usr/bin/{tool}")
    usage = shutil.disk_usage("/")._replace(free=100 << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(UserError, match=r"takes 1600 MB for a while, and 100 MB are free; .*XDG_CACHE_HOME"):
        build(progress)


def test_a_step_reads_only_files_that_it_declares(cache, kitchen, progress):
    greedy = kitchen.final.replace(build=lambda work: work.file("kernel.config"))
    with pytest.raises(ValueError, match=r"image reads files/kernel.config without declaring it"):
        build(progress, final=greedy)


def test_a_full_disk_is_a_message_and_not_a_traceback(cache, kitchen, progress, monkeypatch):
    import errno

    def full(work):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/some/file")

    with pytest.raises(UserError, match=r"/some/file: No space left on device; the guest image was not built"):
        build(progress, final=kitchen.final.replace(build=full))
    assert not os.path.exists(os.path.join(guest_home(), recipe_key()))
    assert image.CONTENTS not in os.listdir(guest_home())
