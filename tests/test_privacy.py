"""Tokens planted wherever a machine holds secrets, and looked for in everything that trtdoctor writes.

A SECRET may appear nowhere. A PRIVATE word (a directory's name, a GPU's UUID) may stand in a plain report, which its
owner reads, and must be gone with ``--redact``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.run import run
from tests.probes.roots import elf
from trtdoctor.render import CI_FORMATS

SECRET = "s3cr3t-t0ken"
PRIVATE = "pr1vate-w0rd"
PYTHON = "python{}.{}".format(*sys.version_info)
"""The folder of packages of the interpreter that the planted environment links to."""
UUID = "GPU-00010203-0405-0607-0809-0a0b0c0d0e0f"
BUS = "00000000:04:00.0"
ADDRESS = f"https://{SECRET}:{SECRET}/{SECRET}@host.example/{{}}?token={SECRET}#{SECRET}"


def metadata(name: str, version: str) -> str:
    return (
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nHome-page: {ADDRESS.format('home')}\n"
        f"Author: {SECRET}\nAuthor-email: {SECRET}@host.example\nProject-URL: Source, {ADDRESS.format('source')}\n"
        f"Requires-Dist: numpy @ {ADDRESS.format('numpy.whl')}\n"
        f"Requires-Dist: nvidia-cudnn-cu12 ; extra == '{ADDRESS.format('extra')}'\n\n{SECRET}\n"
    )


def environment(place: Path) -> Path:
    """A virtual environment in a private directory, with wheels and every file of theirs that may hold a secret."""
    prefix = place / PRIVATE / "venv"
    site = prefix / "lib" / PYTHON / "site-packages"
    for name, version in (
        ("tensorrt", "10.9.0.34"),
        ("tensorrt_cu12_libs", "10.9.0.34"),
        ("nvidia_cudnn_cu12", "9.1.0.70"),
    ):
        info = site / f"{name}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(metadata(name, version))
        (info / "direct_url.json").write_text(f'{{"url": "{ADDRESS.format("x.whl")}"}}')
        (info / "RECORD").write_text(f"tensorrt_libs/libnvinfer.so.10,sha256={SECRET},5\n{SECRET}.txt,,\n")
    (site / "tensorrt").mkdir()
    (site / "tensorrt" / "__init__.py").write_text(
        f"raise ImportError({f'/{PRIVATE}/x.so: cannot open; see {ADDRESS.format(PRIVATE)}'!r})\n"
    )
    (site / "tensorrt_libs").mkdir()
    (site / "tensorrt_libs" / "libnvinfer.so.10").write_bytes(elf("libnvinfer.so.10"))
    (site / f"{SECRET}.pth").write_text(f"import {SECRET}\n/{SECRET}\n")
    (site / "pip.conf").write_text(f"[global]\nindex-url = {ADDRESS.format('simple')}\n")
    (prefix / "bin").mkdir()
    (prefix / "bin" / "python").symlink_to(os.path.realpath(sys.executable))
    (prefix / "pyvenv.cfg").write_text(f"home = /home/{SECRET}\nversion = {PYTHON[6:]}.1\nprompt = {SECRET}\n")
    return prefix


def driver(place: Path) -> Path:
    """Stand-ins for NVML and libcuda that tell of GPUs."""
    folder = place / PRIVATE / "driver"
    folder.mkdir(parents=True)
    source = Path(__file__).parent / "probes" / "fake_nvidia.c"
    for macro, name in (("CUDA", "libcuda.so"), ("NVML", "libnvidia-ml.so")):
        options = ["-shared", "-fPIC", "-w", f"-D{macro}", f"-Wl,-soname,{name}.1"]
        subprocess.run(["cc", *options, "-o", str(folder / f"{name}.1"), str(source)], check=True)
    return folder


@pytest.fixture
def worker() -> Iterator[subprocess.Popen[bytes]]:
    """A process that holds a secret among its arguments; the stand-in says that it uses a GPU."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)", SECRET])
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def planted(tmp_path: Path, worker: subprocess.Popen[bytes]) -> dict[str, str]:
    """Environment variables with secrets, some of them among those that are recorded."""
    prefix, libraries = environment(tmp_path), driver(tmp_path)
    more = tmp_path / PRIVATE / "lib" / PRIVATE
    more.mkdir(parents=True)
    shutil.copy(prefix / f"lib/{PYTHON}/site-packages/tensorrt_libs/libnvinfer.so.10", more)
    (more / f"libcudnn.so.9.{SECRET}").symlink_to(SECRET)  # no library's name: not looked at
    address = ADDRESS.format("simple")
    return {
        **dict.fromkeys(("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_INDEX_URL", "HTTPS_PROXY", "http_proxy"), address),
        **dict.fromkeys(("NGC_API_KEY", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "USER", "LOGNAME", "HOSTNAME"), SECRET),
        "NVIDIA_REQUIRE_CUDA": f"cuda>=12.0 {address}",
        "NVIDIA_PRODUCT_NAME": address,
        "TENSORRT_VERSION": address,
        "CUDA_HOME": f"/{PRIVATE}/cuda",
        "LD_LIBRARY_PATH": f"{libraries}:{more}:{PRIVATE}:/usr/lib/../../{PRIVATE}/lib",
        "CUDA_VISIBLE_DEVICES": UUID,
        "VIRTUAL_ENV": str(prefix),
        "FAKE_PID": str(worker.pid),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "HOME": str(tmp_path / PRIVATE),
        "TMPDIR": str(tmp_path),
    }


