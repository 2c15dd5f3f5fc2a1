/* msgpack.h: the codec of op arguments, event arguments and replies. See msgpack.c. */
#ifndef DURABOX_MSGPACK_H
#define DURABOX_MSGPACK_H

#include <stddef.h>
#include <stdint.h>

#include "quickjs.h"

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
/* Appends what goes before the items of an array, an integer, or a float that is one even when it could be an integer. */
int msgpack_encode_array(MsgpackBuffer *buffer, uint32_t len);
int msgpack_encode_integer(MsgpackBuffer *buffer, int64_t value);
int msgpack_encode_real(MsgpackBuffer *buffer, double value);
/* Appends the own enumerable properties of `object` that are not undefined: an array of bins, keys in UTF-8 and values in V8's format
 * by turns; `*count` says how many properties. 0, or -1 with the exception pending. */
int msgpack_encode_pairs(MsgpackBuffer *buffer, JSValueConst object, uint32_t *count);
/* Decodes exactly one value that takes up all of `data`. */
JSValue msgpack_decode(JSContext *ctx, const uint8_t *data, size_t len);

/* Decodes an array of bins, keys in UTF-8 and values in V8's format by turns, as a Map. */
JSValue msgpack_decode_pairs(JSContext *ctx, const uint8_t *data, size_t len);

int msgpack_register(JSContext *ctx, JSValueConst native);

#endif
