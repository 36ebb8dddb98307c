/* Stand-ins for libcuda.so.1 and libnvidia-ml.so.1, compiled by test_driver.py: real libraries that a real child
   process loads, with the behaviour that the environment asks for. Built with -DCUDA or -DNVML. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *asked(const char *name) { const char *value = getenv(name); return value ? value : ""; }

#ifdef CUDA
int cuDriverGetVersion(int *version) { *version = 13000; return atoi(asked("FAKE_VERSION_CODE")); }
int cuInit(unsigned flags) {
    if (!strcmp(asked("FAKE_CUINIT"), "crash")) *(volatile int *)0 = (int)flags;
    if (!strcmp(asked("FAKE_CUINIT"), "hang")) sleep(60);
    return atoi(asked("FAKE_CUINIT"));
}
int cuDeviceGetCount(int *count) { *count = 1; return 0; }
int cuDeviceGet(int *device, int index) { *device = index; return 0; }
int cuDeviceGetName(char *name, int size, int device) { strncpy(name, "Orin", size); return 0; }
int cuDeviceGetAttribute(int *value, int attribute, int device) { *value = attribute == 75 ? 8 : 7; return 0; }
int cuDeviceTotalMem_v2(size_t *bytes, int device) { *bytes = 1ull << 33; return 0; }
int cuDeviceGetUuid(unsigned char *uuid, int device) { for (int i = 0; i < 16; i++) uuid[i] = i; return 0; }
#endif

#ifdef NVML
struct memory { unsigned long long total, free, used; };
struct pci { char legacy[16]; unsigned domain, bus, device, id, sub; char bus_id[32]; };
struct fabric { unsigned version; unsigned char cluster[16]; unsigned status, clique, state, health; };
struct process { unsigned pid; unsigned long long used; unsigned gi, ci; };
int nvmlInit_v2(void) { return atoi(asked("FAKE_NVML")); }
int nvmlInitWithFlags(unsigned flags) { return nvmlInit_v2(); }
int nvmlShutdown(void) { return 0; }
const char *nvmlErrorString(int code) { return "told by a stand-in"; }
int nvmlSystemGetDriverVersion(char *text, unsigned size) { strncpy(text, "580.159.04", size); return 0; }
int nvmlSystemGetNVMLVersion(char *text, unsigned size) { strncpy(text, "13.580.159.04", size); return 0; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = 3; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **handle) {
    *handle = (void *)(long)(index + 1);
    return index == 1 ? 15 : 0;
}
int nvmlDeviceGetName(void *handle, char *text, unsigned size) {
    if (handle == (void *)3 && !strcmp(asked("FAKE_CUINIT"), "nvml-crash")) *(volatile int *)0 = 1;
    strncpy(text, "NVIDIA H200", size);
    return 0;
}
int nvmlDeviceGetUUID(void *handle, char *text, unsigned size) {
    strncpy(text, handle == (void *)1 ? "GPU-00010203-0405-0607-0809-0a0b0c0d0e0f" : handle == (void *)3
        ? "GPU-ffff0203-0405-0607-0809-0a0b0c0d0e0f" : "MIG-aaaa0203-0405-0607-0809-0a0b0c0d0e0f", size);
    return 0;
}
int nvmlDeviceGetCudaComputeCapability(void *handle, int *major, int *minor) { *major = 9; *minor = 0; return 0; }
int nvmlDeviceGetMemoryInfo(void *handle, struct memory *memory) {
    memory->total = 150000000000ull; memory->free = 140000000000ull; memory->used = 10000000000ull;
    return handle == (void *)3 ? 3 : 0;
}
int nvmlDeviceGetPciInfo_v3(void *handle, struct pci *pci) { strcpy(pci->bus_id, "00000000:04:00.0"); return 0; }
int nvmlDeviceGetMigMode(void *handle, unsigned *now, unsigned *next) { *now = *next = handle == (void *)3; return 0; }
int nvmlDeviceGetMaxMigDeviceCount(void *handle, unsigned *count) { *count = 7; return 0; }
int nvmlDeviceGetMigDeviceHandleByIndex(void *handle, unsigned index, void **instance) {
    *instance = (void *)99;
    return index == 0 ? 0 : 6;
}
int nvmlDeviceGetVirtualizationMode(void *handle, unsigned *mode) { *mode = handle == (void *)3 ? 2 : 1; return 0; }
int nvmlDeviceGetComputeMode(void *handle, unsigned *mode) { *mode = handle == (void *)3 ? 2 : 3; return 0; }
int nvmlDeviceGetComputeRunningProcesses_v3(void *handle, unsigned *count, struct process *table) {
    unsigned space = table ? *count : 0;
    *count = handle == (void *)1;
    if (!*count) return 0;
    if (!space) return 7;
    table[0].pid = *asked("FAKE_PID") ? atoi(asked("FAKE_PID")) : 1; table[0].used = 4096; table[0].gi = table[0].ci = ~0u;
    return 0;
}
int nvmlDeviceGetGraphicsRunningProcesses_v3(void *handle, unsigned *count, struct process *table) { *count = 0; return 0; }
int nvmlDeviceGetGpuFabricInfoV(void *handle, struct fabric *fabric) {
    if (fabric->version != (sizeof *fabric | 2u << 24)) return 25;
    fabric->state = 3; fabric->status = 0;
    return 0;
}
#endif