CLOSED = "(always redacted)"


def for_ci(folder: Path, key: str) -> list[str]:
    """Options that write every format for CI systems."""
    return [word for kind in CI_FORMATS for word in ("-o", f"{kind}:{folder / f'{kind}{key}'}")]


def words_of(text: str, words: tuple[str, ...]) -> list[str]:
    """Where a word stands, for the message of a test that fails."""
    return [line[:300] for line in text.splitlines() if any(word.lower() in line.lower() for word in words)]


def planned(folder: Path, planted: dict[str, Any]) -> dict[str, str]:
    """A plan, which is for other machines and holds nothing of this one, and what is said of this one beside it."""
    file = folder / "plan.yaml"
    options = ("--require", "tensorrt>=11", "--install", "pip", "--write", str(file))
    ran = run("plan", *options, stdin=None, seconds=60, **planted)
    assert ran.code == 0, ran.err
    said = {f"plan {CLOSED}": file.read_text("utf-8"), "plan stdout": ran.out, "plan stderr": ran.err}
    for key in ("", "--redact"):
        redact = (key,) if key else ()
        outputs = ("-o", f"json:{folder / f'against{key}'}", *for_ci(folder, f" against{key}"))
        ran = run("check", "-v", "--against", str(file), *redact, *outputs, stdin=None, seconds=60, **planted)
        assert ran.code == 1, ran.err
        assert "POL201" in ran.out
        said |= {f"against{key} stdout": ran.out, f"against{key}": (folder / f"against{key}").read_text("utf-8")}
        said |= {
            f"{kind} against {CLOSED}": (folder / f"{kind} against{key}").read_text("utf-8") for kind in CI_FORMATS
        }
    return said


@pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler")
def test_no_output_holds_a_secret_and_no_redacted_one_a_private_word(planted: dict[str, Any], tmp_path: Path) -> None:
    host = os.uname().nodename
    forbidden = (SECRET, host) if len(host) > 5 else (SECRET,)
    private = (PRIVATE, UUID, UUID.removeprefix("GPU-"), BUS, "GPU-ffff0203", "MIG-aaaa0203")
    said = {}
    for redact in ((), ("--redact",)):
        key = " ".join(redact)
        table, report, taken, libs = (tmp_path / f"{name}{key}" for name in ("table", "report", "taken", "libs"))
        for number, arguments in enumerate(
            (
                ("check", "-v", "-o", f"json:{report}", "-o", f"table:{table}", *for_ci(tmp_path, key)),
                ("check", "--format", "json"),
                ("snapshot",),
                ("snapshot", "--observe", "-o", str(taken)),
                ("libs", "-v", "-o", f"json:{libs}"),
                ("libs", "--tree"),
                ("libs", "--for", f"{planted['VIRTUAL_ENV']}/../driver/libcuda.so.1"),
            )
        ):
            ran = run(*arguments, *redact, stdin=None, seconds=60, **planted)
            assert ran.code in (0, 1), ran.err
            said[f"{number}{key} stdout"], said[f"{number}{key} stderr"] = ran.out, ran.err
        for path in (table, report, taken, libs):
            said[f"{path.name}"] = path.read_text("utf-8")
        for kind in CI_FORMATS:
            said[f"{kind}{key} {CLOSED}"] = (tmp_path / f"{kind}{key}").read_text("utf-8")
        # A snapshot taken in the open and hidden later.
        later = run(
            "check",
            "--snapshot",
            str(tmp_path / "taken"),
            "--format",
            "json",
            *redact,
            stdin=None,
            seconds=60,
            **planted,
        )
        said[f"replayed{key}"] = later.out + later.err
    said |= planned(tmp_path, planted)
    caches = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert caches
    said.update({str(path): path.read_text("utf-8", "replace") for path in caches})
    # The probes have seen what is looked for: else the test would prove nothing.
    assert "libnvinfer" in said["taken"]
    assert UUID in said["taken"]
    assert PRIVATE in said["taken"]
    assert '"numpy"' in said["taken"]
    assert f"/{PRIVATE}/x.so: cannot open; see " in said["libs"], "an importer that fails was really imported"
    assert "LD_LIBRARY_PATH" in said["4 stdout"]
    assert PRIVATE in said["5 stdout"]
    assert "libnvinfer" in said[f"sarif {CLOSED}"]
    for name, text in said.items():
        assert not words_of(text, forbidden), (name, words_of(text, forbidden))
        if "--redact" in name or CLOSED in name:
            assert not words_of(text, private), (name, words_of(text, private))


def test_what_a_job_of_github_is_told_is_redacted(planted: dict[str, Any], tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    job: Any = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    ran = run("check", "--format", "json", stdin=None, seconds=60, **planted, **job)
    assert PRIVATE in ran.out, "the machine's owner asked for that one"
    assert "::" in ran.err
    for text in (ran.err, summary.read_text("utf-8")):
        assert "nvidia-cudnn-cu12" in text or "libnvinfer" in text or "tensorrt" in text
        assert not words_of(text, (SECRET, PRIVATE, UUID, BUS))


@pytest.mark.parametrize("kind", CI_FORMATS)
def test_linted_files_tell_nothing_of_where_they_lie(kind: str, tmp_path: Path) -> None:
    place = tmp_path / PRIVATE
    place.mkdir()
    (place / "more.txt").write_text(f"tensorrt-cu12==10.9.0.34\n-r /{PRIVATE}/gone.txt\n--index-url {ADDRESS}\n")
    (place / "requirements.txt").write_text(
        f"tensorrt==10.7.0\nonnxruntime-gpu==1.16\n-r more.txt\ntorch @ {ADDRESS}\n-r {place}/none.txt\ntorch\n"
    )
    files = (str(place / "requirements.txt"),)
    assert PRIVATE in run("lint-deps", *files, "--format", "json").out
    ran = run("lint-deps", *files, "--format", kind)
    assert ran.code == 1, ran.err
    assert "requirements.txt" in ran.out
    assert not words_of(ran.out + ran.err, (SECRET, PRIVATE, str(tmp_path)))


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "--snapshot", ADDRESS),
        ("check", "--declared", ADDRESS),
        ("check", "--matrix", ADDRESS),
        ("check", "--python", ADDRESS),
        ("check", "--set", f"tensorrt={ADDRESS}"),
        ("check", "--set", f"{ADDRESS}=1"),
        ("check", "--set", "tensorrt=10.9", "-o", f"/nowhere/{ADDRESS}"),
        ("check", "--goal", ADDRESS),
    ],
    ids=lambda words: " ".join(words)[:24],
)
def test_a_complaint_repeats_no_password(arguments: tuple[str, ...]) -> None:
    ran = run(*arguments)
    assert ran.code == 2
    assert f"{SECRET}@" not in ran.err
    assert SECRET not in ran.err, ran.err


def test_the_cache_is_for_its_owner_alone(tmp_path: Path) -> None:
    started = time.time()
    assert run("check", "--set", "tensorrt=10.9", XDG_CACHE_HOME=str(tmp_path)).code == 0
    (folder,) = tmp_path.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    (file,) = folder.iterdir()
    assert file.stat().st_mode & 0o077 == 0
    assert file.stat().st_mtime >= started - 2
