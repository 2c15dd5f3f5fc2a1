/* v8_deserialize.c: bytes in V8's serialization format to JavaScript values.
 *
 * Contract: values.h. The bytes may be anything. Every read is checked against the end; every count is checked
 * against the bytes that are left before anything is allocated for it; nesting is limited. What is built is built of
 * own properties, so that nothing user code did to prototypes is called. Errors are understood in V8's own form and in
 * workerd's; other objects of the platform by hooks.readHostObject.
 */

#include <string.h>

#include "values.h"

enum { OLDEST = 13, NEWEST = 15 };

typedef struct {
    JSContext *ctx;
    const uint8_t *begin, *at, *end;
    JSValue bytes; /* all of them as an ArrayBuffer, once hooks.readHostObject has needed it */
    JSValue *objects; /* by id; borrowed from what is being built, kept alive by `held` */
    uint32_t count, cap;
    uint32_t version;
    int depth;
} Reader;

static JSValue read_value(Reader *r);

static JSValue malformed(Reader *r)
{
    if (!JS_HasException(r->ctx)) {
        JSValue error = durabox_make_error(r->ctx, "DataCloneError", "Unable to deserialize cloned data.");
        if (!JS_IsException(error))
            JS_Throw(r->ctx, error);
    }
    return JS_EXCEPTION;
}

/* ---- bytes ---- */

static size_t left(const Reader *r) { return r->end - r->at; }

static bool get_varint(Reader *r, uint64_t *out)
{
    uint64_t number = 0;
    int shift = 0;

    while (r->at < r->end) {
        uint8_t byte = *r->at++;
        if (shift < 64)
            number |= (uint64_t)(byte & 0x7F) << shift;
        shift += 7;
        if (!(byte & 0x80)) {
            *out = number;
            return true;
        }
        if (shift > 70)
            return false;
    }
    return false;
}

static bool get_u32(Reader *r, uint32_t *out)
{
    uint64_t number;

    if (!get_varint(r, &number) || number > UINT32_MAX)
        return false;
    *out = number;
    return true;
}

static bool get_double(Reader *r, double *out)
{
    if (left(r) < 8)
        return false;
    memcpy(out, r->at, 8);
    r->at += 8;
    return true;
}

/* The next tag that is not padding; 0 at the end. */
static uint8_t get_tag(Reader *r)
{
    while (r->at < r->end) {
        uint8_t tag = *r->at++;
        if (tag)
            return tag;
    }
    return 0;
}

static bool peek_tag(Reader *r, uint8_t tag)
{
    const uint8_t *at = r->at;

    while (at < r->end && !*at)
        at++;
    if (at == r->end || *at != tag)
        return false;
    r->at = at + 1;
    return true;
}

/* ---- objects by id ---- */

static bool add_object(Reader *r, JSValueConst object)
{
    if (r->count == r->cap) {
        uint32_t cap = r->cap ? r->cap * 2 : 8;
        JSValue *objects = js_realloc(r->ctx, r->objects, cap * sizeof(*objects));
        if (!objects)
            return false;
        r->objects = objects;
        r->cap = cap;
    }
    r->objects[r->count++] = JS_DupValue(r->ctx, object);
    return true;
}

/* Registers a new object; on failure it is freed. */
static JSValue added(Reader *r, JSValue object)
{
    if (JS_IsException(object) || !add_object(r, object)) {
        JS_FreeValue(r->ctx, object);
        return JS_EXCEPTION;
    }
    return object;
}

/* ---- strings and numbers ---- */

static JSValue read_text(Reader *r, uint8_t tag)
{
    uint32_t len;
    JSValue text;

    if (!get_u32(r, &len) || len > left(r))
        return malformed(r);
    if (tag == 'c') {
        uint16_t *copy;

        if (len & 1)
            return malformed(r);
        if (!((uintptr_t)r->at & 1)) {
            text = JS_NewStringUTF16(r->ctx, (const uint16_t *)r->at, len / 2);
        } else {
            copy = js_malloc(r->ctx, len ? len : 1);
            if (!copy)
                return JS_EXCEPTION;
            memcpy(copy, r->at, len);
            text = JS_NewStringUTF16(r->ctx, copy, len / 2);
            js_free(r->ctx, copy);
        }
    } else if (tag == 'S') {
        text = JS_NewStringLen(r->ctx, (const char *)r->at, len);
    } else {
        text = durabox_latin1(r->ctx, r->at, len);
    }
    r->at += len;
    return text;
}

