"""Record which names TensorRT's Python bindings have, release by release, without TensorRT itself.

Example, where NAMES is tests/data/bindings_names::

    python tests/tools/bindings_names.py --into NAMES WHEEL.whl ...
    python tests/tools/bindings_names.py --into NAMES --installed /tmp/envs/rtx/bin/python tensorrt_rtx

A wheel of bindings holds one extension module that needs libnvinfer, its plugin library and the ONNX parser. The
names of its classes stand in the extension module alone, so each library is replaced by a stand-in that gcc makes:
of the same soname, with the symbols that the module lacks; a function among them aborts. What is recorded are names
(module, classes, members of enumerations), for the classes that ``trtdoctor/canary/child.py`` meets.

An interpreter of the wheel's Python version comes from the PATH or from ``~/.pyenv/versions``. Linux x86_64 only.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

CLASSES = (
    *("Builder", "INetworkDefinition", "OnnxParser", "ParserError", "IBuilderConfig", "IOptimizationProfile"),
    *("Runtime", "ICudaEngine", "IExecutionContext", "EngineInspector", "ITensor", "ILayer", "IHostMemory", "ILogger"),
    *("BuilderFlag", "NetworkDefinitionCreationFlag", "MemoryPoolType", "ProfilingVerbosity", "LayerInformationFormat"),
    *("TensorIOMode", "DataType", "ComputeCapability", "ErrorCode"),
)
LIST = """
import importlib, json, os, sys
sys.path.insert(0, {path!r})
sys.setdlopenflags(os.RTLD_LAZY)
module = importlib.import_module({module!r})
def names(thing):
    return sorted(name for name in dir(thing) if not name.startswith("_"))
found = {{name: names(getattr(module, name)) for name in {classes!r} if hasattr(module, name)}}
print("\\n" + json.dumps({{"version": module.__version__, "module": names(module), "classes": found}}), flush=True)
os._exit(0)
"""


def listing(python: str, module: str, path: str) -> dict[str, object]:
    """What one interpreter sees; raises RuntimeError with the child's last words."""
    code = LIST.format(path=path, module=module, classes=CLASSES)
    done = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, timeout=120, check=False)
    try:
        found: dict[str, object] = json.loads(done.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError):
        raise RuntimeError(f"{module} cannot be listed: {done.stderr.strip()[-500:]}") from None
    return found


def interpreter(tag: str) -> str:
    """Path of a CPython for a wheel's tag, ``cp310``."""
    version = f"{tag[2]}.{tag[3:]}"
    candidates = [
        f"python{version}",
        *map(str, sorted(Path("~/.pyenv/versions").expanduser().glob(f"{version}*/bin/python"))),
    ]
    for candidate in candidates:
        ask = [candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        try:
            done = subprocess.run(ask, capture_output=True, text=True, check=False)
        except OSError:
            continue
        if done.stdout.strip() == version:
            return candidate
    raise RuntimeError(f"there is no Python {version} here")


def stand_in(extension: Path) -> None:
    """Make the libraries that the extension module needs, in its own directory, where its RPATH finds them."""
    dynamic = subprocess.run(["readelf", "-dW", str(extension)], capture_output=True, text=True, check=True).stdout
    needed = re.findall(r"NEEDED\)\s+Shared library: \[(libnv[^\]]+)\]", dynamic)
    symbols = subprocess.run(
        ["nm", "-D", "--undefined-only", "--no-demangle", str(extension)], capture_output=True, text=True, check=True
    ).stdout
    # What belongs to Python, the C++ runtime or libc carries a version or has a name of theirs.
    lacking = [line.split()[-1] for line in symbols.splitlines() if line.split()[-2] == "U"]
    lacking = [name for name in lacking if "@" not in name and not name.startswith(("Py", "_Py"))]
    source = ["#include <stdlib.h>"]
    for number, name in enumerate(lacking):
        data = name.startswith(("_ZTV", "_ZTI", "_ZTS"))
        made = f"char data{number}[4096] __asm__({json.dumps(name)});"
        source.append(
            made
            if data
            else f"void call{number}(void) __asm__({json.dumps(name)}); void call{number}(void) {{ abort(); }}"
        )
    code = extension.parent / "stand_in.c"
    code.write_text("\n".join(source) + "\n")
    for number, name in enumerate(needed):
        content = [str(code)] if number == 0 else ["-xc", "/dev/null"]
        subprocess.run(
            ["gcc", "-shared", "-fPIC", f"-Wl,-soname,{name}", "-o", str(extension.parent / name), *content], check=True
        )


def of_wheel(wheel: Path) -> dict[str, object]:
    """The names in a wheel of bindings."""
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
        extension = next(Path(folder).glob("*/*.so"))
        stand_in(extension)
        return listing(interpreter(wheel.name.split("-")[2]), extension.parent.name, folder)


def main() -> int:
    """Write one file a release."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--into", type=Path, required=True)
    parser.add_argument("--installed", nargs=2, action="append", default=[], metavar=("PYTHON", "MODULE"))
    parser.add_argument("wheels", nargs="*", type=Path)
    options = parser.parse_args()
    options.into.mkdir(parents=True, exist_ok=True)
    found = [("tensorrt", of_wheel(wheel)) for wheel in options.wheels]
    found += [(module, listing(python, module, "")) for python, module in options.installed]
    for module, names in found:
        target = options.into / f"{module}-{names['version']}.json"
        target.write_text(json.dumps(names, indent=0, sort_keys=True) + "\n", encoding="utf-8")
        print(target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
