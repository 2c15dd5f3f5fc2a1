/* msgpack_encode.c: JavaScript values to msgpack; msgpack.h says what becomes what. */

#include <math.h>
#include <string.h>

#include "guest.h"
#include "msgpack.h"

void msgpack_buffer_init(MsgpackBuffer *buffer, JSContext *ctx)
{
    buffer->ctx = ctx;
    buffer->data = buffer->inside;
    buffer->len = 0;
    buffer->cap = sizeof(buffer->inside);
}

void msgpack_buffer_free(MsgpackBuffer *buffer)
{
    if (buffer->data != buffer->inside)
        js_free(buffer->ctx, buffer->data);
}

/* Room for `extra` more bytes: the place to write them, or NULL with the exception pending. */
static uint8_t *reserve(MsgpackBuffer *buffer, size_t extra)
{
    uint8_t *grown, *place;
    size_t cap;

    if (extra > buffer->cap - buffer->len) {
        if (extra > SIZE_MAX / 2 - buffer->len) {
            JS_ThrowOutOfMemory(buffer->ctx);
            return NULL;
        }
        cap = buffer->len + extra;
        if (cap < buffer->cap * 2)
            cap = buffer->cap * 2;
        if (buffer->data == buffer->inside) {
            grown = js_malloc(buffer->ctx, cap);
            if (grown)
                memcpy(grown, buffer->inside, buffer->len);
        } else {
            grown = js_realloc(buffer->ctx, buffer->data, cap);
        }
        if (!grown)
            return NULL;
        buffer->data = grown;
        buffer->cap = cap;
    }
    place = buffer->data + buffer->len;
    buffer->len += extra;
    return place;
}

/* A tag byte followed by `value` in `size` big-endian bytes. */
static int put(MsgpackBuffer *buffer, uint8_t tag, uint64_t value, int size)
{
    uint8_t *place = reserve(buffer, 1 + size);

    if (!place)
        return -1;
    *place++ = tag;
    while (size--)
        *place++ = (uint8_t)(value >> (8 * size));
    return 0;
}

static int put_integer(MsgpackBuffer *buffer, int64_t value)
{
    if (value >= 0) {
        if (value < 128)
            return put(buffer, (uint8_t)value, 0, 0);
        if (value <= UINT8_MAX)
            return put(buffer, 0xcc, value, 1);
        if (value <= UINT16_MAX)
            return put(buffer, 0xcd, value, 2);
        if (value <= UINT32_MAX)
            return put(buffer, 0xce, value, 4);
        return put(buffer, 0xcf, value, 8);
    }
    if (value >= -32)
        return put(buffer, (uint8_t)value, 0, 0);
    if (value >= INT8_MIN)
        return put(buffer, 0xd0, (uint64_t)value, 1);
    if (value >= INT16_MIN)
        return put(buffer, 0xd1, (uint64_t)value, 2);
    if (value >= INT32_MIN)
        return put(buffer, 0xd2, (uint64_t)value, 4);
    return put(buffer, 0xd3, (uint64_t)value, 8);
}

static int put_float(MsgpackBuffer *buffer, double value)
{
    if (value == trunc(value) && fabs(value) <= 9007199254740991.0 && !(value == 0 && signbit(value)))
        return put_integer(buffer, (int64_t)value);
    return msgpack_encode_real(buffer, value);
}

static int put_bigint(MsgpackBuffer *buffer, JSValueConst value)
{
    JSContext *ctx = buffer->ctx;
    int64_t number;
    uint64_t magnitude;
    JSValue again;
    bool same;

    if (JS_ToBigInt64(ctx, &number, value))
        return -1;
    again = JS_NewBigInt64(ctx, number);
    same = JS_IsStrictEqual(ctx, again, value);
    JS_FreeValue(ctx, again);
    if (same)
        return put_integer(buffer, number);
    if (JS_ToBigUint64(ctx, &magnitude, value))
        return -1;
    again = JS_NewBigUint64(ctx, magnitude);
    same = JS_IsStrictEqual(ctx, again, value);
    JS_FreeValue(ctx, again);
    if (same)
        return put(buffer, 0xcf, magnitude, 8);
    JS_ThrowTypeError(ctx, "a bigint of more than 64 bits cannot be passed here");
    return -1;
}

static int put_raw(MsgpackBuffer *buffer, const void *bytes, size_t len)
{
    uint8_t *place = reserve(buffer, len);

    if (!place)
        return -1;
    if (len)
        memcpy(place, bytes, len);
    return 0;
}

static int put_string_header(MsgpackBuffer *buffer, size_t len)
{
    if (len < 32)
        return put(buffer, 0xa0 | (uint8_t)len, 0, 0);
    if (len <= UINT8_MAX)
        return put(buffer, 0xd9, len, 1);
    if (len <= UINT16_MAX)
        return put(buffer, 0xda, len, 2);
    return put(buffer, 0xdb, len, 4);
}

static int put_string(MsgpackBuffer *buffer, const char *text, size_t len)
{
    if (!text)
        return -1;
    return put_string_header(buffer, len) || put_raw(buffer, text, len) ? -1 : 0;
}

int msgpack_encode_binary(MsgpackBuffer *buffer, const void *bytes, size_t len)
{
    int failed;

    if (len <= UINT8_MAX)
        failed = put(buffer, 0xc4, len, 1);
    else if (len <= UINT16_MAX)
        failed = put(buffer, 0xc5, len, 2);
    else
        failed = put(buffer, 0xc6, len, 4);
    return failed || put_raw(buffer, bytes, len) ? -1 : 0;
}

static int put_binary(MsgpackBuffer *buffer, JSValueConst value)
{
    uint8_t *bytes;
    size_t len;

    return durabox_bytes(buffer->ctx, value, &bytes, &len) || msgpack_encode_binary(buffer, bytes, len) ? -1 : 0;
}

