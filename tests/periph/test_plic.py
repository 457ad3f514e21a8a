"""The PLIC's behaviour (RISC-V PLIC specification 1.0.0), on the functional twin and on the hardware."""

import random

import pytest

from rvsim.bus import BusError
from rvsim.bus.simulation import Initiator
from rvsim.periph.plic import Plic, device_tree_node, plic_map
from tests.periph.drivers import TwinPlic

PRIORITY, PENDING, ENABLE, THRESHOLD, CLAIM = 0, 0x1000, 0x2000, 0x20_0000, 0x20_0004


async def test_priorities_have_three_bits_and_source_zero_has_none(plic):
    for source in (1, 31, 32, 95):
        await plic.put(PRIORITY + 4 * source, 0xFFFF_FFFF)
        assert await plic.get(PRIORITY + 4 * source) == 7
    for offset in (0, 4 * 96):
        await plic.put(offset, 7)
        assert await plic.get(offset) == 0


async def test_enables_are_per_context_and_never_of_source_zero(plic):
    for word in range(3):
        await plic.put(ENABLE + 4 * word, 0xFFFF_FFFF)
    await plic.put(ENABLE + 12, 0xFFFF_FFFF)
    assert [await plic.get(ENABLE + 4 * word) for word in range(4)] == [0xFFFF_FFFE, 0xFFFF_FFFF, 0xFFFF_FFFF, 0]
    assert [await plic.get(ENABLE + 0x80 + 4 * word) for word in range(3)] == [0, 0, 0]


async def test_thresholds_are_per_context_with_three_bits(plic):
    await plic.put(THRESHOLD, 0xFF)
    assert await plic.get(THRESHOLD) == 7 and await plic.get(THRESHOLD + 0x1000) == 0


async def test_a_source_is_pending_without_being_enabled_and_software_cannot_write_that(plic):
    await plic.set_source(33, True)
    assert await plic.get(PENDING + 4) == 2 and await plic.get(PENDING) == 0
    await plic.put(PENDING + 4, 0)
    await plic.put(PENDING, 0xFFFF_FFFF)
    assert await plic.get(PENDING + 4) == 2 and await plic.get(PENDING) == 0
    assert plic.lines == [False, False]


@pytest.mark.parametrize("order", ["line first", "line last"])
async def test_priority_enable_and_line_together_interrupt_in_any_order(plic, order):
    if order == "line first":
        await plic.set_source(5, True)
    await plic.enable_source(5, context=1)
    if order == "line last":
        await plic.set_source(5, True)
    assert plic.lines == [False, True]


async def test_priority_zero_never_interrupts_and_is_never_claimed(plic):
    await plic.enable_source(5, priority=0)
    await plic.set_source(5, True)
    assert not plic.lines[0] and await plic.claim_from() == 0
    await plic.put(PRIORITY + 4 * 5, 1)
    assert plic.lines[0] and await plic.claim_from() == 5


async def test_only_priorities_above_the_threshold_interrupt(plic):
    await plic.enable_source(5, priority=3)
    await plic.set_source(5, True)
    for threshold in range(8):
        await plic.put(THRESHOLD, threshold)
        assert plic.lines[0] == (threshold < 3)


async def test_a_claim_is_not_affected_by_the_threshold(plic):
    await plic.enable_source(5, priority=3)
    await plic.put(THRESHOLD, 7)
    await plic.set_source(5, True)
    assert not plic.lines[0] and await plic.claim_from() == 5


async def test_claims_go_by_priority_and_then_by_lowest_number(plic):
    for source, priority in ((70, 2), (3, 1), (40, 2), (95, 7), (2, 1)):
        await plic.enable_source(source, priority=priority)
        await plic.set_source(source, True)
    assert [await plic.claim_from() for _ in range(6)] == [95, 40, 70, 2, 3, 0]


async def test_a_claim_clears_pending_and_the_interrupt(plic):
    await plic.enable_source(5)
    await plic.set_source(5, True)
    assert await plic.claim_from() == 5
    assert await plic.get(PENDING) == 0 and not plic.lines[0]
    assert await plic.claim_from() == 0


async def test_one_of_two_contexts_gets_a_source_enabled_for_both(plic):
    await plic.enable_source(5, 0)
    await plic.enable_source(5, 1)
    await plic.set_source(5, True)
    assert plic.lines == [True, True]
    assert await plic.claim_from(1) == 5
    assert plic.lines == [False, False] and await plic.claim_from(0) == 0


