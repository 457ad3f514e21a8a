"""LLVM text IR to an object, through llvmlite. The only importer of llvmlite."""

from __future__ import annotations

import llvmlite
import llvmlite.binding as llvm

#: The versions that decide what machine code comes out: part of every cache key.
VERSION = (llvmlite.__version__, ".".join(map(str, llvm.llvm_version_info)))

_ready = False


def _machine(level: int) -> llvm.TargetMachine:
    global _ready
    if not _ready:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        _ready = True
    # A generic CPU of the host's architecture: a cache may be shared, and tuning for the host gained nothing.
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(cpu="", opt=level, reloc="pic", codemodel="default")


def compile_object(
    text: str, passes: tuple[str, ...] = ("sroa", "instcombine", "simplifycfg"), level: int = 1
) -> bytes:
    """Machine code of a module as a relocatable object.

    Parameters
    ----------
    text
        LLVM assembly.
    passes
        Names of function passes, run in order.
    level
        Code generation level, 0 to 3.

    Raises
    ------
    RuntimeError
        Text that LLVM does not accept, with its message and position.
    """
    machine = _machine(level)
    module = llvm.parse_assembly(text)
    module.triple = machine.triple
    module.data_layout = str(machine.target_data)
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=level)
    builder = llvm.create_pass_builder(machine, options)
    manager = llvm.create_new_module_pass_manager()
    adders = {
        "sroa": manager.add_sroa_pass,
        "instcombine": manager.add_instruction_combine_pass,
        "simplifycfg": manager.add_simplify_cfg_pass,
        "sccp": manager.add_sccp_pass,
        "jump-threading": manager.add_jump_threading_pass,
        "dse": manager.add_dead_store_elimination_pass,
        "dce": manager.add_dead_code_elimination_pass,
        "sink": manager.add_sinking_pass,
    }
    for name in passes:
        adders[name]()
    manager.run(module, builder)
    return machine.emit_object(module)


def load_object(data: bytes, names: tuple[str, ...]) -> tuple[dict[str, int], object]:
    """Addresses of exported functions of an object loaded by LLVM itself, and what must be kept alive.

    For machines whose object format :mod:`rvsim.native.link` does not know; a warm start then takes longer.
    """
    machine = _machine(1)
    empty = llvm.parse_assembly("")
    engine = llvm.create_mcjit_compiler(empty, machine)
    engine.add_object_file(llvm.object_file.ObjectFileRef.from_data(data))
    engine.finalize_object()
    return {name: engine.get_function_address(name) for name in names}, engine
