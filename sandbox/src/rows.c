/* rows.c: rows of SQL, msgpack arrays of values, as JavaScript has them. */

#include "guest.h"
#include "msgpack.h"

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
static int take_values(MsgpackReader *reader, JSValue *values, uint32_t count)
{
    uint64_t len;
    uint32_t i;

    if (msgpack_read_array(reader, &len))
        return -1;
    if (len != count) {
        msgpack_malformed(reader);
        return -1;
    }
    for (i = 0; i < count; i++) {
        values[i] = msgpack_read_value(reader, 0);
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
    MsgpackReader reader;
    bool formed;

    if (durabox_bytes(ctx, argv[0], &bytes, &len))
        return JS_EXCEPTION;
    if (JS_IsNull(argv[1]))
        return msgpack_decode(ctx, bytes, len);
    reader = (MsgpackReader){ ctx, bytes, bytes + len };
    if (msgpack_read_array(&reader, &count))
        return JS_EXCEPTION;
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

static const JSCFunctionListEntry functions[] = {
    JS_CFUNC_DEF("rows", 2, native_rows),
};

int durabox_register_rows(JSContext *ctx, JSValueConst native)
{
    return JS_SetPropertyFunctionList(ctx, native, functions, sizeof(functions) / sizeof(functions[0]));
}
