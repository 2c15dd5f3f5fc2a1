/* abi.c: what the wasm module exports, and the life of the guest.
 *
 * Contract (docs/internals.md, "Guest ABI"): the host fills the scratch buffer and enters; one entry at a time, never
 * from within an op. durabox_compile and durabox_boot are called at build time, on initialised instances: the outcome of the latter
 * is the base image. durabox_event runs one event and every job that follows from it.
 *
 * Results of durabox_compile, durabox_boot and durabox_event: 0 done; 1 the script has an error or the dispatcher threw, the text lies at
 * durabox_scratch(0) and has durabox_error_len() bytes; 2 the engine ran out of memory where no JavaScript could catch it, or ran out of it
 * and is still full after the event: whatever this event was to lead to may be lost.
 */

#include <stdlib.h>
#include <string.h>

#include "guest.h"
#include "msgpack.h"
#include "protocol.h"
#include "values.h"

enum {
    DONE = 0,
    THREW = 1,
    OUT_OF_MEMORY = 2,
};

/* Bytes of scratch at least, and at most those that are kept between events. */
enum { SCRATCH_FIRST = 4096, SCRATCH_KEPT = 64 * 1024 };

/* Parts of the wasm stack that JavaScript may not use: C functions below the last check need room to finish. */
enum { STACK_RESERVE = 96 * 1024, STACK_LEAST = 64 * 1024 };

static JSContext *context;
static JSRuntime *runtime; /* the context's */
static JSValue hooks = JS_UNDEFINED;
static JSValue dispatcher = JS_UNDEFINED; /* hooks.dispatch */
static uint8_t *scratch;
static size_t scratch_cap;
static size_t error_len;

JSValue durabox_call_hook(JSContext *ctx, const char *name, int argc, JSValueConst *argv)
{
    JSValue function, result;

    if (JS_IsUndefined(hooks))
        return JS_ThrowInternalError(ctx, "hooks.%s is not there yet", name);
    function = JS_GetPropertyStr(ctx, hooks, name);
    if (JS_IsException(function))
        return function;
    result = JS_Call(ctx, function, hooks, argc, argv);
    JS_FreeValue(ctx, function);
    return result;
}

JSValue durabox_make_error(JSContext *ctx, const char *name, const char *message)
{
    JSValue argv[2] = { JS_NewString(ctx, name), JS_NewString(ctx, message) };
    JSValue error = JS_EXCEPTION;

    if (!JS_IsException(argv[0]) && !JS_IsException(argv[1]))
        error = durabox_call_hook(ctx, "makeError", 2, (JSValueConst *)argv);
    JS_FreeValue(ctx, argv[0]);
    JS_FreeValue(ctx, argv[1]);
    return error;
}

DURABOX_EXPORT("durabox_version") int32_t durabox_version(void) { return DURABOX_PROTOCOL_VERSION; }

/* At least `n` bytes for what the host brings; its contents are lost when it grows. Never NULL. */
DURABOX_EXPORT("durabox_scratch") uint8_t *durabox_scratch(uint32_t n)
{
    static const char message[] = "no memory left for an incoming message";

    if (n > scratch_cap || !scratch) {
        free(scratch);
        scratch_cap = n < SCRATCH_FIRST ? SCRATCH_FIRST : n;
        scratch = malloc((size_t)scratch_cap + 1); /* what is compiled gets a terminating zero */
        if (!scratch)
            host_abort(message, sizeof(message) - 1);
    }
    return scratch;
}

DURABOX_EXPORT("durabox_error_len") uint32_t durabox_error_len(void) { return error_len; }

bool durabox_is_memory_error(JSContext *ctx, JSValueConst error)
{
    const char *text;
    bool result;

    /* Null when there was no room even for the error. */
    if (JS_IsNull(error) || JS_IsUninitialized(error))
        return durabox_hit_memory_limit();
    if (!JS_IsError(error))
        return false;
    text = JS_ToCString(ctx, error);
    result = !text || !strcmp(text, "InternalError: out of memory");
    JS_FreeCString(ctx, text);
    return result;
}

/* Puts the pending exception into scratch: an error's "name: message" and stack, or the value as text. A stack begins with the former,
 * but for that of an error of the parser. */
