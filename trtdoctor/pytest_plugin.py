"""The pytest plugin: ``@pytest.mark.trt(...)``, the fixtures ``trt_env`` and ``trt_canary``, ``--trtdoctor MODE``.

It is loaded into every test run of an environment that trtdoctor is installed in, so until a test asks for it, it
imports nothing but the standard library and pytest. The check runs once in a session: with pytest-xdist the
controller takes the facts when the first worker asks for them, by files in a directory that both see.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import pytest

from trtdoctor import __version__

if TYPE_CHECKING:
    from trtdoctor.environment import Environment
    from trtdoctor.pytest_facts import Facts
    from trtdoctor.snapshot import Canary

_T = TypeVar("_T")
MODES = ("off", "report", "skip", "strict")
FAIL_ON = ("error", "warning", "unknown", "never")
MARKER = (
    "trt(requires=None, driver=None, cuda=None, min_compute_capability=None, min_memory=None, precision=None, "
    "canary=False, reason=None): the test needs a TensorRT that works here and meets this; "
    "skipped otherwise, failed with --trtdoctor=strict (trtdoctor)"
)
_POLL_SECONDS = 0.05
_PATIENCE_SECONDS = {"facts": 120, "canary": 400}
"""How long a worker waits: longer than the check, or the canary, can take."""
_REFUSED = {"skip": "skipped", "strict": "failed", "report": "run all the same"}
_PROPERTY = "trtdoctor"
_EXCHANGE = "trtdoctor_exchange"


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--trtdoctor`` and its companions, with ini keys of the same names."""
    group = parser.getgroup("trtdoctor", "TensorRT environments (trtdoctor)")
    group.addoption(
        "--trtdoctor",
        dest="trtdoctor",
        choices=MODES,
        default=None,
        help="What becomes of a test marked trt that cannot run here: skip (default) skips it, strict fails it, "
        "report runs it and tells, off does not look.",
    )
    group.addoption(
        "--trtdoctor-snapshot",
        dest="trtdoctor_snapshot",
        metavar="FILE",
        default=None,
        help="Judge facts taken elsewhere (trtdoctor snapshot -o FILE) instead of this machine.",
    )
    group.addoption(
        "--trtdoctor-fail-on",
        dest="trtdoctor_fail_on",
        choices=FAIL_ON,
        default=None,
        help="From which verdict on no marked test runs: error, warning, unknown (errors, and what nobody can judge; "
        "default), or never (only what the markers say counts).",
    )
    parser.addini("trtdoctor", f"Mode of trtdoctor: {', '.join(MODES)}.")
    parser.addini("trtdoctor_snapshot", "File with facts taken elsewhere, from the directory of this configuration.")
    parser.addini("trtdoctor_fail_on", f"From which verdict on no marked test runs: {', '.join(FAIL_ON)}.")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker and read the options. Raises pytest.UsageError for an ini key with another word."""
    config.addinivalue_line("markers", MARKER)
    config.stash[_KEY] = _Doctor(config)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop answering workers."""
    doctor = config.stash.get(_KEY, None)
    if doctor is not None and doctor.exchange is not None:
        doctor.exchange.close()


def pytest_report_header(config: pytest.Config) -> str:
    """One line: version, mode, and where the facts come from when it is not this machine."""
    doctor = config.stash[_KEY]
    source = f", facts of {os.path.relpath(doctor.snapshot_file)}" if doctor.snapshot_file else ""
    return f"trtdoctor: {__version__}, {doctor.mode}{source if doctor.mode != 'off' else ''}"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip or fail a marked test that cannot run here, before its fixtures are made."""
    doctor = item.config.stash[_KEY]
    doctor.item = item
    if doctor.mode == "off":
        return
    for mark in item.iter_markers("trt"):
        doctor.gate(item, mark)


@pytest.fixture(scope="session")
def trt_env(request: pytest.FixtureRequest) -> Environment:
    """What trtdoctor found here: ``.verdict``, ``.tensorrt.version``, ``.gpu(0).compute_capability``, ``.meets(...)``.

    ``.require("tensorrt>=10.3")`` does for the rest of a test what the marker does for the whole.
    """
    return request.config.stash[_KEY].environment()


@pytest.fixture(scope="session")
def trt_canary(request: pytest.FixtureRequest) -> Canary:
    """A small engine that was really built and run, once in the session: ``.outcome``, ``.reason``, ``.stages``."""
    return request.config.stash[_KEY].canary()


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """The section ``trtdoctor``: the verdict, what was found, and how many tests were left out for which reason."""
    doctor = config.stash[_KEY]
    if not doctor.speaks:
        return
    from trtdoctor.pytest_gate import summary

    terminalreporter.section("trtdoctor")
    verbose = config.get_verbosity() > 0 if hasattr(config, "get_verbosity") else config.option.verbose > 0
    for line in summary(doctor.facts, canary=doctor.canary_asked, verbose=verbose):
        terminalreporter.write_line(line)
    for (what, reason), number in doctor.reasons.most_common():
        terminalreporter.write_line(f"{number} {'test' if number == 1 else 'tests'} {what}: {reason}")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Give JUnit's test suite its properties, before its file is written."""
    doctor = session.config.stash[_KEY]
    if doctor.worker or not doctor.speaks:
        return
    for plugin in session.config.pluginmanager.get_plugins():
        add = getattr(plugin, "add_global_property", None)
        if callable(add):
            from trtdoctor.pytest_gate import properties

            for name, value in properties(doctor.facts, canary=doctor.canary_asked):
                add(name, value)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """pytest-xdist: tell a worker where to ask for the facts."""
    doctor = node.config.stash[_KEY]
    if doctor.mode != "off":
        if doctor.exchange is None:
            doctor.exchange = _Exchange(doctor.take)
        node.workerinput[_EXCHANGE] = doctor.exchange.directory


