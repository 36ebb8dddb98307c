"""What takes an error out of an environment: one function a kind of error, each a change of one component.

An error that nothing here can take away (a GPU that a release does not serve) makes the candidate a dead end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from trtdoctor.demands import Demand, answer
from trtdoctor.matrix import Row, api_changes, cuda, cudnn, jetpack, tensorrt
from trtdoctor.plan.driver import advised, demanded, raise_driver
from trtdoctor.plan.environment import Environment, copied, packages, put
from trtdoctor.plan.frameworks import NAMES, alternatives, linked_libraries
from trtdoctor.plan.model import Change
from trtdoctor.plan.pins import add_required, cuda_distribution, cudnn_wheel, runtime_wheel
from trtdoctor.plan.question import Question
from trtdoctor.plan.ways import before
from trtdoctor.record import record
from trtdoctor.rules import BY_CODE
from trtdoctor.rules.base import Context, Problem
from trtdoctor.rules.releases import build_flavours
from trtdoctor.stack import Installation
from trtdoctor.versions import Answer, Version, within

_CARRIES_CUDA = 10
"""The major from which on TensorRT loads no library of the toolkit by name."""
_LIBRARIES = {"cuda": ("cuda", "toolkits"), "cudnn": ("cudnn", "releases")}
"""Libraries of which a release can be required, with the table of the matrix that lists them, newest first."""
Mended = tuple[Environment, list[Change]]


@record
class Case:
    """One error in an environment that is being put together."""

    question: Question
    context: Context
    """The environment as it was judged."""
    environment: Environment
    """A copy, to be changed."""
    changes: tuple[Change, ...]
    """What has been changed so far."""
    code: str
    problem: Problem
    blocked: set[str]
    """Grows by what is to stay and would have had to change."""

    def keeps(self, *components: str) -> bool:
        """Whether one of these must stay as it is."""
        kept = self.question.keep.intersection(components)
        self.blocked.update(kept)
        return bool(kept)


def mended(
    question: Question,
    context: Context,
    environment: Environment,
    changes: Sequence[Change],
    code: str,
    problem: Problem,
    blocked: set[str],
) -> Iterator[Mended]:
    """The environments in which this error may be gone, the least invasive first; none for a dead end.

    No component is changed twice: what one change mends another one would break again. ``blocked`` grows by what is to
    stay and would have had to change.
    """
    moved = {change.component for change in changes if change.kind != "configure"}
    for make in (*_BY_CODE.get(code, ()), *_BY_FAMILY.get(code[:3], ())):
        for found, more in make(Case(question, context, copied(environment), tuple(changes), code, problem, blocked)):
            if moved.isdisjoint(change.component for change in more):
                yield found, more


# -- driver ------------------------------------------------------------------------------------------------------------


def _driver(case: Case) -> Iterator[Mended]:
    """Newer, where the remedy says from which on; the library of an old one goes with it."""
    if case.keeps("driver") or case.context.stack.jetson:
        return
    remedy = case.problem.remedy
    floor = Version.maybe(remedy.detail("floor") or (remedy.wanted or "").lstrip(">=")) if remedy else None
    loader = case.environment.get("loader", {})
    if floor is None and loader.get("libcuda") in ("compat", "stub", "mismatched"):
        kind = loader.pop("libcuda")
        own = "the driver's own libcuda"
        change = Change("driver", f"a {kind} libcuda in front", own, "configure", case.problem.title, remedy)
        yield case.environment, [change]
    elif floor is not None:
        yield case.environment, [raise_driver(case.question, case.environment, floor, case.problem.title)]


# -- engines and code --------------------------------------------------------------------------------------------------


def _engine(case: Case) -> Iterator[Mended]:
    """The engine built again, where it is to run."""
    if case.keeps("engine"):
        return
    engine = case.environment.pop("engine", {})
    built = " on ".join(filter(None, (engine.get("tensorrt"), engine.get("gpu") or engine.get("compute_capability"))))
    used = [str(item.version) for item in case.context.stack.of("tensorrt") if item.version]
    here = f"built here{f' with TensorRT {used[0]}' if used else ''}"
    old = f"one built by TensorRT {built}" if engine.get("tensorrt") else f"one built on {built}" if built else None
    remedy = case.problem.remedy
    change = Change("engine", old or "one built elsewhere", here, "rebuild-engine", case.problem.title, remedy)
    yield case.environment, [change]


def _code(case: Case) -> Iterator[Mended]:
    """The calls that are gone, taken out of what is wanted; the matrix says what takes their place."""
    if case.keeps("code"):
        return
    words = list(case.environment.get("wants", []))
    changes = {word: change for word in words if (change := _changed_word(case, word)) is not None}
    if changes:
        case.environment["wants"] = [word for word in words if word not in changes]
        yield case.environment, list(changes.values())


def _changed_word(case: Case, word: str) -> Change | None:
    versions = [item.version for item in case.context.stack.tensorrts if item.version]
    name = word.removeprefix("api:")
    matrix = case.question.matrix
    row = tensorrt.api(matrix, name) if name != word else tensorrt.precision(matrix, word)
    if row is None or not versions:
        return None
    state = tensorrt.api_state(row, versions[0])
    if state.word != "removed":
        return None  # what is not there yet has nothing in its place
    instead = api_changes.instead(row)
    instead = "nothing" if instead == "none" else instead or "what the release has instead"
    return Change("code", name, instead, "change-code", state.reason)


# -- libraries ---------------------------------------------------------------------------------------------------------


def _cudnn(case: Case) -> Iterator[Mended]:
    """The cuDNN that the documents of the TensorRT that is used name."""
    if case.keeps("cudnn"):
        return
    for item, row in _releases(case):
        places = case.question.platforms
        need = tensorrt.cudnn(row, places[0] if len(places) == 1 else None)
        version = need.version or tensorrt.cudnn(row).version
        if version is not None:
            flavour = item.flavour or _flavour_around(case.context)
            yield _with_library(case, "cudnn", version, flavour, item.origin)


def _cuda(case: Case) -> Iterator[Mended]:
    """CUDA of the major that the TensorRT which is used was built for, where it loads that by name."""
    if case.keeps("cuda"):
        return
    for item, row in _releases(case):
        if Version.parse(row.key).major >= _CARRIES_CUDA:
            continue
        for flavour in [item.flavour] if item.flavour else build_flavours(row):
            built = tensorrt.built_with(row, flavour)
            if built is not None:
                if case.code == "CUD105":
                    case.environment.pop("cublas", None)
                yield _with_library(case, "cuda", str(built.value), flavour, item.origin)


def _cuda_instead(case: Case) -> Iterator[Mended]:
    """The CUDA that TensorRT was made with, in place of another one that only asks for a newer driver."""
    there = {item.version.major for item in case.context.stack.of("cuda") if item.version}
    for item, row in _releases(case):
        for flavour in [item.flavour] if item.flavour else build_flavours(row):
            built = tensorrt.built_with(row, flavour)
            if built is not None and int(flavour[2:]) not in there and not case.keeps("cuda"):
                yield _with_library(case, "cuda", str(built.value), flavour, item.origin)


def _cuda_of_gpu(case: Case) -> Iterator[Mended]:
    """The CUDA that the release was made with, where that knows the GPU; else the one that the GPU begins with."""
    if case.keeps("cuda"):
        return
    for item, row in _releases(case):
        for flavour in [item.flavour] if item.flavour else build_flavours(row):
            floors = [tensorrt.cuda_floor(row, capability, flavour) for capability in case.question.capabilities]
            known = [Version.parse(str(fact.value)) for fact in floors if fact is not None]
            least = max(known, key=Version.sort_key, default=None)
            if least is None:
                continue
            built = tensorrt.built_with(row, flavour)
            own = Version.maybe(built.value) if built is not None else None
            wanted = own if own is not None and own.at_least(least) is Answer.YES else least
            yield _with_library(case, "cuda", str(wanted), flavour, item.origin)


def _nvrtc(case: Case) -> Iterator[Mended]:
    """The NVRTC of the one minor that a release asks for by file name."""
    for item, row in _releases(case):
        for flavour in [item.flavour] if item.flavour else build_flavours(row):
            bound = tensorrt.needs_nvrtc(row, flavour)
            if bound is None or case.keeps("cuda", "nvrtc"):
                continue
            environment = copied(case.environment)
            old = before(environment, "nvrtc")
            version = _newest(case, "cuda", str(bound.value))
            put(environment, "nvrtc", {"version": version, "from": "tar"}, instead_of=("unknown",))
            yield environment, [Change("nvrtc", old, version, "archive", "asked for by its file name")]


def _releases(case: Case) -> Iterator[tuple[Installation, Row]]:
    """The TensorRT that is used, with each release that it may be."""
    for item in case.context.stack.tensorrts:
        for row in tensorrt.releases(case.question.matrix, item.version) if item.version else ():
            yield item, row


def _flavour_around(context: Context) -> str | None:
    majors = {item.version.major for item in context.stack.of("cuda") if item.version}
    return f"cu{majors.pop()}" if len(majors) == 1 else None


def _with_library(case: Case, component: str, version: str, flavour: str | None, origin: str | None) -> Mended:
    """A library in place of what is there, in the way in which its user came."""
    environment, matrix = copied(case.environment), case.question.matrix
    old, why = before(environment, component), case.problem.title
    find = {"cudnn": cudnn_wheel, "cuda": runtime_wheel}[component]
    wheel = find(matrix, version, flavour) if origin == "pip" and flavour is not None else None
    if wheel is not None and flavour is not None:
        stem = {"cudnn": "nvidia-cudnn", "cuda": "nvidia-cuda-runtime"}[component]
        named = packages(environment)
        added = {cuda_distribution(matrix, stem, flavour): wheel}
        add_required(matrix, added, flavour)
        environment["packages"] = {**added, **named, cuda_distribution(matrix, stem, flavour): wheel}
        put(environment, component, {"version": wheel, "from": "pip"}, instead_of=("pip", "unknown"))
        return environment, [Change(component, old, f"{wheel} (pip)", "pip", why)]
    way = "apt" if origin == "apt" else "tar"
    full = _newest(case, component, version)
    put(environment, component, {"version": full, "from": way}, instead_of=("unknown",))
    return environment, [Change(component, old, full, "apt" if origin == "apt" else "archive", why)]


def _newest(case: Case, component: str, version: str) -> str:
    """The release of the matrix that a partial version means: its newest."""
    find = {"cudnn": cudnn.releases, "cuda": cuda.toolkits}[component]
    rows = find(case.question.matrix, Version.parse(version))
    return (rows[0].text("last") or rows[0].key) if rows else version


# -- containers, Jetson, Python ----------------------------------------------------------------------------------------


def _container(case: Case) -> Iterator[Mended]:
    """Options of the container that keep GPUs or their services from it."""
    container = case.environment.get("container")
    options = {
        "CTR101": ("gpu_access", True, "--gpus all"),
        "CTR102": ("driver_capabilities", ["compute", "utility"], "NVIDIA_DRIVER_CAPABILITIES=compute,utility"),
        "CTR103": ("fabric_manager", True, "the Fabric Manager running on the host"),
    }
    if container is not None and case.code in options:
        key, value, spoken = options[case.code]
        container[key] = value
        if case.code == "CTR101" and not case.environment.get("gpus"):
            case.environment.pop("gpus", None)  # which there are is seen once they are let in
        yield (
            case.environment,
            [Change("container", None, spoken, "configure", case.problem.title, case.problem.remedy)],
        )


def _jetson_python(case: Case) -> Iterator[Mended]:
    """The Python of a JetPack, whose bindings are for that one alone."""
    platform = case.context.snapshot.platform
    version = Version.maybe(platform.jetpack or None)
    if not case.context.stack.jetson or version is None or case.keeps("python"):
        return
    fact = jetpack.component(case.question.matrix, "python", version)
    old = case.environment.get("python")
    if fact is not None and str(fact.value) != old:
        case.environment["python"] = str(fact.value)
        yield case.environment, [Change("python", old, str(fact.value), "python", "JetPack's bindings are for it")]


def _superfluous(case: Case) -> Iterator[Mended]:
    """Distributions that the remedy takes out; not those that the plan itself put in place."""
    remedy = case.problem.remedy
    if remedy is None:
        return
    gone = remedy.detail("remove") or (remedy.detail("distributions") if remedy.action == "remove" else None) or ""
    named, before_it = case.environment.get("packages", {}), case.question.environment.get("packages", {})
    there = [name for name in gone.split() if name in named and named[name] == before_it.get(name)]
    for name in there:
        del named[name]
    if there:
        yield case.environment, [Change(f"package:{name}", "there", None, "pip", case.problem.title) for name in there]


# -- frameworks --------------------------------------------------------------------------------------------------------


def _framework(case: Case) -> Iterator[Mended]:
    """Another release of the framework that the error speaks of."""
    spoken = case.problem.components or BY_CODE[case.code].components
    case.keeps(*(name for name in NAMES if name.removesuffix("-gpu") in spoken))
    yield from alternatives(case.question, case.context, case.environment, spoken, case.problem.title)


def _required(case: Case) -> Iterator[Mended]:
    """The driver, or the release of a framework, that is required in place of the one that is there."""
    driver = demanded(case.question)
    if driver is not None and case.environment.get("driver") == case.question.environment.get("driver"):
        if not case.keeps("driver") and advised(case.question, driver.floor) is not None:
            yield case.environment, [raise_driver(case.question, case.environment, driver.floor, driver.why)]
        return
    there = case.environment.get("packages", {})
    for demand in case.question.demands:
        if demand.subject in _LIBRARIES and answer(demand, case.context.stack).answer is Answer.NO:
            yield from _required_library(case, demand)
            return
        if demand.name in there and answer(demand, case.context.stack).answer is Answer.NO:
            if not case.keeps(demand.name):
                why = f"{demand.text.removeprefix('package:')} is required"
                yield from alternatives(case.question, case.context, case.environment, (demand.name,), why)
            return


def _required_library(case: Case, demand: Demand) -> Iterator[Mended]:
    """The newest release of CUDA or cuDNN that meets what is required of it."""
    table, rows = _LIBRARIES[demand.subject]
    versions = (row.text("last") or row.key for row in case.question.matrix.rows(table, rows))
    fitting = (text for text in versions if within(Version.parse(text), demand.specifier) is Answer.YES)
    version = next(fitting, None)
    if version is not None and not case.keeps(demand.subject):
        item = next(iter(case.context.stack.tensorrts), None)
        flavour = (item.flavour if item is not None else None) or _flavour_around(case.context)
        yield _with_library(case, demand.subject, version, flavour, item.origin if item is not None else None)


def _libraries_of_framework(case: Case) -> Iterator[Mended]:
    """The cuDNN that a framework links, by a wheel; of CUDA the toolkit: it wants more libraries than wheels pin."""
    component, origin = {"FWK102": ("cuda", "runfile"), "FWK103": ("cudnn", "pip")}[case.code]
    if case.keeps(component):
        return
    for version, flavour in linked_libraries(case.context, component):
        yield _with_library(case, component, version, flavour, origin)


_BY_CODE: dict[str, tuple[Callable[[Case], Iterator[Mended]], ...]] = {
    "CTR101": (_container,),
    "CTR102": (_container,),
    "CTR103": (_container,),
    "CTR401": (_driver,),
    "CUD101": (_cuda,),
    "CUD103": (_cuda,),
    "CUD104": (_nvrtc,),
    "CUD105": (_cuda,),
    "DNN101": (_cudnn,),
    "DRV201": (_cuda_instead,),
    "DNN102": (_cudnn,),
    "GPU202": (_cuda_of_gpu,),
    "FWK102": (_framework, _libraries_of_framework),
    "FWK103": (_libraries_of_framework, _framework),
    "POL102": (_required,),
}
_BY_FAMILY: dict[str, tuple[Callable[[Case], Iterator[Mended]], ...]] = {
    "API": (_code,),
    "CTR": (_jetson_python,),
    "DNN": (_superfluous,),
    "DRV": (_driver,),
    "ENG": (_engine,),
    "FWK": (_framework,),
    "PYT": (_jetson_python, _superfluous),
    "TRT": (_superfluous,),
}
"""Those of a code come before those of its family."""
