/* v8_serialize.c: JavaScript values to bytes in V8's serialization format, version 15; structuredClone.
 *
 * Contract: values.h. What V8 can write is written as V8 writes it; errors and objects of the platform as workerd
 * writes them, the latter by hooks.writeHostObject. What cannot be written throws a DataCloneError that names the value.
 * Getters run while an object is written and may do anything: every object met is held until the end, every length
 * is taken at the moment it is used, and what a getter removed is left out.
 */

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "values.h"

enum { FORMAT_VERSION = 15 };

Builtins durabox_builtins;

const ErrorClass durabox_errors[DURABOX_ERRORS] = {
    { "Error", 0, 1 },         { "TypeError", 'T', 2 },  { "RangeError", 'R', 3 },
    { "ReferenceError", 'F', 4 }, { "SyntaxError", 'S', 5 }, { "EvalError", 'E', 10 },
    { "URIError", 'U', 11 },   { "AggregateError", 0, 12 }, { "SuppressedError", 0, 13 },
};

typedef struct {
    JSContext *ctx;
    uint8_t *data;
    size_t len, cap;
    JSValue *seen; /* by id */
    uint32_t seen_len, seen_cap;
    uint32_t *slots; /* hash of object pointers: id + 1, 0 for free */
    uint32_t slots_cap;
    int depth;
    bool lending; /* functions and proxies may be host objects too, and no class but the language's own is copied */
} Writer;

static int write_value(Writer *w, JSValueConst value);

/* ---- bytes ---- */

static int room(Writer *w, size_t more)
{
    size_t cap = w->cap ? w->cap : 64;
    uint8_t *data;

    if (w->cap - w->len >= more)
        return 0;
    while (cap - w->len < more)
        cap *= 2;
    data = js_realloc(w->ctx, w->data, cap);
    if (!data)
        return -1;
    w->data = data;
    w->cap = cap;
    return 0;
}

static int put_byte(Writer *w, uint8_t byte)
{
    if (room(w, 1))
        return -1;
    w->data[w->len++] = byte;
    return 0;
}

static int put_bytes(Writer *w, const void *bytes, size_t len)
{
    if (room(w, len))
        return -1;
    if (len)
        memcpy(w->data + w->len, bytes, len);
    w->len += len;
    return 0;
}

static int put_varint(Writer *w, uint64_t number)
{
    if (room(w, 10))
        return -1;
    while (number >= 0x80) {
        w->data[w->len++] = number | 0x80;
        number >>= 7;
    }
    w->data[w->len++] = number;
    return 0;
}

static int put_tag_varint(Writer *w, uint8_t tag, uint64_t number)
{
    return put_byte(w, tag) || put_varint(w, number) ? -1 : 0;
}

static int put_double(Writer *w, double number)
{
    if (isnan(number))
        number = NAN; /* one bit pattern for all */
    return put_bytes(w, &number, 8);
}

/* ---- primitives ---- */

static int write_int(Writer *w, int32_t number)
{
    return put_tag_varint(w, 'I', ((uint32_t)number << 1) ^ (uint32_t)(number >> 31));
}

static int write_number(Writer *w, double number)
{
    if (number >= INT32_MIN && number <= INT32_MAX && number == (int32_t)number && (number || !signbit(number)))
        return write_int(w, (int32_t)number);
    return put_byte(w, 'N') || put_double(w, number) ? -1 : 0;
}

static int varint_len(uint64_t number)
{
    int len = 1;
    while (number >>= 7)
        len++;
    return len;
}

static int write_string(Writer *w, JSValueConst value)
{
    const void *chars;
    JSValue held;
    size_t len;
    bool wide;
    int result;

    if (durabox_string_view(w->ctx, value, &held, &chars, &len, &wide))
        return -1;
    if (!wide) {
        result = put_tag_varint(w, '"', len) || put_bytes(w, chars, len);
    } else {
        /* Two-byte characters lie at even offsets. */
        result = ((w->len + 1 + varint_len(len * 2)) & 1) && put_byte(w, 0);
        result = result || put_tag_varint(w, 'c', len * 2) || put_bytes(w, chars, len * 2);
    }
    JS_FreeValue(w->ctx, held);
    return result ? -1 : 0;
}

/* The digits of a bigint, least significant first, without tag. */
static int write_bigint_digits(Writer *w, JSValueConst value)
{
    JSContext *ctx = w->ctx;
    JSValue sixteen = JS_NewInt32(ctx, 16), text;
    const char *digits;
    size_t len, bytes, i;
    bool negative;

    text = JS_Call(ctx, durabox_builtins.bigint_text, value, 1, (JSValueConst *)&sixteen);
    if (JS_IsException(text))
        return -1;
    digits = JS_ToCStringLen(ctx, &len, text);
    JS_FreeValue(ctx, text);
    if (!digits)
        return -1;
    negative = *digits == '-';
    len -= negative;
    bytes = len == 1 && digits[0] == '0' ? 0 : (len + 15) / 16 * 8;
    if (put_varint(w, (uint64_t)bytes << 1 | negative) || room(w, bytes)) {
        JS_FreeCString(ctx, digits);
        return -1;
    }
    memset(w->data + w->len, 0, bytes);
    for (i = 0; bytes && i < len; i++) {
        char c = digits[negative + len - 1 - i];
        w->data[w->len + i / 2] |= (c <= '9' ? c - '0' : c - 'a' + 10) << (i % 2 * 4);
    }
    w->len += bytes;
    JS_FreeCString(ctx, digits);
    return 0;
}

