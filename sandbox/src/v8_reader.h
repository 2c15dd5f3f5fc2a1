/* v8_reader.h: what a value is read from: bytes, and the objects met so far. Between the files of the deserializer.
 *
 * What gives a JSValue gives JS_EXCEPTION with the exception pending when it fails. What reads bytes gives false, and throws nothing.
 */
#ifndef DURABOX_V8_READER_H
#define DURABOX_V8_READER_H

#include <string.h>

#include "values.h"

typedef struct {
    JSContext *ctx;
    const uint8_t *begin, *at, *end;
    JSValue bytes; /* all of them as an ArrayBuffer, once hooks.readHostObject has needed it */
    JSValue *objects; /* by id; borrowed from what is being built, kept alive by `held` */
    uint32_t count, cap;
    uint32_t version;
    int depth;
} Reader;

/* ---- bytes ---- */

static inline size_t left(const Reader *r) { return r->end - r->at; }

static inline bool get_varint(Reader *r, uint64_t *out)
{
    uint64_t number = 0;
    int shift = 0;

    while (r->at < r->end) {
        uint8_t byte = *r->at++;
        if (shift < 64)
            number |= (uint64_t)(byte & 0x7F) << shift;
        shift += 7;
        if (!(byte & 0x80)) {
            *out = number;
            return true;
        }
        if (shift > 70)
            return false;
    }
    return false;
}

static inline bool get_u32(Reader *r, uint32_t *out)
{
    uint64_t number;

    if (!get_varint(r, &number) || number > UINT32_MAX)
        return false;
    *out = number;
    return true;
}

static inline bool get_double(Reader *r, double *out)
{
    if (left(r) < 8)
        return false;
    memcpy(out, r->at, 8);
    r->at += 8;
    return true;
}

/* The next tag that is not padding; 0 at the end. */
static inline uint8_t get_tag(Reader *r)
{
    while (r->at < r->end) {
        uint8_t tag = *r->at++;
        if (tag)
            return tag;
    }
    return 0;
}

static inline bool peek_tag(Reader *r, uint8_t tag)
{
    const uint8_t *at = r->at;

    while (at < r->end && !*at)
        at++;
    if (at == r->end || *at != tag)
        return false;
    r->at = at + 1;
    return true;
}

/* Throws the DataCloneError for bytes that are no value, unless something was thrown already. */
JSValue v8_malformed(Reader *r);

/* ---- objects by id ---- */

/* The next id goes to `object`, or with undefined to one that is still to come. False with the exception pending. */
bool v8_give_id(Reader *r, JSValueConst object);
/* The same for a new object, which it gives back; on failure it is freed. */
JSValue v8_with_id(Reader *r, JSValue object);

/* ---- values; of those whose name has a kind in it, what follows their tag ---- */

JSValue v8_read_value(Reader *r);
/* A string with its tag. */
JSValue v8_read_string(Reader *r);
JSValue v8_read_plain(Reader *r);
JSValue v8_read_buffer(Reader *r, bool resizable);
/* A view of a buffer that came before. */
JSValue v8_read_view(Reader *r, JSValueConst buffer);
JSValue v8_read_error(Reader *r);
/* A native error of workerd: its type or name, its message, an object with its other properties. */
JSValue v8_read_native_error(Reader *r);

#endif