async def test_a_level_that_stays_interrupts_again_only_after_completion(plic):
    await plic.enable_source(5)
    await plic.set_source(5, True)
    await plic.claim_from()
    await plic.set_source(5, False)
    await plic.set_source(5, True)
    assert not plic.lines[0] and await plic.get(PENDING) == 0
    await plic.complete(5)
    assert plic.lines[0] and await plic.claim_from() == 5
    await plic.set_source(5, False)
    await plic.complete(5)
    assert not plic.lines[0]


async def test_a_request_that_was_forwarded_stays_though_the_line_falls(plic):
    await plic.enable_source(5)
    await plic.set_source(5, True)
    await plic.set_source(5, False)
    assert plic.lines[0] and await plic.claim_from() == 5


async def test_completion_is_ignored_unless_the_source_is_enabled_for_the_context(plic):
    await plic.enable_source(5)
    await plic.set_source(5, True)
    await plic.claim_from()
    await plic.complete(5, context=1)
    for wrong in (0, 6, 96, 1000, 0xFFFF_FFFF):
        await plic.complete(wrong)
    assert not plic.lines[0]
    await plic.complete(5)
    assert plic.lines[0]


async def test_completing_what_was_not_claimed_does_nothing(plic):
    await plic.enable_source(5)
    await plic.complete(5)
    await plic.set_source(5, True)
    await plic.complete(5)
    assert await plic.claim_from() == 5 and await plic.claim_from() == 0


def test_lines_and_numbers_out_of_range_are_refused(plic_twin):
    for number in (0, -1, 96):
        with pytest.raises(ValueError, match=rf"^PLIC: source must be from 1 to 95, not {number}$"):
            plic_twin.twin.set_source(number, True)
    with pytest.raises(ValueError, match=r"^PLIC: contexts must be an integer from 1 to 1024, not 0$"):
        plic_map(0)
    with pytest.raises(ValueError, match=r"^PLIC: sources must be an integer from 2 to 1024, not 1025$"):
        plic_map(1, 1025)
    with pytest.raises(ValueError, match=r"^PLIC: sources must be an integer from 2 to 1024, not 1$"):
        plic_map(1, 1)


@pytest.mark.parametrize(("offset", "size"), [(4, 1), (4, 2), (6, 4), (0x60_0000, 4)])
async def test_only_aligned_words_are_answered(plic, offset, size):
    with pytest.raises(BusError):
        await plic.read(offset, size)


async def test_a_context_beyond_the_last_reads_as_zero(plic):
    for offset in (ENABLE + 0x100, THRESHOLD + 0x2000, CLAIM + 0x2000):
        await plic.put(offset, 0xFFFF_FFFF)
        assert await plic.get(offset) == 0


async def test_a_checkpoint_brings_back_state_and_lines(plic_twin):
    await plic_twin.enable_source(5, 1, priority=4)
    await plic_twin.enable_source(64, 1, priority=2)
    await plic_twin.set_source(5, True)
    await plic_twin.set_source(64, True)
    await plic_twin.claim_from(1)
    other = TwinPlic()
    other.twin.restore(plic_twin.twin.state())
    assert other.twin.state() == plic_twin.twin.state() and other.lines == [False, True]
    await other.complete(5, 1)
    assert await other.claim_from(1) == 5


async def test_reset_forgets_everything_but_the_lines_of_the_sources(plic_twin):
    await plic_twin.enable_source(5, 0)
    await plic_twin.enable_source(6, 1, priority=7)
    await plic_twin.set_source(5, True)
    await plic_twin.set_source(6, True)
    await plic_twin.claim_from(1)
    plic_twin.twin.reset()
    assert plic_twin.lines == [False, False]
    assert await plic_twin.get(PENDING) == 1 << 5 | 1 << 6
    await plic_twin.enable_source(6, 1)
    assert await plic_twin.claim_from(1) == 6


class Model:
    """The specification told naively, one object a source."""

    def __init__(self, sources, contexts):
        self.pending, self.busy, self.level = set(), set(), set()
        self.priority = dict.fromkeys(range(sources), 0)
        self.enabled = [set() for _ in range(contexts)]
        self.threshold = [0] * contexts

    def gateways(self):
        self.pending |= self.level - self.busy

    def best(self, context):
        candidates = [(-self.priority[s], s) for s in self.pending & self.enabled[context] if self.priority[s]]
        return min(candidates, default=(0, 0))

    def line(self, context):
        return -self.best(context)[0] > self.threshold[context]

    def claim(self, context):
        source = self.best(context)[1]
        if source:
            self.pending.discard(source)
            self.busy.add(source)
        return source

    def complete(self, context, source):
        if source in self.enabled[context]:
            self.busy.discard(source)