/* ---- objects met so far ---- */

static uint32_t hash_of(const void *pointer)
{
    return (uint32_t)(uintptr_t)pointer * 2654435761u >> 4;
}

static void insert(Writer *w, const void *pointer, uint32_t id)
{
    uint32_t slot = hash_of(pointer) & (w->slots_cap - 1);

    while (w->slots[slot])
        slot = (slot + 1) & (w->slots_cap - 1);
    w->slots[slot] = id + 1;
}

/* The next id goes to `object`, or with undefined to something that is never met again. */
static int add_object(Writer *w, JSValueConst object)
{
    uint32_t i;

    if (w->seen_len == w->seen_cap) {
        uint32_t cap = w->seen_cap ? w->seen_cap * 2 : 8;
        JSValue *seen = js_realloc(w->ctx, w->seen, cap * sizeof(*seen));
        uint32_t *slots;

        if (!seen)
            return -1;
        w->seen = seen;
        w->seen_cap = cap;
        if (cap > 8) {
            slots = js_mallocz(w->ctx, cap * 2 * sizeof(*slots));
            if (!slots)
                return -1;
            js_free(w->ctx, w->slots);
            w->slots = slots;
            w->slots_cap = cap * 2;
            for (i = 0; i < w->seen_len; i++)
                insert(w, JS_VALUE_GET_PTR(w->seen[i]), i);
        }
    }
    w->seen[w->seen_len] = JS_DupValue(w->ctx, object);
    if (w->slots_cap)
        insert(w, JS_VALUE_GET_PTR(object), w->seen_len);
    w->seen_len++;
    return 0;
}

/* The object's id, or -1 when it has not been met. */
static int64_t find_object(Writer *w, JSValueConst object)
{
    const void *pointer = JS_VALUE_GET_PTR(object);
    uint32_t i;

    if (w->slots_cap) {
        for (i = hash_of(pointer) & (w->slots_cap - 1); w->slots[i]; i = (i + 1) & (w->slots_cap - 1))
            if (JS_VALUE_GET_PTR(w->seen[w->slots[i] - 1]) == pointer)
                return w->slots[i] - 1;
    } else {
        for (i = 0; i < w->seen_len; i++)
            if (JS_VALUE_GET_PTR(w->seen[i]) == pointer)
                return i;
    }
    return -1;
}

/* 1: the object was met before and a reference to it has been written; 0: it has its id now. */
static int remember(Writer *w, JSValueConst object)
{
    int64_t id = find_object(w, object);

    if (id >= 0)
        return put_tag_varint(w, '^', id) ? -1 : 1;
    return add_object(w, object);
}

/* ---- what cannot be cloned ---- */

static int refuse(Writer *w, JSValueConst value)
{
    JSContext *ctx = w->ctx;
    char message[256];
    JSValue text = JS_UNDEFINED, constructor, error;
    const char *shown = NULL;

    if (JS_IsSymbol(value)) {
        JSValue description = JS_GetPropertyStr(ctx, value, "description");
        shown = JS_IsString(description) ? JS_ToCString(ctx, description) : NULL;
        snprintf(message, sizeof(message), "Symbol(%.200s) could not be cloned.", shown ? shown : "");
        text = description;
    } else if (JS_IsFunction(ctx, value)) {
        text = JS_ToString(ctx, value);
        if (JS_IsException(text))
            return -1;
        shown = JS_ToCString(ctx, text);
        snprintf(message, sizeof(message), "%.200s could not be cloned.", shown ? shown : "function");
    } else {
        constructor = JS_IsProxy(value) ? JS_UNDEFINED : JS_GetPropertyStr(ctx, value, "constructor");
        text = JS_IsObject(constructor) ? JS_GetPropertyStr(ctx, constructor, "name") : JS_UNDEFINED;
        JS_FreeValue(ctx, constructor);
        shown = JS_IsString(text) ? JS_ToCString(ctx, text) : NULL;
        snprintf(message, sizeof(message), "#<%.200s> could not be cloned.", shown && *shown ? shown : "Object");
    }
    JS_FreeCString(ctx, shown);
    JS_FreeValue(ctx, text);
    if (JS_HasException(ctx))
        JS_FreeValue(ctx, JS_GetException(ctx));
    error = durabox_make_error(ctx, "DataCloneError", message);
    if (!JS_IsException(error))
        JS_Throw(ctx, error);
    return -1;
}

/* ---- objects ---- */

