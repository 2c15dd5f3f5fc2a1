/* v8_read_errors.c: errors in V8's own form, and as workerd writes them. */

#include "v8_reader.h"

JSValue v8_read_error(Reader *r)
{
    JSContext *ctx = r->ctx;
    JSValue error, parts[3] = { JS_UNDEFINED, JS_UNDEFINED, JS_UNDEFINED };
    static const char *const names[] = { "message", "stack", "cause" };
    bool present[3] = { false, false, false };
    int kind = 0, i, which;
    uint32_t id = r->count;

    /* The error's id comes before those of its cause; the object itself is made when its class is known. */
    if (!v8_give_id(r, JS_UNDEFINED))
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
            v8_malformed(r);
            goto fail;
        }
        parts[which] = which == 2 ? v8_read_value(r) : v8_read_string(r);
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

JSValue v8_read_native_error(Reader *r)
{
    JSContext *ctx = r->ctx;
    JSValue name = JS_UNDEFINED, message = JS_UNDEFINED, held = JS_UNDEFINED, error = JS_UNDEFINED;
    JSPropertyEnum *properties = NULL;
    uint32_t id = r->count, type, count = 0, i;
    int kind = 0, failed;

    if (!v8_give_id(r, JS_UNDEFINED))
        return JS_EXCEPTION;
    if (!get_u32(r, &type) || type > 13)
        return v8_malformed(r);
    /* Types 6 to 9 are those of WebAssembly's errors, which do not exist here. */
    for (i = 0; i < DURABOX_ERRORS; i++)
        if (durabox_errors[i].type == type)
            kind = i;
    name = type ? JS_UNDEFINED : v8_read_value(r);
    failed = JS_IsException(name);
    if (!failed) {
        message = v8_read_string(r);
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
        held = peek_tag(r, 'o') ? v8_read_plain(r) : v8_malformed(r);
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
