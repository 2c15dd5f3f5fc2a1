/* v8_serialize.c: JavaScript values to bytes in V8's serialization format, version 15.
 *
 * Contract: values.h. What V8 can write is written as V8 writes it; errors and objects of the platform as workerd
 * writes them, the latter by hooks.writeHostObject. What cannot be written throws a DataCloneError that names the value.
 * Getters run while an object is written and may do anything: every object met is held until the end, every length
 * is taken at the moment it is used, and what a getter removed is left out.
 */

#include <string.h>

#include "v8_writer.h"

enum { FORMAT_VERSION = 15 };

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

int v8_key_index(Writer *w, JSValueConst key, bool *indexed, uint32_t *index)
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
        if (v8_key_index(w, key, &indexed, &index)) {
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
        failed = JS_IsException(value) || (indexed ? write_number(w, index) : v8_write_string(w, key)) ||
                 v8_write_value(w, value);
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

static int write_fields(Writer *w, JSValueConst object, int count)
{
    for (int i = 0; i < count; i++)
        if (v8_write_string(w, durabox_field_name(w->ctx, object, i)) || v8_write_value(w, durabox_field(object, i)))
            return -1;
    return 0;
}

static int write_plain(Writer *w, JSValueConst object)
{
    int fields = durabox_count_fields(w->ctx, object);
    uint32_t written = fields;

    if (put_byte(w, 'o') || (fields < 0 ? write_properties(w, object, 0, &written) : write_fields(w, object, fields)))
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
            failed = v8_write_value(w, item);
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
        if ((is_map || i % 2) && v8_write_value(w, items.items[i]))
            goto out;
    count = is_map ? items.len : items.len / 2;
    result = put_tag_varint(w, is_map ? ':' : ',', count);
out:
    for (i = 0; i < items.len; i++)
        JS_FreeValue(ctx, items.items[i]);
    js_free(ctx, items.items);
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
        result = put_byte(w, 'R') || v8_write_string(w, source) || put_varint(w, bits) ? -1 : 0;
    }
    JS_FreeCString(ctx, text);
    JS_FreeValue(ctx, flags);
    JS_FreeValue(ctx, source);
    return result;
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
        result = put_byte(w, 's') || v8_write_string(w, inner);
    else if (class_id == b->boolean)
        result = put_byte(w, JS_ToBool(ctx, inner) ? 'y' : 'x');
    else
        result = put_byte(w, 'z') || v8_write_bigint_digits(w, inner);
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
        met = w->lending ? v8_remember(w, object) : 0;
        if (met)
            return met < 0 ? -1 : 0;
        met = w->lending ? write_described(w, object) : 0;
        return met ? (met < 0 ? -1 : 0) : v8_refuse(w, object);
    }
    type = JS_GetTypedArrayType(object);
    if (type >= 0 || JS_IsDataView(object))
        return v8_write_view(w, object, type);
    met = v8_remember(w, object);
    if (met)
        return met < 0 ? -1 : 0;
    if (class_id == b->plain || class_id == b->error) {
        met = write_host_object(w, object);
        if (met)
            return met < 0 ? -1 : 0;
        return class_id == b->plain ? write_plain(w, object) : v8_write_error(w, object);
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
        return v8_write_buffer(w, object);
    if (JS_IsRegExp(object))
        return write_regexp(w, object);
    if (class_id == b->number || class_id == b->string || class_id == b->boolean || class_id == b->boxed_bigint)
        return write_boxed(w, object, class_id);
    return v8_refuse(w, object);
}

int v8_write_value(Writer *w, JSValueConst value)
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
        return v8_write_string(w, value);
    case JS_TAG_BIG_INT:
    case JS_TAG_SHORT_BIG_INT:
        return put_byte(w, 'Z') || v8_write_bigint_digits(w, value) ? -1 : 0;
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
        return v8_refuse(w, value);
    }
}

int v8_write_whole(Writer *w, JSValueConst value)
{
    static const uint8_t header[] = { 0xFF, FORMAT_VERSION };

    v8_forget_objects(w);
    w->len = 0;
    return put_bytes(w, header, sizeof(header)) || v8_write_value(w, value) ? -1 : 0;
}

void v8_free(Writer *w)
{
    v8_forget_objects(w);
    js_free(w->ctx, w->seen);
    js_free(w->ctx, w->slots);
    js_free(w->ctx, w->data);
}

int durabox_v8_write(JSContext *ctx, JSValueConst value, bool lending, uint8_t **out, size_t *len)
{
    Writer w = { .ctx = ctx, .lending = lending };
    int result = v8_write_whole(&w, value);

    if (!result) {
        *out = w.data;
        *len = w.len;
        w.data = NULL;
    }
    v8_free(&w);
    return result;
}