/* An array index in its canonical decimal form. */
static bool is_index(const uint8_t *chars, size_t len, uint32_t *index)
{
    uint64_t number = 0;
    size_t i;

    if (len == 0 || len > 10 || (chars[0] == '0' && len > 1))
        return false;
    for (i = 0; i < len; i++) {
        if (chars[i] < '0' || chars[i] > '9')
            return false;
        number = number * 10 + (chars[i] - '0');
    }
    *index = number;
    return number < UINT32_MAX;
}

static int key_index(Writer *w, JSValueConst key, bool *indexed, uint32_t *index)
{
    const void *chars;
    JSValue held;
    size_t len;
    bool wide;

    if (durabox_string_view(w->ctx, key, &held, &chars, &len, &wide))
        return -1;
    *indexed = !wide && is_index(chars, len, index);
    JS_FreeValue(w->ctx, held);
    return 0;
}

/* Own enumerable properties, but not those with an index below `skip`. */
static int write_properties(Writer *w, JSValueConst object, uint32_t skip, uint32_t *written)
{
    JSContext *ctx = w->ctx;
    JSPropertyEnum *properties;
    uint32_t count, i, index;
    int result = -1;

    if (JS_GetOwnPropertyNames(ctx, &properties, &count, object, JS_GPN_STRING_MASK | JS_GPN_ENUM_ONLY))
        return -1;
    *written = 0;
    for (i = 0; i < count; i++) {
        JSValue key = JS_AtomToString(ctx, properties[i].atom), value;
        bool indexed;
        int present, failed;

        if (JS_IsException(key))
            goto done;
        if (key_index(w, key, &indexed, &index)) {
            JS_FreeValue(ctx, key);
            goto done;
        }
        if (indexed && index < skip) {
            JS_FreeValue(ctx, key);
            continue;
        }
        present = i == 0 ? 1 : JS_GetOwnProperty(ctx, NULL, object, properties[i].atom);
        if (present <= 0) {
            JS_FreeValue(ctx, key);
            if (present < 0)
                goto done;
            continue;
        }
        value = JS_GetProperty(ctx, object, properties[i].atom);
        failed = JS_IsException(value) || (indexed ? write_number(w, index) : write_string(w, key)) ||
                 write_value(w, value);
        JS_FreeValue(ctx, value);
        JS_FreeValue(ctx, key);
        if (failed)
            goto done;
        ++*written;
    }
    result = 0;
done:
    JS_FreePropertyEnum(ctx, properties, count);
    return result;
}

static int write_plain(Writer *w, JSValueConst object)
{
    uint32_t written;

    if (put_byte(w, 'o') || write_properties(w, object, 0, &written))
        return -1;
    return put_tag_varint(w, '{', written);
}

static int write_array(Writer *w, JSValueConst array)
{
    JSContext *ctx = w->ctx;
    uint32_t written, i, len;
    int64_t length;
    bool dense = true;

    if (JS_GetLength(ctx, array, &length))
        return -1;
    len = length;
    for (i = 0; i < len && dense; i++) {
        JSAtom atom = JS_NewAtomUInt32(ctx, i);
        int present = JS_GetOwnProperty(ctx, NULL, array, atom);

        JS_FreeAtom(ctx, atom);
        if (present < 0)
            return -1;
        dense = present;
    }
    if (!dense) {
        if (put_tag_varint(w, 'a', len) || write_properties(w, array, 0, &written))
            return -1;
        return put_tag_varint(w, '@', written) || put_varint(w, len) ? -1 : 0;
    }
    if (put_tag_varint(w, 'A', len))
        return -1;
    for (i = 0; i < len; i++) {
        JSValue item = JS_GetPropertyUint32(ctx, array, i);
        int failed = JS_IsException(item);

        if (!failed && JS_IsUndefined(item)) {
            /* A getter may have removed it meanwhile. */
            JSAtom atom = JS_NewAtomUInt32(ctx, i);
            failed = put_byte(w, JS_GetOwnProperty(ctx, NULL, array, atom) > 0 ? '_' : '-');
            JS_FreeAtom(ctx, atom);
        } else if (!failed) {
            failed = write_value(w, item);
        }
        JS_FreeValue(ctx, item);
        if (failed)
            return -1;
    }
    /* Elements that a getter has added meanwhile are left out. */
    if (write_properties(w, array, UINT32_MAX, &written))
        return -1;
    return put_tag_varint(w, '$', written) || put_varint(w, len) ? -1 : 0;
}

typedef struct {
    JSValue *items;
    size_t len, cap;
} Items;

static Items *collecting;

/* forEach's callback: (value, key). */
static JSValue collect(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    Items *items = collecting;

    if (items->len + 2 > items->cap) {
        size_t cap = items->cap ? items->cap * 2 : 16;
        JSValue *grown = js_realloc(ctx, items->items, cap * sizeof(*grown));
        if (!grown)
            return JS_EXCEPTION;
        items->items = grown;
        items->cap = cap;
    }
    items->items[items->len++] = JS_DupValue(ctx, argv[1]);
    items->items[items->len++] = JS_DupValue(ctx, argv[0]);
    return JS_UNDEFINED;
}

