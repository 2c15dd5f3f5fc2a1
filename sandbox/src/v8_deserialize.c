/* v8_deserialize.c: bytes in V8's serialization format to JavaScript values.
 *
 * Contract: values.h. The bytes may be anything. Every read is checked against the end; every count is checked
 * against the bytes that are left before anything is allocated for it; nesting is limited. What is built is built of
 * own properties, so that nothing user code did to prototypes is called. Errors are understood in V8's own form and in
 * workerd's; other objects of the platform by hooks.readHostObject.
 */

#include "v8_reader.h"

enum { OLDEST = 13, NEWEST = 15 };

JSValue v8_malformed(Reader *r)
{
    if (!JS_HasException(r->ctx)) {
        JSValue error = durabox_make_error(r->ctx, "DataCloneError", "Unable to deserialize cloned data.");
        if (!JS_IsException(error))
            JS_Throw(r->ctx, error);
    }
    return JS_EXCEPTION;
}

/* ---- objects by id ---- */

bool v8_give_id(Reader *r, JSValueConst object)
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

JSValue v8_with_id(Reader *r, JSValue object)
{
    if (JS_IsException(object) || !v8_give_id(r, object)) {
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
        return v8_malformed(r);
    if (tag == 'c') {
        uint16_t *copy;

        if (len & 1)
            return v8_malformed(r);
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

JSValue v8_read_string(Reader *r)
{
    uint8_t tag = get_tag(r);

    return tag == '"' || tag == 'c' || tag == 'S' ? read_text(r, tag) : v8_malformed(r);
}

static JSValue read_bigint(Reader *r)
{
    uint32_t bits, bytes, i, borrow;
    JSValue arguments[2], signed_value;
    char *hex, *out;
    bool negative;

    if (!get_u32(r, &bits))
        return v8_malformed(r);
    bytes = bits >> 1 & 0x3FFFFFFF;
    negative = bits & 1;
    if (bytes > left(r) || bytes > (1u << 20))
        return v8_malformed(r);
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
    return v8_with_id(r, object);
}

/* ---- objects ---- */

/* Key and value pairs up to the tag `end`; then their number, which must be right. */
static bool read_properties(Reader *r, JSValueConst object, uint8_t end)
{
    JSContext *ctx = r->ctx;
    uint32_t count = 0, declared;

    while (!peek_tag(r, end)) {
        JSValue key = v8_read_value(r), value;
        JSAtom atom;

        if (JS_IsException(key))
            return false;
        if (!JS_IsString(key) && !JS_IsNumber(key)) {
            JS_FreeValue(ctx, key);
            v8_malformed(r);
            return false;
        }
        atom = JS_ValueToAtom(ctx, key);
        JS_FreeValue(ctx, key);
        if (atom == JS_ATOM_NULL)
            return false;
        value = v8_read_value(r);
        if (JS_IsException(value) || JS_DefinePropertyValue(ctx, object, atom, value, JS_PROP_C_W_E) < 0) {
            JS_FreeAtom(ctx, atom);
            return false;
        }
        JS_FreeAtom(ctx, atom);
        count++;
    }
    if (!get_u32(r, &declared) || declared != count) {
        v8_malformed(r);
        return false;
    }
    return true;
}

JSValue v8_read_plain(Reader *r)
{
    JSValue object = v8_with_id(r, JS_NewObject(r->ctx));

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
        return v8_malformed(r);
    array = v8_with_id(r, JS_NewArray(ctx));
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
        item = v8_read_value(r);
        if (JS_IsException(item) || JS_DefinePropertyValueUint32(ctx, array, i, item, JS_PROP_C_W_E) < 0)
            goto fail;
    }
    if (!read_properties(r, array, dense ? '$' : '@'))
        goto fail;
    if (!get_u32(r, &again) || again != len) {
        v8_malformed(r);
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
    JSValue made = v8_with_id(r, JS_CallConstructor(ctx, is_map ? durabox_builtins.map : durabox_builtins.set, 0, NULL));
    uint32_t count = 0, declared;

    if (JS_IsException(made))
        return made;
    while (!peek_tag(r, is_map ? ':' : ',')) {
        JSValue pair[2] = { JS_UNDEFINED, JS_UNDEFINED }, done = JS_EXCEPTION;

        pair[0] = v8_read_value(r);
        if (!JS_IsException(pair[0]) && is_map)
            pair[1] = v8_read_value(r);
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
    v8_malformed(r);
fail:
    JS_FreeValue(ctx, made);
    return JS_EXCEPTION;
}

static JSValue read_regexp(Reader *r)
{
    static const char letters[] = "gimyus?dv"; /* bit 0 to 8 */
    JSContext *ctx = r->ctx;
    JSValue arguments[2], regexp;
    char flags[16];
    uint32_t bits;
    int i, n = 0;

    arguments[0] = v8_read_string(r);
    if (JS_IsException(arguments[0]))
        return JS_EXCEPTION;
    if (!get_u32(r, &bits) || bits >= 1u << 9 || bits & 1u << 6) {
        JS_FreeValue(ctx, arguments[0]);
        return v8_malformed(r);
    }
    for (i = 0; letters[i]; i++)
        if (bits & 1u << i)
            flags[n++] = letters[i];
    arguments[1] = JS_NewStringLen(ctx, flags, n);
    regexp = JS_CallConstructor(ctx, durabox_builtins.regexp, 2, (JSValueConst *)arguments);
    JS_FreeValue(ctx, arguments[0]);
    JS_FreeValue(ctx, arguments[1]);
    return v8_with_id(r, regexp);
}

/* An object of the platform: hooks.readHostObject(type, bytes, offset) gives it and where it ends. */
static JSValue read_host_object(Reader *r)
{
    JSContext *ctx = r->ctx;
    JSValue arguments[3], pair, object = JS_UNDEFINED, ended = JS_UNDEFINED;
    uint32_t type;
    int64_t end = 0;

    if (!get_u32(r, &type))
        return v8_malformed(r);
    if (type == DURABOX_NATIVE_ERROR)
        return v8_read_native_error(r);
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
        return v8_malformed(r);
    }
    r->at = r->begin + end;
    return v8_with_id(r, object);
}

static JSValue read_object(Reader *r, uint8_t tag)
{
    JSContext *ctx = r->ctx;
    uint32_t id;
    double number;

    switch (tag) {
    case 'o':
        return v8_read_plain(r);
    case 'A':
    case 'a':
        return read_array(r, tag == 'A');
    case ';':
    case '\'':
        return read_collection(r, tag == ';');
    case 'D':
        return get_double(r, &number) ? v8_with_id(r, JS_NewDate(ctx, number)) : v8_malformed(r);
    case 'B':
    case '~':
        return v8_read_buffer(r, tag == '~');
    case 'R':
        return read_regexp(r);
    case 'r':
        return v8_read_error(r);
    case DURABOX_HOST_OBJECT:
        return read_host_object(r);
    case 'y':
    case 'x':
        return boxed(r, JS_NewBool(ctx, tag == 'y'));
    case 'n':
        return get_double(r, &number) ? boxed(r, JS_NewFloat64(ctx, number)) : v8_malformed(r);
    case 'z':
        return boxed(r, read_bigint(r));
    case 's':
        return boxed(r, v8_read_string(r));
    case '^': {
        JSValue found, view;

        if (!get_u32(r, &id) || id >= r->count || JS_IsUndefined(r->objects[id]))
            return v8_malformed(r);
        found = JS_DupValue(ctx, r->objects[id]);
        /* A further view of a buffer that came before. */
        if (!JS_IsArrayBuffer(found) || !peek_tag(r, 'V'))
            return found;
        view = v8_read_view(r, found);
        JS_FreeValue(ctx, found);
        return view;
    }
    default:
        return v8_malformed(r);
    }
}

JSValue v8_read_value(Reader *r)
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
            return v8_malformed(r);
        return JS_NewInt32(ctx, (int32_t)(number >> 1) ^ -(int32_t)(number & 1));
    case 'U':
        return get_u32(r, &number) ? JS_NewUint32(ctx, number) : v8_malformed(r);
    case 'N':
        return get_double(r, &real) ? JS_NewNumber(ctx, real) : v8_malformed(r);
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
        return v8_malformed(&r);
    value = v8_read_value(&r);
    while (r.count)
        JS_FreeValue(ctx, r.objects[--r.count]);
    js_free(ctx, r.objects);
    JS_FreeValue(ctx, r.bytes);
    return value;
}
