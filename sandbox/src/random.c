/* random.c: randomness and the clock.
 *
 * Contract: Math.random is a xorshift128+ generator in the guest, seeded by native.seed() from the host. Until the
 * first native.seed(), which the bindings call in the `start` event, Math.random and native.random throw: an image
 * must hold nothing random, and Workers refuse it at global scope with this very message. native.now() is the
 * host's clock in milliseconds with a fraction; all clocks stand at 0 until the same moment.
 */

#include "guest.h"

static uint64_t state[2];
static bool seeded;

bool durabox_has_started(void) { return seeded; }

static JSValue throw_global_scope(JSContext *ctx)
{
    /* JS_ThrowPlainError formats into 256 bytes; this text is longer. */
    static const char message[] =
        "Disallowed operation called within global scope. Asynchronous I/O (ex: fetch() or connect()), setting a "
        "timeout, and generating random values are not allowed within global scope. To fix this error, perform "
        "this operation within a handler. https://developers.cloudflare.com/workers/runtime-apis/handlers/";
    JSValue error = durabox_make_error(ctx, "Error", message);

    return JS_IsException(error) ? error : JS_Throw(ctx, error);
}

static uint64_t next(void)
{
    uint64_t a = state[0], b = state[1];

    state[0] = b;
    a ^= a << 23;
    state[1] = a ^ b ^ (a >> 17) ^ (b >> 26);
    return state[1] + b;
}

static JSValue math_random(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    if (!seeded)
        return throw_global_scope(ctx);
    return JS_NewFloat64(ctx, (double)(next() >> 11) * 0x1p-53);
}

static JSValue native_seed(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    do {
        host_random(state, sizeof(state));
    } while (!(state[0] | state[1])); /* all zeros is the generator's fixed point */
    seeded = true;
    return JS_UNDEFINED;
}

static JSValue native_random(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    uint8_t *bytes;
    size_t len;

    if (!seeded)
        return throw_global_scope(ctx);
    if (durabox_bytes(ctx, argv[0], &bytes, &len))
        return JS_EXCEPTION;
    host_random(bytes, len);
    return JS_UNDEFINED;
}

double durabox_now(void) { return seeded ? host_clock() : 0; }

static JSValue native_now(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    return JS_NewFloat64(ctx, durabox_now());
}

static const JSCFunctionListEntry functions[] = {
    JS_CFUNC_DEF("now", 0, native_now),
    JS_CFUNC_DEF("random", 1, native_random),
    JS_CFUNC_DEF("seed", 0, native_seed),
};

int durabox_register_random(JSContext *ctx, JSValueConst native)
{
    JSValue global, math;
    int result;

    if (JS_SetPropertyFunctionList(ctx, native, functions, sizeof(functions) / sizeof(functions[0])))
        return -1;
    global = JS_GetGlobalObject(ctx);
    math = JS_GetPropertyStr(ctx, global, "Math");
    result = JS_DefinePropertyValueStr(ctx, math, "random", JS_NewCFunction(ctx, math_random, "random", 0),
                                       JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE);
    JS_FreeValue(ctx, math);
    JS_FreeValue(ctx, global);
    return result < 0 ? -1 : 0;
}