class _Doctor:
    """What the plugin knows in one process of a session."""

    def __init__(self, config: pytest.Config) -> None:
        self.mode = _chosen(config, "trtdoctor", MODES, "skip")
        self.fail_on = _chosen(config, "trtdoctor_fail_on", FAIL_ON, "unknown")
        self.snapshot_file = _snapshot_file(config)
        worker: dict[str, Any] | None = getattr(config, "workerinput", None)
        self.worker = worker is not None
        self.asks = (worker or {}).get(_EXCHANGE)
        """The directory in which a worker asks."""
        self.exchange: _Exchange | None = None
        """What answers, in the controller."""
        self.reasons: Counter[tuple[str, str]] = Counter()
        """How often a test was left out, by what became of it and why."""
        self.taken: dict[str, str] = {}
        self.item: pytest.Item | None = None
        """The test that runs."""
        self._lock = threading.Lock()
        self._facts: Facts | None = None
        if not self.worker:
            config.pluginmanager.register(_Counting(self.reasons), "trtdoctor-counting")

    @property
    def facts(self) -> Facts:
        """The facts; loaded with all that judges them when first asked for."""
        if self._facts is None:
            from trtdoctor.pytest_facts import Facts

            self._facts = Facts(self.take)
        return self._facts

    @property
    def speaks(self) -> bool:
        """Whether there is something to say at the end: a test asked, or somebody wants the report."""
        return self.mode != "off" and ("facts" in self.taken or self.mode == "report")

    @property
    def canary_asked(self) -> bool:
        """Whether a canary was run."""
        return "canary" in self.taken

    def take(self, kind: str) -> str:
        """The facts, as text: taken here, or by the controller; once. Raises OSError when it does not answer."""
        with self._lock:
            if kind not in self.taken:
                # A worker on another host does not see the directory: there it takes the facts of that host.
                asks = self.asks is not None and os.path.isdir(self.asks)
                self.taken[kind] = _ask(str(self.asks), kind) if asks else self._take(kind)
            return self.taken[kind]

    def _take(self, kind: str) -> str:
        from trtdoctor.pytest_facts import take, take_canary

        if "facts" not in self.taken:
            self.taken["facts"] = take(self.snapshot_file)
        facts = self.taken["facts"]
        return facts if kind == "facts" else take_canary(facts, self.snapshot_file)

    def gate(self, item: pytest.Item, mark: pytest.Mark) -> None:
        """Let the test run, or not."""
        from trtdoctor.pytest_gate import Mark, MarkError, why_not

        wrong, reason = None, None
        try:
            reason = why_not(Mark(mark.args, mark.kwargs), self.facts, self.fail_on)
        except MarkError as error:
            wrong = f"the trt marker of {item.nodeid}: {error}"
        if wrong is not None:
            pytest.fail(wrong, pytrace=False)
        if reason is not None:
            self.refuse(reason)

    def refuse(self, reason: str) -> None:
        """End the test that runs, as the mode says, and have its report say why."""
        if self.item is not None:
            self.item.user_properties.append((_PROPERTY, f"{_REFUSED[self.mode]}: {reason}"))
        if self.mode == "strict":
            pytest.fail(f"trtdoctor: {reason}", pytrace=False)
        if self.mode == "skip":
            _skip(f"trtdoctor: {reason}")

    def environment(self) -> Environment:
        """The fixture ``trt_env``."""

        def view(facts: Facts) -> Environment:
            from trtdoctor.pytest_gate import environment

            return environment(facts, self.refuse)

        return self._given("trt_env", view)

    def canary(self) -> Canary:
        """The fixture ``trt_canary``."""
        return self._given("trt_canary", lambda facts: facts.canary())

    def _given(self, name: str, make: Callable[[Facts], _T]) -> _T:
        """What a fixture gives; the test is over where there is nothing to give."""
        if self.mode == "off":
            _skip(f"trtdoctor is off, and this test asks for {name}")
        from trtdoctor.pytest_facts import FactsError

        try:
            return make(self.facts)
        except FactsError as error:
            reason = str(error)
        self.refuse(reason)
        return pytest.fail(f"trtdoctor: {reason}", pytrace=False)


