"""Properties of ``reconcile``: a severity rises or falls only as ``contracts.md`` states, and no finding is lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trtdoctor.findings import Finding, FoundFact, Severity, SourceRef
from trtdoctor.reconcile import reconcile
from trtdoctor.snapshot import Canary, CanaryStage, Snapshot

CODES = ("DRV201", "DRV601", "GPU205", "GPU301", "CUD101", "DNN102", "TRT102", "LDR101", "CTR101", "PYT101", "FWK101")
COMPONENTS = ("driver", "gpu", "tensorrt", "tensorrt-rtx", "cudnn", "container", "loader", "memory", "package", "cuda")
STAGES = ("import", "builder", "network", "build", "header", "deserialize", "run", "compare")
OUTCOMES = ("passed", "failed", "crashed", "timed-out", "out-of-memory", "not-started")
OWN = {"failed": "CAN101", "crashed": "CAN102", "timed-out": "CAN103", "out-of-memory": "CAN104"}

findings = st.builds(
    Finding,
    code=st.sampled_from(CODES),
    name=st.just("x"),
    severity=st.sampled_from(Severity),
    components=st.lists(st.sampled_from(COMPONENTS), min_size=1, max_size=3, unique=True).map(tuple),
    title=st.text(max_size=5),
    untested=st.booleans(),
)


@st.composite
def canaries(draw: st.DrawFn) -> Canary:
    """One that came as far as some stage, and passed or not."""
    outcome = draw(st.sampled_from(OUTCOMES))
    last = draw(st.integers(0, len(STAGES) - 1))
    stages = [CanaryStage(name, "passed", 0.1) for name in STAGES[:last]]
    if outcome != "passed":
        stages.append(CanaryStage(STAGES[last], "failed", 0.1, "no"))
    product = draw(st.sampled_from(("tensorrt", "tensorrt-rtx")))
    network = draw(st.sampled_from(("built-in", "onnx")))
    return Canary(product, "10.9", outcome, network=network, device=0, stages=tuple(stages))


def own(canary: Canary, components: tuple[str, ...], known: bool) -> list[Finding]:
    """What the rules say of it."""
    code = OWN.get(canary.outcome)
    if code is None:
        return []
    severity = Severity.WARNING if code == "CAN103" else Severity.ERROR
    facts = (FoundFact("canary", canary.outcome, f"stage {canary.stages[-1].name}", "canary"),)
    sources = (SourceRef("s", None, "measured"),) if known else ()
    return [Finding(code, "x", severity, components, "own", facts=facts, sources=sources)]


known_components = st.lists(st.sampled_from(COMPONENTS), min_size=1, max_size=3, unique=True).map(tuple)


@given(st.lists(findings, max_size=6), canaries(), known_components, st.booleans())
def test_a_severity_changes_only_as_stated(
    before: list[Finding], canary: Canary, components: tuple[str, ...], known: bool
) -> None:
    said = own(canary, components, known)
    after = reconcile([*before, *said], Snapshot(canaries=(canary,)))
    ran = canary.outcome == "passed" and any(stage.name == "run" for stage in canary.stages)
    assert len(after) in (len(before) + len(said), len(before) + len(said) - 1)
    kept = [item for item in after if not item.code.startswith("CAN")]
    assert [item.code for item in kept] == [item.code for item in before]
    risen = []
    for old, new in zip(before, kept, strict=True):
        if new.severity.rank > old.severity.rank:  # a lower one: only by a pass, only what nobody has tested
            assert ran
            assert old.untested
            assert (old.severity, new.severity) == (Severity.WARNING, Severity.INFO)
        if new.severity.rank < old.severity.rank:
            risen.append(new)
            assert (old.severity, new.severity) == (Severity.WARNING, Severity.ERROR)
            assert known or canary.outcome == "out-of-memory"
            assert "The canary confirms it" in new.detail
        if old.severity is Severity.ERROR:
            assert new.severity is Severity.ERROR
        if not ran and "The canary confirms it" not in new.detail:
            assert new == old
    assert len(risen) <= len(said)
    assert len(after) == len(before) + len(said) or sum("canary confirms" in item.detail for item in kept) == 1


@given(st.lists(findings, max_size=6))
def test_without_a_canary_nothing_changes(before: list[Finding]) -> None:
    assert reconcile(before, Snapshot()) == before


@given(st.lists(findings, max_size=6), known_components)
def test_a_model_of_the_users_that_fails_confirms_nothing_unknown(
    before: list[Finding], components: tuple[str, ...]
) -> None:
    stages = (CanaryStage("import", "passed"), CanaryStage("builder", "passed"), CanaryStage("build", "failed"))
    canary = Canary("tensorrt", "10.9", "failed", network="onnx", stages=stages)
    said = own(canary, components, known=False)
    assert reconcile([*before, *said], Snapshot(canaries=(canary,))) == [*before, *said]
