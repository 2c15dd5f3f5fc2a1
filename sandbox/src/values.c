/* values.c: the serializer's part of `native`, and the built-ins it uses. Contract: values.h. */

#include <stdio.h>
#include <string.h>

#include "values.h"

Builtins durabox_builtins;

const ErrorClass durabox_errors[DURABOX_ERRORS] = {
    { "Error", 0, 1 },         { "TypeError", 'T', 2 },  { "RangeError", 'R', 3 },
    { "ReferenceError", 'F', 4 }, { "SyntaxError", 'S', 5 }, { "EvalError", 'E', 10 },
    { "URIError", 'U', 11 },   { "AggregateError", 0, 12 }, { "SuppressedError", 0, 13 },
};

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

/* [target, handler] of a proxy, nulls if it was revoked; undefined for all else. */
static JSValue native_proxy_parts(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    JSValue parts[2];

    if (!JS_IsProxy(argv[0]))
        return JS_UNDEFINED;
    parts[0] = JS_GetProxyTarget(ctx, argv[0]);
    if (JS_IsException(parts[0])) { /* the only reason is that it was revoked */
        JS_FreeValue(ctx, JS_GetException(ctx));
        parts[0] = JS_NULL;
        parts[1] = JS_NULL;
    } else {
        parts[1] = JS_GetProxyHandler(ctx, argv[0]);
    }
    return JS_NewArrayFrom(ctx, 2, parts);
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
    JS_CFUNC_DEF("proxyParts", 1, native_proxy_parts),
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
    b->object_text = builtin(ctx, "Object.prototype.toString");
    b->function_text = builtin(ctx, "Function.prototype.toString");
    b->tag = builtin(ctx, "Symbol.toStringTag");
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