class _Counting:
    """Counts, where the terminal is, for which reason tests were left out; workers send it with each report."""

    def __init__(self, reasons: Counter[tuple[str, str]]) -> None:
        self.reasons = reasons

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count the reasons that the last report of a test carries."""
        if report.when != "teardown":
            return
        for name, value in report.user_properties:
            if name == _PROPERTY and isinstance(value, str):
                what, _, reason = value.partition(": ")
                self.reasons[what, reason] += 1


class _Exchange:
    """The controller's side: a directory in which workers ask, and a thread that answers there."""

    def __init__(self, take: Callable[[str], str]) -> None:
        self._take = take
        self.directory = tempfile.mkdtemp(prefix="trtdoctor-")  # mode 0700
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="trtdoctor", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop, and leave nothing behind."""
        self._closed.set()
        self._thread.join(1.0)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _serve(self) -> None:
        waiting = set(_PATIENCE_SECONDS)
        while waiting and not self._closed.wait(_POLL_SECONDS):
            for kind in sorted(waiting):
                if os.path.exists(_file(self.directory, kind, "wanted")):
                    waiting.discard(kind)
                    self._answer(kind)

    def _answer(self, kind: str) -> None:
        try:
            text = self._take(kind)
        except BaseException as error:
            text = json.dumps({"error": f"{type(error).__name__} in the controller"})
        part = _file(self.directory, kind, "part")
        try:
            with open(part, "w", encoding="ascii") as stream:
                stream.write(text)
            os.replace(part, _file(self.directory, kind, "json"))
        except OSError:
            return  # the session is over; nobody waits any more


def _file(directory: str, kind: str, form: str) -> str:
    return os.path.join(directory, f"{kind}.{form}")


def _ask(directory: str, kind: str) -> str:
    """A worker's side: ask, and wait. Raises OSError when nobody answers."""
    with open(_file(directory, kind, "wanted"), "a", encoding="ascii"):
        pass
    answer = _file(directory, kind, "json")
    pause = threading.Event()  # tests change time and time.sleep; they leave this alone
    for _ in range(int(_PATIENCE_SECONDS[kind] / _POLL_SECONDS)):
        if os.path.exists(answer):
            with open(answer, encoding="ascii") as stream:
                return stream.read()
        if not os.path.isdir(directory):
            break
        pause.wait(_POLL_SECONDS)
    raise OSError("the controller of this session did not answer")


def _chosen(config: pytest.Config, name: str, words: tuple[str, ...], usual: str) -> str:
    """An option, else its ini key, else what is usual."""
    given = config.getoption(name, None) or config.getini(name) or usual
    if given not in words:
        raise pytest.UsageError(f"{name} = {str(given)[:60]!r} in the configuration: wanted {', '.join(words)}")
    return str(given)


def _snapshot_file(config: pytest.Config) -> str | None:
    """The absolute path of the file with facts; a relative one in the configuration is beside it."""
    given = config.getoption("trtdoctor_snapshot", None)
    base = str(config.invocation_params.dir)
    if not given:
        given = config.getini("trtdoctor_snapshot")
        base = str(config.inipath.parent if config.inipath else config.rootpath)
    if not given:
        return None
    path = os.path.join(base, os.path.expanduser(str(given)))
    if not os.path.isfile(path) and not hasattr(config, "workerinput"):
        raise pytest.UsageError(f"trtdoctor: there is no snapshot {path}")
    return path


def _skip(reason: str) -> NoReturn:
    """Skip the test that runs, as if it was marked so: ``-rs`` names the test, not this line."""
    raise pytest.skip.Exception(reason, _use_item_location=True)


_KEY = pytest.StashKey[_Doctor]()
