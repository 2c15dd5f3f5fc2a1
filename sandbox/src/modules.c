/* modules.c: ES modules, whose sources the host gives, and scripts.
 *
 * Contract: an import is resolved by op module_resolve([specifier, referrer]) to a canonical name; modules are one
 * per name. op module_load([name]) says what it is and its URL, op module_source(name) gives its bytes:
 *   esm    compiled, import.meta.url is the URL          json   default export: the parsed value
 *   text   default export: a string                      data   default export: an ArrayBuffer
 * The entry module's referrer is "". A synthetic module (native.defineModule) hides whatever the host would resolve
 * its name to; hooks.provideModule(specifier) may define one on demand and return its name. Its exports are the own enumerable properties of the object, read when it is defined. Canonical names are what
 * stack traces and syntax errors show, as name:line:column. import attributes other than `type` are refused.
 *
 * native.evalScript and native.evalModule are the only ways from a string to code, native.evalLayer(name) is the only one from bytecode:
 * it takes what op layer(name) gives, which the build made.
 */

#include <string.h>

#include "guest.h"
#include "protocol.h"
#include "msgpack.h"

/* The names given to native.defineModule, as property names of an object without prototype. */
static JSValue synthetic_names = JS_UNDEFINED;

static int is_synthetic(JSContext *ctx, const char *name)
{
    JSAtom atom = JS_NewAtom(ctx, name);
    int found = atom == JS_ATOM_NULL ? -1 : JS_HasProperty(ctx, synthetic_names, atom);

    JS_FreeAtom(ctx, atom);
    return found;
}

/* Calls op `number` with the msgpack array of `count` strings. */
static JSValue op_with_strings(JSContext *ctx, int number, int count, const char *const *strings)
{
    JSValue array = JS_NewArray(ctx), result = JS_EXCEPTION;
    MsgpackBuffer packed;
    int i;

    if (JS_IsException(array))
        return array;
    msgpack_buffer_init(&packed, ctx);
    for (i = 0; i < count; i++) {
        JSValue string = JS_NewString(ctx, strings[i]);
        if (JS_IsException(string) || JS_DefinePropertyValueUint32(ctx, array, i, string, JS_PROP_C_W_E) < 0)
            goto done;
    }
    if (!msgpack_encode(&packed, array))
        result = durabox_op(ctx, number, packed.data, packed.len, NULL, 0);
done:
    msgpack_buffer_free(&packed);
    JS_FreeValue(ctx, array);
    return result;
}

/* JSModuleNormalizeFunc: specifier -> canonical name, js_malloc'ed. */
static char *resolve(JSContext *ctx, const char *referrer, const char *specifier, void *opaque)
{
    const char *strings[] = { specifier, referrer }, *text;
    char *name = NULL;
    JSValue argument, resolved;
    int synthetic = is_synthetic(ctx, specifier);

    if (synthetic)
        return synthetic < 0 ? NULL : js_strdup(ctx, specifier);
    argument = JS_NewString(ctx, specifier);
    if (JS_IsException(argument))
        return NULL;
    resolved = durabox_call_hook(ctx, "provideModule", 1, (JSValueConst *)&argument);
    JS_FreeValue(ctx, argument);
    if (JS_IsUndefined(resolved))
        resolved = op_with_strings(ctx, DURABOX_OP_MODULE_RESOLVE, 2, strings);
    if (JS_IsException(resolved))
        return NULL;
    text = JS_ToCString(ctx, resolved);
    JS_FreeValue(ctx, resolved);
    if (text)
        name = js_strdup(ctx, text);
    JS_FreeCString(ctx, text);
    return name;
}