/* The entries as they are now; writing them may change the collection. */
static int write_collection(Writer *w, JSValueConst object, bool is_map)
{
    JSContext *ctx = w->ctx;
    JSValue callback = JS_NewCFunction(ctx, collect, "", 2), done;
    Items items = { 0 };
    size_t i, count;
    int result = -1;

    collecting = &items;
    done = JS_Call(ctx, is_map ? durabox_builtins.map_each : durabox_builtins.set_each, object, 1,
                   (JSValueConst *)&callback);
    collecting = NULL;
    JS_FreeValue(ctx, callback);
    if (JS_IsException(done) || put_byte(w, is_map ? ';' : '\''))
        goto out;
    for (i = 0; i < items.len; i++)
        if ((is_map || i % 2) && write_value(w, items.items[i]))
            goto out;
    count = is_map ? items.len : items.len / 2;
    result = put_tag_varint(w, is_map ? ':' : ',', count);
out:
    for (i = 0; i < items.len; i++)
        JS_FreeValue(ctx, items.items[i]);
    js_free(ctx, items.items);
    return result;
}

/* In place of the engine's own exception, which is pending. */
static int refuse_detached(JSContext *ctx)
{
    JSValue error;

    JS_FreeValue(ctx, JS_GetException(ctx));
    error = durabox_make_error(ctx, "DataCloneError", "An ArrayBuffer is detached and could not be cloned.");
    if (!JS_IsException(error))
        JS_Throw(ctx, error);
    return -1;
}

static int write_buffer(Writer *w, JSValueConst buffer)
{
    JSContext *ctx = w->ctx;
    JSValue resizable = JS_Call(ctx, durabox_builtins.buffer_resizable, buffer, 0, NULL), most;
    uint8_t *bytes = NULL;
    int64_t max = 0;
    size_t len = 0;

    if (JS_IsException(resizable))
        return -1;
    if (JS_ToBool(ctx, resizable)) {
        most = JS_Call(ctx, durabox_builtins.buffer_max, buffer, 0, NULL);
        if (JS_ToInt64(ctx, &max, most))
            return -1;
        if (durabox_bytes(ctx, buffer, &bytes, &len) || put_tag_varint(w, '~', len) || put_varint(w, max))
            return -1;
        return put_bytes(w, bytes, len);
    }
    if (durabox_bytes(ctx, buffer, &bytes, &len))
        return refuse_detached(ctx);
    return put_tag_varint(w, 'B', len) || put_bytes(w, bytes, len) ? -1 : 0;
}

static const uint8_t view_tags[] = {
    [JS_TYPED_ARRAY_UINT8C] = 'C',     [JS_TYPED_ARRAY_INT8] = 'b',       [JS_TYPED_ARRAY_UINT8] = 'B',
    [JS_TYPED_ARRAY_INT16] = 'w',      [JS_TYPED_ARRAY_UINT16] = 'W',     [JS_TYPED_ARRAY_INT32] = 'd',
    [JS_TYPED_ARRAY_UINT32] = 'D',     [JS_TYPED_ARRAY_BIG_INT64] = 'q',  [JS_TYPED_ARRAY_BIG_UINT64] = 'Q',
    [JS_TYPED_ARRAY_FLOAT16] = 'h',    [JS_TYPED_ARRAY_FLOAT32] = 'f',    [JS_TYPED_ARRAY_FLOAT64] = 'F',
};

/* The view's buffer and where in it the view lies. The buffer is to be freed. */
static JSValue view_place(JSContext *ctx, JSValueConst view, int type, size_t *offset, size_t *len)
{
    uint8_t *bytes, *base;
    size_t total;
    JSValue buffer;

    if (type >= 0)
        return JS_GetTypedArrayBuffer(ctx, view, offset, len, NULL);
    if (durabox_data_view(ctx, view, &bytes, len))
        return JS_EXCEPTION;
    buffer = JS_GetPropertyStr(ctx, view, "buffer");
    if (JS_IsException(buffer))
        return buffer;
    base = JS_GetArrayBuffer(ctx, &total, buffer);
    if (!base && JS_HasException(ctx)) {
        JS_FreeValue(ctx, buffer);
        return JS_EXCEPTION;
    }
    *offset = bytes && bytes >= base && bytes + *len <= base + total ? bytes - base : 0;
    return buffer;
}

