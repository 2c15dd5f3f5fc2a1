/* msgpack.c: msgpack to JavaScript values and back.
 *
 *   nil <-> null (undefined also encodes as nil)     bool <-> boolean
 *   int, float <-> number (an integer past 2^53 loses precision; a bigint encodes as int if 64 bits hold it)
 *   str <-> string (UTF-8; lone surrogates keep their three-byte form)
 *   bin <-> ArrayBuffer (views encode as the bytes they show)
 *   array <-> Array (holes encode as nil)            map <-> object: own enumerable string keys; plain and user classes
 *
 * Everything else (functions, symbols, Map, Date, Promise, ...; ext on the way in) throws TypeError. Nesting is
 * limited to MAX_DEPTH both ways, which also ends cycles. The decoder checks every length against what is left,
 * and allocates for a container only as its elements really arrive.
 */

#include "msgpack.h"

#include <math.h>
#include <string.h>

#include "guest.h"
#include "v8_writer.h"

enum { MAX_DEPTH = 256 };

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

static int put_bin(MsgpackBuffer *buffer, const void *bytes, size_t len)
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

    return durabox_bytes(buffer->ctx, value, &bytes, &len) || put_bin(buffer, bytes, len) ? -1 : 0;
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

    if (depth > MAX_DEPTH) {
        JS_ThrowTypeError(ctx, "a value that is cyclic or nested deeper than %d levels cannot be passed here",
                          MAX_DEPTH);
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
            failed = put_bin(buffer, chars, len);
        } else {
            const char *key = JS_ToCStringLen(ctx, &len, held);
            failed = key ? put_bin(buffer, key, len) : -1;
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
             put_bin(buffer, writer->data, writer->len);
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
    if (put(buffer, 0xdd, 0, 4) ||
        JS_GetOwnPropertyNames(ctx, &properties, &length, object, JS_GPN_STRING_MASK | JS_GPN_ENUM_ONLY))
        return -1;
    for (i = 0; i < length && put_one >= 0; i++) {
        put_one = put_pair(buffer, &writer, object, properties[i].atom);
        *count += put_one > 0;
    }
    JS_FreePropertyEnum(ctx, properties, length);
    v8_free(&writer);
    for (i = 0; i < 4; i++)
        buffer->data[header + 1 + i] = (uint8_t)(*count * 2 >> (24 - 8 * i));
    return put_one < 0 ? -1 : 0;
}

/* What is left to read. */
typedef struct {
    JSContext *ctx;
    const uint8_t *at, *end;
} Reader;

static JSValue throw_malformed(Reader *reader)
{
    return JS_ThrowTypeError(reader->ctx, "malformed msgpack message");
}

/* `size` big-endian bytes; -1 (nothing pending) when fewer are left. */
static int take(Reader *reader, int size, uint64_t *out)
{
    uint64_t value = 0;

    if (reader->end - reader->at < size)
        return -1;
    while (size--)
        value = value << 8 | *reader->at++;
    *out = value;
    return 0;
}

static JSValue decode(Reader *reader, int depth);

static JSValue take_string(Reader *reader, uint64_t len)
{
    const char *text = (const char *)reader->at;

    if ((uint64_t)(reader->end - reader->at) < len)
        return throw_malformed(reader);
    reader->at += len;
    return JS_NewStringLen(reader->ctx, text, len);
}

static JSValue take_binary(Reader *reader, uint64_t len)
{
    const uint8_t *bytes = reader->at;

    if ((uint64_t)(reader->end - reader->at) < len)
        return throw_malformed(reader);
    reader->at += len;
    return JS_NewArrayBufferCopy(reader->ctx, bytes, len);
}

static JSValue take_array(Reader *reader, uint64_t len, int depth)
{
    JSContext *ctx = reader->ctx;
    JSValue array;
    uint32_t i;

    /* Every element takes a byte at least: a length past that is a lie. */
    if ((uint64_t)(reader->end - reader->at) < len)
        return throw_malformed(reader);
    array = JS_NewArray(ctx);
    if (JS_IsException(array))
        return array;
    for (i = 0; i < len; i++) {
        JSValue element = decode(reader, depth + 1);
        if (JS_IsException(element) ||
            JS_DefinePropertyValueUint32(ctx, array, i, element, JS_PROP_C_W_E) < 0) {
            JS_FreeValue(ctx, array);
            return JS_EXCEPTION;
        }
    }
    return array;
}