/* A string with its tag. */
static JSValue read_string(Reader *r)
{
    uint8_t tag = get_tag(r);

    return tag == '"' || tag == 'c' || tag == 'S' ? read_text(r, tag) : malformed(r);
}

static JSValue read_bigint(Reader *r)
{
    uint32_t bits, bytes, i, borrow;
    JSValue arguments[2], signed_value;
    char *hex, *out;
    bool negative;

    if (!get_u32(r, &bits))
        return malformed(r);
    bytes = bits >> 1 & 0x3FFFFFFF;
    negative = bits & 1;
    if (bytes > left(r) || bytes > (1u << 20))
        return malformed(r);
    if (!bytes)
        return JS_NewBigInt64(r->ctx, 0);
    hex = js_malloc(r->ctx, bytes * 2 + 4);
    if (!hex)
        return JS_EXCEPTION;
    /* A negative number goes through its two's complement, one byte longer than its digits. */
    memcpy(hex, negative ? "0xff" : "0x00", 4);
    for (i = 0, borrow = 1; i < bytes; i++) {
        uint32_t byte = r->at[i];
        if (negative) {
            byte = (byte ^ 0xFF) + borrow;
            borrow = byte >> 8;
            byte &= 0xFF;
        }
        out = hex + 4 + (bytes - 1 - i) * 2;
        out[0] = "0123456789abcdef"[byte >> 4];
        out[1] = "0123456789abcdef"[byte & 15];
    }
    if (negative && borrow) /* minus zero */
        hex[2] = hex[3] = '0';
    r->at += bytes;
    arguments[0] = JS_NewStringLen(r->ctx, hex, bytes * 2 + 4);
    js_free(r->ctx, hex);
    if (JS_IsException(arguments[0]))
        return JS_EXCEPTION;
    arguments[1] = JS_Call(r->ctx, durabox_builtins.bigint, JS_UNDEFINED, 1, (JSValueConst *)arguments);
    JS_FreeValue(r->ctx, arguments[0]);
    if (JS_IsException(arguments[1]) || !negative)
        return arguments[1];
    arguments[0] = JS_NewUint32(r->ctx, (bytes + 1) * 8);
    signed_value = JS_Call(r->ctx, durabox_builtins.bigint_signed, durabox_builtins.bigint, 2, (JSValueConst *)arguments);
    JS_FreeValue(r->ctx, arguments[1]);
    return signed_value;
}

static JSValue boxed(Reader *r, JSValue primitive)
{
    JSValue object;

    if (JS_IsException(primitive))
        return primitive;
    object = JS_Call(r->ctx, durabox_builtins.object, JS_UNDEFINED, 1, (JSValueConst *)&primitive);
    JS_FreeValue(r->ctx, primitive);
    return added(r, object);
}

/* ---- objects ---- */

/* Key and value pairs up to the tag `end`; then their number, which must be right. */
static bool read_properties(Reader *r, JSValueConst object, uint8_t end)
{
    JSContext *ctx = r->ctx;
    uint32_t count = 0, declared;

    while (!peek_tag(r, end)) {
        JSValue key = read_value(r), value;
        JSAtom atom;

        if (JS_IsException(key))
            return false;
        if (!JS_IsString(key) && !JS_IsNumber(key)) {
            JS_FreeValue(ctx, key);
            malformed(r);
            return false;
        }
        atom = JS_ValueToAtom(ctx, key);
        JS_FreeValue(ctx, key);
        if (atom == JS_ATOM_NULL)
            return false;
        value = read_value(r);
        if (JS_IsException(value) || JS_DefinePropertyValue(ctx, object, atom, value, JS_PROP_C_W_E) < 0) {
            JS_FreeAtom(ctx, atom);
            return false;
        }
        JS_FreeAtom(ctx, atom);
        count++;
    }
    if (!get_u32(r, &declared) || declared != count) {
        malformed(r);
        return false;
    }
    return true;
}

