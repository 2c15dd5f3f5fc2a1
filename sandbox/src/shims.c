/* shims.c: satisfies libc inside the guest, so that the wasm module imports nothing but `durabox`.
 *
 * Contract: no file, environment, argument or signal exists here. The clock is the `durabox.clock` import. What
 * libc would print is dropped: only diagnostics that precede abort() print at all. abort(), assert() and exit()
 * end the isolate with a message. The symbols below take precedence over libc's archive members of the same
 * name, so stdio, the WASI calls behind it and process start-up are never linked.
 */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include "guest.h"

static _Noreturn void die(const char *message) { host_abort(message, strlen(message)); }

_Noreturn void abort(void) { die("the engine called abort()"); }

_Noreturn void exit(int status) { die("the engine called exit()"); }

_Noreturn void _Exit(int status) { die("the engine called _Exit()"); }

_Noreturn void __assert_fail(const char *expression, const char *file, int line, const char *function)
{
    die(expression);
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    double milliseconds = durabox_now();

    now->tv_sec = (time_t)(milliseconds / 1000.0);
    now->tv_nsec = (long)((milliseconds - (double)now->tv_sec * 1000.0) * 1e6);
    return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    double milliseconds = durabox_now();

    now->tv_sec = (time_t)(milliseconds / 1000.0);
    now->tv_usec = (suseconds_t)((milliseconds - (double)now->tv_sec * 1000.0) * 1e3);
    return 0;
}

time_t time(time_t *out)
{
    time_t now = (time_t)(durabox_now() / 1000.0);

    if (out)
        *out = now;
    return now;
}

char *getenv(const char *name) { return NULL; }

int printf(const char *restrict format, ...) { return 0; }

int fprintf(FILE *restrict stream, const char *restrict format, ...) { return 0; }

int puts(const char *text) { return 0; }

int putchar(int c) { return c; }

/* How the C++ library ends the process; its own prints to stderr first. */
_Noreturn void cxx_abort(const char *format, ...) __asm__("_ZNSt3__122__libcpp_verbose_abortEPKcz");

_Noreturn void cxx_abort(const char *format, ...) { die("the URL parser called abort()"); }

int fputc(int c, FILE *stream) { return c; }

int fflush(FILE *stream) { return 0; }
