/* msgpack_decode.c: msgpack to JavaScript values; msgpack.h says what becomes what.
 *
 * Every length is checked against what is left, and a container gets memory only as its elements really arrive.
 */

#include <string.h>

#include "guest.h"
#include "msgpack.h"

JSValue msgpack_malformed(MsgpackReader *reader)
{
    return JS_ThrowTypeError(reader->ctx, "malformed msgpack message");
}

/* `size` big-endian bytes; -1 (nothing pending) when fewer are left. */
static int take(MsgpackReader *reader, int size, uint64_t *out)
{
    uint64_t value = 0;

    if (reader->end - reader->at < size)
        return -1;
    while (size--)
        value = value << 8 | *reader->at++;
    *out = value;
    return 0;
}

static JSValue take_string(MsgpackReader *reader, uint64_t len)
{
    const char *text = (const char *)reader->at;

    if ((uint64_t)(reader->end - reader->at) < len)
        return msgpack_malformed(reader);
    reader->at += len;
    return JS_NewStringLen(reader->ctx, text, len);
}

static JSValue take_binary(MsgpackReader *reader, uint64_t len)
{
    const uint8_t *bytes = reader->at;

    if ((uint64_t)(reader->end - reader->at) < len)
        return msgpack_malformed(reader);
    reader->at += len;
    return JS_NewArrayBufferCopy(reader->ctx, bytes, len);
}

static JSValue take_array(MsgpackReader *reader, uint64_t len, int depth)
{
    JSContext *ctx = reader->ctx;
    JSValue array;
    uint32_t i;

    /* Every element takes a byte at least: a length past that is a lie. */
    if ((uint64_t)(reader->end - reader->at) < len)
        return msgpack_malformed(reader);
    array = JS_NewArray(ctx);
    if (JS_IsException(array))
        return array;
    for (i = 0; i < len; i++) {
        JSValue element = msgpack_read_value(reader, depth + 1);
        if (JS_IsException(element) ||
            JS_DefinePropertyValueUint32(ctx, array, i, element, JS_PROP_C_W_E) < 0) {
            JS_FreeValue(ctx, array);
            return JS_EXCEPTION;
        }
    }
    return array;
}

/* The next value as a property key; only strings are keys. */
static JSAtom take_key(MsgpackReader *reader)
{
    uint8_t tag = reader->at < reader->end ? *reader->at : 0;
    JSValue key;
    JSAtom atom;

    if (!((tag & 0xe0) == 0xa0 || (tag >= 0xd9 && tag <= 0xdb))) {
        msgpack_malformed(reader);
        return JS_ATOM_NULL;
    }
    key = msgpack_read_value(reader, 0);
    if (JS_IsException(key))
        return JS_ATOM_NULL;
    atom = JS_ValueToAtom(reader->ctx, key);
    JS_FreeValue(reader->ctx, key);
    return atom;
}

static JSValue take_map(MsgpackReader *reader, uint64_t count, int depth)
{
    JSContext *ctx = reader->ctx;
    JSValue object = JS_NewObject(ctx);
    uint64_t i;

    if (JS_IsException(object))
        return object;
    for (i = 0; i < count; i++) {
        JSAtom key = take_key(reader);
        JSValue value;
        int defined;

        if (key == JS_ATOM_NULL)
            goto fail;
        value = msgpack_read_value(reader, depth + 1);
        /* Defined, never assigned: a key `__proto__` is a property like any other. */
        defined = JS_IsException(value) ? -1 : JS_DefinePropertyValue(ctx, object, key, value, JS_PROP_C_W_E);
        JS_FreeAtom(ctx, key);
        if (defined < 0)
            goto fail;
    }
    return object;
fail:
    JS_FreeValue(ctx, object);
    return JS_EXCEPTION;
}