static JSValue read_plain(Reader *r)
{
    JSValue object = added(r, JS_NewObject(r->ctx));

    if (JS_IsException(object) || read_properties(r, object, '{'))
        return object;
    JS_FreeValue(r->ctx, object);
    return JS_EXCEPTION;
}

static JSValue read_array(Reader *r, bool dense)
{
    JSContext *ctx = r->ctx;
    uint32_t len, i, again;
    JSValue array;

    if (!get_u32(r, &len) || (dense && len > left(r)))
        return malformed(r);
    array = added(r, JS_NewArray(ctx));
    if (JS_IsException(array))
        return array;
    if (!dense && JS_SetLength(ctx, array, len) < 0)
        goto fail;
    for (i = 0; dense && i < len; i++) {
        JSValue item;

        if (peek_tag(r, '-')) {
            if (JS_SetLength(ctx, array, i + 1) < 0)
                goto fail;
            continue;
        }
        item = read_value(r);
        if (JS_IsException(item) || JS_DefinePropertyValueUint32(ctx, array, i, item, JS_PROP_C_W_E) < 0)
            goto fail;
    }
    if (!read_properties(r, array, dense ? '$' : '@'))
        goto fail;
    if (!get_u32(r, &again) || again != len) {
        malformed(r);
        goto fail;
    }
    return array;
fail:
    JS_FreeValue(ctx, array);
    return JS_EXCEPTION;
}

static JSValue read_collection(Reader *r, bool is_map)
{
    JSContext *ctx = r->ctx;
    JSValue made = added(r, JS_CallConstructor(ctx, is_map ? durabox_builtins.map : durabox_builtins.set, 0, NULL));
    uint32_t count = 0, declared;

    if (JS_IsException(made))
        return made;
    while (!peek_tag(r, is_map ? ':' : ',')) {
        JSValue pair[2] = { JS_UNDEFINED, JS_UNDEFINED }, done = JS_EXCEPTION;

        pair[0] = read_value(r);
        if (!JS_IsException(pair[0]) && is_map)
            pair[1] = read_value(r);
        if (!JS_IsException(pair[0]) && !JS_IsException(pair[1]))
            done = JS_Call(ctx, is_map ? durabox_builtins.map_put : durabox_builtins.set_put, made, 1 + is_map,
                           (JSValueConst *)pair);
        JS_FreeValue(ctx, pair[0]);
        JS_FreeValue(ctx, pair[1]);
        if (JS_IsException(done))
            goto fail;
        JS_FreeValue(ctx, done);
        count += 1 + is_map;
    }
    if (get_u32(r, &declared) && declared == count)
        return made;
    malformed(r);
fail:
    JS_FreeValue(ctx, made);
    return JS_EXCEPTION;
}

/* The view that may follow its buffer. */
static JSValue read_view(Reader *r, JSValueConst buffer)
{
    static const char tags[] = "CbBwWdDqQhfF"; /* in the order of JSTypedArrayEnum */
    static const uint8_t sizes[] = { 1, 1, 1, 2, 2, 4, 4, 8, 8, 2, 4, 8 };
    JSContext *ctx = r->ctx;
    uint32_t offset, len, flags = 0;
    JSValue arguments[3], view;
    const char *found;
    size_t total;
    uint8_t tag;

    if (!left(r))
        return malformed(r);
    tag = *r->at++;
    if (!get_u32(r, &offset) || !get_u32(r, &len) || (r->version >= 14 && !get_u32(r, &flags)))
        return malformed(r);
    JS_GetArrayBuffer(ctx, &total, buffer);
    if (JS_HasException(ctx))
        return JS_EXCEPTION;
    if (offset > total || len > total - offset)
        return malformed(r);
    found = tag == '?' ? NULL : strchr(tags, tag);
    if (tag != '?' && (!tag || !found || offset % sizes[found - tags] || len % sizes[found - tags]))
        return malformed(r);
    arguments[0] = JS_DupValue(ctx, buffer);
    arguments[1] = JS_NewUint32(ctx, offset);
    arguments[2] = flags & 1 ? JS_UNDEFINED : JS_NewUint32(ctx, found ? len / sizes[found - tags] : len);
    view = found ? JS_NewTypedArray(ctx, 3, (JSValueConst *)arguments, (JSTypedArrayEnum)(found - tags))
                 : JS_CallConstructor(ctx, durabox_builtins.data_view, 3, (JSValueConst *)arguments);
    JS_FreeValue(ctx, arguments[0]);
    return added(r, view);
}

