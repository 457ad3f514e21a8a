"""Values on the command line."""

import pytest

from rvsim.soc.cli.values import choice, count, duration, path, seed, size


@pytest.mark.parametrize(
    ("convert", "word", "value"),
    [
        (size, "128M", 128 << 20),
        (size, "128m", 128 << 20),
        (size, "1GiB", 1 << 30),
        (size, "64kB", 64 << 10),
        (size, "0x8000000", 0x8000000),
        (size, "0xb", 11),
        (size, "65536", 65536),
        (count, "5M", 5_000_000),
        (count, "5_000", 5000),
        (count, "0x10", 16),
        (seed, "0", 0),
        (seed, "18446744073709551615", 2**64 - 1),
        (duration, "5", 5.0),
        (duration, ".5", 0.5),
        (duration, "500ms", 0.5),
        (duration, "2m", 120.0),
        (duration, "5s", 5.0),
        (choice("a", "b"), "B", "b"),
        (path, "x", "x"),
    ],
)
def test_accepts(convert, word, value):
    assert convert(word) == value


@pytest.mark.parametrize(
    ("convert", "word"),
    [
        *(
            (size, word)
            for word in ("", "M", "-1", "+1", " 1", "1 M", "1T", "0", "0M", "1.5G", "٣", "0x", "1__0", "ib")
        ),
        *((count, word) for word in ("", "k", "-5", "0", "1e6", "five")),
        *((seed, word) for word in ("-1", "18446744073709551616", "")),
        *((duration, word) for word in ("0", "-1", "nan", "inf", "", "s", "5 h", "1e30")),
        (choice("a", "b"), "c"),
        (path, ""),
    ],
)
def test_refuses_with_what_it_expects(convert, word):
    with pytest.raises(ValueError, match=r"^(a|one) ") as caught:
        convert(word)
    assert "\n" not in str(caught.value)