/* A buffer comes before the first view of it; the view's own id comes after the buffer's. */
static int write_view(Writer *w, JSValueConst view, int type)
{
    JSContext *ctx = w->ctx;
    size_t offset = 0, len = 0;
    JSValue buffer, resizable;
    int64_t id;
    bool tracks;
    int met, result = -1;

    buffer = view_place(ctx, view, type, &offset, &len);
    if (JS_IsException(buffer))
        return refuse_detached(ctx);
    if (!JS_IsArrayBuffer(buffer)) {
        JS_FreeValue(ctx, buffer);
        return refuse(w, view);
    }
    /* A view that was met before is a mere reference and needs no buffer. */
    id = find_object(w, view);
    if (id >= 0) {
        JS_FreeValue(ctx, buffer);
        return put_tag_varint(w, '^', id);
    }
    met = remember(w, buffer);
    if (met < 0 || (met == 0 && write_buffer(w, buffer)) || remember(w, view) < 0)
        goto done;
    resizable = JS_Call(ctx, durabox_builtins.buffer_resizable, buffer, 0, NULL);
    if (JS_IsException(resizable))
        goto done;
    tracks = durabox_tracks_length(view);
    if (put_byte(w, 'V') || put_byte(w, type >= 0 ? view_tags[type] : '?') || put_varint(w, offset) ||
        put_varint(w, tracks ? 0 : len) || put_varint(w, (JS_ToBool(ctx, resizable) ? 2 : 0) | tracks))
        goto done;
    result = 0;
done:
    JS_FreeValue(ctx, buffer);
    return result;
}

static int write_regexp(Writer *w, JSValueConst regexp)
{
    static const char letters[] = "gimyus"; /* bit 0 to 5 */
    JSContext *ctx = w->ctx;
    JSValue source = JS_Call(ctx, durabox_builtins.regexp_source, regexp, 0, NULL);
    JSValue flags = JS_Call(ctx, durabox_builtins.regexp_flags, regexp, 0, NULL);
    const char *text = JS_IsString(flags) ? JS_ToCString(ctx, flags) : NULL, *c, *found;
    uint32_t bits = 0;
    int result = -1;

    if (JS_IsString(source) && text) {
        for (c = text; *c; c++) {
            found = strchr(letters, *c);
            bits |= found ? 1u << (found - letters) : *c == 'd' ? 1u << 7 : *c == 'v' ? 1u << 8 : 0;
        }
        result = put_byte(w, 'R') || write_string(w, source) || put_varint(w, bits) ? -1 : 0;
    }
    JS_FreeCString(ctx, text);
    JS_FreeValue(ctx, flags);
    JS_FreeValue(ctx, source);
    return result;
}

/* The type of a workerd native error with that name; 0: the name itself is written. */
static int error_type(JSContext *ctx, JSValueConst name)
{
    const char *text = JS_IsString(name) ? JS_ToCString(ctx, name) : NULL;
    int type = 0;

    for (size_t i = 0; text && i < DURABOX_ERRORS; i++)
        if (!strcmp(text, durabox_errors[i].name))
            type = durabox_errors[i].type;
    JS_FreeCString(ctx, text);
    return type;
}

static int write_name(Writer *w, const char *name)
{
    JSValue text = JS_NewString(w->ctx, name);
    int failed = JS_IsException(text) || write_string(w, text);

    JS_FreeValue(w->ctx, text);
    return failed ? -1 : 0;
}

static bool is_error_part(const char *name)
{
    return !strcmp(name, "stack") || !strcmp(name, "message") || !strcmp(name, "name");
}

/* Its stack, then every own property besides the three that every error has, enumerable or not. */
static int write_error_properties(Writer *w, JSValueConst error)
{
    JSContext *ctx = w->ctx;
    JSValue stack = JS_GetPropertyStr(ctx, error, "stack");
    JSPropertyEnum *properties = NULL;
    uint32_t count = 0, written = 0, i, index;
    int failed;

    failed = JS_IsException(stack) || put_byte(w, 'o');
    if (!failed && !JS_IsUndefined(stack)) {
        failed = write_name(w, "stack") || write_value(w, stack);
        written++;
    }
    JS_FreeValue(ctx, stack);
    failed = failed || JS_GetOwnPropertyNames(ctx, &properties, &count, error, JS_GPN_STRING_MASK);
    for (i = 0; i < count && !failed; i++) {
        JSValue key = JS_AtomToString(ctx, properties[i].atom), value;
        const char *name = JS_IsException(key) ? NULL : JS_ToCString(ctx, key);
        bool indexed = false, skipped = name && is_error_part(name);

        JS_FreeCString(ctx, name);
        failed = !name || key_index(w, key, &indexed, &index);
        if (!failed && !skipped && !indexed) {
            value = JS_GetProperty(ctx, error, properties[i].atom);
            failed = JS_IsException(value) || write_string(w, key) || write_value(w, value);
            JS_FreeValue(ctx, value);
            written++;
        }
        JS_FreeValue(ctx, key);
    }
    if (properties)
        JS_FreePropertyEnum(ctx, properties, count);
    return failed || put_tag_varint(w, '{', written) ? -1 : 0;
}