/* Initialises a module made by new_value_module: exports = the properties of its private value. */
static int export_properties(JSContext *ctx, JSModuleDef *module)
{
    JSValue exports = JS_GetModulePrivateValue(ctx, module);
    JSPropertyEnum *keys;
    uint32_t i, count;
    int result = 0;

    if (JS_GetOwnPropertyNames(ctx, &keys, &count, exports, JS_GPN_STRING_MASK | JS_GPN_ENUM_ONLY)) {
        JS_FreeValue(ctx, exports);
        return -1;
    }
    for (i = 0; i < count && !result; i++) {
        JSValue value = JS_GetProperty(ctx, exports, keys[i].atom);
        const char *key = JS_AtomToCString(ctx, keys[i].atom);
        if (JS_IsException(value) || !key)
            result = -1;
        else
            result = JS_SetModuleExport(ctx, module, key, JS_DupValue(ctx, value));
        JS_FreeCString(ctx, key);
        JS_FreeValue(ctx, value);
    }
    JS_FreePropertyEnum(ctx, keys, count);
    JS_FreeValue(ctx, exports);
    return result;
}

/* A module whose exports are the own enumerable properties of `exports`. NULL with the exception pending. */
static JSModuleDef *new_value_module(JSContext *ctx, const char *name, JSValueConst exports)
{
    JSModuleDef *module = JS_NewCModule(ctx, name, export_properties);
    JSPropertyEnum *keys;
    uint32_t i, count;

    if (!module)
        return NULL;
    if (JS_GetOwnPropertyNames(ctx, &keys, &count, exports, JS_GPN_STRING_MASK | JS_GPN_ENUM_ONLY))
        return NULL;
    for (i = 0; i < count && module; i++) {
        const char *key = JS_AtomToCString(ctx, keys[i].atom);
        if (!key || JS_AddModuleExport(ctx, module, key))
            module = NULL;
        JS_FreeCString(ctx, key);
    }
    JS_FreePropertyEnum(ctx, keys, count);
    if (module)
        JS_SetModulePrivateValue(ctx, module, JS_DupValue(ctx, exports));
    return module;
}

/* A module with the one export `default`; takes over `value`, which may be JS_EXCEPTION. */
static JSModuleDef *new_default_module(JSContext *ctx, const char *name, JSValue value)
{
    JSModuleDef *module = NULL;
    JSValue exports;

    if (JS_IsException(value))
        return NULL;
    exports = JS_NewObject(ctx);
    if (JS_IsException(exports))
        JS_FreeValue(ctx, value);
    else if (JS_DefinePropertyValueStr(ctx, exports, "default", value, JS_PROP_C_W_E) >= 0)
        module = new_value_module(ctx, name, exports);
    JS_FreeValue(ctx, exports);
    return module;
}

/* Compiles `source` (terminated by a zero that `len` does not count) as module `name`. */
static JSModuleDef *compile(JSContext *ctx, const char *name, JSValueConst url, const char *source, size_t len)
{
    JSModuleDef *module;
    JSValue compiled, meta;
    int defined;

    durabox_permit_eval();
    compiled = JS_Eval(ctx, source, len, name, JS_EVAL_TYPE_MODULE | JS_EVAL_FLAG_COMPILE_ONLY);
    if (JS_IsException(compiled))
        return NULL;
    module = JS_VALUE_GET_PTR(compiled);
    JS_FreeValue(ctx, compiled); /* the context's list of modules keeps it */
    meta = JS_GetImportMeta(ctx, module);
    if (JS_IsException(meta))
        return NULL;
    defined = JS_DefinePropertyValueStr(ctx, meta, "url", JS_DupValue(ctx, url), JS_PROP_C_W_E);
    JS_FreeValue(ctx, meta);
    return defined < 0 ? NULL : module;
}

