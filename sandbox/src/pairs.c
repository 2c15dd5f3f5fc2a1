/* pairs.c: what storage keeps, as it travels: a msgpack array of bins, keys in UTF-8 and values in V8's format by turns. */

#include <string.h>

#include "guest.h"
#include "msgpack.h"
#include "v8_writer.h"

/* A key in UTF-8, as a bin. */
static int put_key(MsgpackBuffer *buffer, JSAtom atom)
{
    JSContext *ctx = buffer->ctx;
    JSValue text = JS_AtomToString(ctx, atom), held;
    const void *chars;
    size_t len, i = 0;
    bool wide;
    int failed = -1;

    if (!JS_IsException(text) && !durabox_string_view(ctx, text, &held, &chars, &len, &wide)) {
        while (!wide && i < len && ((const uint8_t *)chars)[i] < 0x80)
            i++;
        if (!wide && i == len) {
            /* As it lies there. */
            failed = msgpack_encode_binary(buffer, chars, len);
        } else {
            const char *key = JS_ToCStringLen(ctx, &len, held);
            failed = key ? msgpack_encode_binary(buffer, key, len) : -1;
            JS_FreeCString(ctx, key);
        }
        JS_FreeValue(ctx, held);
    }
    JS_FreeValue(ctx, text);
    return failed;
}

/* The property `atom` of `object` as two bins, or nothing when it is undefined. Whether there was something; -1 with the exception
 * pending. */
static int put_pair(MsgpackBuffer *buffer, Writer *writer, JSValueConst object, JSAtom atom)
{
    JSContext *ctx = buffer->ctx;
    JSValue value = JS_GetProperty(ctx, object, atom);
    int failed;

    if (JS_IsUndefined(value))
        return 0;
    failed = JS_IsException(value) || put_key(buffer, atom) || v8_write_whole(writer, value) ||
             msgpack_encode_binary(buffer, writer->data, writer->len);
    JS_FreeValue(ctx, value);
    return failed ? -1 : 1;
}

int msgpack_encode_pairs(MsgpackBuffer *buffer, JSValueConst object, uint32_t *count)
{
    JSContext *ctx = buffer->ctx;
    Writer writer = { .ctx = ctx };
    size_t header = buffer->len;
    JSPropertyEnum *properties;
    uint32_t length, i;
    int put_one = 0;

    *count = 0;
    if (msgpack_encode_array(buffer, UINT32_MAX) ||
        JS_GetOwnPropertyNames(ctx, &properties, &length, object, JS_GPN_STRING_MASK | JS_GPN_ENUM_ONLY))
        return -1;
    for (i = 0; i < length && put_one >= 0; i++) {
        put_one = put_pair(buffer, &writer, object, properties[i].atom);
        *count += put_one > 0;
    }
    JS_FreePropertyEnum(ctx, properties, length);
    v8_free(&writer);
    msgpack_set_length(buffer, header, *count * 2);
    return put_one < 0 ? -1 : 0;
}

/* Two bins, a key in UTF-8 and a value in V8's format. 0, or -1 with the exception pending. */
static int take_pair(MsgpackReader *reader, JSValue *pair)
{
    JSContext *ctx = reader->ctx;
    const uint8_t *key, *value;
    size_t key_len, value_len;

    if (msgpack_read_binary(reader, &key, &key_len) || msgpack_read_binary(reader, &value, &value_len))
        return -1;
    pair[0] = durabox_utf8(ctx, key, key_len, false);
    if (JS_IsException(pair[0]))
        return -1;
    pair[1] = durabox_v8_read(ctx, value, value_len);
    if (!JS_IsException(pair[1]))
        return 0;
    JS_FreeValue(ctx, pair[0]);
    return -1;
}

JSValue msgpack_decode_pairs(JSContext *ctx, const uint8_t *data, size_t len)
{
    MsgpackReader reader = { ctx, data, data + len };
    uint64_t count, i;
    JSValue map;

    if (msgpack_read_array(&reader, &count))
        return JS_EXCEPTION;
    map = JS_CallConstructor(ctx, durabox_builtins.map, 0, NULL);
    for (i = 0; i < count && !JS_IsException(map); i += 2) {
        JSValue pair[2], put = JS_EXCEPTION;

        if (!take_pair(&reader, pair)) {
            put = JS_Call(ctx, durabox_builtins.map_put, map, 2, (JSValueConst *)pair);
            JS_FreeValue(ctx, pair[0]);
            JS_FreeValue(ctx, pair[1]);
        }
        if (JS_IsException(put)) {
            JS_FreeValue(ctx, map);
            return JS_EXCEPTION;
        }
        JS_FreeValue(ctx, put);
    }
    return map;
}

/* Where an array of pairs is read, one by one; this lies before it, in the guest's byte order. */
typedef struct {
    uint32_t next; /* pair, from the beginning of the array; 0: none was read */
    uint32_t last; /* pair that was read */
} Place;

/* What is left of a part from one of its places on. 0, or -1 with the exception pending. */
static int open_part(JSContext *ctx, JSValueConst part, Place *place, uint8_t **bytes, MsgpackReader *reader)
{
    uint64_t count;
    size_t len;

    if (durabox_bytes(ctx, part, bytes, &len))
        return -1;
    *reader = (MsgpackReader){ ctx, *bytes, *bytes + len };
    if (len >= sizeof(*place))
        memcpy(place, *bytes, sizeof(*place));
    if (len < sizeof(*place) || place->next > len - sizeof(*place) || place->last > place->next) {
        msgpack_malformed(reader);
        return -1;
    }
    reader->at += sizeof(*place);
    if (!place->next && msgpack_read_array(reader, &count))
        return -1;
    return 0;
}

/* native.nextPair(part) */
static JSValue native_next_pair(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    JSValue pair[2];
    uint8_t *bytes;
    MsgpackReader reader;
    Place place;
    int failed;

    if (open_part(ctx, argv[0], &place, &bytes, &reader))
        return JS_EXCEPTION;
    reader.at += place.next;
    if (reader.at == reader.end)
        return JS_UNDEFINED;
    place.last = reader.at - bytes - sizeof(place);
    failed = take_pair(&reader, pair);
    /* A value that cannot be read does not keep those after it from being read. */
    place.next = reader.at - bytes - sizeof(place);
    memcpy(bytes, &place, sizeof(place));
    return failed ? JS_EXCEPTION : JS_NewArrayFrom(ctx, 2, pair);
}

/* native.lastKey(part) */
static JSValue native_last_key(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    const uint8_t *key;
    uint8_t *bytes;
    MsgpackReader reader;
    Place place;
    size_t len;

    if (open_part(ctx, argv[0], &place, &bytes, &reader))
        return JS_EXCEPTION;
    if (!place.next)
        return JS_UNDEFINED;
    reader.at += place.last;
    return msgpack_read_binary(&reader, &key, &len) ? JS_EXCEPTION : JS_NewArrayBufferCopy(ctx, key, len);
}

static const JSCFunctionListEntry functions[] = {
    JS_CFUNC_DEF("lastKey", 1, native_last_key),
    JS_CFUNC_DEF("nextPair", 1, native_next_pair),
};

int durabox_register_pairs(JSContext *ctx, JSValueConst native)
{
    return JS_SetPropertyFunctionList(ctx, native, functions, sizeof(functions) / sizeof(functions[0]));
}
