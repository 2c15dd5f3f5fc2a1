/* guest.h: what the guest's C files give each other.
 *
 * There is one runtime, one context and one `hooks` object per wasm instance; they live in linear memory and
 * are therefore part of every memory image. Nothing here is visible to user code.
 *
 * Conventions: a function that returns JSValue returns JS_EXCEPTION with the exception pending on failure;
 * a function that returns int returns 0, or -1 with the exception pending. A pointer travels with its length.
 * JSValueConst parameters are borrowed, JSValue parameters and results are owned. Nothing unwinds across.
 */
#ifndef DURABOX_GUEST_H
#define DURABOX_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "quickjs.h"

#define DURABOX_IMPORT(name) __attribute__((import_module("durabox"), import_name(name)))
#define DURABOX_EXPORT(name) __attribute__((export_name(name)))

/* ---- imports: the whole outside world ---- */

/* Runs an op; returns the reply's length, or minus the length when it is more than `reply_cap` bytes. */
DURABOX_IMPORT("op")
int32_t host_op(int32_t number, const void *args, uint32_t args_len, const void *body, uint32_t body_len,
                void *reply, uint32_t reply_cap);
/* Copies the reply that did not fit; returns its length. */
DURABOX_IMPORT("reply") int32_t host_reply(void *reply, uint32_t reply_cap);
/* Milliseconds since the epoch, with a fraction. */
DURABOX_IMPORT("clock") double host_clock(void);
/* Fills `len` bytes with cryptographically strong random data. */
DURABOX_IMPORT("random") void host_random(void *ptr, uint32_t len);
/* Ends the isolate with a message. */
DURABOX_IMPORT("abort") _Noreturn void host_abort(const char *message, uint32_t len);

/* ---- abi.c ---- */

/* Calls hooks.<name>(argv...); throws until the bundle has been evaluated. */
JSValue durabox_call_hook(JSContext *ctx, const char *name, int argc, JSValueConst *argv);
/* Whether `error` is what the engine throws when it runs out of memory. */
bool durabox_is_memory_error(JSContext *ctx, JSValueConst error);
/* An error object named `name` (a DOMException where that is one), made by hooks.makeError. */
JSValue durabox_make_error(JSContext *ctx, const char *name, const char *message);

/* ---- ops.c ---- */

/* Runs an op with raw arguments and body; returns the decoded reply. */
JSValue durabox_op(JSContext *ctx, int32_t number, const void *args, size_t args_len, const void *body,
                   size_t body_len);
/* Borrows the bytes of an ArrayBuffer, typed array or DataView: valid until JavaScript runs again.
 * -1 with a TypeError when `value` is none of them. */
int durabox_bytes(JSContext *ctx, JSValueConst value, uint8_t **ptr, size_t *len);
int durabox_register_ops(JSContext *ctx, JSValueConst native);

/* ---- sql.c ---- */

/* Hands over what is gathered; to be called before each op, and at the end of an event. */
void durabox_sql_flush(void);
int durabox_register_sql(JSContext *ctx, JSValueConst native);

/* ---- pairs.c, rows.c ---- */

int durabox_register_pairs(JSContext *ctx, JSValueConst native);
int durabox_register_rows(JSContext *ctx, JSValueConst native);

/* ---- promises.c ---- */

/* Forgets what earlier turns left (context, rejections). */
void durabox_turn_begin(JSContext *ctx);
/* Runs all jobs until the queue is empty, then reports unhandled rejections, which may queue jobs again.
 * -1 with the exception pending when memory ran out where nothing caught it, or when the hook threw. */
int durabox_turn_run(JSContext *ctx);
int durabox_register_promises(JSContext *ctx, JSValueConst native);

/* ---- modules.c ---- */

/* Evaluates a script that durabox_compile made bytecode of; its completion value. Only for bytes that the build made. */
JSValue durabox_run_bytecode(JSContext *ctx, const uint8_t *code, size_t len);
int durabox_register_modules(JSContext *ctx, JSValueConst native);

/* ---- random.c ---- */

/* Whether the isolate has left the global scope, by its first native.seed(). */
bool durabox_has_started(void);
/* The host's clock; it stands at 0 until then, so that no reading of it gets into an image. */
double durabox_now(void);
int durabox_register_random(JSContext *ctx, JSValueConst native);

/* ---- memory.c ---- */

/* The functions that a runtime allocates with. */
extern const JSMallocFunctions durabox_malloc_functions;
/* Of the host: what an isolate writes to is its own by as much. */
enum { OS_PAGE = 4096 };
/* Where the heap of the image ends that this instance was made from, or is about to be frozen into; 0 before. */
extern uintptr_t durabox_image_end;
/* Moves that end behind everything allocated so far. */
void durabox_seal_memory(void);

/* ---- quickjs_hooks.h, compiled into quickjs.c ---- */

/* Prepares a new runtime: before any of its contexts is made. 0 or -1 (out of memory). */
int durabox_hook_runtime(JSRuntime *rt);
/* Has errors tell their stacks as V8's do; in one context, for good. 0 or -1 with the exception pending. */
int durabox_hook_errors(JSContext *ctx);
/* Whether an allocation failed since durabox_forget_memory_limit. */
bool durabox_hit_memory_limit(void);
void durabox_forget_memory_limit(void);
/* Whether one failed and the heap, after a collection, is about as full as it may be: nothing more can run here. */
bool durabox_is_full(JSContext *ctx);
/* The async context that is current. Borrowed. */
JSValueConst durabox_context(void);
/* Makes `next` current; the previous one is returned to the caller. */
JSValue durabox_context_swap(JSValue next);
/* Lets exactly the next evaluation of source text pass; once the isolate has started, others throw EvalError. */
void durabox_permit_eval(void);
/* Installs the gate that durabox_permit_eval opens. */
void durabox_close_eval(JSContext *ctx);
/* Borrows the bytes that a DataView shows, whatever user code put in its properties' place. `view` must be one. */
int durabox_data_view(JSContext *ctx, JSValueConst view, uint8_t **ptr, size_t *len);
/* Whether a typed array or DataView reaches to the end of a buffer that may grow. */
bool durabox_tracks_length(JSValueConst view);
/* A string's characters where they lie; see there. */
int durabox_string_view(JSContext *ctx, JSValueConst value, JSValue *held, const void **chars, size_t *len, bool *wide);
JSValue durabox_latin1(JSContext *ctx, const void *chars, size_t len);
/* Whether a plain object has so many properties, so that others may be made like it. */
bool durabox_is_model(JSValueConst object, int count);
/* How many properties an object has, if all are enumerable fields, no key is a symbol or begins with a digit, and no value is an object:
 * then they are what durabox_field and durabox_field_name give, and no code of anybody runs as they are read. Otherwise -1. */
int durabox_count_fields(JSContext *ctx, JSValueConst object);
/* Borrows a field's value, or its name. */
JSValueConst durabox_field(JSValueConst object, int index);
JSValueConst durabox_field_name(JSContext *ctx, JSValueConst object, int index);
/* Another plain object with the prototype and the properties of `model`, which are fields, and these values of them; takes them. */
JSValue durabox_like(JSContext *ctx, JSValueConst model, JSValue *values);
/* The string of UTF-8 bytes; what is malformed becomes U+FFFD or, if fatal, throws. */
JSValue durabox_utf8(JSContext *ctx, const uint8_t *bytes, size_t len, bool fatal);
/* Makes all that the runtime holds a part of the image that is about to be taken; see image_heap.h. */
int durabox_seal_heap(JSContext *ctx);

#endif
