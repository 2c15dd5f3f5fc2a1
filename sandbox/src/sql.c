/* sql.c: a statement that is run once more, without the bindings.
 *
 * Contract: native.sqlExec([again, many, read], model, rows, otherwise) is the function that `SqlStorage.prototype.exec` is. It calls
 * `otherwise` with what it was called with, unless that is the storage and a text that native.sqlKeep(storage, text, number, kind) has
 * kept, and bindings that need no conversion. Then it runs the host's statement of that number, with the number and the bindings as
 * arguments of an op, and answers with another cursor like `model`, which has one private field. Where the host no longer knows
 * the number it calls `otherwise` all the same.
 *
 * A statement that writes: the kind is the entries that a row takes, the op is `again`, and the field the entries written. One that
 * reads: the kind is the columns, the op is `read`, and the field another object like `rows`, whose first fields are enum RowsField.
 *
 * Rows that are certain. The host says of some statements that they add one row and cannot fail, but by a failure of the storage,
 * which breaks the object like that of a commit. What else such a statement is run with is gathered and handed over before anything
 * else is asked of the host, and at the end of the event; so nobody can tell, and a loop that inserts enters the host once.
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
    /* Of rows that are gathered. */
    MOST_GATHERED = 16 * 1024,
};

typedef struct {
    JSValue text; /* 0: a number, for none */
    int32_t number;
    JSValue kind; /* entries of tables and indexes that a row takes, or the names of columns */
} Kept;

enum RowsField { CHANGES, TEXT, BINDINGS, COLUMNS, BYTES, LENGTH, AT, DELETIONS, ROWS_FIELDS };

/* KEPT places, made for the first text: an object without SQL does without the memory. */
static Kept *kept;
static JSValue storage, model, rows_model, otherwise;
static int32_t again_op, many_op, read_op;

/* What is gathered: arguments of many_op, the number of rows still to be put in. */
static struct {
    const Kept *statement; /* NULL while nothing may be */
    int bindings;          /* of a row */
    uint32_t rows;
    size_t rows_at;
    MsgpackBuffer message;
} gathered;

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

static int put_row(MsgpackBuffer *buffer, int count, JSValueConst *values)
{
    int i, outcome = msgpack_encode_array(buffer, count);

    for (i = 0; i < count && outcome == 0; i++)
        outcome = put_binding(buffer, values[i]);
    return outcome;
}

static int put_arguments(MsgpackBuffer *buffer, int32_t number, int count, JSValueConst *values)
{
    int outcome = msgpack_encode_array(buffer, 2) || msgpack_encode_integer(buffer, number)
                      ? -1
                      : put_row(buffer, count, values);

    return outcome == 0 && buffer->len > MOST_BYTES ? 1 : outcome;
}

/* Rows with the bindings of this statement may be gathered. */
static int begin(JSContext *ctx, const Kept *statement, int bindings)
{
    MsgpackBuffer *message = &gathered.message;

    msgpack_buffer_init(message, ctx);
    if (msgpack_encode_array(message, 2) || msgpack_encode_integer(message, statement->number))
        return -1;
    gathered.rows_at = message->len;
    if (msgpack_encode_array(message, UINT32_MAX))
        return -1;
    gathered.statement = statement;
    gathered.bindings = bindings;
    gathered.rows = 0;
    return 0;
}

void durabox_sql_flush(void)
{
    MsgpackBuffer *message = &gathered.message;

    if (!gathered.statement)
        return;
    gathered.statement = NULL;
    if (gathered.rows) {
        msgpack_set_length(message, gathered.rows_at, gathered.rows);
        host_op(many_op, message->data, message->len, NULL, 0, NULL, 0); /* has no reply: it ends the isolate when it fails */
    }
    msgpack_buffer_free(message);
}

/* 1 when a row is not to be gathered; 0, or -1 with the exception pending. */
static int gather(JSContext *ctx, const Kept *statement, int count, JSValueConst *values)
{
    MsgpackBuffer *message = &gathered.message;
    size_t before = message->len;
    int outcome;

    if (gathered.statement != statement || gathered.bindings != count)
        return 1;
    outcome = put_row(message, count, values);
    if (outcome || message->len > MOST_GATHERED) {
        message->len = before;
        return outcome ? outcome : 1;
    }
    gathered.rows++;
    return 0;
}

/* A cursor over nothing, of a statement that changed so many rows. */
static JSValue cursor_of(JSContext *ctx, double changed, const Kept *statement)
{
    JSValue entries = JS_NewNumber(ctx, changed * JS_VALUE_GET_INT(statement->kind));

    return durabox_like(ctx, model, &entries);
}

