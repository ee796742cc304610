/* Loaded before the C library: the n-th of a kind of calls on files below a folder fails, once or for ever. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PWRITE, FSYNC, FDATASYNC, FTRUNCATE, FALLOCATE, RENAME, UNLINK, COPY, PREAD, SETXATTR, REMOVEXATTR, KINDS };
enum { SHORT = -1, KILL = -2 };

static char folder[4096];
static int kind = KINDS, number, times;
static long first;
static long counts[KINDS];

void faults_arm(const char *below, int which, long nth, int error, int how_often) {
    snprintf(folder, sizeof folder, "%s", below);
    memset(counts, 0, sizeof counts);
    kind = which, first = nth, number = error, times = how_often;
}

long faults_count(int which) { return counts[which]; }

static int below_folder(int descriptor) {
    char name[64], path[4096];
    snprintf(name, sizeof name, "/proc/self/fd/%d", descriptor);
    ssize_t size = readlink(name, path, sizeof path - 1);
    if (size < 0) return 0;
    path[size] = 0;
    return strncmp(path, folder, strlen(folder)) == 0;
}

/* 0: go on; 1: fail with errno set; SHORT: do half. */
static int struck(int which, int descriptor) {
    if (!folder[0] || (descriptor >= 0 && !below_folder(descriptor))) return 0;
    long count = ++counts[which];
    if (which != kind || count < first || (times && count >= first + times)) return 0;
    if (number == KILL) _exit(9);
    if (number == SHORT) return SHORT;
    errno = number;
    return 1;
}

#define REAL(type, name, ...) static type (*real)(__VA_ARGS__); if (!real) real = dlsym(RTLD_NEXT, #name)

#define WRITING(name) ssize_t name(int fd, const void *data, size_t size, off_t at) { \
    REAL(ssize_t, name, int, const void *, size_t, off_t); \
    switch (struck(PWRITE, fd)) { case 1: return -1; case SHORT: return real(fd, data, (size + 1) / 2, at); } \
    return real(fd, data, size, at); }
WRITING(pwrite)
WRITING(pwrite64)

#define READING(name) ssize_t name(int fd, void *data, size_t size, off_t at) { \
    REAL(ssize_t, name, int, void *, size_t, off_t); \
    switch (struck(PREAD, fd)) { case 1: return -1; case SHORT: return real(fd, data, (size + 1) / 2, at); } \
    return real(fd, data, size, at); }
READING(pread)
READING(pread64)

#define VECTORS(name) ssize_t name(int fd, const struct iovec *data, int count, off_t at) { \
    REAL(ssize_t, name, int, const struct iovec *, int, off_t); \
    return struck(PREAD, fd) == 1 ? -1 : real(fd, data, count, at); }
VECTORS(preadv)
VECTORS(preadv64)

#define CALL(which, type, name, first_, params, args) type name params { \
    REAL(type, name, PARAMS params); return struck(which, first_) == 1 ? -1 : real args; }
#define PARAMS(...) __VA_ARGS__
CALL(FSYNC, int, fsync, fd, (int fd), (fd))
CALL(FDATASYNC, int, fdatasync, fd, (int fd), (fd))
CALL(FTRUNCATE, int, ftruncate, fd, (int fd, off_t size), (fd, size))
CALL(FTRUNCATE, int, ftruncate64, fd, (int fd, off_t size), (fd, size))
CALL(FALLOCATE, int, fallocate, fd, (int fd, int mode, off_t at, off_t size), (fd, mode, at, size))
CALL(FALLOCATE, int, fallocate64, fd, (int fd, int mode, off_t at, off_t size), (fd, mode, at, size))
CALL(RENAME, int, rename, -1, (const char *from, const char *to), (from, to))
CALL(RENAME, int, renameat, -1, (int a, const char *from, int b, const char *to), (a, from, b, to))
CALL(UNLINK, int, unlink, -1, (const char *path), (path))
CALL(UNLINK, int, unlinkat, -1, (int at, const char *path, int flags), (at, path, flags))
CALL(COPY, ssize_t, copy_file_range, b, (int a, off64_t *from, int b, off64_t *to, size_t size, unsigned flags),
     (a, from, b, to, size, flags))
CALL(SETXATTR, int, fsetxattr, fd, (int fd, const char *name, const void *value, size_t size, int flags),
     (fd, name, value, size, flags))
CALL(REMOVEXATTR, int, fremovexattr, fd, (int fd, const char *name), (fd, name))