/* The next value as a property key; only strings are keys. */
static JSAtom take_key(Reader *reader)
{
    uint8_t tag = reader->at < reader->end ? *reader->at : 0;
    JSValue key;
    JSAtom atom;

    if (!((tag & 0xe0) == 0xa0 || (tag >= 0xd9 && tag <= 0xdb))) {
        throw_malformed(reader);
        return JS_ATOM_NULL;
    }
    key = decode(reader, 0);
    if (JS_IsException(key))
        return JS_ATOM_NULL;
    atom = JS_ValueToAtom(reader->ctx, key);
    JS_FreeValue(reader->ctx, key);
    return atom;
}

static JSValue take_map(Reader *reader, uint64_t count, int depth)
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
        value = decode(reader, depth + 1);
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

static JSValue decode(Reader *reader, int depth)
{
    static const uint8_t sizes[] = { 1, 2, 4, 8 };
    JSContext *ctx = reader->ctx;
    uint64_t n;
    uint8_t tag;

    if (depth > MAX_DEPTH || reader->at == reader->end)
        return throw_malformed(reader);
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
        return take(reader, sizes[tag - 0xc4], &n) ? throw_malformed(reader) : take_binary(reader, n);
    case 0xca: {
        uint32_t bits;
        float value;
        if (take(reader, 4, &n))
            return throw_malformed(reader);
        bits = (uint32_t)n;
        memcpy(&value, &bits, sizeof(value));
        return JS_NewFloat64(ctx, value);
    }
    case 0xcb: {
        double value;
        if (take(reader, 8, &n))
            return throw_malformed(reader);
        memcpy(&value, &n, sizeof(value));
        return JS_NewFloat64(ctx, value);
    }
    case 0xcc:
    case 0xcd:
    case 0xce:
    case 0xcf:
        return take(reader, sizes[tag - 0xcc], &n) ? throw_malformed(reader) : JS_NewUint64(ctx, n);
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3: {
        int size = sizes[tag - 0xd0], unused = 64 - 8 * size;
        if (take(reader, size, &n))
            return throw_malformed(reader);
        return JS_NewInt64(ctx, (int64_t)(n << unused) >> unused);
    }
    case 0xd9:
    case 0xda:
    case 0xdb:
        return take(reader, sizes[tag - 0xd9], &n) ? throw_malformed(reader) : take_string(reader, n);
    case 0xdc:
    case 0xdd:
        return take(reader, sizes[tag - 0xdc + 1], &n) ? throw_malformed(reader) : take_array(reader, n, depth);
    case 0xde:
    case 0xdf:
        return take(reader, sizes[tag - 0xde + 1], &n) ? throw_malformed(reader) : take_map(reader, n, depth);
    default: /* 0xc1 and the ext family */
        return throw_malformed(reader);
    }
}

JSValue msgpack_decode(JSContext *ctx, const uint8_t *data, size_t len)
{
    Reader reader = { ctx, data, data + len };
    JSValue value = decode(&reader, 0);

    if (!JS_IsException(value) && reader.at != reader.end) {
        JS_FreeValue(ctx, value);
        return throw_malformed(&reader);
    }
    return value;
}

/* The next value, which must be a bin. 0, or -1 with the exception pending. */
static int view_binary(Reader *reader, const uint8_t **bytes, size_t *size)
{
    uint8_t tag = reader->at < reader->end ? *reader->at++ : 0;
    uint64_t len;

    if (tag < 0xc4 || tag > 0xc6 || take(reader, 1 << (tag - 0xc4), &len) ||
        (uint64_t)(reader->end - reader->at) < len) {
        throw_malformed(reader);
        return -1;
    }
    *bytes = reader->at;
    *size = len;
    reader->at += len;
    return 0;
}