/* A cursor over rows, the bytes that native.rows reads; takes them. */
static JSValue cursor_over(JSContext *ctx, JSValue bytes, int bindings, const Kept *statement)
{
    JSValue fields[ROWS_FIELDS], rows;
    uint8_t *data;
    size_t len;

    if (durabox_bytes(ctx, bytes, &data, &len) || len < 5) {
        JS_FreeValue(ctx, bytes);
        return JS_ThrowInternalError(ctx, "malformed rows");
    }
    fields[CHANGES] = JS_NewInt32(ctx, 0);
    fields[TEXT] = JS_DupValue(ctx, statement->text);
    fields[BINDINGS] = JS_NewInt32(ctx, bindings);
    fields[COLUMNS] = JS_DupValue(ctx, statement->kind);
    fields[BYTES] = bytes;
    fields[LENGTH] = JS_NewInt32(ctx, data[1] << 24 | data[2] << 16 | data[3] << 8 | data[4]);
    fields[AT] = JS_NewInt32(ctx, 0);
    fields[DELETIONS] = JS_DupValue(ctx, durabox_field(rows_model, DELETIONS));
    rows = durabox_like(ctx, rows_model, fields);
    return JS_IsException(rows) ? rows : durabox_like(ctx, model, &rows);
}

/* Runs a statement by its number. JS_FALSE when that cannot be done. */
static JSValue run(JSContext *ctx, int32_t op, int32_t number, int count, JSValueConst *values)
{
    MsgpackBuffer buffer;
    JSValue result = JS_EXCEPTION;
    int outcome;

    msgpack_buffer_init(&buffer, ctx);
    outcome = put_arguments(&buffer, number, count, values);
    if (outcome >= 0)
        result = outcome ? JS_FALSE : durabox_op(ctx, op, buffer.data, buffer.len, NULL, 0);
    msgpack_buffer_free(&buffer);
    return result;
}

static JSValue exec(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    Kept *statement = find(this_val, argc, argv);
    JSValue changed;
    double rows = 1;
    int outcome;

    if (!statement)
        return JS_Call(ctx, otherwise, this_val, argc, argv);
    if (JS_IsObject(statement->kind)) {
        JSValue bytes = run(ctx, read_op, statement->number, argc - 1, argv + 1);
        return JS_IsException(bytes)    ? bytes
               : JS_IsObject(bytes)     ? cursor_over(ctx, bytes, argc - 1, statement)
                                        : JS_Call(ctx, otherwise, this_val, argc, argv);
    }
    outcome = gather(ctx, statement, argc - 1, argv + 1);
    if (outcome <= 0)
        return outcome ? JS_EXCEPTION : cursor_of(ctx, 1, statement);
    changed = run(ctx, again_op, statement->number, argc - 1, argv + 1);
    if (JS_IsException(changed))
        return JS_EXCEPTION;
    if (JS_IsBool(changed)) {
        if (!JS_VALUE_GET_BOOL(changed))
            return JS_Call(ctx, otherwise, this_val, argc, argv);
        if (begin(ctx, statement, argc - 1))
            return JS_EXCEPTION;
    } else if (!JS_IsUndefined(changed) && JS_ToFloat64(ctx, &rows, changed)) {
        return JS_EXCEPTION;
    }
    return cursor_of(ctx, rows, statement);
}

static JSValue native_sql_exec(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    int32_t *ops[] = { &again_op, &many_op, &read_op };

    for (uint32_t i = 0; i < sizeof(ops) / sizeof(*ops); i++) {
        JSValue number = JS_GetPropertyUint32(ctx, argv[0], i);
        if (JS_ToInt32(ctx, ops[i], number))
            return JS_EXCEPTION;
    }
    if (!durabox_is_model(argv[1], 1) || !durabox_is_model(argv[2], ROWS_FIELDS))
        return JS_ThrowInternalError(ctx, "cursors or rows have other fields");
    model = JS_DupValue(ctx, argv[1]);
    rows_model = JS_DupValue(ctx, argv[2]);
    otherwise = JS_DupValue(ctx, argv[3]);
    return JS_NewCFunction(ctx, exec, "exec", 0);
}

static JSValue native_sql_keep(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    Kept *place, next;

    if (JS_VALUE_GET_TAG(argv[1]) != JS_TAG_STRING || (JS_VALUE_GET_TAG(argv[3]) != JS_TAG_INT && !JS_IsArray(argv[3])))
        return JS_UNDEFINED;
    if (!kept && !(kept = js_mallocz(ctx, KEPT * sizeof(*kept))))
        return JS_EXCEPTION;
    place = place_of(argv[1]);
    if (JS_ToInt32(ctx, &next.number, argv[2]))
        return JS_EXCEPTION;
    if (!is_same(storage, argv[0])) {
        JS_FreeValue(ctx, storage);
        storage = JS_DupValue(ctx, argv[0]);
    }
    next.text = JS_DupValue(ctx, argv[1]);
    next.kind = JS_DupValue(ctx, argv[3]);
    JS_FreeValue(ctx, place->text);
    JS_FreeValue(ctx, place->kind);
    *place = next;
    return JS_UNDEFINED;
}

static const JSCFunctionListEntry functions[] = {
    JS_CFUNC_DEF("sqlExec", 4, native_sql_exec),
    JS_CFUNC_DEF("sqlKeep", 4, native_sql_keep),
};

int durabox_register_sql(JSContext *ctx, JSValueConst native)
{
    return JS_SetPropertyFunctionList(ctx, native, functions, sizeof(functions) / sizeof(functions[0]));
}
