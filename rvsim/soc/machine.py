"""The functional machine: what it is made of, what is loaded into it, reset, and the Python API."""

from __future__ import annotations

import time

from rvsim.cpu.functional import FunctionalCore
from rvsim.soc.bootrom import OPTION_NO_BOOT_PRINTS
from rvsim.soc.config import SocConfig
from rvsim.soc.console import Console
from rvsim.soc.description import BOOT_ROM, RAM_BASE, RESET_VECTOR
from rvsim.soc.devices import Devices
from rvsim.soc.feeder import Feeder
from rvsim.soc.loader import Layout, Piece, add_elf, add_raw, dtb_address
from rvsim.soc.loop import Loop
from rvsim.soc.outcome import Outcome
from rvsim.soc.outside import Outside

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rvsim.regs.node import Node

BOOTARGS = "console=ttyS0 quiet"
"""The kernel's command line, unless the guest brings its own."""


class Machine:
    """A computer with all blocks functional.

    Load something (:meth:`load_elf`, :meth:`boot`), then :meth:`run` it or talk to its :attr:`console`.

    Parameters
    ----------
    config : SocConfig
        What to build; the default machine has 128 MiB.
    core : Callable
        Makes the hart; it is called as :class:`~rvsim.cpu.functional.FunctionalCore` is.

    Attributes
    ----------
    console : Console
        What the guest prints, and typing to it.
    hart : list
        The harts: ``hart[0].pc``, ``hart[0].x[10]``, ``hart[0].csr("mstatus")``, ``hart[0].step()``.
    memory
        ``memory.read(address, size)`` and ``memory.write(address, data)`` of RAM, at physical addresses.
    outcome : Outcome or None
        How the machine ended, once it has.
    symbols : dict[str, int]
        Physical addresses of ``tohost``, ``begin_signature`` and others, as far as the loaded ELF has them.
    reboots : int
        How often the guest has rebooted.
    """

    def __init__(self, config: SocConfig | None = None, *, core: Callable = FunctionalCore) -> None:
        self.started_at = time.monotonic()
        self.config = config = SocConfig() if config is None else config
        self.outside = Outside(config, lambda: self.core.mtime)
        self.bus = Devices(self)
        self.core = core(
            config.isa, config.memory, b"", self.bus, ram_base=RAM_BASE, rom_base=BOOT_ROM.base, icount=config.icount
        )
        self.hart = [self.core]
        self.memory = self.core.memory
        self.console = Console(self, self.core.stop)
        self.feeder = Feeder(self.outside, lambda: self.bus.twin("uart"), self.core.stop)
        self.outcome: Outcome | None = None
        self.symbols: dict[str, int] = {}
        self.reboots = 0
        self._loop = Loop(self)
        self._layout: Layout | None = None
        self._rom: Callable[[], bytes] | None = None
        self._nodes: list[Node] = []

    # -- what runs ---------------------------------------------------------------------------------------------
    def load_elf(self, path: str, *, dtb: str | None = None) -> None:
        """Load a bare-metal program and reset the machine: the hart enters it in M-mode with ``a1`` = device tree.

        Raises
        ------
        UserError
            The file cannot be loaded into this machine.
        """
        from rvsim.soc.elfplan import plan_elf
        from rvsim.soc.files import InputFile

        file = InputFile(path, "program")
        plan = plan_elf(file)
        layout = Layout(self.config.memory)
        add_elf(layout, file, plan)
        self._begin(layout, plan.entry, dtb=dtb, symbols=plan.symbols)

    def load(self, path: str, *, dtb: str | None = None) -> None:
        """Load a program: an ELF file, or a flat binary whose name ends in ``.bin`` to the beginning of RAM.

        Raises
        ------
        UserError
            The file cannot be loaded into this machine.
        """
        from rvsim.soc.elfplan import is_elf
        from rvsim.soc.files import InputFile

        if path.endswith(".bin") and not is_elf(InputFile(path, "program")):
            self.load_raw(path, dtb=dtb)
        else:
            self.load_elf(path, dtb=dtb)

    def load_raw(self, path: str, *, address: int = RAM_BASE, dtb: str | None = None) -> None:
        """Load a flat binary to ``address`` and enter it there, as :meth:`load_elf` does.

        Raises
        ------
        UserError
            The file cannot be loaded into this machine.
        """
        from rvsim.soc.files import InputFile

        layout = Layout(self.config.memory)
        add_raw(layout, InputFile(path, "program"), address)
        self._begin(layout, address, dtb=dtb)

    def load_bytes(
        self,
        data: bytes,
        *,
        address: int = RAM_BASE,
        entry: int | None = None,
        symbols: Mapping[str, int] | None = None,
    ) -> None:
        """Load bytes to ``address``, such as a program from :func:`rvsim.isa.assemble`, and enter them at ``entry``.

        ``symbols`` may name ``tohost`` and ``fromhost``. Raises :exc:`UserError` where they do not fit into memory.
        """
        layout = Layout(self.config.memory)
        data = bytes(data)
        layout.add(Piece(role="program", address=address, size=len(data), data=data))
        self._begin(layout, address if entry is None else entry, dtb=None, symbols=dict(symbols or {}))

    def boot(self, guest: object = None, *, append: str = "", dtb: str | None = None) -> None:
        """Load firmware, kernel and initial RAM disk and reset the machine.

        Parameters
        ----------
        guest
            Has the attributes ``firmware``, ``kernel`` and ``initrd``, paths or None; by default the guest that rvsim
            builds (:func:`rvsim.guest.guest_paths`). An attribute ``append`` is the kernel's command line.
        append : str
            Added to the kernel's command line, or with ``dtb`` in place of the one there.
        dtb : str
            Path of a device tree to use instead of the generated one.

        Raises
        ------
        UserError
            A file cannot be used, or memory is too small for them.
        """
        from rvsim.soc.bootimages import place_guest

        if guest is None:
            from rvsim.guest import guest_paths

            guest = guest_paths()
        layout = Layout(self.config.memory)
        placed = place_guest(layout, guest.firmware, guest.kernel, guest.initrd)
        self._begin(
            layout,
            placed.entry,
            dtb=dtb,
            bootargs=append if dtb is not None else f"{getattr(guest, 'append', BOOTARGS)} {append}".strip(),
            initrd=placed.initrd,
            next_address=placed.kernel,
            options=0 if self.config.verbose_firmware else OPTION_NO_BOOT_PRINTS,
        )
        self._loop.watch_for_panic = True

    def add(
        self,
        base: int,
        target: object,
        size: int,
        name: str,
        interrupt: int | None = None,
        *,
        node: Node | None = None,
    ) -> Callable[[bool], None] | None:
        """Put a memory-mapped peripheral into the machine; do it before something is loaded.

        Parameters
        ----------
        base, size : int
            Its physical addresses; they must be free.
        target
            Has ``read(offset, size) -> int`` and ``write(offset, size, value)``; either may raise
            :exc:`rvsim.bus.BusError`, which the hart takes as an access fault. ``reset()``, if there, is called at
            every reset.
        name : str
            For messages.
        interrupt : int
            Its source number at the PLIC.
        node : Node
            Its device-tree node, a child of ``/soc``.

        Returns
        -------
        Callable[[bool], None] or None
            Drives the interrupt line, where there is one.

        Raises
        ------
        ValueError
            Addresses or interrupt number are taken.
        """
        if base < RAM_BASE + self.config.memory and base + size > RAM_BASE:
            raise ValueError(f"{name} at {base:#x}..{base + size - 1:#x} overlaps RAM")
        if base < BOOT_ROM.end and base + size > BOOT_ROM.base:
            raise ValueError(f"{name} at {base:#x}..{base + size - 1:#x} overlaps the boot ROM")
        line = self.bus.add_device(base, size, target, name, interrupt)
        if node is not None:
            self._nodes.append(node)
        return line

    # -- running -----------------------------------------------------------------------------------------------
    def run(self, instructions: int | None = None, seconds: float | None = None) -> Outcome | None:
        """Run until the machine ends, the limit is reached, or :meth:`stop` is called.

        Parameters
        ----------
        instructions : int
            Stop after exactly so many.
        seconds : float
            Stop after so much host time.

        Returns
        -------
        Outcome or None
            ``limit`` and ``timeout`` where the machine can go on; None after :meth:`stop`. Where no source of input is
            attached, ``idle`` if the guest can only wait for input, or if only ``instructions`` is given and it has
            waited for a second altogether.

        Raises
        ------
        RuntimeError
            Nothing is loaded.
        """
        return self.run_until(None, instructions, seconds)

    def run_until(
        self, condition: Callable[[], bool] | None, instructions: int | None = None, seconds: float | None = None
    ) -> Outcome | None:
        """As :meth:`run`, and return None when ``condition()`` is true. It is asked after every line of the console
        and at least every hundredth of a second.
        """
        if self._rom is None:
            raise RuntimeError("nothing is loaded into the machine: call load_elf() or boot() first")
        return self._loop.run(condition, instructions, seconds)

    def step_through(self, stepper: Callable[[], None] | None) -> None:
        """From now on :meth:`run` goes one instruction at a time, by calling ``stepper``; None: at full speed again.

        ``stepper`` calls ``hart[0].step()`` once and may look at the hart before and after.
        """
        self._loop.stepper = stepper

    def stop(self) -> None:
        """Make :meth:`run` return soon; a signal handler or another thread may call it."""
        self._loop.stop()

    @property
    def seconds_to_ready(self) -> float | None:
        """Seconds from the machine's making to ``guest ready`` on its console."""
        ready = self.console.ready_at
        return None if ready is None else ready - self.started_at

    def device_tree(self, *, bootargs: str = "", initrd: tuple[int, int] | None = None) -> bytes:
        """The machine's flattened device tree, with fresh entropy as ``rng-seed``."""
        from rvsim.soc.devicetree import SEED_SIZE, soc_blob

        seed = self.outside.entropy(SEED_SIZE)
        return soc_blob(self.config, bootargs=bootargs, initrd=initrd, seed=seed, devices=self._nodes)

    # -- what the guest asks for -------------------------------------------------------------------------------
    def finish(self, kind: int, code: int) -> None:
        """What the test finisher was told (SiFive test device: pass, fail with a code, reset)."""
        from rvsim.periph.finisher.registers import PASS, RESET

        if kind == RESET:
            self._loop.end(Outcome(kind="reboot", message="the guest rebooted"))
        elif kind == PASS:
            self._loop.end(Outcome(kind="power-off", message="the guest powered off"))
        else:
            # A failure without a code must not look like success.
            self._loop.end(Outcome(kind="exit", code=code or 1, message=f"the guest reported failure {code}"))

    def exit(self, code: int) -> None:
        """The guest leaves with an exit code."""
        self._loop.end(Outcome(kind="exit", code=code, message=f"the guest exited with code {code}"))

    # -- reset -------------------------------------------------------------------------------------------------
    def _begin(
        self,
        layout: Layout,
        entry: int,
        *,
        dtb: str | None,
        bootargs: str = "",
        initrd: tuple[int, int] | None = None,
        next_address: int = 0,
        options: int = 0,
        symbols: dict[str, int] | None = None,
    ) -> None:
        """Take over what was placed and reset."""
        from rvsim.soc.bootrom import DTB_ADDRESS, boot_rom

        own = None
        if dtb is not None:
            from rvsim.soc.bootimages import read_dtb

            own = read_dtb(dtb, bootargs=bootargs, initrd=initrd)
        place = dtb_address(layout, len(own or b""))

        def rom() -> bytes:
            # At every reset, for the seed in it is used up.
            blob = self.device_tree(bootargs=bootargs, initrd=initrd) if own is None else own
            if place:
                self.memory.write(place, blob)
            return boot_rom(
                entry,
                place or DTB_ADDRESS,
                next_address=next_address,
                options=options,
                blob=b"" if place else blob,
            )

        self._loop.htif = None
        if self._rom is None:
            layout.load(self.core.memory.ram)
        else:
            layout.reload(self.memory)
        self._layout, self._rom, self.symbols = layout, rom, symbols or {}
        self._connect_htif(self.symbols.get("tohost"), self.symbols.get("fromhost", 0))
        self._loop.watch_for_panic = False
        self.outcome = None
        self.reset()

    def reset(self) -> None:
        """Reset hart and devices. RAM stays as it is, but for a new device tree."""
        if self._rom is None:
            raise RuntimeError("nothing is loaded into the machine: call load_elf() or boot() first")
        self.core.set_rom(self._rom())
        self.core.reset(pc=RESET_VECTOR)
        self.bus.reset()
        self._loop.reset()
        self.outcome = None

    def reboot(self) -> None:
        """Load everything again as it was and reset."""
        if self._layout is not None:
            self._layout.reload(self.memory)
        self.reset()
        self.reboots += 1

    def _connect_htif(self, tohost: int | None, fromhost: int) -> None:
        last = RAM_BASE + self.config.memory - 8
        if tohost is None or not RAM_BASE <= tohost <= last or tohost % 4:
            return
        from rvsim.soc.htif import Htif

        htif = Htif(
            self.memory,
            tohost,
            fromhost if RAM_BASE <= fromhost <= last else 0,
            transmit=self.console.transmit,
            exit=self.exit,
            pause=self.core.stop,
        )
        self._loop.htif = htif
        self.core.watch(tohost, 8, htif.stored)
