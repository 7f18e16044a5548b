/*
 * LD_PRELOAD: a disk that is slow. Every sync takes up to SLOW_SYNC_MS, most of them much less; one open or write of
 * a file in SLOW_ONE_IN takes up to SLOW_CALL_MS. The order of all calls, and what they do, stay as they are.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static long number(const char *name, long otherwise) {
  const char *text = getenv(name);
  return text ? atol(text) : otherwise;
}

/* xorshift, one for each thread: from 0 up to 1. */
static double chance(void) {
  static __thread unsigned long state;
  if (!state) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    state = ((unsigned long)now.tv_nsec << 20) ^ (unsigned long)&state ^ (unsigned long)getpid() ^ 1;
  }
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (double)(state >> 11) / (double)(1UL << 53);
}

static void rest(double milliseconds) {
  struct timespec time = {(time_t)(milliseconds / 1000), 0};
  time.tv_nsec = (long)((milliseconds - (double)time.tv_sec * 1000) * 1e6);
  nanosleep(&time, 0);
}

static void slow_sync(void) {
  double dice = chance();
  rest(1 + dice * dice * dice * (double)number("SLOW_SYNC_MS", 400));
}

static void slow_call(void) {
  static long one_in = -1;
  if (one_in < 0) one_in = number("SLOW_ONE_IN", 1000);
  if (one_in == 0 || chance() * (double)one_in > 1) return;
  rest(chance() * (double)number("SLOW_CALL_MS", 1000));
}

static void slow_write(int fd) {
  struct stat what;
  if (fstat(fd, &what) == 0 && S_ISREG(what.st_mode)) slow_call();
}

#define REAL(name) \
  static __typeof__(name) *real; \
  if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

int fsync(int fd) {
  REAL(fsync);
  slow_sync();
  return real(fd);
}

int fdatasync(int fd) {
  REAL(fdatasync);
  slow_sync();
  return real(fd);
}

int syncfs(int fd) {
  REAL(syncfs);
  slow_sync();
  return real(fd);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) {
  REAL(pwrite);
  slow_write(fd);
  return real(fd, bytes, length, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) {
  REAL(pwrite64);
  slow_write(fd);
  return real(fd, bytes, length, at);
}

#define OPEN(name) \
  int name(const char *path, int flags, ...) { \
    REAL(name); \
    va_list rest_of; \
    va_start(rest_of, flags); \
    mode_t mode = (mode_t)va_arg(rest_of, int); \
    va_end(rest_of); \
    if (flags & O_CREAT) slow_call(); \
    return real(path, flags, mode); \
  }

OPEN(open)
OPEN(open64)
