"""The functional twins on the bus, built from the SoC description when the guest first touches them."""

from __future__ import annotations

from rvsim.bus import PAGE_SIZE, FunctionalBus
from rvsim.isa.interrupts import MEI, MSI, SEI
from rvsim.soc.description import PERIPHERALS, RTC, UART

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from rvsim.soc.description import Block
    from rvsim.soc.machine import Machine


class Devices(FunctionalBus):
    """The machine's bus. A bare-metal program of three instructions loads no device at all.

    Parameters
    ----------
    machine : Machine
        Supplies core, console and outside world.
    """

    def __init__(self, machine: Machine) -> None:
        super().__init__()
        self._machine = machine
        self._waiting: dict[str, Block] = {block.name: block for block in PERIPHERALS}
        self._twins: dict[str, object] = {}
        self._hart: _Hart | None = None
        self._sources: dict[int, str] = {block.interrupt: block.name for block in PERIPHERALS if block.interrupt}

    def twin(self, name: str) -> object:
        """The twin of a block of the SoC description, built if need be; ``KeyError`` if there is no such block."""
        if name not in self._twins:
            self._build(self._waiting[name])
        return self._twins[name]

    def built(self, name: str) -> object | None:
        """The twin, if the guest has touched it."""
        return self._twins.get(name)

    def add_device(
        self, base: int, size: int, target: object, name: str, interrupt: int | None
    ) -> Callable[[bool], None] | None:
        """See :meth:`rvsim.soc.machine.Machine.add`."""
        for block in self._waiting.values():
            if base < block.end and block.base < base + size:
                raise ValueError(
                    f"{name} at {base:#x}..{base + size - 1:#x} overlaps"
                    f" {block.name} at {block.base:#x}..{block.end - 1:#x}"
                )
        if interrupt is not None:
            if interrupt in self._sources:
                raise ValueError(f"{name}: interrupt {interrupt} belongs to {self._sources[interrupt]} already")
            self.twin("plic").set_source(interrupt, False)
        self.add(base, size, target, name)
        if interrupt is None:
            return None
        self._sources[interrupt] = name
        return self._line(interrupt)

    def reset(self) -> None:
        """Bring every device to what it is after reset; one without ``reset()`` stays as it is."""
        plic = self.built("plic")
        for _, _, target, _ in self:
            if target is not plic and hasattr(target, "reset"):
                target.reset()
        if plic is not None:
            # Last, since a line that is still up when it is reset interrupts again.
            plic.reset()
        if self._hart is not None:
            self._hart.msip = False

    # -- building ----------------------------------------------------------------------------------------------
    def _find(self, address: int, size: int) -> tuple:
        # All blocks of the page, since the bus remembers whole pages that belong to one device.
        page = address & ~(PAGE_SIZE - 1)
        for block in tuple(self._waiting.values()):
            if block.base < page + PAGE_SIZE and page < block.end:
                self._build(block)
        return super()._find(address, size)

    def _build(self, block: Block) -> None:
        del self._waiting[block.name]
        twin, target = getattr(self, f"_build_{block.name}")()
        self._twins[block.name] = twin
        self.add(block.base, block.size, target, block.name)

    def _line(self, number: int) -> Callable[[bool], None]:
        def drive(level: bool) -> None:
            self.twin("plic").set_source(number, level)

        return drive

    def _build_finisher(self) -> tuple[object, object]:
        from rvsim.periph.finisher.twin import FinisherTwin

        twin = FinisherTwin(self._machine.finish)
        return twin, twin

    def _build_rtc(self) -> tuple[object, object]:
        from rvsim.periph.rtc.twin import RtcTwin

        twin = RtcTwin(self._machine.outside.wall_time, self._line(RTC.interrupt))
        return twin, twin

    def _build_clint(self) -> tuple[object, object]:
        from rvsim.periph.clint.twin import ClintTwin

        core = self._machine.core
        self._hart = _Hart(core)
        twin = ClintTwin([self._hart], core)
        return twin, twin

    def _build_plic(self) -> tuple[object, object]:
        from rvsim.periph.plic.twin import PlicTwin

        set_line = self._machine.core.set_line
        twin = PlicTwin([lambda level: set_line(MEI, level), lambda level: set_line(SEI, level)])
        return twin, twin

    def _build_uart(self) -> tuple[object, object]:
        from rvsim.periph.uart.twin import UartTwin

        twin = UartTwin(self._machine.console.transmit, self._line(UART.interrupt))
        return twin, self._machine.feeder.watch(twin)


class _Hart:
    """What the CLINT sees of the hart."""

    __slots__ = ("_core", "_msip")

    def __init__(self, core: object) -> None:
        self._core = core
        self._msip = False

    @property
    def mtimecmp(self) -> int:
        return self._core.mtimecmp

    @mtimecmp.setter
    def mtimecmp(self, value: int) -> None:
        self._core.mtimecmp = value

    @property
    def msip(self) -> bool:
        return self._msip

    @msip.setter
    def msip(self, value: bool) -> None:
        self._msip = value
        self._core.set_line(MSI, value)
