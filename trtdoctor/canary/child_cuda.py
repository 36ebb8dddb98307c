"""Device memory and streams through the CUDA driver API: no torch, no pycuda, no numpy.

Part of the canary's child: single file, standard library only, Python 3.6 syntax. The functions and the two device
attributes are those of the CUDA driver API (https://docs.nvidia.com/cuda/cuda-driver-api/), whose interface is stable
since CUDA 7.0 (primary contexts); errors are named by the driver itself.
"""

import ctypes
from typing import Any, List, Union

LIBRARY = "libcuda.so.1"
NO_DEVICE = "CUDA_ERROR_NO_DEVICE"
OUT_OF_MEMORY = "CUDA_ERROR_OUT_OF_MEMORY"
NO_SUCH_DEVICE = "CUDA_ERROR_INVALID_DEVICE"


class NoGpu(Exception):
    """There is no GPU here, or no driver for one."""


class CudaError(Exception):
    """A call of the driver API failed: ``call`` is its name, ``name`` the driver's name for the error."""

    def __init__(self, call: str, code: int, name: str) -> None:
        Exception.__init__(self, "%s: %s (%d)" % (call, name, code))
        self.call = call
        self.code = code
        self.name = name


class Cuda:
    """One GPU, with its primary context current in this thread: what the CUDA runtime inside TensorRT uses as well."""

    def __init__(self, device: int) -> None:
        """Raises :class:`NoGpu`, :class:`CudaError`; ``device`` is CUDA's own number of the GPU."""
        try:
            self._library = ctypes.CDLL(LIBRARY)
        except OSError as error:
            raise NoGpu("no NVIDIA driver (%s)" % str(error)[:200])
        try:
            self._call("cuInit", ctypes.c_uint(0))
        except CudaError as error:
            if error.name == NO_DEVICE:
                raise NoGpu(str(error))
            raise
        count = ctypes.c_int()
        self._call("cuDeviceGetCount", ctypes.byref(count))
        if count.value == 0:
            raise NoGpu("CUDA sees no GPU")
        if not 0 <= device < count.value:
            raise CudaError("there is no device %d, CUDA sees %d" % (device, count.value), 101, NO_SUCH_DEVICE)
        self.device = device
        handle = ctypes.c_int()
        self._call("cuDeviceGet", ctypes.byref(handle), ctypes.c_int(device))
        name = ctypes.create_string_buffer(256)
        self._call("cuDeviceGetName", name, ctypes.c_int(256), handle)
        self.name = name.value.decode("utf-8", "replace")
        # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR
        self.compute_capability = ".".join(str(self._attribute(number, handle)) for number in (75, 76))
        context = ctypes.c_void_p()
        self._call("cuDevicePrimaryCtxRetain", ctypes.byref(context), handle)
        self._call("cuCtxSetCurrent", context)
        self._owned: List[int] = []

    def _call(self, function: str, *arguments: Any) -> None:
        try:
            code = getattr(self._library, function)(*arguments)
        except AttributeError:
            raise CudaError(function, 500, "CUDA_ERROR_NOT_FOUND")
        if code:
            raise CudaError(function, code, self._error_name(code))

    def _error_name(self, code: int) -> str:
        text = ctypes.c_char_p()
        try:
            known = self._library.cuGetErrorName(ctypes.c_int(code), ctypes.byref(text)) == 0
        except AttributeError:
            known = False
        return text.value.decode("ascii", "replace") if known and text.value else "error %d" % code

    def _attribute(self, number: int, handle: ctypes.c_int) -> int:
        value = ctypes.c_int()
        self._call("cuDeviceGetAttribute", ctypes.byref(value), ctypes.c_int(number), handle)
        return value.value

    def allocate(self, size: int) -> int:
        """Address of ``size`` bytes of device memory (at least one)."""
        address = ctypes.c_uint64()
        self._call("cuMemAlloc_v2", ctypes.byref(address), ctypes.c_size_t(max(1, size)))
        self._owned.append(address.value)
        return address.value

    def free_all(self) -> None:
        """Give back all memory that :meth:`allocate` gave."""
        while self._owned:
            self._call("cuMemFree_v2", ctypes.c_uint64(self._owned.pop()))

    def upload(self, address: int, data: Union[bytes, bytearray]) -> None:
        """Copy bytes to the device."""
        self._call("cuMemcpyHtoD_v2", ctypes.c_uint64(address), bytes(data), ctypes.c_size_t(len(data)))

    def download(self, address: int, size: int) -> bytes:
        """Copy ``size`` bytes from the device."""
        buffer = ctypes.create_string_buffer(max(1, size))
        self._call("cuMemcpyDtoH_v2", buffer, ctypes.c_uint64(address), ctypes.c_size_t(size))
        return buffer.raw[:size]

    def stream(self) -> int:
        """Handle of a new stream that waits for the copies above (flags 0: ordered with the default stream)."""
        handle = ctypes.c_void_p()
        self._call("cuStreamCreate", ctypes.byref(handle), ctypes.c_uint(0))
        return handle.value or 0

    def synchronize(self, stream: int) -> None:
        """Wait until all that was put into the stream is done; errors of its kernels appear here."""
        self._call("cuStreamSynchronize", ctypes.c_void_p(stream))