static int32_t leave_exception(JSContext *ctx)
{
    JSValue error = JS_GetException(ctx), stack = JS_UNDEFINED;
    const char *text = NULL, *frames = NULL;
    size_t text_len = 0, frames_len = 0;
    int32_t result = OUT_OF_MEMORY;

    if (JS_IsUninitialized(error) || durabox_is_memory_error(ctx, error))
        goto done;
    if (JS_IsError(error))
        stack = JS_GetPropertyStr(ctx, error, "stack");
    text = JS_ToCStringLen(ctx, &text_len, error);
    if (!text)
        goto done;
    if (JS_IsString(stack) && !(frames = JS_ToCStringLen(ctx, &frames_len, stack)))
        goto done;
    if (frames_len >= text_len && !memcmp(frames, text, text_len))
        text_len = 0;
    error_len = text_len + (text_len && frames_len) + frames_len;
    durabox_scratch(error_len);
    memcpy(scratch, text, text_len);
    if (frames_len) {
        if (text_len)
            scratch[text_len++] = '\n';
        memcpy(scratch + text_len, frames, frames_len);
    }
    result = THREW;
done:
    JS_FreeCString(ctx, frames);
    JS_FreeCString(ctx, text);
    JS_FreeValue(ctx, stack);
    JS_FreeValue(ctx, error);
    return result;
}

/* A new runtime and context, or NULL. */
static JSContext *new_context(void)
{
    JSRuntime *rt = JS_NewRuntime2(&durabox_malloc_functions, NULL);
    JSContext *ctx;

    if (!rt || durabox_hook_runtime(rt))
        return NULL;
    JS_SetCanBlock(rt, false); /* Atomics.wait throws: nobody could wake it */
    ctx = JS_NewContext(rt);
    if (ctx)
        durabox_close_eval(ctx);
    return ctx;
}

/* Gives scratch back, wiped when it would otherwise end up in an image. */
static void drop_scratch(void)
{
    if (scratch && !durabox_has_started())
        explicit_bzero(scratch, scratch_cap);
    free(scratch);
    scratch = NULL;
    scratch_cap = 0;
}

/* Compiles a script, whose name, a zero and text lie in scratch, without the text of each function: the bytecode lies at
 * durabox_scratch(0) and has durabox_error_len() bytes. The engine is one of its own and leaves nothing behind. */
DURABOX_EXPORT("durabox_compile") int32_t durabox_compile(uint32_t len)
{
    JSContext *ctx = new_context();
    JSRuntime *rt = ctx ? JS_GetRuntime(ctx) : NULL;
    const char *name = (const char *)scratch;
    size_t name_size = strlen(name) + 1, code_len;
    JSValue compiled;
    uint8_t *code;
    int32_t result = OUT_OF_MEMORY;

    if (!ctx)
        return result;
    scratch[len] = 0;
    durabox_permit_eval();
    compiled = JS_Eval(ctx, name + name_size, len - name_size, name, JS_EVAL_TYPE_GLOBAL | JS_EVAL_FLAG_COMPILE_ONLY);
    if (JS_IsException(compiled)) {
        result = leave_exception(ctx);
    } else {
        code = JS_WriteObject(ctx, &code_len, compiled, JS_WRITE_OBJ_BYTECODE | JS_WRITE_OBJ_STRIP_SOURCE);
        if (code) {
            memcpy(durabox_scratch(code_len), code, code_len);
            error_len = code_len;
            result = DONE;
        }
        js_free(ctx, code);
        JS_FreeValue(ctx, compiled);
    }
    JS_FreeContext(ctx);
    JS_FreeRuntime(rt);
    return result;
}

/* The completion value of the bundle, which is given as bytecode, called with `native`: the hooks. */
static JSValue evaluate_bundle(JSContext *ctx, JSValueConst native, const uint8_t *code, size_t len)
{
    JSValue make_hooks = durabox_run_bytecode(ctx, code, len), made;

    if (JS_IsException(make_hooks))
        return make_hooks;
    made = JS_Call(ctx, make_hooks, JS_UNDEFINED, 1, &native);
    JS_FreeValue(ctx, make_hooks);
    return made;
}

static int register_all(JSContext *ctx, JSValueConst native)
{
    if (durabox_register_ops(ctx, native) || durabox_register_promises(ctx, native) ||
        durabox_register_modules(ctx, native) || durabox_register_random(ctx, native) ||
        durabox_register_sql(ctx, native) || durabox_register_pairs(ctx, native) ||
        durabox_register_rows(ctx, native))
        return -1;
    durabox_register_values(ctx, native);
    durabox_register_text(ctx, native);
    durabox_register_url(ctx, native);
    return JS_HasException(ctx) ? -1 : 0;
}