static JSValue read_buffer(Reader *r, bool resizable)
{
    JSContext *ctx = r->ctx;
    JSValue buffer, view;
    uint32_t len, most = 0;

    if (!get_u32(r, &len) || (resizable && !get_u32(r, &most)) || len > left(r) || (resizable && most < len))
        return malformed(r);
    if (resizable) {
        JSValue arguments[2] = { JS_NewUint32(ctx, len), JS_NewObject(ctx) };
        uint8_t *bytes;
        size_t got;

        JS_DefinePropertyValueStr(ctx, arguments[1], "maxByteLength", JS_NewUint32(ctx, most), JS_PROP_C_W_E);
        buffer = JS_CallConstructor(ctx, durabox_builtins.array_buffer, 2, (JSValueConst *)arguments);
        JS_FreeValue(ctx, arguments[1]);
        if (!JS_IsException(buffer)) {
            bytes = JS_GetArrayBuffer(ctx, &got, buffer);
            if (bytes && got == len)
                memcpy(bytes, r->at, len);
        }
    } else {
        buffer = JS_NewArrayBufferCopy(ctx, r->at, len);
    }
    buffer = added(r, buffer);
    if (JS_IsException(buffer))
        return buffer;
    r->at += len;
    if (!peek_tag(r, 'V'))
        return buffer;
    view = read_view(r, buffer);
    JS_FreeValue(ctx, buffer);
    return view;
}

static JSValue read_regexp(Reader *r)
{
    static const char letters[] = "gimyus?dv"; /* bit 0 to 8 */
    JSContext *ctx = r->ctx;
    JSValue arguments[2], regexp;
    char flags[16];
    uint32_t bits;
    int i, n = 0;

    arguments[0] = read_string(r);
    if (JS_IsException(arguments[0]))
        return JS_EXCEPTION;
    if (!get_u32(r, &bits) || bits >= 1u << 9 || bits & 1u << 6) {
        JS_FreeValue(ctx, arguments[0]);
        return malformed(r);
    }
    for (i = 0; letters[i]; i++)
        if (bits & 1u << i)
            flags[n++] = letters[i];
    arguments[1] = JS_NewStringLen(ctx, flags, n);
    regexp = JS_CallConstructor(ctx, durabox_builtins.regexp, 2, (JSValueConst *)arguments);
    JS_FreeValue(ctx, arguments[0]);
    JS_FreeValue(ctx, arguments[1]);
    return added(r, regexp);
}

static JSValue read_error(Reader *r)
{
    JSContext *ctx = r->ctx;
    JSValue error, parts[3] = { JS_UNDEFINED, JS_UNDEFINED, JS_UNDEFINED };
    static const char *const names[] = { "message", "stack", "cause" };
    bool present[3] = { false, false, false };
    int kind = 0, i, which;
    uint32_t id = r->count;

    /* The error's id comes before those of its cause; the object itself is made when its class is known. */
    if (!add_object(r, JS_UNDEFINED))
        return JS_EXCEPTION;
    for (;;) {
        uint8_t tag = get_tag(r);

        if (tag == '.')
            break;
        for (i = 0; i < DURABOX_ERRORS && (!tag || tag != durabox_errors[i].tag); i++)
            ;
        if (i < DURABOX_ERRORS) {
            kind = i;
            continue;
        }
        which = tag == 'm' ? 0 : tag == 's' ? 1 : tag == 'c' ? 2 : -1;
        if (which < 0 || present[which]) {
            malformed(r);
            goto fail;
        }
        parts[which] = which == 2 ? read_value(r) : read_string(r);
        if (JS_IsException(parts[which]))
            goto fail;
        present[which] = true;
    }
    error = JS_CallConstructor(ctx, durabox_builtins.errors[kind], 0, NULL);
    if (JS_IsException(error))
        goto fail;
    for (i = 0; i < 3; i++) {
        if (present[i] || i == 1)
            JS_DefinePropertyValueStr(ctx, error, names[i], parts[i], JS_PROP_CONFIGURABLE | JS_PROP_WRITABLE);
        parts[i] = JS_UNDEFINED;
    }
    r->objects[id] = JS_DupValue(ctx, error);
    return error;
fail:
    for (i = 0; i < 3; i++)
        JS_FreeValue(ctx, parts[i]);
    return JS_EXCEPTION;
}

