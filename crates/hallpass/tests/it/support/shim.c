/*
 * Stands between a program and the C library, by LD_PRELOAD, and makes one
 * function fail when told to: a disk that is full, gone or read-only, a signal
 * in the midst of a call, a write that takes half of the bytes; and a wall
 * clock that jumps. What to do stands in a page of memory shared with the test
 * (SHIM_CONTROL names its file), so that it can change at any time.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

/* The test writes the same bytes: support/shim.rs. */
struct control {
  char call[32];       /* the function */
  char path[96];       /* a part of the file's path; its end, where it ends with $ */
  int32_t error;       /* the errno; 0: a write takes half of the bytes; HANG */
  int32_t skip;        /* calls that still pass */
  int32_t times;       /* calls that still fail after them; 0: nothing fails */
  int32_t failed;      /* calls that failed */
  int64_t clock_shift; /* milliseconds the wall clock is off */
};

/* The call does not come back until this is another number, and passes then. */
#define HANG (-1)

static struct control *control;

__attribute__((constructor)) static void start(void) {
  const char *path = getenv("SHIM_CONTROL");
  if (path == NULL) return;
  int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
  if (fd < 0) abort();
  void *page = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (page == MAP_FAILED) abort();
  control = page;
  syscall(SYS_close, fd);
}

static int fits(const char *path) {
  size_t wanted = strnlen(control->path, sizeof control->path);
  if (wanted == 0 || control->path[wanted - 1] != '$') return strstr(path, control->path) != NULL;
  size_t length = strlen(path);
  wanted -= 1;
  return length >= wanted && memcmp(path + length - wanted, control->path, wanted) == 0;
}

/* Whether this call is the one that fails. */
static int due(const char *call, const char *path) {
  if (control == NULL || __atomic_load_n(&control->times, __ATOMIC_ACQUIRE) <= 0) return 0;
  if (strcmp(control->call, call) != 0 || !fits(path)) return 0;
  if (__atomic_fetch_sub(&control->skip, 1, __ATOMIC_ACQ_REL) > 0) return 0;
  if (__atomic_fetch_sub(&control->times, 1, __ATOMIC_ACQ_REL) <= 0) return 0;
  __atomic_fetch_add(&control->failed, 1, __ATOMIC_ACQ_REL);
  if (__atomic_load_n(&control->error, __ATOMIC_ACQUIRE) != HANG) return 1;
  while (__atomic_load_n(&control->error, __ATOMIC_ACQUIRE) == HANG) usleep(1000);
  return 0;
}

static int due_fd(const char *call, int fd) {
  if (control == NULL || __atomic_load_n(&control->times, __ATOMIC_ACQUIRE) <= 0) return 0;
  if (strcmp(control->call, call) != 0) return 0;
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return due(call, path);
}

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static int failed(void) {
  errno = control->error;
  return -1;
}

#define OPEN(name)                                        \
  int name(const char *path, int flags, ...) {            \
    REAL(name);                                           \
    mode_t mode = 0;                                      \
    if (flags & (O_CREAT | O_TMPFILE)) {                  \
      va_list rest;                                       \
      va_start(rest, flags);                              \
      mode = va_arg(rest, mode_t);                        \
      va_end(rest);                                       \
    }                                                     \
    if (due(flags & O_CREAT ? "create" : "open", path))   \
      return failed();                                    \
    return real(path, flags, mode);                       \
  }
OPEN(open)
OPEN(open64)

#define ON_PATH(name, ...)                                \
  {                                                       \
    REAL(name);                                           \
    if (due(#name, path)) return failed();                \
    return real(__VA_ARGS__);                             \
  }
int mkdir(const char *path, mode_t mode) ON_PATH(mkdir, path, mode)
int unlink(const char *path) ON_PATH(unlink, path)
int rename(const char *from, const char *path) ON_PATH(rename, from, path)

#define ON_FD(call, name, ...)                            \
  {                                                       \
    REAL(name);                                           \
    if (due_fd(call, fd)) return failed();                \
    return real(__VA_ARGS__);                             \
  }
int fsync(int fd) ON_FD("fsync", fsync, fd)
int fdatasync(int fd) ON_FD("fdatasync", fdatasync, fd)
int ftruncate(int fd, off_t length) ON_FD("ftruncate", ftruncate, fd, length)
int ftruncate64(int fd, off64_t length) ON_FD("ftruncate", ftruncate64, fd, length)
int fallocate64(int fd, int mode, off64_t from, off64_t length)
    ON_FD("fallocate", fallocate64, fd, mode, from, length)

/* Either an error, or half of the bytes. */
#define WRITE(call, name, ...)                            \
  {                                                       \
    REAL(name);                                           \
    if (due_fd(call, fd)) {                               \
      if (control->error != 0) return failed();           \
      size = size > 1 ? size / 2 : size;                  \
    }                                                     \
    return real(__VA_ARGS__);                             \
  }
ssize_t write(int fd, const void *bytes, size_t size) WRITE("write", write, fd, bytes, size)
ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at)
    WRITE("pwrite", pwrite, fd, bytes, size, at)
ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at)
    WRITE("pwrite", pwrite64, fd, bytes, size, at)

/* As the system does it: the descriptor is gone even when it says it failed. */
int close(int fd) {
  REAL(close);
  int fails = due_fd("close", fd);
  int closed = real(fd);
  return fails ? failed() : closed;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
  REAL(clock_gettime);
  int told = real(clock, time);
  if (told == 0 && clock == CLOCK_REALTIME && control != NULL) {
    int64_t shift = __atomic_load_n(&control->clock_shift, __ATOMIC_ACQUIRE);
    int64_t nanoseconds = time->tv_nsec + shift % 1000 * 1000000;
    time->tv_sec += shift / 1000;
    if (nanoseconds < 0) {
      nanoseconds += 1000000000;
      time->tv_sec -= 1;
    } else if (nanoseconds >= 1000000000) {
      nanoseconds -= 1000000000;
      time->tv_sec += 1;
    }
    time->tv_nsec = nanoseconds;
  }
  return told;
}