/* As workerd does since errors keep their names and properties. */
static int write_error(Writer *w, JSValueConst error)
{
    JSContext *ctx = w->ctx;
    JSValue name = JS_GetPropertyStr(ctx, error, "name"), message = JS_UNDEFINED, text = JS_UNDEFINED;
    int type, failed = JS_IsException(name);

    if (!failed) {
        type = error_type(ctx, name);
        failed = put_tag_varint(w, DURABOX_HOST_OBJECT, DURABOX_NATIVE_ERROR) || put_varint(w, type) ||
                 (!type && write_value(w, name));
    }
    JS_FreeValue(ctx, name);
    if (!failed) {
        message = JS_GetPropertyStr(ctx, error, "message");
        text = JS_IsUndefined(message) ? JS_NewString(ctx, "") : JS_ToString(ctx, message);
        failed = JS_IsException(message) || JS_IsException(text) || write_string(w, text);
    }
    JS_FreeValue(ctx, message);
    JS_FreeValue(ctx, text);
    /* The object that holds the properties takes an id. */
    return failed || add_object(w, JS_UNDEFINED) || write_error_properties(w, error) ? -1 : 0;
}

/* 1: it inherits from something else than the language's own, and may therefore be of the platform. */
static int is_derived(Writer *w, JSValueConst object)
{
    const Builtins *b = &durabox_builtins;
    JSContext *ctx = w->ctx;
    JSValue prototype = JS_GetPrototype(ctx, object);
    const void *pointer;
    bool known;

    if (JS_IsException(prototype))
        return -1;
    known = !JS_IsObject(prototype) && !w->lending;
    if (JS_IsObject(prototype)) {
        pointer = JS_VALUE_GET_PTR(prototype);
        known = pointer == JS_VALUE_GET_PTR(b->object_prototype);
        for (size_t i = 0; i < DURABOX_ERRORS && !known; i++)
            known = pointer == JS_VALUE_GET_PTR(b->error_prototypes[i]);
    }
    JS_FreeValue(ctx, prototype);
    return !known;
}

/* 1: hooks.writeHostObject knows it and it has been written; 0: it does not. */
static int write_described(Writer *w, JSValueConst object)
{
    JSContext *ctx = w->ctx;
    JSValueConst arguments[2] = { object, JS_NewBool(ctx, w->lending) };
    JSValue payload = durabox_call_hook(ctx, "writeHostObject", 2, arguments);
    uint8_t *bytes;
    size_t len;
    int result;

    if (JS_IsUndefined(payload))
        return 0;
    result = JS_IsException(payload) || durabox_bytes(ctx, payload, &bytes, &len) ||
             put_byte(w, DURABOX_HOST_OBJECT) || put_bytes(w, bytes, len);
    JS_FreeValue(ctx, payload);
    return result ? -1 : 1;
}

/* 1: it is an object of the platform and has been written; 0: it is not. */
static int write_host_object(Writer *w, JSValueConst object)
{
    int result = is_derived(w, object);

    return result <= 0 ? result : write_described(w, object);
}

static int write_boxed(Writer *w, JSValueConst object, JSClassID class_id)
{
    const Builtins *b = &durabox_builtins;
    JSContext *ctx = w->ctx;
    JSValueConst unbox = class_id == b->number    ? b->number_value
                         : class_id == b->string  ? b->string_value
                         : class_id == b->boolean ? b->boolean_value
                                                  : b->bigint_value;
    JSValue inner = JS_Call(ctx, unbox, object, 0, NULL);
    double number = 0;
    int result = -1;

    if (JS_IsException(inner))
        return -1;
    if (class_id == b->number)
        result = JS_ToFloat64(ctx, &number, inner) || put_byte(w, 'n') || put_double(w, number);
    else if (class_id == b->string)
        result = put_byte(w, 's') || write_string(w, inner);
    else if (class_id == b->boolean)
        result = put_byte(w, JS_ToBool(ctx, inner) ? 'y' : 'x');
    else
        result = put_byte(w, 'z') || write_bigint_digits(w, inner);
    JS_FreeValue(ctx, inner);
    return result ? -1 : 0;
}

static int write_date(Writer *w, JSValueConst date)
{
    JSValue time = JS_Call(w->ctx, durabox_builtins.date_time, date, 0, NULL);
    double number;

    if (JS_IsException(time) || JS_ToFloat64(w->ctx, &number, time))
        return -1;
    return put_byte(w, 'D') || put_double(w, number) ? -1 : 0;
}

