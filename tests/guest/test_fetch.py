"""Downloads: nothing but what the mirror vouches for, patient with mirrors, clear where there is no Debian."""

from __future__ import annotations

import hashlib
import os
import sys

import pytest

from rvsim.errors import UserError
from rvsim.guest import run as running
from rvsim.guest.fetch import Fetcher
from rvsim.guest.progress import Log
from rvsim.guest.run import Runner, ToolFailed

CONTENT = b"a package"

# Stands for apt-get: each call is appended to `calls`, what it does is in files beside it.
APT = """#!/bin/sh
here='{here}'
echo "$*" >>"$here/calls"
case "$*" in
*indextargets*) cat "$here/targets" ;;
*update*) test ! -e "$here/no-update" ;;
*--print-uris*) cat "$here/uris" ;;
*)
    if [ -e "$here/faults" ]; then
        rm "$here/faults"
        echo "E: 503 for a moment"
        exit 100
    fi
    cp "$here/content" tool_1.0_all.deb ;;
esac
"""


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A folder with a false apt-get and what it answers."""
    here = tmp_path / "mirror"
    here.mkdir()
    for name, text in {"apt-get": APT.format(here=here), "dpkg-deb": "#!/bin/sh\n"}.items():
        (here / name).write_text(text)
        (here / name).chmod(0o755)
    (here / "targets").write_text("Packages|main|bookworm|Debian|http://mirror.example/debian/\n")
    (here / "content").write_bytes(CONTENT)
    digest = hashlib.sha256(CONTENT).hexdigest()
    (here / "uris").write_text(f"'http://mirror.example/tool' tool_1.0_all.deb {len(CONTENT)} SHA256:{digest}\n")
    monkeypatch.setenv("PATH", f"{here}:{os.environ['PATH']}")
    monkeypatch.setattr(running, "FIRST_PAUSE", 0.001)
    return here


@pytest.fixture
def fetcher(tmp_path, progress):
    def make():
        runner = Runner(Log(str(tmp_path / "log")), progress)
        return Fetcher(str(tmp_path / "downloads"), str(tmp_path / "state"), runner)

    return make


def calls(mirror, word):
    return [line for line in (mirror / "calls").read_text().splitlines() if word in line]


def test_a_package_is_downloaded_once(mirror, fetcher, tmp_path):
    assert fetcher().packages(("tool",)) == [str(tmp_path / "downloads" / "tool_1.0_all.deb")]
    fetcher().packages(("tool",))
    downloads = [call for call in calls(mirror, "download tool") if "--print-uris" not in call]
    assert downloads == ["-qq download tool"]


def test_the_mirror_and_the_keyring_go_into_a_private_configuration(mirror, fetcher, tmp_path):
    fetcher().packages(("tool",))
    sources = (tmp_path / "state" / "sources" / "debian.sources").read_text()
    assert "URIs: http://mirror.example/debian/\nSuites: bookworm\n" in sources
    assert "Types: deb-src\nURIs: http://mirror.example/debian/\nSuites: trixie\n" in sources
    assert "trusted" not in sources.lower()
    configuration = (tmp_path / "state" / "apt.conf").read_text()
    assert "AllowUnauthenticated" not in configuration and "AllowInsecure" not in configuration


def test_the_package_lists_are_fetched_once_per_build(mirror, fetcher):
    one = fetcher()
    one.packages(("tool", "tool"))
    one.source("tool", "trixie")
    assert len(calls(mirror, "update")) == 1


def test_a_fault_of_a_moment_is_tried_again(mirror, fetcher, progress):
    (mirror / "faults").touch()
    fetcher().packages(("tool",))
    assert "downloading package tool failed" in progress.text and "trying again" in progress.text


def test_a_file_that_is_not_what_the_mirror_lists_is_refused(mirror, fetcher):
    (mirror / "content").write_bytes(b"something else")
    with pytest.raises(ToolFailed, match=r"tool_1.0_all.deb: not the file that the mirror lists"):
        fetcher().packages(("tool",))


def test_a_kept_file_that_was_damaged_is_downloaded_again(mirror, fetcher):
    (path,) = fetcher().packages(("tool",))
    with open(path, "wb") as file:
        file.write(b"a pack")
    fetcher().packages(("tool",))
    with open(path, "rb") as file:
        assert file.read() == CONTENT


def test_with_kept_downloads_a_dead_mirror_does_not_matter(mirror, fetcher, progress):
    paths = fetcher().packages(("tool",))
    (mirror / "no-update").touch()
    assert fetcher().packages(("tool",)) == paths
    assert "using kept downloads" in progress.text


def test_a_dead_mirror_and_a_damaged_kept_file_is_a_failure(mirror, fetcher):
    (path,) = fetcher().packages(("tool",))
    (mirror / "no-update").touch()
    with open(path, "wb") as file:
        file.write(b"other")
    with pytest.raises(ToolFailed, match="the package lists could not be fetched"):
        fetcher().packages(("tool",))
    assert len(calls(mirror, "update")) == 1 + running.ATTEMPTS


def test_packages_come_in_the_order_in_which_they_were_asked_for(mirror, fetcher):
    lines = []
    for name in ("other", "tool"):
        (mirror / "content").write_bytes(name.encode())
        digest = hashlib.sha256(name.encode()).hexdigest()
        lines.append(f"'http://mirror.example/{name}' {name}_1.0_all.deb 5 SHA256:{digest}\n")
    (mirror / "uris").write_text("".join(lines))
    (mirror / "apt-get").write_text(
        APT.format(here=mirror).replace(
            "tool_1.0_all.deb ;;", "/dev/null; for n in tool other; do printf $n >${n}_1.0_all.deb; done ;;"
        )
    )
    paths = fetcher().packages(("tool", "other"))
    assert [os.path.basename(path) for path in paths] == ["tool_1.0_all.deb", "other_1.0_all.deb"]
    with pytest.raises(ToolFailed, match="package third: no such package on the mirror"):
        fetcher().packages(("tool", "third"))


def test_an_unknown_package_is_a_failure(mirror, fetcher):
    (mirror / "uris").write_text("")
    with pytest.raises(ToolFailed, match="package tool: no such package on the mirror"):
        fetcher().packages(("tool",))


@pytest.mark.parametrize("missing", ["apt-get", "dpkg-deb"])
def test_without_debians_tools_one_line_says_what_is_needed(mirror, fetcher, monkeypatch, missing):
    (mirror / missing).unlink()
    monkeypatch.setenv("PATH", str(mirror))
    with pytest.raises(UserError, match=rf"Debian.*{missing} was not found: bring your own.*--kernel FILE") as failure:
        fetcher().packages(("tool",))
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize(
    "targets",
    [
        "",
        "Packages|main|noble|Ubuntu|http://mirror.example/ubuntu/\n",
        "Packages|stable|bookworm|$(ORIGIN)|http://elsewhere.example/linux/debian/\n",
        "Packages|main|bookworm|$(ORIGIN)|http://elsewhere.example/tools/\n",
        "Packages|main|bookworm-security|Debian|http://mirror.example/debian-security/\n",
    ],
)
def test_without_a_debian_mirror_one_line_says_so(mirror, fetcher, targets):
    (mirror / "targets").write_text(targets)
    with pytest.raises(UserError, match="apt here has no Debian mirror: bring your own guest"):
        fetcher().packages(("tool",))


def test_the_machines_debian_mirror_wins_over_others(mirror, fetcher, tmp_path):
    (mirror / "targets").write_text(
        "Packages|main|bookworm|Other|http://elsewhere.example/debian/\n"
        "Sources|main|bookworm|Debian|http://wrong.example/debian/\n"
        "Packages|main|trixie|Debian|http://right.example/debian/\n"
    )
    fetcher().packages(("tool",))
    assert "http://right.example/debian/" in (tmp_path / "state" / "sources" / "debian.sources").read_text()


def test_before_the_first_update_a_mirror_is_known_by_its_path(mirror, fetcher, tmp_path):
    (mirror / "targets").write_text("Packages|main|bookworm|$(ORIGIN)|http://mirror.example/debian/\n")
    fetcher().packages(("tool",))
    assert "http://mirror.example/debian/" in (tmp_path / "state" / "sources" / "debian.sources").read_text()


PIP = """#!/bin/sh
echo "$*" >>'{here}/calls'
for last; do :; done
while [ "$1" != -d ]; do shift; done
cp '{here}/content' "$2/tool-1.0-py3-none-any.whl"
"""


def test_a_wheel_is_downloaded_once_and_checked_when_it_is_used_again(mirror, fetcher, monkeypatch, tmp_path):
    (mirror / "python").write_text(PIP.format(here=mirror))
    (mirror / "python").chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(mirror / "python"))
    path = fetcher().wheel("tool==1.0")
    assert path == str(tmp_path / "downloads" / "tool-1.0-py3-none-any.whl")
    assert fetcher().wheel("tool==1.0") == path
    assert len(calls(mirror, "pip download")) == 1
    with open(path, "wb") as file:
        file.write(b"cut")
    fetcher().wheel("tool==1.0")
    assert len(calls(mirror, "pip download")) == 2
    with open(path, "rb") as file:
        assert file.read() == CONTENT
