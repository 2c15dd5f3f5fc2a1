/* single_thread.h: what QuickJS's Atomics need of threads, where there is one. The build includes it before quickjs.c,
 * which leaves Atomics out on WASI because it takes them from pthreads. Nothing ever waits: Atomics.wait throws
 * before it comes to that (JS_SetCanBlock), so a mutex has nobody to keep out and a condition nobody to wake.
 */
#ifndef DURABOX_SINGLE_THREAD_H
#define DURABOX_SINGLE_THREAD_H

#include <stdbool.h>
#include <stdint.h>

typedef bool js_once_t;
typedef struct {
    char unused;
} js_mutex_t, js_cond_t;

#define JS_ONCE_INIT false

static inline void js_once(js_once_t *done, void (*initialise)(void))
{
    if (!*done) {
        *done = true;
        initialise();
    }
}

static inline void js_mutex_init(js_mutex_t *mutex) {}
static inline void js_mutex_lock(js_mutex_t *mutex) {}
static inline void js_mutex_unlock(js_mutex_t *mutex) {}
static inline void js_cond_init(js_cond_t *condition) {}
static inline void js_cond_destroy(js_cond_t *condition) {}
static inline void js_cond_signal(js_cond_t *condition) {}
static inline void js_cond_wait(js_cond_t *condition, js_mutex_t *mutex) {}
static inline int js_cond_timedwait(js_cond_t *condition, js_mutex_t *mutex, uint64_t nanoseconds) { return -1; }

#endif