static int write_object(Writer *w, JSValueConst object)
{
    const Builtins *b = &durabox_builtins;
    JSClassID class_id = JS_GetClassID(object);
    int type, met;

    if (JS_IsFunction(w->ctx, object) || JS_IsProxy(object)) {
        met = w->lending ? remember(w, object) : 0;
        if (met)
            return met < 0 ? -1 : 0;
        met = w->lending ? write_described(w, object) : 0;
        return met ? (met < 0 ? -1 : 0) : refuse(w, object);
    }
    type = JS_GetTypedArrayType(object);
    if (type >= 0 || JS_IsDataView(object))
        return write_view(w, object, type);
    met = remember(w, object);
    if (met)
        return met < 0 ? -1 : 0;
    if (class_id == b->plain || class_id == b->error) {
        met = write_host_object(w, object);
        if (met)
            return met < 0 ? -1 : 0;
        return class_id == b->plain ? write_plain(w, object) : write_error(w, object);
    }
    if (class_id == b->arguments)
        return write_plain(w, object);
    if (JS_IsArray(object))
        return write_array(w, object);
    if (JS_IsDate(object))
        return write_date(w, object);
    if (JS_IsMap(object) || JS_IsSet(object))
        return write_collection(w, object, JS_IsMap(object));
    if (JS_IsArrayBuffer(object))
        return write_buffer(w, object);
    if (JS_IsRegExp(object))
        return write_regexp(w, object);
    if (class_id == b->number || class_id == b->string || class_id == b->boolean || class_id == b->boxed_bigint)
        return write_boxed(w, object, class_id);
    return refuse(w, object);
}

static int write_value(Writer *w, JSValueConst value)
{
    char here;
    int result;

    switch (JS_VALUE_GET_NORM_TAG(value)) {
    case JS_TAG_INT:
        return write_int(w, JS_VALUE_GET_INT(value));
    case JS_TAG_FLOAT64:
        return write_number(w, JS_VALUE_GET_FLOAT64(value));
    case JS_TAG_BOOL:
        return put_byte(w, JS_VALUE_GET_BOOL(value) ? 'T' : 'F');
    case JS_TAG_NULL:
        return put_byte(w, '0');
    case JS_TAG_UNDEFINED:
        return put_byte(w, '_');
    case JS_TAG_STRING:
    case JS_TAG_STRING_ROPE:
        return write_string(w, value);
    case JS_TAG_BIG_INT:
    case JS_TAG_SHORT_BIG_INT:
        return put_byte(w, 'Z') || write_bigint_digits(w, value) ? -1 : 0;
    case JS_TAG_OBJECT:
        if (w->depth >= DURABOX_VALUE_DEPTH || (uintptr_t)&here < DURABOX_STACK_LOW) {
            JS_ThrowRangeError(w->ctx, "Maximum call stack size exceeded");
            return -1;
        }
        w->depth++;
        result = write_object(w, value);
        w->depth--;
        return result;
    default:
        return refuse(w, value);
    }
}

int durabox_v8_write(JSContext *ctx, JSValueConst value, bool lending, uint8_t **out, size_t *len)
{
    static const uint8_t header[] = { 0xFF, FORMAT_VERSION };
    Writer w = { .ctx = ctx, .lending = lending };
    int result = put_bytes(&w, header, sizeof(header)) || write_value(&w, value) ? -1 : 0;

    for (uint32_t i = 0; i < w.seen_len; i++)
        JS_FreeValue(ctx, w.seen[i]);
    js_free(ctx, w.seen);
    js_free(ctx, w.slots);
    if (result) {
        js_free(ctx, w.data);
        return -1;
    }
    *out = w.data;
    *len = w.len;
    return 0;
}

/* ---- native ---- */

/* Frees (size 0) or resizes the memory of an ArrayBuffer. */
static void *array_buffer_memory(JSRuntime *rt, void *opaque, void *data, size_t size)
{
    if (size)
        return js_realloc_rt(rt, data, size);
    js_free_rt(rt, data);
    return NULL;
}

/* (value, lending) */
static JSValue native_serialize(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    uint8_t *data;
    size_t len;

    if (durabox_v8_write(ctx, argv[0], argc > 1 && JS_ToBool(ctx, argv[1]) > 0, &data, &len))
        return JS_EXCEPTION;
    return JS_NewArrayBuffer(ctx, data, len, 0, array_buffer_memory, NULL, false);
}

static JSValue native_deserialize(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    uint8_t *data;
    size_t len;

    if (durabox_bytes(ctx, argv[0], &data, &len))
        return JS_EXCEPTION;
    return durabox_v8_read(ctx, data, len);
}

/* (value, transfer): the buffers of `transfer` are detached once the copy has been made. */
static JSValue native_clone(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    uint8_t *data;
    size_t len;
    JSValue copy;
    int64_t count = 0, i;

    if (durabox_v8_write(ctx, argv[0], false, &data, &len))
        return JS_EXCEPTION;
    copy = durabox_v8_read(ctx, data, len);
    js_free(ctx, data);
    if (JS_IsException(copy) || argc < 2 || !JS_IsArray(argv[1]))
        return copy;
    if (JS_GetLength(ctx, argv[1], &count))
        goto fail;
    for (i = 0; i < count; i++) {
        JSValue buffer = JS_GetPropertyInt64(ctx, argv[1], i);
        if (JS_IsException(buffer))
            goto fail;
        if (JS_IsArrayBuffer(buffer))
            JS_DetachArrayBuffer(ctx, buffer);
        JS_FreeValue(ctx, buffer);
    }
    return copy;
fail:
    JS_FreeValue(ctx, copy);
    return JS_EXCEPTION;
}

