/* v8_writer.h: what a value is written into: bytes, and the objects met so far. Between the files of the serializer.
 *
 * Functions give -1 with an exception pending when they fail.
 */
#ifndef DURABOX_V8_WRITER_H
#define DURABOX_V8_WRITER_H

#include <math.h>
#include <string.h>

#include "values.h"

typedef struct {
    JSContext *ctx;
    uint8_t *data;
    size_t len, cap;
    JSValue *seen; /* by id */
    uint32_t seen_len, seen_cap;
    uint32_t *slots; /* hash of object pointers: id + 1, 0 for free */
    uint32_t slots_cap;
    int depth;
    bool lending; /* functions and proxies may be host objects too, and no class but the language's own is copied */
} Writer;

/* ---- bytes ---- */

static inline int room(Writer *w, size_t more)
{
    size_t cap = w->cap ? w->cap : 64;
    uint8_t *data;

    if (w->cap - w->len >= more)
        return 0;
    while (cap - w->len < more)
        cap *= 2;
    data = js_realloc(w->ctx, w->data, cap);
    if (!data)
        return -1;
    w->data = data;
    w->cap = cap;
    return 0;
}

static inline int put_byte(Writer *w, uint8_t byte)
{
    if (room(w, 1))
        return -1;
    w->data[w->len++] = byte;
    return 0;
}

static inline int put_bytes(Writer *w, const void *bytes, size_t len)
{
    if (room(w, len))
        return -1;
    if (len)
        memcpy(w->data + w->len, bytes, len);
    w->len += len;
    return 0;
}

static inline int put_varint(Writer *w, uint64_t number)
{
    if (room(w, 10))
        return -1;
    while (number >= 0x80) {
        w->data[w->len++] = number | 0x80;
        number >>= 7;
    }
    w->data[w->len++] = number;
    return 0;
}

static inline int put_tag_varint(Writer *w, uint8_t tag, uint64_t number)
{
    return put_byte(w, tag) || put_varint(w, number) ? -1 : 0;
}

static inline int put_double(Writer *w, double number)
{
    if (isnan(number))
        number = NAN; /* one bit pattern for all */
    return put_bytes(w, &number, 8);
}

/* ---- primitives ---- */

static inline int write_int(Writer *w, int32_t number)
{
    return put_tag_varint(w, 'I', ((uint32_t)number << 1) ^ (uint32_t)(number >> 31));
}

static inline int write_number(Writer *w, double number)
{
    if (number >= INT32_MIN && number <= INT32_MAX && number == (int32_t)number && (number || !signbit(number)))
        return write_int(w, (int32_t)number);
    return put_byte(w, 'N') || put_double(w, number) ? -1 : 0;
}

int v8_write_string(Writer *w, JSValueConst value);
/* The digits of a bigint, least significant first, without tag. */
int v8_write_bigint_digits(Writer *w, JSValueConst value);

/* ---- objects met so far ---- */

/* Nothing has been met. */
void v8_forget_objects(Writer *w);
/* The next id goes to `object`, or with undefined to something that is never met again. */
int v8_add_object(Writer *w, JSValueConst object);
/* The object's id, or -1 when it has not been met. */
int64_t v8_find_object(Writer *w, JSValueConst object);
/* 1: the object was met before and a reference to it has been written; 0: it has its id now. */
int v8_remember(Writer *w, JSValueConst object);

/* ---- values ---- */

/* A value with the format's header, in place of what was written before: the memory for it is kept. */
int v8_write_whole(Writer *w, JSValueConst value);
/* Gives the memory back. */
void v8_free(Writer *w);
int v8_write_value(Writer *w, JSValueConst value);
int v8_write_buffer(Writer *w, JSValueConst buffer);
/* A typed array of that type, or with a negative one a DataView. */
int v8_write_view(Writer *w, JSValueConst view, int type);
int v8_write_error(Writer *w, JSValueConst error);
/* Whether a property's key is an array index, and which. */
int v8_key_index(Writer *w, JSValueConst key, bool *indexed, uint32_t *index);
/* Throws the DataCloneError for a value that cannot be written; always -1. */
int v8_refuse(Writer *w, JSValueConst value);

#endif
