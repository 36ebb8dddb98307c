"""Ask NVML and libcuda about driver and GPUs. Runs in a process of its own: both libraries may crash or hang.

Usage: ``python -I nvidia.py [DEVICE-FILE ...]``. Prints one JSON object a line, each as soon as it is known, so that
what was learnt before a crash is not lost. Standard library only (pynvml when it is there), Python 3.6 syntax. The
order is from harmless to risky: open the device files, NVML, load libcuda, cuInit.
"""

# ruff: noqa: N802  (the names of pynvml)

import ctypes
import json
import os
import sys
from typing import Any, Callable, Dict, List, Optional

MOST_PROCESSES = 64
HOST_PIDS = "pid:[4026531836]"  # PROC_PID_INIT_INO in the kernel's include/linux/proc_ns.h
UNKNOWN = 999  # NVML_ERROR_UNKNOWN
NOT_AVAILABLE = 0xFFFFFFFFFFFFFFFF


def _say(**facts: Any) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def _text(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


# -- device files ------------------------------------------------------------------------------------------------------


def _open_nodes(paths: List[str]) -> None:
    """Really open them: a control group can refuse what the file's mode allows."""
    outcome = {}  # type: Dict[str, Optional[int]]
    for path in paths:
        outcome[path] = _open(path)
    _say(nodes=outcome)


def _open(path: str) -> Optional[int]:
    try:
        os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError as error:
        return error.errno
    return 0


# -- NVML --------------------------------------------------------------------------------------------------------------


class _NvmlError(Exception):
    def __init__(self, value: int) -> None:
        Exception.__init__(self, "NVML error %d" % value)
        self.value = value


class _Memory(ctypes.Structure):
    _fields_ = [("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong)]


class _Pci(ctypes.Structure):
    _fields_ = [
        ("busIdLegacy", ctypes.c_char * 16),
        ("domain", ctypes.c_uint),
        ("bus", ctypes.c_uint),
        ("device", ctypes.c_uint),
        ("pciDeviceId", ctypes.c_uint),
        ("pciSubSystemId", ctypes.c_uint),
        ("busId", ctypes.c_char * 32),
    ]


class _Process(ctypes.Structure):
    _fields_ = [
        ("pid", ctypes.c_uint),
        ("usedGpuMemory", ctypes.c_ulonglong),
        ("gpuInstanceId", ctypes.c_uint),
        ("computeInstanceId", ctypes.c_uint),
    ]


class _Fabric(ctypes.Structure):
    _fields_ = [
        ("version", ctypes.c_uint),
        ("clusterUuid", ctypes.c_uint8 * 16),
        ("status", ctypes.c_uint),
        ("cliqueId", ctypes.c_uint32),
        ("state", ctypes.c_uint),
        ("healthMask", ctypes.c_uint32),
    ]


class _OwnNvml:
    """The few calls of pynvml that are used here, for an interpreter that lacks it."""

    def __init__(self) -> None:
        try:
            self.library = ctypes.CDLL("libnvidia-ml.so.1")
        except OSError:
            raise _NvmlError(12) from None

    def call(self, name: str, *arguments: Any) -> None:
        try:
            function = getattr(self.library, name)
        except AttributeError:
            raise _NvmlError(13) from None
        code = function(*arguments)
        if code:
            raise _NvmlError(code)

    def string(self, name: str, *before: Any) -> str:
        buffer = ctypes.create_string_buffer(96)
        self.call(name, *(before + (buffer, ctypes.c_uint(96))))
        return buffer.value.decode("utf-8", "replace")

    def number(self, name: str, *before: Any) -> int:
        value = ctypes.c_uint()
        self.call(name, *(before + (ctypes.byref(value),)))
        return value.value

    def nvmlInit(self) -> None:
        self.call("nvmlInit_v2")

    def nvmlShutdown(self) -> None:
        self.call("nvmlShutdown")

    def nvmlSystemGetDriverVersion(self) -> str:
        return self.string("nvmlSystemGetDriverVersion")

    def nvmlSystemGetNVMLVersion(self) -> str:
        return self.string("nvmlSystemGetNVMLVersion")

    def nvmlDeviceGetCount(self) -> int:
        return self.number("nvmlDeviceGetCount_v2")

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Any:
        handle = ctypes.c_void_p()
        self.call("nvmlDeviceGetHandleByIndex_v2", ctypes.c_uint(index), ctypes.byref(handle))
        return handle

    def nvmlDeviceGetName(self, handle: Any) -> Any:
        return self.string("nvmlDeviceGetName", handle)

    def nvmlDeviceGetUUID(self, handle: Any) -> Any:
        return self.string("nvmlDeviceGetUUID", handle)

    def nvmlDeviceGetCudaComputeCapability(self, handle: Any) -> Any:
        major, minor = ctypes.c_int(), ctypes.c_int()
        self.call("nvmlDeviceGetCudaComputeCapability", handle, ctypes.byref(major), ctypes.byref(minor))
        return major.value, minor.value

    def nvmlDeviceGetMemoryInfo(self, handle: Any) -> Any:
        memory = _Memory()
        self.call("nvmlDeviceGetMemoryInfo", handle, ctypes.byref(memory))
        return memory

    def nvmlDeviceGetPciInfo(self, handle: Any) -> Any:
        pci = _Pci()
        self.call("nvmlDeviceGetPciInfo_v3", handle, ctypes.byref(pci))
        return pci

    def nvmlDeviceGetMigMode(self, handle: Any) -> Any:
        current, pending = ctypes.c_uint(), ctypes.c_uint()
        self.call("nvmlDeviceGetMigMode", handle, ctypes.byref(current), ctypes.byref(pending))
        return current.value, pending.value

    def nvmlDeviceGetMaxMigDeviceCount(self, handle: Any) -> Any:
        return self.number("nvmlDeviceGetMaxMigDeviceCount", handle)

    def nvmlDeviceGetMigDeviceHandleByIndex(self, handle: Any, index: int) -> Any:
        instance = ctypes.c_void_p()
        self.call("nvmlDeviceGetMigDeviceHandleByIndex", handle, ctypes.c_uint(index), ctypes.byref(instance))
        return instance

    def nvmlDeviceGetVirtualizationMode(self, handle: Any) -> Any:
        return self.number("nvmlDeviceGetVirtualizationMode", handle)

    def nvmlDeviceGetComputeMode(self, handle: Any) -> Any:
        return self.number("nvmlDeviceGetComputeMode", handle)

    def nvmlDeviceGetComputeRunningProcesses(self, handle: Any) -> Any:
        return self.processes("nvmlDeviceGetComputeRunningProcesses_v3", handle)

    def nvmlDeviceGetGraphicsRunningProcesses(self, handle: Any) -> Any:
        return self.processes("nvmlDeviceGetGraphicsRunningProcesses_v3", handle)

    def processes(self, name: str, handle: Any) -> List[Any]:
        count = ctypes.c_uint(MOST_PROCESSES)
        table = (_Process * MOST_PROCESSES)()
        self.call(name, handle, ctypes.byref(count), table)
        return list(table[: count.value])

    def nvmlDeviceGetGpuFabricInfoV(self, handle: Any, fabric: Any) -> None:
        self.call("nvmlDeviceGetGpuFabricInfoV", handle, fabric)


def _load_nvml() -> Any:
    try:
        import pynvml
    except Exception:
        return _OwnNvml()
    return pynvml if hasattr(pynvml, "nvmlDeviceGetCudaComputeCapability") else _OwnNvml()


def _number_of(error: Exception) -> Optional[int]:
    """The return code that an exception of either back end stands for; None when it is of another kind."""
    value = getattr(error, "value", None)
    return value if isinstance(value, int) else None


def _ask(function: Callable[..., Any], *arguments: Any) -> Any:
    """What a call answers, None when it answers nothing: most facts are optional on some kind of GPU."""
    try:
        return function(*arguments)
    except Exception:
        return None


def _ask_nvml() -> None:
    try:
        nvml = _load_nvml()
    except _NvmlError as error:
        _say(nvml_error=error.value)
        return
    try:
        nvml.nvmlInit()
    except Exception as error:
        # Also without a connection to the kernel module the library says of which driver it is.
        _say(nvml_error=_number_of(error) or UNKNOWN, nvml_version=_text(_ask(nvml.nvmlSystemGetNVMLVersion)))
        return
    try:
        _say(
            nvml_error=0,
            nvml_version=_text(_ask(nvml.nvmlSystemGetNVMLVersion)),
            driver=_text(_ask(nvml.nvmlSystemGetDriverVersion)),
        )
        count = nvml.nvmlDeviceGetCount()
        _say(count=count)
        for index in range(count):
            # One line a GPU: the reader merges lines, so each has a name of its own.
            _say(**{"gpu%d" % index: _gpu(nvml, index)})
    except Exception as error:
        _say(nvml_error=_number_of(error) or UNKNOWN)
    _ask(nvml.nvmlShutdown)


def _gpu(nvml: Any, index: int) -> Dict[str, Any]:
    try:
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
    except Exception as error:
        return {"index": index, "error": _number_of(error)}
    facts = {"index": index}  # type: Dict[str, Any]
    try:
        facts["name"] = _text(nvml.nvmlDeviceGetName(handle))
    except Exception as error:
        facts["error"] = _number_of(error)
    facts["uuid"] = _text(_ask(nvml.nvmlDeviceGetUUID, handle))
    capability = _ask(nvml.nvmlDeviceGetCudaComputeCapability, handle)
    facts["compute_capability"] = list(capability) if capability else None
    memory = _ask(nvml.nvmlDeviceGetMemoryInfo, handle)
    facts["memory"], facts["memory_free"] = (memory.total, memory.free) if memory else (None, None)
    pci = _ask(nvml.nvmlDeviceGetPciInfo, handle)
    facts["pci"] = _text(pci.busId) if pci else None
    facts["mig"] = _mig(nvml, handle)
    facts["virtualization"] = _ask(nvml.nvmlDeviceGetVirtualizationMode, handle)
    facts["compute_mode"] = _ask(nvml.nvmlDeviceGetComputeMode, handle)
    facts["fabric"] = _fabric(nvml, handle)
    facts["processes"] = _processes(nvml, handle)
    return facts


def _mig(nvml: Any, handle: Any) -> Optional[Dict[str, Any]]:
    """Whether MIG is on, and the UUIDs of its instances; None when the driver does not say."""
    try:
        current = nvml.nvmlDeviceGetMigMode(handle)[0]
    except Exception as error:
        return {"on": False} if _number_of(error) == 3 else None  # 3: this GPU has no MIG
    if not current:
        return {"on": False}
    uuids = []
    for index in range(_ask(nvml.nvmlDeviceGetMaxMigDeviceCount, handle) or 0):
        instance = _ask(nvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, index)
        uuid = _text(_ask(nvml.nvmlDeviceGetUUID, instance)) if instance is not None else None
        if uuid:
            uuids.append(uuid)
    return {"on": True, "uuids": uuids}


def _fabric(nvml: Any, handle: Any) -> Optional[Dict[str, int]]:
    info = _Fabric()
    info.version = ctypes.sizeof(_Fabric) | 2 << 24
    try:
        nvml.nvmlDeviceGetGpuFabricInfoV(handle, ctypes.byref(info))
    except Exception:
        return None
    return {"state": info.state, "status": info.status}


def _processes(nvml: Any, handle: Any) -> List[Dict[str, Any]]:
    """Pid, base name and memory; the name only where pids mean here what they mean to the driver."""
    found = {}  # type: Dict[int, Optional[int]]
    for call in ("nvmlDeviceGetComputeRunningProcesses", "nvmlDeviceGetGraphicsRunningProcesses"):
        for item in _ask(getattr(nvml, call), handle) or []:
            if item.pid != os.getpid() and len(found) < MOST_PROCESSES:
                used = item.usedGpuMemory
                found[item.pid] = None if used in (None, NOT_AVAILABLE) else used
    return [{"pid": pid, "name": _process_name(pid), "memory": used} for pid, used in sorted(found.items())]


def _process_name(pid: int) -> Optional[str]:
    try:
        if os.readlink("/proc/self/ns/pid") != HOST_PIDS:
            return None
        with open("/proc/%d/comm" % pid) as stream:
            return stream.read(64).strip() or None
    except (OSError, ValueError):
        return None


# -- libcuda -----------------------------------------------------------------------------------------------------------


def _ask_cuda() -> None:
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        _say(cuda_load_error=str(error)[:300])
        return
    _say(cuda_path=_mapped("libcuda.so"))
    version = ctypes.c_int()
    try:
        code = cuda.cuDriverGetVersion(ctypes.byref(version))
    except AttributeError:
        _say(cuda_load_error="no symbol cuDriverGetVersion")
        return
    _say(cuda_version=version.value if code == 0 else None, cuda_version_error=code)
    # From here on the driver does real work: it may take long, hang or crash on a broken machine.
    code = cuda.cuInit(ctypes.c_uint(0))
    _say(cuinit_error=code)
    if code == 0:
        _say(cuda_devices=_cuda_devices(cuda))


def _mapped(name: str) -> Optional[str]:
    """Path of the file that was really mapped under this name."""
    try:
        with open("/proc/self/maps") as stream:
            for line in stream:
                path = line.split(None, 5)[5].strip() if line.count(" ") > 4 and "/" in line else ""
                if os.path.basename(path).startswith(name):
                    return path
    except OSError:
        pass
    return None


def _cuda_devices(cuda: Any) -> Optional[List[Dict[str, Any]]]:
    """What libcuda itself enumerates, without making a context on any GPU."""
    count = ctypes.c_int()
    if cuda.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return None
    found = []
    for index in range(min(count.value, 128)):
        device = ctypes.c_int()
        if cuda.cuDeviceGet(ctypes.byref(device), index) != 0:
            continue
        facts = {"name": None, "compute_capability": None, "memory": None, "uuid": None}  # type: Dict[str, Any]
        name = ctypes.create_string_buffer(256)
        if cuda.cuDeviceGetName(name, 256, device) == 0:
            facts["name"] = _text(name.value)
        major, minor = ctypes.c_int(), ctypes.c_int()
        # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR
        if (
            cuda.cuDeviceGetAttribute(ctypes.byref(major), 75, device) == 0
            and cuda.cuDeviceGetAttribute(ctypes.byref(minor), 76, device) == 0
        ):
            facts["compute_capability"] = [major.value, minor.value]
        memory = ctypes.c_size_t()
        if cuda.cuDeviceTotalMem_v2(ctypes.byref(memory), device) == 0:
            facts["memory"] = memory.value
        uuid = (ctypes.c_uint8 * 16)()
        if hasattr(cuda, "cuDeviceGetUuid") and cuda.cuDeviceGetUuid(ctypes.byref(uuid), device) == 0:
            digits = bytes(bytearray(uuid)).hex()
            facts["uuid"] = "GPU-" + "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
        found.append(facts)
    return found


def _main() -> None:
    _open_nodes(sys.argv[1:])
    _ask_nvml()
    _ask_cuda()
    _say(done=True)
    # Without the libraries' own farewells: they may hang where everything else went well.
    os._exit(0)


_main()