/* Where it was made is not told: its stack is what it says of itself. */
static int hide_stack(JSContext *ctx, JSValueConst error)
{
    JSValue text = JS_ToString(ctx, error);

    return JS_IsException(text) ||
           JS_DefinePropertyValueStr(ctx, error, "stack", text, JS_PROP_CONFIGURABLE | JS_PROP_WRITABLE) < 0;
}

/* A native error of workerd: its type or name, its message, an object with its other properties. */
static JSValue read_native_error(Reader *r)
{
    JSContext *ctx = r->ctx;
    JSValue name = JS_UNDEFINED, message = JS_UNDEFINED, held = JS_UNDEFINED, error = JS_UNDEFINED;
    JSPropertyEnum *properties = NULL;
    uint32_t id = r->count, type, count = 0, i;
    int kind = 0, failed;

    if (!add_object(r, JS_UNDEFINED))
        return JS_EXCEPTION;
    if (!get_u32(r, &type) || type > 13)
        return malformed(r);
    /* Types 6 to 9 are those of WebAssembly's errors, which do not exist here. */
    for (i = 0; i < DURABOX_ERRORS; i++)
        if (durabox_errors[i].type == type)
            kind = i;
    name = type ? JS_UNDEFINED : read_value(r);
    failed = JS_IsException(name);
    if (!failed) {
        message = read_string(r);
        failed = JS_IsException(message);
    }
    if (!failed) {
        error = JS_CallConstructor(ctx, durabox_builtins.errors[0], 1, &message);
        failed = JS_IsException(error) ||
                 (kind && JS_SetPrototype(ctx, error, durabox_builtins.error_prototypes[kind]) < 0) ||
                 (!type && JS_DefinePropertyValueStr(ctx, error, "name", JS_DupValue(ctx, name), JS_PROP_C_W_E) < 0) ||
                 hide_stack(ctx, error);
    }
    if (!failed) {
        /* Its properties may lead back to it, which workerd writes but cannot read. */
        r->objects[id] = JS_DupValue(ctx, error);
        held = peek_tag(r, 'o') ? read_plain(r) : malformed(r);
        failed = JS_IsException(held) ||
                 JS_GetOwnPropertyNames(ctx, &properties, &count, held, JS_GPN_STRING_MASK | JS_GPN_ENUM_ONLY);
    }
    for (i = 0; i < count && !failed; i++) {
        JSValue value = JS_GetProperty(ctx, held, properties[i].atom);
        failed = JS_IsException(value) ||
                 JS_DefinePropertyValue(ctx, error, properties[i].atom, value, JS_PROP_C_W_E) < 0;
    }
    if (properties)
        JS_FreePropertyEnum(ctx, properties, count);
    JS_FreeValue(ctx, held);
    JS_FreeValue(ctx, message);
    JS_FreeValue(ctx, name);
    if (failed) {
        JS_FreeValue(ctx, error);
        return JS_EXCEPTION;
    }
    return error;
}

/* An object of the platform: hooks.readHostObject(type, bytes, offset) gives it and where it ends. */
static JSValue read_host_object(Reader *r)
{
    JSContext *ctx = r->ctx;
    JSValue arguments[3], pair, object = JS_UNDEFINED, ended = JS_UNDEFINED;
    uint32_t type;
    int64_t end = 0;

    if (!get_u32(r, &type))
        return malformed(r);
    if (type == DURABOX_NATIVE_ERROR)
        return read_native_error(r);
    if (JS_IsUndefined(r->bytes)) {
        r->bytes = JS_NewArrayBufferCopy(ctx, r->begin, r->end - r->begin);
        if (JS_IsException(r->bytes)) {
            r->bytes = JS_UNDEFINED;
            return JS_EXCEPTION;
        }
    }
    arguments[0] = JS_NewUint32(ctx, type);
    arguments[1] = r->bytes;
    arguments[2] = JS_NewInt64(ctx, r->at - r->begin);
    pair = durabox_call_hook(ctx, "readHostObject", 3, (JSValueConst *)arguments);
    if (JS_IsException(pair))
        return pair;
    if (JS_IsObject(pair)) {
        object = JS_GetPropertyUint32(ctx, pair, 0);
        ended = JS_GetPropertyUint32(ctx, pair, 1);
    }
    JS_FreeValue(ctx, pair);
    if (!JS_IsObject(object) || !JS_IsNumber(ended) || JS_ToInt64(ctx, &end, ended) || end < r->at - r->begin ||
        end > r->end - r->begin) {
        JS_FreeValue(ctx, object);
        return malformed(r);
    }
    r->at = r->begin + end;
    return added(r, object);
}

