/* promises.c: the microtask queue, unhandled rejections, and the async context as JavaScript sees it.
 *
 * Contract: a turn runs every job until the queue is empty; only then are promises that were rejected and are still
 * unhandled reported, each once, through hooks.unhandledRejection(reason, promise) in the order of rejection. What the hook
 * queues runs in the same turn. A job that throws (only finalizer callbacks can) is reported the same way, without a promise.
 * A promise that is handled later is told to hooks.rejectionHandled(promise) once any has been reported. The async context is undefined at the start of a turn; native.setContext sets it for the rest of the current job and for
 * everything registered from there.
 */

#include "guest.h"

/* Rejected and not yet handled, in order of rejection. */
typedef struct {
    JSValue promise, reason;
} Rejection;

static Rejection *rejections;
static size_t rejection_count, rejection_cap;
/* A rejection could not be noted for want of memory. */
static bool rejection_lost;
/* Some promise was reported: others may be interested in what is handled late. */
static bool any_reported;

static void track_rejection(JSContext *ctx, JSValueConst promise, JSValueConst reason, bool is_handled,
                            void *opaque)
{
    size_t i;

    if (is_handled) {
        /* The usual case is a promise rejected a moment ago: look from the end. */
        for (i = rejection_count; i-- > 0;) {
            if (JS_IsStrictEqual(ctx, rejections[i].promise, promise)) {
                JS_FreeValue(ctx, rejections[i].promise);
                rejections[i].promise = JS_UNDEFINED;
                JS_FreeValue(ctx, rejections[i].reason);
                rejections[i].reason = JS_UNDEFINED;
                while (rejection_count && JS_IsUndefined(rejections[rejection_count - 1].promise))
                    rejection_count--;
                return;
            }
        }
        if (any_reported) {
            JSValue result = durabox_call_hook(ctx, "rejectionHandled", 1, &promise);
            JS_FreeValue(ctx, JS_IsException(result) ? JS_GetException(ctx) : result);
        }
        return;
    }
    if (rejection_count == rejection_cap) {
        size_t cap = rejection_cap ? rejection_cap * 2 : 8;
        Rejection *grown = js_realloc_rt(JS_GetRuntime(ctx), rejections, cap * sizeof(*grown));
        if (!grown) {
            rejection_lost = true;
            return;
        }
        rejections = grown;
        rejection_cap = cap;
    }
    rejections[rejection_count].promise = JS_DupValue(ctx, promise);
    rejections[rejection_count].reason = JS_DupValue(ctx, reason);
    rejection_count++;
}

static void drop_rejections(JSContext *ctx)
{
    while (rejection_count) {
        Rejection last = rejections[--rejection_count];
        JS_FreeValue(ctx, last.promise);
        JS_FreeValue(ctx, last.reason);
    }
}

/* Hands `reason` and its promise, if it has one, to the hook. 0, or -1 with the exception pending: what the hook threw, or `reason` itself when it is
 * that memory ran out. Nobody caught that, so the event may have lost its answer. */
static int report(JSContext *ctx, JSValueConst reason, JSValueConst promise)
{
    JSValueConst arguments[2] = { reason, promise };
    JSValue result;

    if (durabox_is_memory_error(ctx, reason)) {
        JS_Throw(ctx, JS_DupValue(ctx, reason));
        return -1;
    }
    any_reported = true;
    result = durabox_call_hook(ctx, "unhandledRejection", 2, arguments);
    if (JS_IsException(result))
        return -1;
    JS_FreeValue(ctx, result);
    return 0;
}

static int report_rejections(JSContext *ctx)
{
    Rejection *reported = rejections;
    size_t i, count = rejection_count;
    int result = 0;

    /* The hook may cause new rejections: they start a list of their own. */
    rejections = NULL;
    rejection_count = rejection_cap = 0;
    for (i = 0; i < count; i++) {
        if (!result && !JS_IsUndefined(reported[i].promise))
            result = report(ctx, reported[i].reason, reported[i].promise);
        JS_FreeValue(ctx, reported[i].promise);
        JS_FreeValue(ctx, reported[i].reason);
    }
    js_free(ctx, reported);
    return result;
}

void durabox_turn_begin(JSContext *ctx)
{
    drop_rejections(ctx);
    JS_FreeValue(ctx, durabox_context_swap(JS_UNDEFINED));
}

int durabox_turn_run(JSContext *ctx)
{
    JSContext *job_context;
    int state;

    for (;;) {
        for (;;) {
            /* What the code before set is its own affair: a job has the context it brings, or none. */
            JS_FreeValue(ctx, durabox_context_swap(JS_UNDEFINED));
            state = JS_ExecutePendingJob(JS_GetRuntime(ctx), &job_context);
            if (!state)
                break;
            if (state < 0) {
                JSValue error = JS_GetException(ctx);
                int failed = report(ctx, error, JS_UNDEFINED);
                JS_FreeValue(ctx, error);
                if (failed)
                    return -1;
            }
        }
        if (rejection_lost) {
            rejection_lost = false;
            JS_ThrowOutOfMemory(ctx);
            return -1;
        }
        if (!rejection_count)
            break;
        if (report_rejections(ctx))
            return -1;
    }
    return 0;
}

static JSValue native_get_context(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    return JS_DupValue(ctx, durabox_context());
}

static JSValue native_set_context(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    JS_FreeValue(ctx, durabox_context_swap(JS_DupValue(ctx, argv[0])));
    return JS_UNDEFINED;
}

static JSValue native_promise_state(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    JSPromiseStateEnum state = JS_PromiseState(ctx, argv[0]);

    if (state == JS_PROMISE_NOT_A_PROMISE)
        return JS_ThrowTypeError(ctx, "not a promise");
    return JS_NewInt32(ctx, state);
}

static JSValue native_promise_result(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    if (JS_PromiseState(ctx, argv[0]) == JS_PROMISE_NOT_A_PROMISE)
        return JS_ThrowTypeError(ctx, "not a promise");
    return JS_PromiseResult(ctx, argv[0]);
}

static const JSCFunctionListEntry functions[] = {
    JS_CFUNC_DEF("getContext", 0, native_get_context),
    JS_CFUNC_DEF("setContext", 1, native_set_context),
    JS_CFUNC_DEF("promiseState", 1, native_promise_state),
    JS_CFUNC_DEF("promiseResult", 1, native_promise_result),
};

int durabox_register_promises(JSContext *ctx, JSValueConst native)
{
    JS_SetHostPromiseRejectionTracker(JS_GetRuntime(ctx), track_rejection, NULL);
    return JS_SetPropertyFunctionList(ctx, native, functions, sizeof(functions) / sizeof(functions[0]));
}
