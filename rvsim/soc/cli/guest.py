"""``guest build | path | clean``: rvsim's own guest image in the user's cache."""

from __future__ import annotations

from rvsim.errors import UserError
from rvsim.soc.cli.grammar import near

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rvsim.soc.cli.grammar import Arguments

PARTS = ("kernel", "initrd", "firmware")


def run(arguments: Arguments) -> int:
    """Build, locate or remove the guest image; 0.

    Raises
    ------
    UserError
        It cannot be built, or is not there.
    """
    action, *rest = arguments.operands
    actions = {"build": _build, "path": _path, "clean": _clean}
    if action not in actions:
        raise UserError(f"guest: unknown action {action!r}{near(action, list(actions))}")
    if rest and action != "path":
        raise UserError(f"guest {action} takes no arguments: unexpected {rest[0]!r}")
    actions[action](*rest)
    return 0


def _build() -> None:
    from rvsim.guest import build

    build()


def _path(part: str | None = None) -> None:
    import os

    from rvsim.guest import guest_paths

    if part is not None and part not in PARTS:
        raise UserError(f"guest path: unknown part {part!r}{near(part, list(PARTS))}")
    image = guest_paths()
    print(os.path.dirname(image.kernel) if part is None else getattr(image, part))


def _clean() -> None:
    from rvsim.guest import clean

    clean()
