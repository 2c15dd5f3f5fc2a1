/* values.h: values in bytes, text and URLs; what values.c, v8_serialize.c, v8_deserialize.c, text.c and url.c give the rest.
 *
 * The registering functions put their part of `native` in place (docs/internals.md) and leave an exception pending
 * when they fail.
 */
#ifndef DURABOX_VALUES_H
#define DURABOX_VALUES_H

#include "guest.h"

#ifdef __cplusplus
extern "C" {
#endif

/* V8's serialization format, version 15. With `lending` functions and proxies are offered to hooks.writeHostObject too, and so
 * is every object without Object.prototype. `*out` is to be freed by js_free. -1 with DataCloneError, or whatever a
 * getter threw, pending. */
int durabox_v8_write(JSContext *ctx, JSValueConst value, bool lending, uint8_t **out, size_t *len);
/* The value that `data` holds; malformed bytes throw and never read beyond `len`. Versions 13 to 15. */
JSValue durabox_v8_read(JSContext *ctx, const uint8_t *data, size_t len);

void durabox_register_values(JSContext *ctx, JSValueConst native);
void durabox_register_text(JSContext *ctx, JSValueConst native);
void durabox_register_url(JSContext *ctx, JSValueConst native);

/* ---- between the two halves of the serializer ---- */

/* Deepest nesting of values; the recursion of either half uses the wasm stack. */
enum { DURABOX_VALUE_DEPTH = 2000 };
/* Less of the guest's stack than this left: stop with a RangeError. */
enum { DURABOX_STACK_LOW = 80 * 1024 };

/* Tags of what only workerd's form of the format knows: a type number follows, then what that type has. */
enum { DURABOX_HOST_OBJECT = '\\', DURABOX_NATIVE_ERROR = 10 };

/* The classes of errors. */
enum { DURABOX_ERRORS = 9 };
typedef struct {
    const char *name;
    uint8_t tag;  /* among the parts of a plain V8 error; 0: none */
    uint8_t type; /* of a workerd native error */
} ErrorClass;

extern const ErrorClass durabox_errors[DURABOX_ERRORS];

/* Built-ins as they were before any user code ran, and the ids of the engine's classes. */
typedef struct {
    JSValue number_value, string_value, boolean_value, bigint_value, bigint_text, date_time;
    JSValue regexp_source, regexp_flags, map_each, set_each, map_put, set_put, buffer_max, buffer_resizable;
    JSValue map, set, regexp, bigint, bigint_signed, object, data_view, array_buffer;
    JSValue object_prototype, object_text, function_text, tag; /* the last: Symbol.toStringTag */
    JSValue errors[DURABOX_ERRORS], error_prototypes[DURABOX_ERRORS]; /* as in durabox_errors */
    JSClassID plain, arguments, number, string, boolean, boxed_bigint, error;
} Builtins;

extern Builtins durabox_builtins;

#ifdef __cplusplus
}
#endif
#endif