/* Looks up `path` ("Map.prototype.set"; "get x" for a getter of the last object) from the global object. */
static JSValue builtin(JSContext *ctx, const char *path)
{
    JSValue value = JS_GetGlobalObject(ctx), next;
    JSPropertyDescriptor found;
    char name[32];
    const char *end;
    JSAtom atom;

    for (;;) {
        bool getter = !strncmp(path, "get ", 4);
        path += getter ? 4 : 0;
        end = strchr(path, '.');
        snprintf(name, sizeof(name), "%.*s", (int)(end ? end - path : (ptrdiff_t)strlen(path)), path);
        if (getter) {
            atom = JS_NewAtom(ctx, name);
            next = JS_UNDEFINED;
            if (JS_GetOwnProperty(ctx, &found, value, atom) > 0) {
                next = JS_DupValue(ctx, found.getter);
                JS_FreeValue(ctx, found.value);
                JS_FreeValue(ctx, found.getter);
                JS_FreeValue(ctx, found.setter);
            }
            JS_FreeAtom(ctx, atom);
        } else {
            next = JS_GetPropertyStr(ctx, value, name);
        }
        JS_FreeValue(ctx, value);
        value = next;
        if (!end || JS_IsException(value))
            return value;
        path = end + 1;
    }
}

static JSClassID class_of(JSContext *ctx, const char *constructor, JSValueConst argument)
{
    JSValue make = builtin(ctx, constructor), object;
    JSClassID class_id;

    object = strcmp(constructor, "Object") ? JS_CallConstructor(ctx, make, 1, &argument)
                                           : JS_Call(ctx, make, JS_UNDEFINED, 1, &argument);
    class_id = JS_GetClassID(object);
    JS_FreeValue(ctx, object);
    JS_FreeValue(ctx, make);
    return class_id;
}

static const JSCFunctionListEntry functions[] = {
    JS_CFUNC_DEF("serialize", 2, native_serialize),
    JS_CFUNC_DEF("deserialize", 1, native_deserialize),
    JS_CFUNC_DEF("structuredClone", 2, native_clone),
};

void durabox_register_values(JSContext *ctx, JSValueConst native)
{
    Builtins *b = &durabox_builtins;
    JSValue text = JS_NewString(ctx, ""), sample;

    b->number_value = builtin(ctx, "Number.prototype.valueOf");
    b->string_value = builtin(ctx, "String.prototype.valueOf");
    b->boolean_value = builtin(ctx, "Boolean.prototype.valueOf");
    b->bigint_value = builtin(ctx, "BigInt.prototype.valueOf");
    b->bigint_text = builtin(ctx, "BigInt.prototype.toString");
    b->date_time = builtin(ctx, "Date.prototype.getTime");
    b->regexp_source = builtin(ctx, "RegExp.prototype.get source");
    b->regexp_flags = builtin(ctx, "RegExp.prototype.get flags");
    b->map_each = builtin(ctx, "Map.prototype.forEach");
    b->set_each = builtin(ctx, "Set.prototype.forEach");
    b->map_put = builtin(ctx, "Map.prototype.set");
    b->set_put = builtin(ctx, "Set.prototype.add");
    b->buffer_max = builtin(ctx, "ArrayBuffer.prototype.get maxByteLength");
    b->buffer_resizable = builtin(ctx, "ArrayBuffer.prototype.get resizable");
    b->map = builtin(ctx, "Map");
    b->set = builtin(ctx, "Set");
    b->regexp = builtin(ctx, "RegExp");
    b->bigint = builtin(ctx, "BigInt");
    b->bigint_signed = builtin(ctx, "BigInt.asIntN");
    b->object = builtin(ctx, "Object");
    b->data_view = builtin(ctx, "DataView");
    b->array_buffer = builtin(ctx, "ArrayBuffer");
    b->object_prototype = builtin(ctx, "Object.prototype");
    for (size_t i = 0; i < DURABOX_ERRORS; i++) {
        b->errors[i] = builtin(ctx, durabox_errors[i].name);
        b->error_prototypes[i] = JS_GetPropertyStr(ctx, b->errors[i], "prototype");
    }
    b->plain = class_of(ctx, "Object", JS_UNDEFINED);
    b->number = class_of(ctx, "Number", text);
    b->string = class_of(ctx, "String", text);
    b->boolean = class_of(ctx, "Boolean", text);
    sample = JS_NewBigInt64(ctx, 1);
    b->boxed_bigint = class_of(ctx, "Object", sample);
    JS_FreeValue(ctx, sample);
    b->error = class_of(ctx, "Error", text);
    durabox_permit_eval();
    sample = JS_Eval(ctx, "(function () { return arguments; })()", 37, "durabox:arguments", JS_EVAL_TYPE_GLOBAL);
    b->arguments = JS_GetClassID(sample);
    JS_FreeValue(ctx, sample);
    JS_FreeValue(ctx, text);
    JS_SetPropertyFunctionList(ctx, native, functions, sizeof(functions) / sizeof(functions[0]));
}