/* What goes before the items of an array. 0, or -1 with the exception pending. */
static int take_array_header(Reader *reader, uint64_t *count)
{
    uint8_t tag = reader->at < reader->end ? *reader->at++ : 0;

    *count = tag & 15;
    if ((tag & 0xf0) == 0x90 || ((tag == 0xdc || tag == 0xdd) && !take(reader, tag == 0xdc ? 2 : 4, count)))
        return 0;
    throw_malformed(reader);
    return -1;
}

/* Two bins, a key in UTF-8 and a value in V8's format. 0, or -1 with the exception pending. */
static int take_pair(Reader *reader, JSValue *pair)
{
    JSContext *ctx = reader->ctx;
    const uint8_t *key, *value;
    size_t key_len, value_len;

    if (view_binary(reader, &key, &key_len) || view_binary(reader, &value, &value_len))
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
    Reader reader = { ctx, data, data + len };
    uint64_t count, i;
    JSValue map;

    if (take_array_header(&reader, &count))
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
static int open_part(JSContext *ctx, JSValueConst part, Place *place, uint8_t **bytes, Reader *reader)
{
    uint64_t count;
    size_t len;

    if (durabox_bytes(ctx, part, bytes, &len))
        return -1;
    *reader = (Reader){ ctx, *bytes, *bytes + len };
    if (len >= sizeof(*place))
        memcpy(place, *bytes, sizeof(*place));
    if (len < sizeof(*place) || place->next > len - sizeof(*place) || place->last > place->next) {
        throw_malformed(reader);
        return -1;
    }
    reader->at += sizeof(*place);
    if (!place->next && take_array_header(reader, &count))
        return -1;
    return 0;
}

/* native.nextPair(part) */
static JSValue native_next_pair(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    JSValue pair[2];
    uint8_t *bytes;
    Reader reader;
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
    Reader reader;
    Place place;
    size_t len;

    if (open_part(ctx, argv[0], &place, &bytes, &reader))
        return JS_EXCEPTION;
    if (!place.next)
        return JS_UNDEFINED;
    reader.at += place.last;
    return view_binary(&reader, &key, &len) ? JS_EXCEPTION : JS_NewArrayBufferCopy(ctx, key, len);
}

/* The names of a row's columns as atoms; NULL with the exception pending. */
static JSAtom *column_atoms(JSContext *ctx, JSValueConst names, uint32_t count)
{
    JSAtom *atoms = js_mallocz(ctx, (count + !count) * sizeof(*atoms));
    uint32_t i;

    for (i = 0; atoms && i < count; i++) {
        JSValue name = JS_GetPropertyUint32(ctx, names, i);
        atoms[i] = JS_IsException(name) ? JS_ATOM_NULL : JS_ValueToAtom(ctx, name);
        JS_FreeValue(ctx, name);
        if (atoms[i] == JS_ATOM_NULL) {
            while (i--)
                JS_FreeAtom(ctx, atoms[i]);
            js_free(ctx, atoms);
            return NULL;
        }
    }
    return atoms;
}

/* Reads a row, an array of `count` values. 0, or -1 with the exception pending and no values. */
static int take_values(Reader *reader, JSValue *values, uint32_t count)
{
    uint8_t tag = reader->at < reader->end ? *reader->at++ : 0;
    uint64_t len = tag & 15;
    uint32_t i;

    if (((tag & 0xf0) != 0x90 && (tag != 0xdc || take(reader, 2, &len))) || len != count) {
        throw_malformed(reader);
        return -1;
    }
    for (i = 0; i < count; i++) {
        values[i] = decode(reader, 0);
        if (JS_IsException(values[i])) {
            while (i--)
                JS_FreeValue(reader->ctx, values[i]);
            return -1;
        }
    }
    return 0;
}

/* An object with these values; takes them. */
static JSValue name_values(JSContext *ctx, JSValue *values, const JSAtom *atoms, JSAtom skipped, uint32_t count)
{
    JSValue row = JS_NewObject(ctx);
    bool failed = JS_IsException(row);
    uint32_t i;

    for (i = 0; i < count; i++) {
        if (failed || atoms[i] == skipped)
            JS_FreeValue(ctx, values[i]);
        else
            failed = JS_DefinePropertyValue(ctx, row, atoms[i], values[i], JS_PROP_C_W_E) < 0;
    }
    if (!failed)
        return row;
    JS_FreeValue(ctx, row);
    return JS_EXCEPTION;
}

/* What rows with some names look like: a row without values. Kept for the next ones with the same array of names, which nobody changes. */
static struct {
    JSValue names, model; /* 0: a number, for none */
} form;

static bool has_form(JSValueConst names)
{
    return JS_IsObject(form.names) && JS_VALUE_GET_PTR(form.names) == JS_VALUE_GET_PTR(names);
}

/* Finds the form of rows with these names, if each is a property of its own. `values`: room for as many. 0, or -1 with the exception
 * pending. */
static int find_form(JSContext *ctx, JSValueConst names, const JSAtom *atoms, uint32_t count, JSAtom skipped, JSValue *values)
{
    JSValue row;

    for (uint32_t i = 0; i < count; i++)
        values[i] = JS_UNDEFINED;
    row = name_values(ctx, values, atoms, skipped, count);
    if (JS_IsException(row))
        return -1;
    if (durabox_is_model(row, count)) {
        JS_FreeValue(ctx, form.names);
        JS_FreeValue(ctx, form.model);
        form.names = JS_DupValue(ctx, names);
        form.model = row;
    } else {
        JS_FreeValue(ctx, row);
    }
    return 0;
}

/* native.rows(bytes, names): an array of rows, each an array of its values (names null) or an object of them by name, where
 * the last of two with one name stays and none is `__proto__`. */
static JSValue native_rows(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    JSValue rows = JS_EXCEPTION, *values;
    JSAtom *atoms = NULL, skipped = JS_ATOM_NULL;
    uint64_t count = 0, i;
    int64_t columns = 0;
    uint8_t *bytes;
    size_t len;
    Reader reader;
    bool formed;

    if (durabox_bytes(ctx, argv[0], &bytes, &len))
        return JS_EXCEPTION;
    if (JS_IsNull(argv[1]))
        return msgpack_decode(ctx, bytes, len);
    reader = (Reader){ ctx, bytes, bytes + len };
    if (len == 0 || *reader.at++ != 0xdd || take(&reader, 4, &count) || count > len)
        return throw_malformed(&reader);
    if (JS_GetLength(ctx, argv[1], &columns) || !(values = js_malloc(ctx, (columns + !columns) * sizeof(*values))))
        return JS_EXCEPTION;
    if (!has_form(argv[1])) {
        skipped = JS_NewAtom(ctx, "__proto__");
        atoms = column_atoms(ctx, argv[1], columns);
        if (!atoms || find_form(ctx, argv[1], atoms, columns, skipped, values))
            goto done;
    }
    formed = has_form(argv[1]);
    rows = JS_NewArray(ctx);
    for (i = 0; i < count && !JS_IsException(rows); i++) {
        JSValue row = take_values(&reader, values, columns) ? JS_EXCEPTION
                      : formed                              ? durabox_like(ctx, form.model, values)
                                                            : name_values(ctx, values, atoms, skipped, columns);
        if (JS_IsException(row) || JS_DefinePropertyValueUint32(ctx, rows, i, row, JS_PROP_C_W_E) < 0) {
            JS_FreeValue(ctx, rows);
            rows = JS_EXCEPTION;
        }
    }
done:
    js_free(ctx, values);
    for (i = 0; atoms && i < (uint64_t)columns; i++)
        JS_FreeAtom(ctx, atoms[i]);
    js_free(ctx, atoms);
    JS_FreeAtom(ctx, skipped);
    return rows;
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
    JS_CFUNC_DEF("lastKey", 1, native_last_key),
    JS_CFUNC_DEF("msgpack", 1, native_msgpack),
    JS_CFUNC_DEF("nextPair", 1, native_next_pair),
    JS_CFUNC_DEF("rows", 2, native_rows),
};

int msgpack_register(JSContext *ctx, JSValueConst native)
{
    return JS_SetPropertyFunctionList(ctx, native, functions, sizeof(functions) / sizeof(functions[0]));
}