static int encode(MsgpackBuffer *buffer, JSValueConst value, int depth);

int msgpack_encode_array(MsgpackBuffer *buffer, uint32_t len)
{
    if (len < 16)
        return put(buffer, 0x90 | (uint8_t)len, 0, 0);
    return len <= UINT16_MAX ? put(buffer, 0xdc, len, 2) : put(buffer, 0xdd, len, 4);
}

int msgpack_encode_integer(MsgpackBuffer *buffer, int64_t value) { return put_integer(buffer, value); }

int msgpack_encode_real(MsgpackBuffer *buffer, double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof(bits));
    return put(buffer, 0xcb, bits, 8);
}

void msgpack_set_length(MsgpackBuffer *buffer, size_t at, uint32_t len)
{
    for (int i = 0; i < 4; i++)
        buffer->data[at + 1 + i] = (uint8_t)(len >> (24 - 8 * i));
}

static int put_array(MsgpackBuffer *buffer, JSValueConst value, int depth)
{
    JSContext *ctx = buffer->ctx;
    int64_t i, len;
    int failed;

    if (JS_GetLength(ctx, value, &len))
        return -1;
    failed = msgpack_encode_array(buffer, len);
    for (i = 0; i < len && !failed; i++) {
        JSValue element = JS_GetPropertyInt64(ctx, value, i);
        failed = JS_IsException(element) || encode(buffer, element, depth + 1);
        JS_FreeValue(ctx, element);
    }
    return failed ? -1 : 0;
}

static int put_map(MsgpackBuffer *buffer, JSValueConst value, int depth)
{
    JSContext *ctx = buffer->ctx;
    JSPropertyEnum *keys;
    uint32_t i, count;
    int failed;

    if (JS_GetOwnPropertyNames(ctx, &keys, &count, value, JS_GPN_STRING_MASK | JS_GPN_ENUM_ONLY))
        return -1;
    if (count < 16)
        failed = put(buffer, 0x80 | (uint8_t)count, 0, 0);
    else if (count <= UINT16_MAX)
        failed = put(buffer, 0xde, count, 2);
    else
        failed = put(buffer, 0xdf, count, 4);
    for (i = 0; i < count && !failed; i++) {
        size_t len;
        const char *key = JS_AtomToCStringLen(ctx, &len, keys[i].atom);
        failed = put_string(buffer, key, len);
        JS_FreeCString(ctx, key);
        if (!failed) {
            JSValue property = JS_GetProperty(ctx, value, keys[i].atom);
            failed = JS_IsException(property) || encode(buffer, property, depth + 1);
            JS_FreeValue(ctx, property);
        }
    }
    JS_FreePropertyEnum(ctx, keys, count);
    return failed ? -1 : 0;
}

/* Whether `value` is an instance of no built-in class: its fields are all there is to it. */
static bool is_plain_object(JSContext *ctx, JSValueConst value)
{
    static JSClassID plain_class;

    if (!plain_class) {
        JSValue object = JS_NewObject(ctx);
        plain_class = JS_GetClassID(object);
        JS_FreeValue(ctx, object);
    }
    return JS_GetClassID(value) == plain_class;
}

static int throw_unsupported(JSContext *ctx, JSValueConst value)
{
    JSAtom atom = JS_IsObject(value) ? JS_GetClassName(JS_GetRuntime(ctx), JS_GetClassID(value)) : JS_ATOM_NULL;
    const char *name = atom ? JS_AtomToCString(ctx, atom) : NULL;

    JS_ThrowTypeError(ctx, "a value of type %s cannot be passed here", name ? name : "symbol");
    JS_FreeCString(ctx, name);
    JS_FreeAtom(ctx, atom);
    return -1;
}

static int encode(MsgpackBuffer *buffer, JSValueConst value, int depth)
{
    JSContext *ctx = buffer->ctx;

    if (depth > MSGPACK_DEPTH) {
        JS_ThrowTypeError(ctx, "a value that is cyclic or nested deeper than %d levels cannot be passed here",
                          MSGPACK_DEPTH);
        return -1;
    }
    switch (JS_VALUE_GET_NORM_TAG(value)) {
    case JS_TAG_UNDEFINED:
    case JS_TAG_NULL:
        return put(buffer, 0xc0, 0, 0);
    case JS_TAG_BOOL:
        return put(buffer, JS_VALUE_GET_BOOL(value) ? 0xc3 : 0xc2, 0, 0);
    case JS_TAG_INT:
        return put_integer(buffer, JS_VALUE_GET_INT(value));
    case JS_TAG_FLOAT64:
        return put_float(buffer, JS_VALUE_GET_FLOAT64(value));
    case JS_TAG_BIG_INT:
    case JS_TAG_SHORT_BIG_INT:
        return put_bigint(buffer, value);
    case JS_TAG_STRING:
    case JS_TAG_STRING_ROPE: {
        size_t len;
        const char *text = JS_ToCStringLen(ctx, &len, value);
        int failed = put_string(buffer, text, len);
        JS_FreeCString(ctx, text);
        return failed;
    }
    case JS_TAG_OBJECT:
        if (JS_IsArray(value))
            return put_array(buffer, value, depth);
        if (JS_IsArrayBuffer(value) || JS_GetTypedArrayType(value) >= 0 || JS_IsDataView(value))
            return put_binary(buffer, value);
        if (is_plain_object(ctx, value))
            return put_map(buffer, value, depth);
        return throw_unsupported(ctx, value);
    default:
        return throw_unsupported(ctx, value);
    }
}

int msgpack_encode(MsgpackBuffer *buffer, JSValueConst value) { return encode(buffer, value, 0); }
