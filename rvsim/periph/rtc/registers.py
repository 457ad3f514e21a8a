"""Registers of the goldfish real-time clock: nanoseconds since 1970 in two halves, and one alarm."""

from __future__ import annotations

from rvsim.regs.map import Field, Register, RegisterMap, State

SIZE = 0x1000

RTC = RegisterMap(
    name="rtc",
    size=SIZE,
    sizes=(4,),
    description="Goldfish real-time clock: wall time in nanoseconds since 1970-01-01 and one alarm.",
    registers=(
        Register(
            name="time_low",
            offset=0x00,
            hardware="w",
            on_read="latch_time",
            on_write="adjust_time_low",
            description="time, low half; a read keeps the high half for `time_high`; a write sets the clock",
        ),
        Register(
            name="time_high",
            offset=0x04,
            hardware="w",
            on_write="adjust_time_high",
            description="high half as of the last read of `time_low`; a write sets the clock",
        ),
        Register(
            name="alarm_low",
            offset=0x08,
            on_write="arm_alarm",
            description="alarm time, low half; a write arms the alarm",
        ),
        Register(name="alarm_high", offset=0x0C, description="alarm time, high half: write it first"),
        Register(
            name="irq_enabled",
            offset=0x10,
            on_write="update_interrupt",
            fields=(Field(name="enabled", bit=0, description="the alarm may interrupt"),),
            description="interrupt enable",
        ),
        Register(
            name="clear_alarm",
            offset=0x14,
            access="wo",
            hardware="-",
            on_write="disarm_alarm",
            description="any write disarms the alarm",
        ),
        Register(
            name="alarm_status",
            offset=0x18,
            fields=(Field(name="armed", bit=0, access="ro", hardware="rw", description="the alarm is armed"),),
            description="alarm state",
        ),
        Register(
            name="clear_interrupt",
            offset=0x1C,
            access="wo",
            hardware="-",
            on_write="acknowledge_interrupt",
            description="any write clears the interrupt",
        ),
    ),
    state=(
        State(name="time_latch", width=32, description="what `time_high` reads"),
        State(name="time_offset", width=64, description="added to wall time, modulo 2^64"),
        State(name="interrupt_pending", width=1, description="the alarm went off and was not acknowledged"),
    ),
)
