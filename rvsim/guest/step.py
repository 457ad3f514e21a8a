"""A step of the build: what goes in, what it needs, what comes out, and whether that is still good."""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Callable

from rvsim.frozen import Frozen
from rvsim.guest.fetch import Fetcher
from rvsim.guest.image import RECIPE, hash_files
from rvsim.guest.run import Runner

STAMP = "stamp"


class Step(Frozen):
    """One step. Its outputs are kept under a name that is a hash over everything that decides them.

    ``name``: folder and log name. ``title``: what the user reads. ``files``: the recipe's files that it
    reads, its own module among them. ``needs``: steps whose outputs it reads. ``build``: does the work.
    ``lines``: about how many lines its tools print, for the progress display. ``keep``: outputs are small
    and stay after the build, so that a change elsewhere in the recipe need not repeat the step.
    """

    name: str
    title: str
    files: tuple
    build: Callable
    needs: tuple = ()
    lines: int = 0
    keep: bool = True

    @property
    def key(self) -> str:
        """Hash over the step's files and the keys of what it needs."""
        salt = " ".join([self.name, *(step.key for step in self.needs)])
        return hash_files([(name, os.path.join(RECIPE, name)) for name in self.files], salt)

    @property
    def folder(self) -> str:
        """Name of the folder of the outputs."""
        return f"{self.name}-{self.key}"


class Work:
    """What a step's ``build`` gets to work with.

    Members
    -------
    scratch : str
        The step's own folder. It survives a failure, so that the next attempt can go on from it.
    output : str
        Folder for what others need; empty when the step starts.
    tools : dict
        Environment variables for the tools, ``PATH`` among them; nothing of the user's own settings.
    """

    def __init__(self, step: Step, home: str, scratch: str, output: str, run: Runner, fetch: Fetcher, jobs: int):
        self.step, self.home, self.scratch, self.output = step, home, scratch, output
        self.fetch, self.jobs, self._run = fetch, jobs, run
        self.tools = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": scratch,
            "LC_ALL": "C",
            "SOURCE_DATE_EPOCH": "0",
        }

    def run(self, *argv: str, cwd: str | None = None, input: bytes = b"", **variables: str) -> bytes:
        """Run a tool in ``cwd`` (by default the scratch folder) and return what it wrote.

        Raises
        ------
        ToolFailed
            The tool's status was not zero.
        """
        return self._run([*argv], cwd=cwd or self.scratch, env={**self.tools, **variables}, input=input)

    def say(self, text: str) -> None:
        """Tell the user one line."""
        self._run.progress.say(text)

    def file(self, name: str) -> str:
        """Path of one of the recipe's own files (in ``recipe/files``), which the step must have declared."""
        name = f"files/{name}"
        if name not in self.step.files:
            raise ValueError(f"step {self.step.name} reads {name} without declaring it")
        return os.path.join(RECIPE, name)

    def needed(self, name: str, *parts: str) -> str:
        """Path below the outputs of the step ``name``, which must be among ``needs``."""
        step = next(step for step in self.step.needs if step.name == name)
        return os.path.join(self.home, step.folder, *parts)

    def unpack(self, archive: str) -> str:
        """Unpack a tar archive into the scratch folder; the path of the folder that it holds."""
        with tarfile.open(archive) as file:
            # Since Python 3.11.4, and 3.11.2 is what Debian 12 has. The archives are signed Debian's.
            file.extraction_filter = getattr(tarfile, "data_filter", None)
            top = file.getnames()[0].split("/")[0]
            file.extractall(self.scratch)
        return os.path.join(self.scratch, top)

    def once(self, name: str, action: Callable[[], object]) -> None:
        """Do ``action`` unless an earlier attempt at this step got past it."""
        mark = os.path.join(self.scratch, f".done-{name}")
        if not os.path.exists(mark):
            action()
            with open(mark, "w"):
                pass

    def publish(self, path: str, name: str | None = None) -> None:
        """Copy a file into the outputs."""
        target = os.path.join(self.output, name or os.path.basename(path))
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy2(path, target)


def seal(folder: str) -> None:
    """Write the stamp: names and sizes of everything in ``folder``."""
    with open(os.path.join(folder, STAMP), "w", encoding="utf-8") as file:
        file.write(_listing(folder))


def sealed(folder: str) -> bool:
    """Whether ``folder`` has a stamp and its contents are as stamped."""
    try:
        with open(os.path.join(folder, STAMP), encoding="utf-8") as file:
            return file.read() == _listing(folder)
    except (OSError, ValueError):
        return False


def _listing(folder: str) -> str:
    lines = []
    for path, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            full = os.path.join(path, name)
            if full != os.path.join(folder, STAMP):
                lines.append(f"{os.path.relpath(full, folder)} {os.lstat(full).st_size}\n")
    return "".join(lines)
