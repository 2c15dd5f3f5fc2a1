/* ops.c: the guest calls the host.
 *
 * Contract: native.op(number, args, body) encodes `args` (array: msgpack; string: its raw bytes in UTF-8 where lone
 * surrogates keep their three-byte form; undefined: the empty array) and `body` (string, ArrayBuffer or view; undefined: nothing),
 * calls the import once, and turns the reply into a value or throws what the host threw. native.opValue is the
 * same with `value` in V8's serialization format as body; native.opEntries sends an object's entries; native.opMap makes a Map of a reply that is an array of keys
 * (UTF-8) and values (V8's format) by turns. An op is synchronous and runs no JavaScript: nothing can
 * re-enter while its buffers are in use (but see call_host). Replies up to REPLY_INSIDE bytes go to a static buffer; larger ones are
 * fetched by a second call into a buffer that is given back at once.
 *
 * Reply: a tag byte (enum ReplyTag) and a payload; an empty reply is undefined.
 */

#include <string.h>

#include "guest.h"
#include "msgpack.h"
#include "values.h"

/* Not more, so that the runtime, which follows at the beginning of the heap, lies on one page: every isolate writes to it. */
enum { REPLY_INSIDE = 15 * 1024 };

enum ReplyTag {
    REPLY_UNDEFINED = 0,
    REPLY_MSGPACK = 1,
    REPLY_V8 = 2,
    REPLY_BYTES = 3,
    REPLY_ERROR = 4, /* msgpack [name, message, stack, properties], thrown */
    REPLY_TEXT = 5,
};

static uint8_t reply_inside[REPLY_INSIDE];

int durabox_bytes(JSContext *ctx, JSValueConst value, uint8_t **ptr, size_t *len)
{
    size_t offset;
    JSValue buffer;

    if (JS_IsDataView(value))
        return durabox_data_view(ctx, value, ptr, len);
    if (JS_GetTypedArrayType(value) >= 0) {
        size_t whole;
        buffer = JS_GetTypedArrayBuffer(ctx, value, &offset, len, NULL); /* throws when out of bounds */
        if (JS_IsException(buffer))
            return -1;
        *ptr = JS_GetArrayBuffer(ctx, &whole, buffer) + offset;
        JS_FreeValue(ctx, buffer); /* the view keeps it alive */
        return 0;
    }
    if (JS_IsArrayBuffer(value)) {
        *ptr = JS_GetArrayBuffer(ctx, len, value);
        /* NULL is how an empty buffer may look, too; only a detached one has an exception pending. */
        return !*ptr && JS_HasException(ctx) ? -1 : 0;
    }
    JS_ThrowTypeError(ctx, "expected an ArrayBuffer or a view of one");
    return -1;
}

/* Throws the error described by `payload`. */
static JSValue throw_reply(JSContext *ctx, const uint8_t *payload, size_t len)
{
    JSValue parts[4], description, error;
    int i;

    description = msgpack_decode(ctx, payload, len);
    if (JS_IsException(description))
        return description;
    for (i = 0; i < 4; i++)
        parts[i] = JS_GetPropertyUint32(ctx, description, i);
    error = durabox_call_hook(ctx, "makeError", 4, (JSValueConst *)parts);
    for (i = 0; i < 4; i++)
        JS_FreeValue(ctx, parts[i]);
    JS_FreeValue(ctx, description);
    return JS_IsException(error) ? error : JS_Throw(ctx, error);
}

/* What a msgpack reply is made of. */
typedef JSValue Decode(JSContext *ctx, const uint8_t *data, size_t len);

static JSValue decode_reply(JSContext *ctx, const uint8_t *reply, size_t len, Decode *decode)
{
    const uint8_t *payload = reply + 1;

    if (len == 0)
        return JS_UNDEFINED;
    len--;
    switch (*reply) {
    case REPLY_UNDEFINED:
        return JS_UNDEFINED;
    case REPLY_MSGPACK:
        return decode(ctx, payload, len);
    case REPLY_V8:
        return durabox_v8_read(ctx, payload, len);
    case REPLY_BYTES:
        return JS_NewArrayBufferCopy(ctx, payload, len);
    case REPLY_ERROR:
        return throw_reply(ctx, payload, len);
    case REPLY_TEXT:
        return JS_NewStringLen(ctx, (const char *)payload, len);
    default:
        return JS_ThrowInternalError(ctx, "the host answered with the unknown tag %d", *reply);
    }
}

/* `own`: decoding may call the host again, so that the reply must not lie in the buffer that all share. */
static JSValue call_host(JSContext *ctx, int32_t number, const void *args, size_t args_len, const void *body,
                         size_t body_len, Decode *decode, bool own)
{
    int32_t len;
    bool inside;
    size_t size;
    uint8_t *large;
    JSValue result;

    durabox_sql_flush();
    len = host_op(number, args, args_len, body, body_len, reply_inside, REPLY_INSIDE);
    inside = len >= 0;
    size = !inside ? -(size_t)len : (size_t)len <= REPLY_INSIDE ? (size_t)len : 0;
    if (inside && !own)
        return decode_reply(ctx, reply_inside, size, decode);
    large = js_malloc(ctx, size + !size);
    if (!large)
        return JS_EXCEPTION;
    if (inside)
        memcpy(large, reply_inside, size);
    else
        host_reply(large, size);
    result = decode_reply(ctx, large, size, decode);
    js_free(ctx, large);
    return result;
}

