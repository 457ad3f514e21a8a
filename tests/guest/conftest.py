"""A cache of the test's own, and steps that cost nothing."""

from __future__ import annotations

import io
import os

import pytest

from rvsim.guest import image
from rvsim.guest.progress import Progress
from rvsim.guest.run import ToolFailed
from rvsim.guest.step import Step


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache; its path."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Recorder(Progress):
    """Progress whose lines can be looked at."""

    def __init__(self):
        super().__init__(io.StringIO(), live=False)

    @property
    def text(self):
        return self.stream.getvalue()


@pytest.fixture
def progress():
    return Recorder()


class Kitchen:
    """Steps ``first`` and ``second`` and an image of both, which record that they ran and fail when told to."""

    def __init__(self):
        self.ran = []
        self.failing = set()
        self.first = Step(name="first", title="first step", files=(), build=self._build, keep=True)
        self.second = Step(name="second", title="second step", files=(), build=self._build, needs=(self.first,))
        self.final = Step(
            name="image", title="all", files=(), build=self._image, needs=(self.first, self.second), keep=True
        )

    def _build(self, work):
        self.ran.append(work.step.name)
        work.once("part", lambda: self.ran.append(f"{work.step.name} part"))
        if work.step.name in self.failing:
            work.run("sh", "-c", "echo the reason for it; exit 3")
            raise ToolFailed("unreachable")
        with open(os.path.join(work.output, "result"), "w") as file:
            file.write(work.step.name)

    def _image(self, work):
        self.ran.append("image")
        for name in (image.KERNEL, image.INITRD, image.FIRMWARE):
            work.publish(work.needed("second", "result"), name)


@pytest.fixture
def kitchen():
    return Kitchen()