static JSModuleDef *load_as(JSContext *ctx, const char *name, const char *type, JSValueConst url, JSValueConst source)
{
    JSModuleDef *module = NULL;
    uint8_t *bytes;
    char *text;
    size_t len;

    if (!strcmp(type, "data"))
        return new_default_module(ctx, name, JS_DupValue(ctx, source));
    if (durabox_bytes(ctx, source, &bytes, &len))
        return NULL;
    text = js_strndup(ctx, (const char *)bytes, len); /* parsers want a terminating zero */
    if (!text)
        return NULL;
    if (!strcmp(type, "esm"))
        module = compile(ctx, name, url, text, len);
    else if (!strcmp(type, "json"))
        module = new_default_module(ctx, name, JS_ParseJSON(ctx, text, len, name));
    else if (!strcmp(type, "text"))
        module = new_default_module(ctx, name, JS_NewStringLen(ctx, text, len));
    else
        JS_ThrowInternalError(ctx, "the host gave module '%s' the unknown type '%s'", name, type);
    js_free(ctx, text);
    return module;
}

/* JSModuleLoaderFunc2: canonical name -> module. */
static JSModuleDef *load(JSContext *ctx, const char *name, void *opaque, JSValueConst attributes)
{
    const char *strings[] = { name }, *type = NULL;
    JSValue description, url = JS_UNDEFINED, source = JS_UNDEFINED, type_value = JS_UNDEFINED;
    JSModuleDef *module = NULL;

    description = op_with_strings(ctx, DURABOX_OP_MODULE_LOAD, 1, strings);
    if (JS_IsException(description))
        return NULL;
    type_value = JS_GetPropertyUint32(ctx, description, 0);
    url = JS_GetPropertyUint32(ctx, description, 1);
    if (JS_IsException(type_value) || JS_IsException(url))
        goto done;
    type = JS_ToCString(ctx, type_value);
    if (!type)
        goto done;
    source = durabox_op(ctx, DURABOX_OP_MODULE_SOURCE, name, strlen(name), NULL, 0);
    if (!JS_IsException(source))
        module = load_as(ctx, name, type, url, source);
done:
    JS_FreeCString(ctx, type);
    JS_FreeValue(ctx, type_value);
    JS_FreeValue(ctx, url);
    JS_FreeValue(ctx, source);
    JS_FreeValue(ctx, description);
    return module;
}

/* JSModuleCheckSupportedImportAttributes: the host decides the type by name; `type` may repeat it. */
static int check_attributes(JSContext *ctx, void *opaque, JSValueConst attributes)
{
    JSPropertyEnum *keys;
    uint32_t i, count;
    int result = 0;

    if (JS_GetOwnPropertyNames(ctx, &keys, &count, attributes, JS_GPN_STRING_MASK | JS_GPN_ENUM_ONLY))
        return -1;
    for (i = 0; i < count && !result; i++) {
        const char *key = JS_AtomToCString(ctx, keys[i].atom);
        if (!key) {
            result = -1;
        } else if (strcmp(key, "type")) {
            JS_ThrowTypeError(ctx, "import attribute '%s' is not supported", key);
            result = -1;
        }
        JS_FreeCString(ctx, key);
    }
    JS_FreePropertyEnum(ctx, keys, count);
    return result;
}

static JSValue native_define_module(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    const char *name = JS_ToCString(ctx, argv[0]);
    JSValue result = JS_EXCEPTION;

    if (!name)
        return JS_EXCEPTION;
    if (is_synthetic(ctx, name) > 0)
        JS_ThrowTypeError(ctx, "module '%s' is already defined", name);
    else if (new_value_module(ctx, name, argv[1]) &&
             JS_DefinePropertyValueStr(ctx, synthetic_names, name, JS_TRUE, JS_PROP_C_W_E) >= 0)
        result = JS_UNDEFINED;
    JS_FreeCString(ctx, name);
    return result;
}

static JSValue native_import_module(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    const char *specifier = JS_ToCString(ctx, argv[0]);
    JSValue promise;

    if (!specifier)
        return JS_EXCEPTION;
    promise = JS_LoadModule(ctx, "", specifier);
    JS_FreeCString(ctx, specifier);
    return promise;
}

