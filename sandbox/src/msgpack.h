/* msgpack.h: the codec of op arguments, event arguments and replies.
 *
 *   nil <-> null (undefined also encodes as nil)     bool <-> boolean
 *   int, float <-> number (an integer past 2^53 loses precision; a bigint encodes as int if 64 bits hold it)
 *   str <-> string (UTF-8; lone surrogates keep their three-byte form)
 *   bin <-> ArrayBuffer (views encode as the bytes they show)
 *   array <-> Array (holes encode as nil)            map <-> object: own enumerable string keys; plain and user classes
 *
 * Everything else (functions, symbols, Map, Date, Promise, ...; ext on the way in) throws TypeError. Nesting is
 * limited to MSGPACK_DEPTH both ways, which also ends cycles.
 */
#ifndef DURABOX_MSGPACK_H
#define DURABOX_MSGPACK_H

#include <stddef.h>
#include <stdint.h>

#include "quickjs.h"

enum { MSGPACK_DEPTH = 256 };

/* ---- msgpack_encode.c ---- */

/* A growing byte buffer that starts on the caller's stack. */
typedef struct {
    JSContext *ctx;
    uint8_t *data;
    size_t len, cap;
    uint8_t inside[256];
} MsgpackBuffer;

void msgpack_buffer_init(MsgpackBuffer *buffer, JSContext *ctx);
void msgpack_buffer_free(MsgpackBuffer *buffer);

/* Appends `value`. 0, or -1 with the exception pending (TypeError for what msgpack cannot carry). */
int msgpack_encode(MsgpackBuffer *buffer, JSValueConst value);
/* Appends what goes before the items of an array, an integer, a float that is one even when it could be an integer, or bytes. */
int msgpack_encode_array(MsgpackBuffer *buffer, uint32_t len);
int msgpack_encode_integer(MsgpackBuffer *buffer, int64_t value);
int msgpack_encode_real(MsgpackBuffer *buffer, double value);
int msgpack_encode_binary(MsgpackBuffer *buffer, const void *bytes, size_t len);
/* Sets the length of an array that was begun at `at` with length UINT32_MAX, for it was not known yet. */
void msgpack_set_length(MsgpackBuffer *buffer, size_t at, uint32_t len);

/* ---- msgpack_decode.c ---- */

/* Decodes exactly one value that takes up all of `data`. */
JSValue msgpack_decode(JSContext *ctx, const uint8_t *data, size_t len);

/* What is left to read. */
typedef struct {
    JSContext *ctx;
    const uint8_t *at, *end;
} MsgpackReader;

/* The next value, which lies in `depth` containers. */
JSValue msgpack_read_value(MsgpackReader *reader, int depth);
/* Borrows the bytes of the next value, which must be a bin. 0, or -1 with the exception pending. */
int msgpack_read_binary(MsgpackReader *reader, const uint8_t **bytes, size_t *len);
/* What goes before the items of an array: how many they claim to be. 0, or -1 with the exception pending. */
int msgpack_read_array(MsgpackReader *reader, uint64_t *count);
/* Throws the error of a message that is no such thing. */
JSValue msgpack_malformed(MsgpackReader *reader);

/* ---- pairs.c ---- */

/* Appends the own enumerable properties of `object` that are not undefined, as pairs; `*count` says how many. 0, or -1 with the
 * exception pending. */
int msgpack_encode_pairs(MsgpackBuffer *buffer, JSValueConst object, uint32_t *count);
/* Decodes pairs as a Map. */
JSValue msgpack_decode_pairs(JSContext *ctx, const uint8_t *data, size_t len);

#endif
