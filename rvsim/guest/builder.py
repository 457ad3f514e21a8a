"""Building the guest image: the steps in order, each stamped; one builder at a time; published in one move."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator

from rvsim.cachedir import cache_directory
from rvsim.errors import UserError
from rvsim.guest.fetch import Fetcher, require_debian
from rvsim.guest.image import CONTENTS, GuestImage, guest_home, guest_paths, recipe_key
from rvsim.guest.progress import Log, Progress
from rvsim.guest.run import Runner, ToolFailed
from rvsim.guest.step import STAMP, Step, Work, seal, sealed

ROOM = 1600 << 20
"""Bytes that downloads, tools and the kernel's source take up together at the worst moment."""


def default_downloads() -> str:
    """Folder of the downloads if none is named: beside the images, and not touched by :func:`clean`."""
    return cache_directory("downloads")


def build(
    progress: Progress | None = None,
    *,
    downloads: str | None = None,
    jobs: int | None = None,
    final: Step | None = None,
) -> GuestImage:
    """Build the default guest into the user's cache, or go on where an earlier attempt stopped.

    Parameters
    ----------
    progress
        Where to report; by default standard error.
    downloads
        Folder in which downloaded packages lie and stay; by default in the user's cache.
    jobs
        Compilers at a time; by default one per CPU that this process may use.
    final
        The step that makes the image; by default the recipe's.

    Raises
    ------
    UserError
        This machine cannot build it, or a step failed; the message names the log.
    """
    progress = progress or Progress()
    home = guest_home()
    try:
        os.makedirs(home, exist_ok=True)
        _check_place(home)
        with _alone(home, progress):
            image = os.path.join(home, recipe_key())
            with contextlib.suppress(UserError):
                return guest_paths()
            _build_locked(
                home,
                image,
                final or _recipe(home),
                progress,
                os.path.abspath(downloads or default_downloads()),
                jobs or _cpus(),
            )
    except OSError as error:
        where = error.filename or home
        raise UserError(f"{where}: {error.strerror}; the guest image was not built") from error
    return guest_paths()


def clean(*, downloads: bool = False) -> None:
    """Remove all images, kept steps and half-done work; with ``downloads`` the default downloads too.

    Raises
    ------
    UserError
        Something could not be removed.
    """
    home = guest_home()
    try:
        if os.path.isdir(home):
            with _alone(home, Progress()):
                for name in os.listdir(home):
                    if name != "lock":
                        _remove(os.path.join(home, name))
        if downloads and os.path.isdir(default_downloads()):
            _remove(default_downloads())
    except OSError as error:
        raise UserError(f"{error.filename or home}: {error.strerror}; not everything was removed") from error


def _check_place(home: str) -> None:
    """See that the build can work in this folder at all.

    Raises
    ------
    UserError
        Linux's makefiles cannot handle its name.
    """
    if any(character.isspace() or character in ":'" for character in home):
        raise UserError(
            f"{home!r}: Linux cannot be built in a folder whose name has spaces, colons or quotes; "
            f"set XDG_CACHE_HOME to another one"
        )


def _recipe(home: str) -> Step:
    """The recipe's final step, once it is clear that this machine can cook it.

    Raises
    ------
    UserError
        A tool or room on the disk is missing.
    """
    require_debian()
    for tool in ("gcc", "make"):
        if shutil.which(tool) is None:
            raise UserError(f"the guest is built with gcc and make, but {tool} was not found: `apt install gcc make`")
    free = shutil.disk_usage(home).free
    if free < ROOM:
        raise UserError(
            f"{home}: building the guest takes {ROOM >> 20} MB for a while, and {free >> 20} MB are free; "
            f"make room, or set XDG_CACHE_HOME to another disk"
        )
    from rvsim.guest.recipe import IMAGE

    return IMAGE


def _cpus() -> int:
    """CPUs that this process may use."""
    return len(os.sched_getaffinity(0))


def _build_locked(home: str, image: str, final: Step, progress: Progress, downloads: str, jobs: int) -> None:
    steps = os.path.join(home, "steps")
    work = os.path.join(home, "work")
    os.makedirs(work, exist_ok=True)
    os.makedirs(steps, exist_ok=True)
    plan = _plan(final, steps)
    wanted = {step.folder for step in plan}
    for name in os.listdir(work):  # what an older recipe, or a killed build, left half done
        if name not in wanted:
            _remove(os.path.join(work, name))
    log = Log(os.path.join(home, "build.log"))
    run = Runner(log, progress)
    fetch = Fetcher(downloads, os.path.join(work, "apt"), run)
    progress.say(f"building the guest image in {home} ({len(plan)} steps; log: {log.path})")
    for number, step in enumerate(plan, 1):
        title = f"[{number}/{len(plan)}] {step.title}"
        try:
            with progress.step(title, step.lines):
                _build_step(step, steps, work, run, fetch, jobs)
        except ToolFailed as error:
            progress.say(log.tail())
            raise UserError(
                f"building the guest: step '{step.title}' failed: {error}; "
                f"the log is {log.path}; `make setup` goes on from here"
            ) from error
    _publish(os.path.join(steps, final.folder), image)
    log.close()
    current = {step.folder for step in _chain(final) if step.keep}
    for name in set(os.listdir(steps)) - current:  # big ones, and those of older recipes
        _remove(os.path.join(steps, name))
    _remove(work)


def _plan(final: Step, steps: str) -> list[Step]:
    """The steps to do, in order: those whose outputs are missing or not as stamped, and what they need."""
    plan: list[Step] = []

    def visit(step: Step) -> None:
        if step not in plan and not sealed(os.path.join(steps, step.folder)):
            for need in step.needs:
                visit(need)
            plan.append(step)

    visit(final)
    return plan


def _chain(step: Step) -> list[Step]:
    """``step`` and everything that it needs, directly or not."""
    return [step, *(below for need in step.needs for below in _chain(need))]


def _build_step(step: Step, steps: str, work: str, run: Runner, fetch: Fetcher, jobs: int) -> None:
    scratch = os.path.join(work, step.folder)
    output = os.path.join(work, f"{step.folder}.output")
    target = os.path.join(steps, step.folder)
    os.makedirs(scratch, exist_ok=True)
    _remove(output)
    os.makedirs(output)
    step.build(Work(step, steps, scratch, output, run, fetch, jobs))
    seal(output)
    _remove(target)
    os.rename(output, target)
    _remove(scratch)


def _publish(finished: str, image: str) -> None:
    """Put the image in place under its key, whole or not at all."""
    part = f"{image}.part"
    _remove(part)
    os.makedirs(part)
    lines = []
    for name in sorted(set(os.listdir(finished)) - {STAMP}):
        path = os.path.join(part, name)
        shutil.copyfile(os.path.join(finished, name), path)
        lines.append(f"{name} {os.stat(path).st_size}\n")
    with open(os.path.join(part, CONTENTS), "w", encoding="utf-8") as file:
        file.writelines(lines)
    _remove(image)
    os.rename(part, image)


@contextlib.contextmanager
def _alone(home: str, progress: Progress) -> Iterator[None]:
    """Hold the cache's lock; the operating system drops it with the process, however that ends."""
    with open(os.path.join(home, "lock"), "a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            progress.say(f"another build of the guest (process {holder}) is at work; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _remove(path: str) -> None:
    """Remove a file or a folder, there or not."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
