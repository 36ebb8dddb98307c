"""All rules, in the order of cause and effect: what comes first is the likelier root of what comes after."""

from __future__ import annotations

from trtdoctor.rules import (
    api,
    container,
    cuda,
    cudnn,
    driver,
    gpu,
    python,
    tensorrt,
)
from trtdoctor.rules.base import Rule, rules_of

FAMILIES = (
    ("CTR", "container, WSL, Jetson", container),
    ("DRV", "driver and its CUDA level", driver),
    ("GPU", "compute capability, memory, MIG, health", gpu),
    ("TRT", "TensorRT libraries and their own agreement", tensorrt),
    ("CUD", "CUDA libraries", cuda),
    ("DNN", "cuDNN", cudnn),
    ("PYT", "Python, wheels, glibc", python),
    ("API", "calls and flags that a release lacks or has removed", api),
)
"""Prefix, title and module of each family."""

RULES: tuple[Rule, ...] = tuple(rule for _, _, module in FAMILIES for rule in rules_of(module))
BY_CODE: dict[str, Rule] = {rule.code: rule for rule in RULES}
