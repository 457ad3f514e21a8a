"""Boot Linux, type commands into its shell, and use what they print."""

from rvsim.soc import Machine, SocConfig

machine = Machine(SocConfig(memory=64 << 20))
machine.boot()
console = machine.console

console.expect("guest ready")
console.expect("# ")
print(f"ready after {machine.seconds_to_ready:.2f} s and {machine.hart[0].instret / 1e6:.1f} M instructions")

console.send("echo $((6 * 7))\n")
console.expect("\n")  # the shell's echo of what was typed
answer = console.expect("\n").strip()
print(f"six times seven is {answer}, says the guest")

machine.run(instructions=1_000_000)
print(f"the hart is at {machine.hart[0].pc:#010x} in mode {machine.hart[0].privilege}")

console.expect("# ")
console.send("poweroff\n")
print(machine.run(seconds=30).message)
