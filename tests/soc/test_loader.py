import pytest

from rvsim.errors import UserError
from rvsim.soc.elfplan import plan_elf
from rvsim.soc.files import InputFile
from rvsim.soc.loader import DTB_ROOM, Layout, Piece, add_elf, add_raw, dtb_address
from tests.soc.programs import RAM, elf

MEMORY = 4 << 20


@pytest.fixture
def file(tmp_path):
    def make(content, role="program"):
        path = tmp_path / "file"
        path.write_bytes(content)
        return InputFile(str(path), role)

    return make


def piece(address, size=16, **fields):
    return Piece(role="thing", address=address, size=size, **fields)


@pytest.mark.parametrize(
    ("address", "size", "message"),
    [
        (
            RAM - 16,
            16,
            "thing: 0x7ffffff0..0x7fffffff is outside of RAM 0x80000000..0x803fffff; link or place it there",
        ),
        (0x1_0000_0000, 16, "is outside of RAM"),
        (0xFFFF_F000, 0x2000, "is outside of RAM"),
        (RAM + MEMORY - 8, 16, "memory 4 MiB is too small, try --memory 5M or more"),
        (RAM + 64 * MEMORY, 16, "memory 4 MiB is too small, try --memory 257M or more"),
    ],
)
def test_what_does_not_fit_is_refused(address, size, message):
    with pytest.raises(UserError) as caught:
        Layout(MEMORY).add(piece(address, size))
    assert message in str(caught.value)


def test_what_overlaps_is_refused_by_name(file):
    layout = Layout(MEMORY)
    add_raw(layout, file(b"firmware", "firmware"), RAM)
    with pytest.raises(UserError, match=r"thing at 0x80000004\.\.0x80000013 overlaps firmware .*file at 0x80000000"):
        layout.add(piece(RAM + 4))
    layout.add(piece(RAM + 8))


def test_a_reload_restores_what_was_loaded_and_zeroes_the_rest(file):
    class Memory:
        def __init__(self):
            self.bytes = bytearray(MEMORY)

        def write(self, address, data):
            self.bytes[address - RAM : address - RAM + len(data)] = data

    loaded = file(elf([(RAM, b"code", 64), (RAM + 4096, b"data", None)]))
    layout = Layout(MEMORY)
    add_elf(layout, loaded, plan_elf(loaded))
    layout.add(piece(RAM + 8192, 16, data=b"bytes"))
    memory = Memory()
    layout.load(memoryview(memory.bytes))
    first = bytes(memory.bytes)
    assert (first[:4], first[4096:4100], first[8192:8197]) == (b"code", b"data", b"bytes")
    memory.bytes[:64] = memory.bytes[4096:4160] = b"\xff" * 64
    layout.reload(memory)
    assert memory.bytes[:64] == first[:64]
    assert memory.bytes[4096:4100] == b"data"
    assert memory.bytes[4100] == 0xFF


def test_a_reboot_finds_the_file_that_was_loaded(file, tmp_path):
    loaded = file(b"first version")
    (tmp_path / "other").write_bytes(b"another one..")
    (tmp_path / "other").replace(tmp_path / "file")
    assert loaded.read() == b"first version"


def test_a_file_cut_short_meanwhile_is_a_users_mistake(file, tmp_path):
    layout = Layout(MEMORY)
    add_raw(layout, file(bytes(100)), RAM)
    (tmp_path / "file").write_bytes(b"short")
    with pytest.raises(UserError, match="was cut short while it was read"):
        layout.load(memoryview(bytearray(MEMORY)))


def test_headers_in_front_of_ram_are_left_out(file):
    headers = 52 + 32
    content = elf([(RAM - 4096, bytes(4096) + b"code", None)])
    loaded = file(
        content[:52] + content[52:headers].replace((headers).to_bytes(4, "little"), bytes(4)) + content[headers:]
    )
    plan = plan_elf(loaded)
    assert plan.segments[0].offset == 0
    layout = Layout(MEMORY)
    add_elf(layout, loaded, plan)
    assert (layout.pieces[0].address, layout.pieces[0].offset) == (RAM, 4096)


def test_a_program_in_front_of_ram_is_not_left_out(file):
    loaded = file(elf([(RAM - 4096, b"\x13" * 8192, None)]))
    with pytest.raises(UserError, match="is outside of RAM"):
        add_elf(Layout(MEMORY), loaded, plan_elf(loaded))


def test_an_empty_binary_is_refused(file):
    with pytest.raises(UserError, match="is empty"):
        add_raw(Layout(MEMORY), file(b""), RAM)


def test_the_device_tree_goes_near_the_end_of_memory():
    assert dtb_address(Layout(MEMORY)) == RAM + MEMORY - DTB_ROOM
    assert dtb_address(Layout(2 << 30)) == RAM + (768 << 20) - DTB_ROOM


def test_the_device_tree_avoids_what_is_there():
    layout = Layout(MEMORY)
    layout.add(piece(RAM + MEMORY - 4096, 4096))
    assert dtb_address(layout) == RAM + MEMORY - 2 * DTB_ROOM
    layout.add(piece(RAM, MEMORY - 4096))
    assert dtb_address(layout) == 0


@pytest.mark.parametrize("size", [0, 2000, 100_000, 1 << 20])
def test_the_device_tree_has_room_to_grow_within_one_large_page(size):
    layout = Layout(64 << 20)
    layout.add(piece(RAM + (60 << 20) + 0x1000, 4096))
    place = dtb_address(layout, size)
    assert place % 0x1_0000 == 0
    assert place >> 22 == (place + max(DTB_ROOM, size + DTB_ROOM // 2) - 1) >> 22