static JSValue read_object(Reader *r, uint8_t tag)
{
    JSContext *ctx = r->ctx;
    uint32_t id;
    double number;

    switch (tag) {
    case 'o':
        return read_plain(r);
    case 'A':
    case 'a':
        return read_array(r, tag == 'A');
    case ';':
    case '\'':
        return read_collection(r, tag == ';');
    case 'D':
        return get_double(r, &number) ? added(r, JS_NewDate(ctx, number)) : malformed(r);
    case 'B':
    case '~':
        return read_buffer(r, tag == '~');
    case 'R':
        return read_regexp(r);
    case 'r':
        return read_error(r);
    case DURABOX_HOST_OBJECT:
        return read_host_object(r);
    case 'y':
    case 'x':
        return boxed(r, JS_NewBool(ctx, tag == 'y'));
    case 'n':
        return get_double(r, &number) ? boxed(r, JS_NewFloat64(ctx, number)) : malformed(r);
    case 'z':
        return boxed(r, read_bigint(r));
    case 's':
        return boxed(r, read_string(r));
    case '^': {
        JSValue found, view;

        if (!get_u32(r, &id) || id >= r->count || JS_IsUndefined(r->objects[id]))
            return malformed(r);
        found = JS_DupValue(ctx, r->objects[id]);
        /* A further view of a buffer that came before. */
        if (!JS_IsArrayBuffer(found) || !peek_tag(r, 'V'))
            return found;
        view = read_view(r, found);
        JS_FreeValue(ctx, found);
        return view;
    }
    default:
        return malformed(r);
    }
}

static JSValue read_value(Reader *r)
{
    JSContext *ctx = r->ctx;
    uint8_t tag = get_tag(r);
    uint32_t number;
    double real;
    JSValue value;
    char here;

    switch (tag) {
    case '_':
        return JS_UNDEFINED;
    case '0':
        return JS_NULL;
    case 'T':
        return JS_TRUE;
    case 'F':
        return JS_FALSE;
    case 'I':
        if (!get_u32(r, &number))
            return malformed(r);
        return JS_NewInt32(ctx, (int32_t)(number >> 1) ^ -(int32_t)(number & 1));
    case 'U':
        return get_u32(r, &number) ? JS_NewUint32(ctx, number) : malformed(r);
    case 'N':
        return get_double(r, &real) ? JS_NewNumber(ctx, real) : malformed(r);
    case 'Z':
        return read_bigint(r);
    case '"':
    case 'c':
    case 'S':
        return read_text(r, tag);
    default:
        if (r->depth >= DURABOX_VALUE_DEPTH || (uintptr_t)&here < DURABOX_STACK_LOW)
            return JS_ThrowRangeError(ctx, "Maximum call stack size exceeded");
        r->depth++;
        value = read_object(r, tag);
        r->depth--;
        return value;
    }
}

JSValue durabox_v8_read(JSContext *ctx, const uint8_t *data, size_t len)
{
    Reader r = { .ctx = ctx, .begin = data, .at = data, .end = data + len, .bytes = JS_UNDEFINED };
    JSValue value;

    if (len < 2 || *r.at++ != 0xFF || !get_u32(&r, &r.version) || r.version < OLDEST || r.version > NEWEST)
        return malformed(&r);
    value = read_value(&r);
    while (r.count)
        JS_FreeValue(ctx, r.objects[--r.count]);
    js_free(ctx, r.objects);
    JS_FreeValue(ctx, r.bytes);
    return value;
}
