"""Downloads: Debian packages through a private apt state, and wheels through pip.

Nothing on the machine is changed: apt works on lists, caches and a sources file of our own, made from the
machine's own mirror with signature checks as they are. Files come to lie in one folder, which may be kept
between builds and shared by them; a file is used only if its SHA-256 is what the signed package list says.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys

from rvsim.errors import UserError
from rvsim.guest.image import OWN_GUEST
from rvsim.guest.run import Runner, ToolFailed

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
RELEASES = ("bookworm", "trixie", "forky", "sid", "oldstable", "stable", "testing", "unstable")
KNOWN = "downloads.txt"
"""Remembers per request the files it led to, so that a mirror's passing fault need not stop a build."""


class Fetcher:
    """Brings packages, sources and wheels into ``folder``.

    Parameters
    ----------
    folder
        Where the downloads lie and stay.
    state
        apt's private lists and caches; can be thrown away at any time.
    run
        Runs apt and pip.
    """

    def __init__(self, folder: str, state: str, run: Runner) -> None:
        self.folder, self.state, self.run = folder, state, run
        self._updated: bool | None = None
        os.makedirs(folder, exist_ok=True)

    def packages(self, names: tuple[str, ...]) -> list[str]:
        """Paths of the ``.deb`` files of Debian 12's packages ``names``, in that order."""
        paths = self._fetch(f"package {' '.join(names)}", ["download", *names])
        by_name = {os.path.basename(path).partition("_")[0]: path for path in paths}
        missing = [name for name in names if name not in by_name]
        if missing:
            raise ToolFailed(f"package {missing[0]}: no such package on the mirror")
        return [by_name[name] for name in names]

    def source(self, name: str, release: str, part: str = "tar") -> str:
        """Path of a source package's upstream archive (``tar``) or of Debian's own part (``diff``)."""
        # One file at a time, since mirrors have been seen that lack one of a package's three.
        arguments = ["source", "--download-only", f"--{part}-only", f"{name}/{release}"]
        (path,) = self._fetch(f"source {part} {name}/{release}", arguments)
        return path

    def wheel(self, requirement: str) -> str:
        """Path of the wheel that satisfies ``requirement`` (name and version, ``==``) on this machine."""
        name, _, version = requirement.partition("==")
        request = f"wheel {requirement}"
        for path in self._known(request):
            return path
        argv = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--quiet"]
        # Into a folder of its own: pip writes in place, and an interrupted download must not be taken.
        part = os.path.join(self.folder, f"part-{os.getpid()}")
        shutil.rmtree(part, ignore_errors=True)
        os.makedirs(part)
        try:
            self.run.retry(f"downloading {requirement}", lambda: self.run([*argv, "-d", part, requirement]))
            files = [file for file in os.listdir(part) if file.startswith(f"{name}-{version}-")]
            if len(files) != 1:
                raise ToolFailed(f"pip download {requirement}: gave {files}")
            os.replace(os.path.join(part, files[0]), os.path.join(self.folder, files[0]))
        finally:
            shutil.rmtree(part, ignore_errors=True)
        path = os.path.join(self.folder, files[0])
        self._remember(request, [(files[0], _sha256(path))])
        return path

    def _fetch(self, request: str, arguments: list[str]) -> list[str]:
        known = self._known(request)
        if not self._update(hurry=bool(known)):
            if known:
                return known
            raise ToolFailed(f"{request}: the package lists could not be fetched")
        # Not in the downloads' folder: apt leaves out of its answer what already lies where it runs.
        found = self.run(["apt-get", "--print-uris", "-qq", *arguments], cwd=self.state, env=self._env())
        files = re.findall(r"^'[^']*' (\S+) (\d+) SHA256:([0-9a-f]{64})", found.decode(), re.MULTILINE)
        if not files:
            raise ToolFailed(f"{request}: no such package on the mirror")
        if any(not self._good(name, digest) for name, _, digest in files):
            self.run.retry(
                f"downloading {request if len(files) == 1 else f'{len(files)} packages'}",
                lambda: self.run(["apt-get", "-qq", *arguments], cwd=self.folder, env=self._env()),
            )
        for name, _, digest in files:
            if not self._good(name, digest):
                raise ToolFailed(f"{os.path.join(self.folder, name)}: not the file that the mirror lists")
        self._remember(request, [(name, digest) for name, _, digest in files])
        return [os.path.join(self.folder, name) for name, _, _ in files]

    def _good(self, name: str, digest: str) -> bool:
        path = os.path.join(self.folder, name)
        return os.path.exists(path) and _sha256(path) == digest

    def _env(self) -> dict[str, str]:
        return {**os.environ, "APT_CONFIG": os.path.join(self.state, "apt.conf"), "LC_ALL": "C"}

    def _update(self, hurry: bool) -> bool:
        """Fetch the package lists once per build; False if the mirror is out of reach."""
        if self._updated is None:
            self._configure()
            try:
                self.run.retry(
                    "fetching Debian's package lists",
                    lambda: self.run(["apt-get", "-qq", "--error-on=any", "update"], env=self._env()),
                    **({"attempts": 2} if hurry else {}),
                )
                self._updated = True
            except ToolFailed as error:
                self.run.progress.say(f"the package lists cannot be fetched ({error}); using kept downloads")
                self._updated = False
        return self._updated

    def _configure(self) -> None:
        """Write apt's private configuration."""
        mirror = self._mirror()
        shutil.rmtree(self.state, ignore_errors=True)
        for folder in ("lists/partial", "cache/archives/partial", "sources"):
            os.makedirs(os.path.join(self.state, folder))
        signed = f"Signed-By: {KEYRING}\n" if os.path.exists(KEYRING) else ""
        entry = "Types: {}\nURIs: " + mirror + "\nSuites: {}\nComponents: main\n" + signed + "\n"
        with open(os.path.join(self.state, "sources", "debian.sources"), "w") as file:
            file.write(entry.format("deb deb-src", "bookworm") + entry.format("deb-src", "trixie"))
        with open(os.path.join(self.state, "apt.conf"), "w") as file:
            # The machine's hooks clean its own caches and wake its own services: none of our business.
            for hook in ("Update::Pre-Invoke", "Update::Post-Invoke", "Update::Post-Invoke-Success"):
                file.write(f"#clear APT::{hook};\n")
            file.write(
                f'Dir::Etc::sourcelist "/dev/null";\nDir::Etc::sourceparts "{self.state}/sources";\n'
                f'Dir::State::lists "{self.state}/lists";\nDir::Cache "{self.state}/cache";\n'
                # apt run by root would drop to a user that cannot reach root's own cache folder.
                'APT::Default-Release "bookworm";\nAPT::Sandbox::User "root";\nAcquire::Languages "none";\n'
            )

    def _mirror(self) -> str:
        """The Debian mirror that the machine itself uses; apt parses its own configuration for us."""
        require_debian()
        form = "$(CREATED_BY)|$(COMPONENT)|$(RELEASE)|$(ORIGIN)|$(REPO_URI)"
        listing = self.run(["apt-get", "indextargets", "--format", form]).decode()
        ranked = []
        for line in listing.splitlines():
            created, component, release, origin, uri = (*line.split("|"), "", "", "", "")[:5]
            if created == "Packages" and component == "main" and release in RELEASES:
                # Before the machine's first update apt does not know the origin, and leaves the variable.
                rank = 2 if origin == "Debian" else 1 if uri.rstrip("/").endswith("/debian") else 0
                ranked.append((rank, uri))
        ranked.sort(key=lambda item: -item[0])
        if not ranked or ranked[0][0] == 0:
            raise UserError(_elsewhere("apt here has no Debian mirror"))
        return ranked[0][1]

    def _known(self, request: str) -> list[str]:
        """Files that an earlier build got for ``request``, if all of them are here and unchanged."""
        entries = self._entries().get(request, [])
        if all(self._good(name, digest) for name, digest in entries):
            return [os.path.join(self.folder, name) for name, _ in entries]
        return []

    def _entries(self) -> dict[str, list[tuple[str, str]]]:
        entries: dict[str, list[tuple[str, str]]] = {}
        try:
            with open(os.path.join(self.folder, KNOWN), encoding="utf-8") as file:
                for line in file:
                    request, name, digest = line.rstrip("\n").split("\t")
                    entries.setdefault(request, []).append((name, digest))
        except (OSError, ValueError):
            return {}
        return entries

    def _remember(self, request: str, files: list[tuple[str, str]]) -> None:
        entries = {**self._entries(), request: files}
        part = os.path.join(self.folder, f"{KNOWN}.{os.getpid()}")
        with open(part, "w", encoding="utf-8") as file:
            for asked, found in sorted(entries.items()):
                file.writelines(f"{asked}\t{name}\t{digest}\n" for name, digest in found)
        os.replace(part, os.path.join(self.folder, KNOWN))


def require_debian() -> None:
    """See that this machine has Debian's package tools.

    Raises
    ------
    UserError
        It has not; the message says how to go on without.
    """
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise UserError(_elsewhere(f"{tool} was not found"))


def _elsewhere(found: str) -> str:
    return f"the default guest is built with Debian's own tools and packages (12 or newer), but {found}: {OWN_GUEST}"


def _sha256(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