JSValue durabox_op(JSContext *ctx, int32_t number, const void *args, size_t args_len, const void *body,
                   size_t body_len)
{
    return call_host(ctx, number, args, args_len, body, body_len, msgpack_decode, false);
}

/* What an op's `args` become: raw text or msgpack, and where to give it back. */
typedef struct {
    MsgpackBuffer packed;
    const char *text;
    const void *data;
    size_t len;
} Arguments;

static int arguments_encode(JSContext *ctx, Arguments *arguments, JSValueConst value)
{
    msgpack_buffer_init(&arguments->packed, ctx);
    arguments->text = NULL;
    if (JS_IsString(value)) {
        arguments->data = arguments->text = JS_ToCStringLen(ctx, &arguments->len, value);
        return arguments->text ? 0 : -1;
    }
    if (JS_IsUndefined(value)) {
        arguments->packed.data[0] = 0x90; /* the empty array */
        arguments->packed.len = 1;
    } else if (msgpack_encode(&arguments->packed, value)) {
        return -1;
    }
    arguments->data = arguments->packed.data;
    arguments->len = arguments->packed.len;
    return 0;
}

static void arguments_free(JSContext *ctx, Arguments *arguments)
{
    JS_FreeCString(ctx, arguments->text);
    msgpack_buffer_free(&arguments->packed);
}

static JSValue native_op(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    JSValueConst body = argc > 2 ? argv[2] : JS_UNDEFINED;
    JSValue result = JS_EXCEPTION;
    Arguments arguments;
    const char *text = NULL;
    uint8_t *bytes = NULL;
    size_t len = 0;
    int32_t number;

    if (JS_ToInt32(ctx, &number, argv[0]))
        return JS_EXCEPTION;
    if (arguments_encode(ctx, &arguments, argc > 1 ? argv[1] : JS_UNDEFINED))
        goto done;
    if (JS_IsString(body)) {
        text = JS_ToCStringLen(ctx, &len, body);
        if (!text)
            goto done;
    } else if (!JS_IsUndefined(body) && durabox_bytes(ctx, body, &bytes, &len)) {
        goto done;
    }
    result = durabox_op(ctx, number, arguments.data, arguments.len, text ? (const void *)text : bytes, len);
    JS_FreeCString(ctx, text);
done:
    arguments_free(ctx, &arguments);
    return result;
}

static JSValue native_op_value(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    JSValue result = JS_EXCEPTION;
    Arguments arguments;
    uint8_t *value;
    size_t len;
    int32_t number;

    if (JS_ToInt32(ctx, &number, argv[0]))
        return JS_EXCEPTION;
    if (!arguments_encode(ctx, &arguments, argv[1]) && !durabox_v8_write(ctx, argv[2], false, &value, &len)) {
        result = durabox_op(ctx, number, arguments.data, arguments.len, value, len);
        js_free(ctx, value);
    }
    arguments_free(ctx, &arguments);
    return result;
}

static JSValue native_op_map(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    JSValue result = JS_EXCEPTION;
    Arguments arguments;
    int32_t number;

    if (JS_ToInt32(ctx, &number, argv[0]))
        return JS_EXCEPTION;
    if (!arguments_encode(ctx, &arguments, argv[1]))
        result = call_host(ctx, number, arguments.data, arguments.len, NULL, 0, msgpack_decode_pairs, true);
    arguments_free(ctx, &arguments);
    return result;
}

/* (number, object, flag): the op with arguments [keys and values of the object by turns, flag]; not called for an object that has
 * none. */
static JSValue native_op_entries(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    JSValue result = JS_EXCEPTION;
    MsgpackBuffer packed;
    uint32_t count;
    int32_t number;

    if (JS_ToInt32(ctx, &number, argv[0]))
        return JS_EXCEPTION;
    msgpack_buffer_init(&packed, ctx);
    packed.data[packed.len++] = 0x92; /* an array of two */
    if (!msgpack_encode_pairs(&packed, argv[1], &count) && !msgpack_encode(&packed, argv[2]))
        result = count ? durabox_op(ctx, number, packed.data, packed.len, NULL, 0) : JS_UNDEFINED;
    msgpack_buffer_free(&packed);
    return result;
}

static JSValue native_msgpack(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    MsgpackBuffer buffer;
    JSValue result = JS_EXCEPTION;

    msgpack_buffer_init(&buffer, ctx);
    if (!msgpack_encode(&buffer, argv[0]))
        result = JS_NewArrayBufferCopy(ctx, buffer.data, buffer.len);
    msgpack_buffer_free(&buffer);
    return result;
}

static const JSCFunctionListEntry functions[] = {
    JS_CFUNC_DEF("msgpack", 1, native_msgpack),
    JS_CFUNC_DEF("op", 2, native_op),
    JS_CFUNC_DEF("opEntries", 3, native_op_entries),
    JS_CFUNC_DEF("opMap", 2, native_op_map),
    JS_CFUNC_DEF("opValue", 3, native_op_value),
};

int durabox_register_ops(JSContext *ctx, JSValueConst native)
{
    return JS_SetPropertyFunctionList(ctx, native, functions, sizeof(functions) / sizeof(functions[0]));
}
