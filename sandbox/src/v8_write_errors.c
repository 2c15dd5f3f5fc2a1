/* v8_write_errors.c: errors as workerd writes them, with their names and properties. */

#include "v8_writer.h"

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
    int failed = JS_IsException(text) || v8_write_string(w, text);

    JS_FreeValue(w->ctx, text);
    return failed ? -1 : 0;
}

static bool is_error_part(const char *name)
{
    return !strcmp(name, "stack") || !strcmp(name, "message") || !strcmp(name, "name");
}

/* Its stack, unless it goes to another isolate, then every own property besides the three that every error has, enumerable
 * or not. */
static int write_error_properties(Writer *w, JSValueConst error)
{
    JSContext *ctx = w->ctx;
    JSValue stack = w->lending ? JS_UNDEFINED : JS_GetPropertyStr(ctx, error, "stack");
    JSPropertyEnum *properties = NULL;
    uint32_t count = 0, written = 0, i, index;
    int failed;

    failed = JS_IsException(stack) || put_byte(w, 'o');
    if (!failed && !JS_IsUndefined(stack)) {
        failed = write_name(w, "stack") || v8_write_value(w, stack);
        written++;
    }
    JS_FreeValue(ctx, stack);
    failed = failed || JS_GetOwnPropertyNames(ctx, &properties, &count, error, JS_GPN_STRING_MASK);
    for (i = 0; i < count && !failed; i++) {
        JSValue key = JS_AtomToString(ctx, properties[i].atom), value;
        const char *name = JS_IsException(key) ? NULL : JS_ToCString(ctx, key);
        bool indexed = false, skipped = name && is_error_part(name);

        JS_FreeCString(ctx, name);
        failed = !name || v8_key_index(w, key, &indexed, &index);
        if (!failed && !skipped && !indexed) {
            value = JS_GetProperty(ctx, error, properties[i].atom);
            failed = JS_IsException(value) || v8_write_string(w, key) || v8_write_value(w, value);
            JS_FreeValue(ctx, value);
            written++;
        }
        JS_FreeValue(ctx, key);
    }
    if (properties)
        JS_FreePropertyEnum(ctx, properties, count);
    return failed || put_tag_varint(w, '{', written) ? -1 : 0;
}

int v8_write_error(Writer *w, JSValueConst error)
{
    JSContext *ctx = w->ctx;
    JSValue name = JS_GetPropertyStr(ctx, error, "name"), message = JS_UNDEFINED, text = JS_UNDEFINED;
    int type, failed = JS_IsException(name);

    if (!failed) {
        type = error_type(ctx, name);
        failed = put_tag_varint(w, DURABOX_HOST_OBJECT, DURABOX_NATIVE_ERROR) || put_varint(w, type) ||
                 (!type && v8_write_value(w, name));
    }
    JS_FreeValue(ctx, name);
    if (!failed) {
        message = JS_GetPropertyStr(ctx, error, "message");
        text = JS_IsUndefined(message) ? JS_NewString(ctx, "") : JS_ToString(ctx, message);
        failed = JS_IsException(message) || JS_IsException(text) || v8_write_string(w, text);
    }
    JS_FreeValue(ctx, message);
    JS_FreeValue(ctx, text);
    /* The object that holds the properties takes an id. */
    return failed || v8_add_object(w, JS_UNDEFINED) || write_error_properties(w, error) ? -1 : 0;
}