@pytest.mark.parametrize("seed", range(3))
async def test_it_agrees_with_a_naive_model_on_random_histories(plic, seed):
    rng = random.Random(seed)
    sources, contexts = 96, 2
    model = Model(sources, contexts)
    for _ in range(600):
        source, context = rng.randrange(1, sources), rng.randrange(contexts)
        action = rng.randrange(6)
        if action == 0:
            level = rng.random() < 0.5
            await plic.set_source(source, level)
            (model.level.add if level else model.level.discard)(source)
        elif action == 1:
            model.priority[source] = rng.randrange(8)
            await plic.put(4 * source, model.priority[source])
        elif action == 2:
            word = rng.getrandbits(32)
            upper = source // 32
            model.enabled[context] = {s for s in model.enabled[context] if s // 32 != upper} | {
                s for s in range(max(1, upper * 32), min(sources, upper * 32 + 32)) if word >> s % 32 & 1
            }
            await plic.put(ENABLE + 0x80 * context + 4 * upper, word)
        elif action == 3:
            model.threshold[context] = rng.randrange(8)
            await plic.put(THRESHOLD + 0x1000 * context, model.threshold[context])
        elif action == 4:
            assert await plic.claim_from(context) == model.claim(context)
        else:
            await plic.complete(source, context)
            model.complete(context, source)
        model.gateways()
        assert plic.lines == [model.line(c) for c in range(contexts)]
        pending = [await plic.get(PENDING + 4 * word) for word in range(3)]
        assert sum(word << 32 * number for number, word in enumerate(pending)) == sum(1 << s for s in model.pending)


# -- the hardware alone ------------------------------------------------------------------------------------------
def test_a_source_is_pending_in_the_next_cycle_and_interrupts_in_the_one_after_that(hardware):
    plic = Plic(1, 8)

    async def scenario(context):
        initiator = Initiator(context, plic.bus)
        await initiator.write(PRIORITY + 4 * 3, 4, 1)
        await initiator.write(ENABLE, 4, 1 << 3)
        context.set(plic.sources, 1 << 3)
        seen = []
        for _ in range(4):
            seen.append(context.get(plic.interrupts))
            await context.tick()
        assert seen == [0, 0, 1, 1]

    hardware(plic, scenario)


def test_the_effect_of_an_access_shows_in_the_cycle_after_its_answer_before_the_next_access(hardware):
    plic = Plic(1, 8)

    async def scenario(context):
        initiator = Initiator(context, plic.bus)
        context.set(plic.sources, 0b11_1000)
        for source in (3, 4, 5):
            await initiator.write(PRIORITY + 4 * source, 4, source)
        await initiator.write(ENABLE, 4, 0xFF)
        assert not context.get(plic.interrupts)
        for source in (5, 4, 3):
            assert await initiator.read(CLAIM, 4) == source, "accesses as fast as the bus can"
        assert context.get(plic.interrupts)
        await context.tick()
        assert not context.get(plic.interrupts)
        await initiator.write(CLAIM, 4, 4)
        assert await initiator.read(CLAIM, 4) == 4, "the line is still high"

    hardware(plic, scenario)


def test_a_source_that_rises_while_another_is_claimed_is_not_lost(hardware):
    plic = Plic(2, 8)

    async def scenario(context):
        initiator = Initiator(context, plic.bus)
        for source in range(1, 8):
            await initiator.write(PRIORITY + 4 * source, 4, source)
        for target in (0, 1):
            await initiator.write(ENABLE + 0x80 * target, 4, 0xFE)
        for delay in range(1, 6):
            context.set(plic.sources, 1 << 5)
            await context.tick().repeat(delay)
            context.set(plic.sources, 1 << 6)
            claimed = [await initiator.read(CLAIM + 0x1000 * target, 4) for target in (1, 0)]
            await context.tick().repeat(2)
            claimed.append(await initiator.read(CLAIM, 4))
            assert sorted(filter(None, claimed)) == [5, 6], delay
            context.set(plic.sources, 0)
            for source in (5, 6):
                await initiator.write(CLAIM, 4, source)

    hardware(plic, scenario)


def test_the_device_tree_node_has_what_linux_asks_for():
    node = device_tree_node(0xC00_0000, 0x60_0000, phandle=3, targets=[(2, 11), (2, 9)])
    assert node.name == "plic@c000000"
    assert node.properties["riscv,ndev"] == 95
    assert node.properties["interrupts-extended"] == [2, 11, 2, 9]
    assert node.properties["interrupt-controller"] is None
    assert node.properties["#interrupt-cells"] == 1
    assert node.properties["compatible"] == ["sifive,plic-1.0.0", "riscv,plic0"]
    assert node.properties["phandle"] == 3