JSValue msgpack_read_value(MsgpackReader *reader, int depth)
{
    static const uint8_t sizes[] = { 1, 2, 4, 8 };
    JSContext *ctx = reader->ctx;
    uint64_t n;
    uint8_t tag;

    if (depth > MSGPACK_DEPTH || reader->at == reader->end)
        return msgpack_malformed(reader);
    tag = *reader->at++;
    if (tag < 0x80)
        return JS_NewInt32(ctx, tag);
    if (tag < 0x90)
        return take_map(reader, tag & 15, depth);
    if (tag < 0xa0)
        return take_array(reader, tag & 15, depth);
    if (tag < 0xc0)
        return take_string(reader, tag & 31);
    if (tag >= 0xe0)
        return JS_NewInt32(ctx, (int8_t)tag);
    switch (tag) {
    case 0xc0:
        return JS_NULL;
    case 0xc2:
    case 0xc3:
        return JS_NewBool(ctx, tag & 1);
    case 0xc4:
    case 0xc5:
    case 0xc6:
        return take(reader, sizes[tag - 0xc4], &n) ? msgpack_malformed(reader) : take_binary(reader, n);
    case 0xca: {
        uint32_t bits;
        float value;
        if (take(reader, 4, &n))
            return msgpack_malformed(reader);
        bits = (uint32_t)n;
        memcpy(&value, &bits, sizeof(value));
        return JS_NewFloat64(ctx, value);
    }
    case 0xcb: {
        double value;
        if (take(reader, 8, &n))
            return msgpack_malformed(reader);
        memcpy(&value, &n, sizeof(value));
        return JS_NewFloat64(ctx, value);
    }
    case 0xcc:
    case 0xcd:
    case 0xce:
    case 0xcf:
        return take(reader, sizes[tag - 0xcc], &n) ? msgpack_malformed(reader) : JS_NewUint64(ctx, n);
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3: {
        int size = sizes[tag - 0xd0], unused = 64 - 8 * size;
        if (take(reader, size, &n))
            return msgpack_malformed(reader);
        return JS_NewInt64(ctx, (int64_t)(n << unused) >> unused);
    }
    case 0xd9:
    case 0xda:
    case 0xdb:
        return take(reader, sizes[tag - 0xd9], &n) ? msgpack_malformed(reader) : take_string(reader, n);
    case 0xdc:
    case 0xdd:
        return take(reader, sizes[tag - 0xdc + 1], &n) ? msgpack_malformed(reader) : take_array(reader, n, depth);
    case 0xde:
    case 0xdf:
        return take(reader, sizes[tag - 0xde + 1], &n) ? msgpack_malformed(reader) : take_map(reader, n, depth);
    default: /* 0xc1 and the ext family */
        return msgpack_malformed(reader);
    }
}

JSValue msgpack_decode(JSContext *ctx, const uint8_t *data, size_t len)
{
    MsgpackReader reader = { ctx, data, data + len };
    JSValue value = msgpack_read_value(&reader, 0);

    if (!JS_IsException(value) && reader.at != reader.end) {
        JS_FreeValue(ctx, value);
        return msgpack_malformed(&reader);
    }
    return value;
}

int msgpack_read_binary(MsgpackReader *reader, const uint8_t **bytes, size_t *len)
{
    uint8_t tag = reader->at < reader->end ? *reader->at++ : 0;
    uint64_t length;

    if (tag < 0xc4 || tag > 0xc6 || take(reader, 1 << (tag - 0xc4), &length) ||
        (uint64_t)(reader->end - reader->at) < length) {
        msgpack_malformed(reader);
        return -1;
    }
    *bytes = reader->at;
    *len = length;
    reader->at += length;
    return 0;
}

int msgpack_read_array(MsgpackReader *reader, uint64_t *count)
{
    uint8_t tag = reader->at < reader->end ? *reader->at++ : 0;

    *count = tag & 15;
    if ((tag & 0xf0) == 0x90 || ((tag == 0xdc || tag == 0xdd) && !take(reader, tag == 0xdc ? 2 : 4, count)))
        return 0;
    msgpack_malformed(reader);
    return -1;
}