DURABOX_EXPORT("durabox_boot") int32_t durabox_boot(uint32_t len)
{
    static const char no_memory[] = "no memory for the engine";
    uint8_t *code = malloc(len);
    JSValue native;

    if (!code)
        return OUT_OF_MEMORY;
    memcpy(code, scratch, len);
    /* Each isolate writes to the runtime: it takes scratch's place at the beginning of the heap, on a page with our variables. */
    drop_scratch();
    context = new_context();
    if (!context || durabox_hook_errors(context))
        host_abort(no_memory, sizeof(no_memory) - 1);
    runtime = JS_GetRuntime(context);
    native = JS_NewObject(context);
    hooks = register_all(context, native) ? JS_EXCEPTION : evaluate_bundle(context, native, code, len);
    free(code);
    JS_FreeValue(context, native);
    if (JS_IsException(hooks)) {
        hooks = JS_UNDEFINED;
        return leave_exception(context);
    }
    dispatcher = JS_GetPropertyStr(context, hooks, "dispatch");
    if (JS_IsException(dispatcher))
        return leave_exception(context);
    if (durabox_turn_run(context))
        return leave_exception(context);
    return DONE;
}

/* Called before a memory image is taken; instances made from it share what is allocated now. */
DURABOX_EXPORT("durabox_seal") int32_t durabox_seal(void)
{
    return durabox_seal_heap(context) ? leave_exception(context) : DONE;
}

/* Called before the first event of an instance: its limits, 0 memory_bytes when only the memory's own maximum limits. Returns scratch. */
DURABOX_EXPORT("durabox_limits") uint8_t *durabox_limits(uint32_t memory_bytes, uint32_t stack_bytes)
{
    if (stack_bytes > DURABOX_STACK_BYTES - STACK_RESERVE)
        stack_bytes = DURABOX_STACK_BYTES - STACK_RESERVE;
    if (stack_bytes < STACK_LEAST)
        stack_bytes = STACK_LEAST;
    JS_SetMemoryLimit(runtime, memory_bytes);
    JS_SetMaxStackSize(runtime, stack_bytes);
    return durabox_scratch(SCRATCH_FIRST);
}

/* Whether an event leaves the global scope. */
static bool starts(int32_t kind)
{
    return kind == DURABOX_EVENT_START || kind == DURABOX_EVENT_CONSTRUCT || kind == DURABOX_EVENT_CONSTRUCT_FACET;
}

/* [kind, args, body] from scratch; hooks.dispatch called with them. */
static JSValue dispatch(JSContext *ctx, int32_t kind, uint32_t args_len, uint32_t body_len)
{
    JSValue argv[3] = { JS_NewInt32(ctx, kind), JS_UNDEFINED, JS_UNDEFINED };
    JSValue result = JS_EXCEPTION;

    argv[1] = msgpack_decode(ctx, scratch, args_len);
    if (JS_IsException(argv[1]))
        return JS_EXCEPTION;
    if (body_len) {
        argv[2] = JS_NewArrayBufferCopy(ctx, scratch + args_len, body_len);
        if (JS_IsException(argv[2]))
            goto done;
    }
    /* An image holds none: only what runs at global scope may end up in one. */
    if (scratch_cap > SCRATCH_KEPT || !(durabox_has_started() || starts(kind)))
        drop_scratch();
    result = JS_Call(ctx, dispatcher, hooks, 3, (JSValueConst *)argv);
done:
    JS_FreeValue(ctx, argv[1]);
    JS_FreeValue(ctx, argv[2]);
    return result;
}

DURABOX_EXPORT("durabox_event") int32_t durabox_event(int32_t kind, uint32_t args_len, uint32_t body_len)
{
    JSValue result;

    error_len = 0;
    durabox_forget_memory_limit();
    if ((uint64_t)args_len + body_len > scratch_cap) {
        static const char message[] = "an event is longer than the scratch buffer";
        host_abort(message, sizeof(message) - 1);
    }
    durabox_turn_begin(context);
    result = dispatch(context, kind, args_len, body_len);
    if (JS_IsException(result))
        return leave_exception(context);
    JS_FreeValue(context, result);
    if (durabox_turn_run(context))
        return leave_exception(context);
    durabox_sql_flush();
    return durabox_is_full(context) ? OUT_OF_MEMORY : DONE;
}
