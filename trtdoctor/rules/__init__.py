"""All rules. A family may be spread over several files; a rule always runs after the rules that silence it."""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType

from trtdoctor.rules import (
    advisory,
    api,
    canary,
    container,
    cuda,
    cudnn,
    drift,
    driver_levels,
    driver_present,
    engine,
    engine_cache,
    engine_file,
    engine_modes,
    feature,
    framework,
    framework_driver,
    framework_files,
    gpu_served,
    gpu_state,
    gpu_visible,
    image,
    import_order,
    libcuda,
    loader_agreement,
    loader_copies,
    loader_mixed,
    loader_not_found,
    loader_on_use,
    loader_path,
    loader_refuses,
    loader_shadowed,
    loader_symbols,
    mirror_content,
    mirror_installed,
    mirror_lag,
    mirror_sides,
    mirror_stack,
    onnxruntime,
    plan_outdated,
    policy,
    python,
    python_bindings,
    pytorch,
    requirement,
    tensorrt_files,
    tensorrt_packages,
    tensorrt_releases,
    tools,
    unpinned,
    waiver,
    wsl_driver,
)
from trtdoctor.rules.base import Rule, in_order, rules_of

FAMILIES: tuple[tuple[str, str, tuple[ModuleType, ...]], ...] = (
    ("CTR", "container, WSL, Jetson", (container, wsl_driver, image)),
    ("DRV", "driver and its CUDA level", (driver_present, driver_levels, libcuda, advisory)),
    ("GPU", "compute capability, memory, MIG, health", (gpu_visible, gpu_served, gpu_state, feature)),
    (
        "TRT",
        "TensorRT libraries and their own agreement",
        (tensorrt_packages, tensorrt_files, tensorrt_releases, advisory),
    ),
    ("CUD", "CUDA libraries", (cuda, advisory)),
    ("DNN", "cuDNN", (cudnn,)),
    (
        "LDR",
        "what the loader really picks",
        (
            *(loader_path, loader_not_found, loader_refuses, loader_on_use),
            *(loader_shadowed, loader_mixed, loader_copies, import_order),
            *(loader_agreement, loader_symbols),
        ),
    ),
    ("PYT", "Python, wheels, glibc", (python, python_bindings, unpinned)),
    ("FWK", "frameworks on top", (onnxruntime, pytorch, framework, framework_driver, framework_files, advisory)),
    ("TOL", "tools beside the libraries", (tools,)),
    ("ENG", "serialized engines", (engine_file, engine, engine_modes, engine_cache)),
    ("API", "calls and flags that a release lacks or has removed", (api,)),
    ("CAN", "the canary engine", (canary,)),
    (
        "MIR",
        "mirrors and what can be had from them",
        (mirror_stack, mirror_content, mirror_lag, mirror_sides, mirror_installed),
    ),
    ("POL", "what the site itself demands", (policy, requirement, drift, plan_outdated, waiver)),
)
"""Prefix, title and modules of each family, in the order of cause and effect: an earlier one is the likelier root."""


def _written(families: Iterable[tuple[str, str, tuple[ModuleType, ...]]]) -> list[Rule]:
    return [
        rule
        for prefix, _, modules in families
        for module in modules
        for rule in rules_of(module)
        if rule.code.startswith(prefix)  # a file may speak for several families
    ]


RULES: tuple[Rule, ...] = in_order(_written(FAMILIES))
"""In the order in which they run: as written, but a silencer always before what it silences."""
AFTER_WAIVERS: tuple[Rule, ...] = tuple(rules_of(waiver))
"""Those of them that speak of waivers: run once more when these have been applied, and silent before."""
BY_CODE: dict[str, Rule] = {rule.code: rule for rule in RULES}
