/* A libcuda whose device memory is the process's own, so that the canary's child can be followed without a GPU.
   What it should do wrong is said by the environment: FAKE_INIT, FAKE_SYNC (error numbers), FAKE_COUNT (GPUs),
   FAKE_MEMORY (bytes that one allocation may have). */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static long setting(const char *name, long otherwise) {
    const char *text = getenv(name);
    return text ? atol(text) : otherwise;
}

int cuInit(unsigned flags) { return flags ? 1 : (int)setting("FAKE_INIT", 0); }
int cuDeviceGetCount(int *count) { return *count = (int)setting("FAKE_COUNT", 2), 0; }
int cuDeviceGet(int *handle, int ordinal) { return *handle = 100 + ordinal, 0; }
int cuDeviceGetName(char *name, int length, int handle) {
    strncpy(name, handle == 101 ? "Second Stand-in" : "First Stand-in", length);
    return 0;
}
int cuDeviceGetAttribute(int *value, int attribute, int handle) {
    if (handle < 100) return 101;
    return *value = attribute == 75 ? 8 : attribute == 76 ? handle - 100 + 6 : -1, 0;
}
int cuDevicePrimaryCtxRetain(void **context, int handle) { return *context = (void *)(intptr_t)(handle * 16), 0; }
int cuCtxSetCurrent(void *context) { return (intptr_t)context >= 1600 ? 0 : 201; }
int cuMemAlloc_v2(uint64_t *address, size_t size) {
    if ((long)size > setting("FAKE_MEMORY", 1 << 30)) return 2;
    return *address = (uint64_t)(uintptr_t)malloc(size), 0;
}
int cuMemFree_v2(uint64_t address) { return free((void *)(uintptr_t)address), 0; }
int cuMemcpyHtoD_v2(uint64_t to, const void *from, size_t size) { return memcpy((void *)(uintptr_t)to, from, size), 0; }
int cuMemcpyDtoH_v2(void *to, uint64_t from, size_t size) { return memcpy(to, (void *)(uintptr_t)from, size), 0; }
int cuStreamCreate(void **stream, unsigned flags) { return *stream = (void *)0x5712ea, (int)flags; }
int cuStreamSynchronize(void *stream) { return stream == (void *)0x5712ea ? (int)setting("FAKE_SYNC", 0) : 400; }
int cuGetErrorName(int code, const char **name) {
    static const struct { int code; const char *name; } known[] = {
        {2, "CUDA_ERROR_OUT_OF_MEMORY"}, {100, "CUDA_ERROR_NO_DEVICE"}, {700, "CUDA_ERROR_ILLEGAL_ADDRESS"},
        {803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"}};
    for (unsigned i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].code == code) return *name = known[i].name, 0;
    return 1;
}
