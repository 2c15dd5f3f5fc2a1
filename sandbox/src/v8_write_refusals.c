/* v8_write_refusals.c: what an error calls a value that cannot be cloned. The words are V8's, and as there nothing of the project runs
 * to find them: only properties that have a value count, not getters. */

#include <stdio.h>

#include "v8_writer.h"

/* What `object`, or the nearest of its prototypes that has it, has by that name. */
static JSValue quiet_property(JSContext *ctx, JSValueConst object, const char *name)
{
    JSValue at = JS_DupValue(ctx, object), value = JS_UNDEFINED, next;
    JSValue key = strcmp(name, "toStringTag") ? JS_NewString(ctx, name) : JS_DupValue(ctx, durabox_builtins.tag);
    JSAtom atom = JS_ValueToAtom(ctx, key);
    JSPropertyDescriptor found;

    while (JS_IsObject(at) && !JS_IsProxy(at)) {
        if (JS_GetOwnProperty(ctx, &found, at, atom) > 0) {
            JS_FreeValue(ctx, found.getter);
            JS_FreeValue(ctx, found.setter);
            value = found.value;
            break;
        }
        next = JS_GetPrototype(ctx, at);
        JS_FreeValue(ctx, at);
        at = next;
    }
    JS_FreeAtom(ctx, atom);
    JS_FreeValue(ctx, key);
    JS_FreeValue(ctx, at);
    return value;
}

/* The name of the class that an object is of, unless it is printed in a way of its own. */
static JSValue class_name(JSContext *ctx, JSValueConst object)
{
    JSValue printed = quiet_property(ctx, object, "toString"), constructor, name = JS_UNDEFINED;

    if (JS_IsStrictEqual(ctx, printed, durabox_builtins.object_text)) {
        constructor = quiet_property(ctx, object, "constructor");
        if (JS_IsFunction(ctx, constructor))
            name = quiet_property(ctx, constructor, "name");
        JS_FreeValue(ctx, constructor);
    }
    JS_FreeValue(ctx, printed);
    return name;
}

/* What Object.prototype.toString calls it. */
static JSValue tag(JSContext *ctx, JSValueConst object)
{
    JSValue text = quiet_property(ctx, object, "toStringTag");
    JSAtom atom;

    if (JS_IsString(text))
        return text;
    JS_FreeValue(ctx, text);
    atom = JS_GetClassName(JS_GetRuntime(ctx), JS_GetClassID(object));
    text = JS_AtomToString(ctx, atom);
    JS_FreeAtom(ctx, atom);
    return text;
}

int v8_refuse(Writer *w, JSValueConst value)
{
    JSContext *ctx = w->ctx;
    JSValue at = JS_DupValue(ctx, value), text = JS_UNDEFINED, error;
    const char *form = "%.200s could not be cloned.", *shown = NULL;
    char message[256];

    while (JS_IsProxy(at)) {
        JSValue target = JS_GetProxyTarget(ctx, at);
        JS_FreeValue(ctx, at);
        at = JS_IsException(target) ? JS_NULL : target; /* it was revoked */
    }
    if (JS_IsSymbol(at)) {
        text = JS_GetPropertyStr(ctx, at, "description");
        form = "Symbol(%.200s) could not be cloned.";
    } else if (JS_IsFunction(ctx, at)) {
        text = JS_Call(ctx, durabox_builtins.function_text, at, 0, NULL);
    } else if (!JS_IsObject(at)) {
        text = JS_NewString(ctx, "null");
    } else {
        text = class_name(ctx, at);
        shown = JS_IsString(text) ? JS_ToCString(ctx, text) : NULL;
        form = "#<%.200s> could not be cloned.";
        if (!shown || !*shown) {
            JS_FreeCString(ctx, shown);
            JS_FreeValue(ctx, text);
            text = JS_IsProxy(value) ? JS_NewString(ctx, "Object") : tag(ctx, at);
            shown = NULL;
            form = "[object %.200s] could not be cloned.";
        }
    }
    if (!shown && JS_IsString(text))
        shown = JS_ToCString(ctx, text);
    snprintf(message, sizeof(message), form, shown ? shown : "");
    JS_FreeCString(ctx, shown);
    JS_FreeValue(ctx, text);
    JS_FreeValue(ctx, at);
    if (JS_HasException(ctx))
        JS_FreeValue(ctx, JS_GetException(ctx));
    error = durabox_make_error(ctx, "DataCloneError", message);
    if (!JS_IsException(error))
        JS_Throw(ctx, error);
    return -1;
}
