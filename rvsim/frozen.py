"""Frozen records without the import cost of :mod:`dataclasses`.

A warm start has a few milliseconds for everything; ``dataclasses`` alone takes ten of them (it imports
``inspect``). A class that a warm start loads derives from :class:`Frozen` instead.
"""


class Frozen:
    """An immutable record. Fields are the class's annotations, in order; class attributes are defaults.

    Keyword arguments only, so that a call reads like its documentation. ``validate()`` runs after all
    fields are set and may raise ``ValueError``.

    Raises
    ------
    TypeError
        An unknown field, or one without a default that was not given.
    AttributeError
        Assignment after construction.
    """

    _fields: tuple[str, ...] = ()

    def __init_subclass__(cls) -> None:
        # Not inspect.get_annotations: a warm start does not import inspect.
        annotations = cls.__dict__.get("__annotations__", {})  # noqa: RUF063
        own = tuple(name for name in annotations if not name.startswith("_"))
        cls._fields = (*(name for name in cls._fields if name not in own), *own)

    def __init__(self, **values: object) -> None:
        fields = self._fields
        for name, value in values.items():
            if name not in fields:
                raise TypeError(f"{type(self).__name__} has no field {name!r} (fields: {', '.join(fields)})")
            object.__setattr__(self, name, value)
        for name in fields:
            if name not in values and not hasattr(type(self), name):
                raise TypeError(f"{type(self).__name__} needs {name!r}")
        self.validate()

    def validate(self) -> None:
        """Check the fields against each other; raise ``ValueError`` with what is wrong and what would do."""

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen; use replace({name}=...)")

    __delattr__ = __setattr__

    def replace(self, **changes: object) -> "Frozen":
        """A copy with some fields changed, validated again."""
        return type(self)(**{**{name: getattr(self, name) for name in self._fields}, **changes})

    def _values(self) -> tuple:
        return tuple(getattr(self, name) for name in self._fields)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._values() == other._values()

    def __hash__(self) -> int:
        return hash((type(self), self._values()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{n}={getattr(self, n)!r}' for n in self._fields)})"
