"""Where the built image is: what a warm start needs of the guest, and nothing else.

The image's folder is named by a hash over every file of the recipe. Hashing costs milliseconds that a warm
start does not have, so the key is remembered in an index file beside the images together with size, times
and inode of every recipe file; it holds exactly as long as these are unchanged.
"""

from __future__ import annotations

import os

from rvsim.cachedir import cache_directory
from rvsim.errors import UserError
from rvsim.frozen import Frozen

RECIPE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "recipe")
"""Folder whose files decide what the image contains: nothing else enters the key."""

KERNEL, INITRD, FIRMWARE, CONTENTS = "Image", "initrd.cpio", "fw_dynamic.bin", "contents"

OWN_GUEST = "bring your own guest with --kernel FILE --initrd FILE --firmware FILE"


class GuestImage(Frozen):
    """The three files a boot needs, as absolute paths.

    ``kernel`` is a raw RISC-V ``Image``, ``initrd`` an uncompressed ``newc`` cpio archive, ``firmware``
    OpenSBI's ``fw_dynamic.bin``.
    """

    kernel: str
    initrd: str
    firmware: str


def guest_home() -> str:
    """Folder of the images, the finished steps and the lock."""
    return cache_directory("guest")


def recipe_files(folder: str, prefix: str = "") -> list[tuple[str, os.DirEntry]]:
    """Every file of the recipe as (name relative to the recipe, directory entry), sorted by name."""
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                if entry.name != "__pycache__":
                    found += recipe_files(entry.path, f"{prefix}{entry.name}/")
            elif not entry.name.startswith(".") and not entry.name.endswith((".pyc", "~")):
                found.append((prefix + entry.name, entry))
    return sorted(found, key=lambda item: item[0])


def recipe_key(recipe: str = RECIPE) -> str:
    """The name of the image that the recipe as it stands would build: 16 hexadecimal digits."""
    files = recipe_files(recipe)
    lines = []
    for name, entry in files:
        stat = entry.stat()
        lines.append(f"{name} {stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns} {stat.st_ino}\n")
    signature = "".join(lines)
    index = os.path.join(guest_home(), "index", _slug(recipe))
    try:
        with open(index, encoding="utf-8") as file:
            key, _, remembered = file.read().partition("\n")
        if remembered == signature and len(key) == 16:
            return key
    except (OSError, ValueError):
        pass
    key = hash_files([(name, entry.path) for name, entry in files])
    _remember(index, f"{key}\n{signature}")
    return key


def hash_files(files: list[tuple[str, str]], salt: str = "") -> str:
    """16 hexadecimal digits of SHA-256 over names and contents of ``files`` (pairs of name and path)."""
    import hashlib

    digest = hashlib.sha256(salt.encode())
    for name, path in files:
        with open(path, "rb") as file:
            content = file.read()
        # Lengths in front, so that no two different lists of files run together to the same bytes.
        digest.update(f"{len(name)} {len(content)} {name}\n".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


def guest_paths() -> GuestImage:
    """The default guest's files.

    Raises
    ------
    UserError
        The image has not been built, or one of its files is missing or was cut short since.
    """
    folder = os.path.join(guest_home(), recipe_key())
    try:
        with open(os.path.join(folder, CONTENTS), encoding="utf-8") as file:
            lines = file.read().splitlines()
    except OSError:
        raise UserError(f"the guest image is not built yet ({folder}): run `make setup`, or {OWN_GUEST}") from None
    for line in lines:
        name, _, size = line.partition(" ")
        try:
            found = str(os.stat(os.path.join(folder, name)).st_size)
        except OSError:
            found = "no"
        if found != size:
            raise UserError(
                f"{os.path.join(folder, name)}: {found} bytes where {size} were built: run `make setup` again"
            )
    return GuestImage(
        kernel=os.path.join(folder, KERNEL),
        initrd=os.path.join(folder, INITRD),
        firmware=os.path.join(folder, FIRMWARE),
    )


def _slug(path: str) -> str:
    """A file name for one checkout's index: two checkouts share the cache, each with its own recipe."""
    import zlib

    return f"{zlib.crc32(path.encode()):08x}{zlib.adler32(path.encode()):08x}"


def _remember(index: str, text: str) -> None:
    """Write the index, or go without: a cache that cannot be written only costs time."""
    part = f"{index}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(index), exist_ok=True)
        with open(part, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(part, index)
    except OSError:
        pass
