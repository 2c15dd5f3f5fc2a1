/* sql.c: a statement that is run once more, without the bindings.
 *
 * Contract: native.sqlExec(op, model, otherwise) is the function that `SqlStorage.prototype.exec` is. It calls `otherwise` with what it was
 * called with, unless that is the storage and a text that native.sqlKeep(storage, text, number, entries) has kept, and bindings that
 * need no conversion. Then it runs the host's statement of that number, by `op` with the number and the bindings as arguments,
 * and answers with another cursor like `model`, which has one private field: the entries written. Where the host no longer knows
 * the number it calls `otherwise` all the same.
 *
 * A text is known by where it lies: a constant of a function is the same string each time. Texts that are kept stay in memory, so
 * that nothing else can come to lie there.
 */

#include <string.h>

#include "guest.h"
#include "msgpack.h"

enum {
    KEPT = 32, /* a power of two */
    MOST_BINDINGS = 100,
    /* Longer ones go the other way, where the host takes them. */
    MOST_BYTES = 1024 * 1024,
};

typedef struct {
    JSValue text; /* 0: a number, for none */
    int32_t number;
    int32_t entries; /* of tables and indexes that a row takes */
} Kept;

static Kept kept[KEPT];
static JSValue storage, model, otherwise;
static int32_t op;

static Kept *place_of(JSValueConst text) { return &kept[(uintptr_t)JS_VALUE_GET_PTR(text) / 16 % KEPT]; }

static bool is_same(JSValueConst a, JSValueConst b)
{
    return JS_VALUE_GET_TAG(a) == JS_VALUE_GET_TAG(b) && JS_VALUE_GET_PTR(a) == JS_VALUE_GET_PTR(b);
}

/* The statement that a call asks for; NULL when it has to be found out. */
static Kept *find(JSValueConst this_val, int argc, JSValueConst *argv)
{
    Kept *place;

    if (argc < 1 || argc > MOST_BINDINGS + 1 || JS_VALUE_GET_TAG(argv[0]) != JS_TAG_STRING ||
        !JS_IsObject(this_val) || !is_same(this_val, storage))
        return NULL;
    place = place_of(argv[0]);
    return is_same(place->text, argv[0]) ? place : NULL;
}

/* Appends a binding. 1 when it needs to be converted; 0, or -1 with the exception pending. */
static int put_binding(MsgpackBuffer *buffer, JSValueConst value)
{
    switch (JS_VALUE_GET_NORM_TAG(value)) {
    case JS_TAG_INT:
        return msgpack_encode_real(buffer, JS_VALUE_GET_INT(value));
    case JS_TAG_FLOAT64:
        return msgpack_encode_real(buffer, JS_VALUE_GET_FLOAT64(value));
    case JS_TAG_UNDEFINED:
    case JS_TAG_NULL:
    case JS_TAG_STRING:
    case JS_TAG_STRING_ROPE:
        return msgpack_encode(buffer, value);
    case JS_TAG_OBJECT:
        if (JS_IsArrayBuffer(value) || JS_GetTypedArrayType(value) >= 0 || JS_IsDataView(value))
            return msgpack_encode(buffer, value);
    }
    return 1;
}

static int put_bindings(MsgpackBuffer *buffer, int count, JSValueConst *values, int32_t number)
{
    int i, outcome = msgpack_encode_array(buffer, 2);

    if (outcome == 0)
        outcome = msgpack_encode_integer(buffer, number);
    if (outcome == 0)
        outcome = msgpack_encode_array(buffer, count);
    for (i = 0; i < count && outcome == 0; i++)
        outcome = put_binding(buffer, values[i]);
    return outcome == 0 && buffer->len > MOST_BYTES ? 1 : outcome;
}

/* A cursor over nothing, of a statement that changed so many rows. */
static JSValue cursor_of(JSContext *ctx, JSValueConst changed, int32_t entries)
{
    double rows = 1;

    if (!JS_IsUndefined(changed) && JS_ToFloat64(ctx, &rows, changed))
        return JS_EXCEPTION;
    return durabox_like(ctx, model, JS_NewNumber(ctx, rows * entries));
}

static JSValue exec(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    Kept *place = find(this_val, argc, argv);
    MsgpackBuffer buffer;
    JSValue changed;
    int outcome;

    if (!place)
        return JS_Call(ctx, otherwise, this_val, argc, argv);
    msgpack_buffer_init(&buffer, ctx);
    outcome = put_bindings(&buffer, argc - 1, argv + 1, place->number);
    changed = outcome == 0  ? durabox_op(ctx, op, buffer.data, buffer.len, NULL, 0)
              : outcome > 0 ? JS_FALSE
                            : JS_EXCEPTION;
    msgpack_buffer_free(&buffer);
    if (JS_IsException(changed))
        return JS_EXCEPTION;
    if (JS_IsBool(changed))
        return JS_Call(ctx, otherwise, this_val, argc, argv);
    return cursor_of(ctx, changed, place->entries); /* a number: nothing to free */
}

static JSValue native_sql_exec(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    if (JS_ToInt32(ctx, &op, argv[0]))
        return JS_EXCEPTION;
    model = JS_DupValue(ctx, argv[1]);
    otherwise = JS_DupValue(ctx, argv[2]);
    return JS_NewCFunction(ctx, exec, "exec", 0);
}

static JSValue native_sql_keep(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    Kept *place, next;

    if (JS_VALUE_GET_TAG(argv[1]) != JS_TAG_STRING)
        return JS_UNDEFINED;
    place = place_of(argv[1]);
    if (JS_ToInt32(ctx, &next.number, argv[2]) || JS_ToInt32(ctx, &next.entries, argv[3]))
        return JS_EXCEPTION;
    if (!is_same(storage, argv[0])) {
        JS_FreeValue(ctx, storage);
        storage = JS_DupValue(ctx, argv[0]);
    }
    next.text = JS_DupValue(ctx, argv[1]);
    JS_FreeValue(ctx, place->text);
    *place = next;
    return JS_UNDEFINED;
}

static const JSCFunctionListEntry functions[] = {
    JS_CFUNC_DEF("sqlExec", 3, native_sql_exec),
    JS_CFUNC_DEF("sqlKeep", 4, native_sql_keep),
};

int durabox_register_sql(JSContext *ctx, JSValueConst native)
{
    return JS_SetPropertyFunctionList(ctx, native, functions, sizeof(functions) / sizeof(functions[0]));
}