/* source, name, asynchronous: whether `await` may stand at the top; the value is then a promise of {value} */
static JSValue native_eval_script(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    JSValue result = JS_EXCEPTION;
    size_t len;
    const char *source = JS_ToCStringLen(ctx, &len, argv[0]);
    const char *name = source ? JS_ToCString(ctx, argv[1]) : NULL;

    if (name) {
        durabox_permit_eval();
        result = JS_Eval(ctx, source, len, name,
                         JS_EVAL_TYPE_GLOBAL | (JS_ToBool(ctx, argv[2]) ? JS_EVAL_FLAG_ASYNC : 0));
    }
    JS_FreeCString(ctx, name);
    JS_FreeCString(ctx, source);
    return result;
}

JSValue durabox_run_bytecode(JSContext *ctx, const uint8_t *code, size_t len)
{
    JSValue function = JS_ReadObject(ctx, code, len, JS_READ_OBJ_BYTECODE);

    return JS_IsException(function) ? function : JS_EvalFunction(ctx, function);
}

static JSValue native_eval_layer(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    JSValue code, result = JS_EXCEPTION;
    size_t len;
    uint8_t *bytes;
    const char *name = JS_ToCStringLen(ctx, &len, argv[0]);

    if (!name)
        return JS_EXCEPTION;
    code = durabox_op(ctx, DURABOX_OP_LAYER, name, len, NULL, 0);
    if (!JS_IsException(code) && !durabox_bytes(ctx, code, &bytes, &len))
        result = durabox_run_bytecode(ctx, bytes, len);
    JS_FreeCString(ctx, name);
    JS_FreeValue(ctx, code);
    return result;
}

/* data = [namespace] */
static JSValue give_namespace(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv, int magic,
                              JSValueConst *data)
{
    return JS_DupValue(ctx, data[0]);
}

/* Evaluates a compiled module; a promise of its namespace. */
static JSValue evaluate(JSContext *ctx, JSModuleDef *module)
{
    JSValue evaluated, namespace, then, promise;

    evaluated = JS_EvalFunction(ctx, JS_DupValue(ctx, JS_MKPTR(JS_TAG_MODULE, module)));
    if (JS_IsException(evaluated))
        return evaluated;
    namespace = JS_GetModuleNamespace(ctx, module);
    then = JS_IsException(namespace)
               ? JS_EXCEPTION
               : JS_NewCFunctionData(ctx, give_namespace, 1, 0, 1, (JSValueConst *)&namespace);
    promise = JS_IsException(then) ? JS_EXCEPTION : JS_PromiseThen(ctx, evaluated, then, JS_UNDEFINED);
    JS_FreeValue(ctx, then);
    JS_FreeValue(ctx, namespace);
    JS_FreeValue(ctx, evaluated);
    return promise;
}

static JSValue native_eval_module(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    JSModuleDef *module = NULL;
    size_t len;
    const char *source = JS_ToCStringLen(ctx, &len, argv[0]);
    const char *name = source ? JS_ToCString(ctx, argv[1]) : NULL;

    if (name)
        module = compile(ctx, name, argv[1], source, len);
    JS_FreeCString(ctx, name);
    JS_FreeCString(ctx, source);
    return module ? evaluate(ctx, module) : JS_EXCEPTION;
}

static const JSCFunctionListEntry functions[] = {
    JS_CFUNC_DEF("importModule", 1, native_import_module),
    JS_CFUNC_DEF("defineModule", 2, native_define_module),
    JS_CFUNC_DEF("evalScript", 3, native_eval_script),
    JS_CFUNC_DEF("evalModule", 2, native_eval_module),
    JS_CFUNC_DEF("evalLayer", 1, native_eval_layer),
};

int durabox_register_modules(JSContext *ctx, JSValueConst native)
{
    JS_SetModuleLoaderFunc2(JS_GetRuntime(ctx), resolve, load, check_attributes, NULL);
    synthetic_names = JS_NewObjectProto(ctx, JS_NULL);
    if (JS_IsException(synthetic_names))
        return -1;
    return JS_SetPropertyFunctionList(ctx, native, functions, sizeof(functions) / sizeof(functions[0]));
}
