/* v8_writer.c: text, bigints and the objects met so far, in V8's serialization format. Contract: v8_writer.h. */

#include "v8_writer.h"

static int varint_len(uint64_t number)
{
    int len = 1;
    while (number >>= 7)
        len++;
    return len;
}

int v8_write_string(Writer *w, JSValueConst value)
{
    const void *chars;
    JSValue held;
    size_t len;
    bool wide;
    int result;

    if (durabox_string_view(w->ctx, value, &held, &chars, &len, &wide))
        return -1;
    if (!wide) {
        result = put_tag_varint(w, '"', len) || put_bytes(w, chars, len);
    } else {
        /* Two-byte characters lie at even offsets. */
        result = ((w->len + 1 + varint_len(len * 2)) & 1) && put_byte(w, 0);
        result = result || put_tag_varint(w, 'c', len * 2) || put_bytes(w, chars, len * 2);
    }
    JS_FreeValue(w->ctx, held);
    return result ? -1 : 0;
}

int v8_write_bigint_digits(Writer *w, JSValueConst value)
{
    JSContext *ctx = w->ctx;
    JSValue sixteen = JS_NewInt32(ctx, 16), text;
    const char *digits;
    size_t len, bytes, i;
    bool negative;

    text = JS_Call(ctx, durabox_builtins.bigint_text, value, 1, (JSValueConst *)&sixteen);
    if (JS_IsException(text))
        return -1;
    digits = JS_ToCStringLen(ctx, &len, text);
    JS_FreeValue(ctx, text);
    if (!digits)
        return -1;
    negative = *digits == '-';
    len -= negative;
    bytes = len == 1 && digits[0] == '0' ? 0 : (len + 15) / 16 * 8;
    if (put_varint(w, (uint64_t)bytes << 1 | negative) || room(w, bytes)) {
        JS_FreeCString(ctx, digits);
        return -1;
    }
    memset(w->data + w->len, 0, bytes);
    for (i = 0; bytes && i < len; i++) {
        char c = digits[negative + len - 1 - i];
        w->data[w->len + i / 2] |= (c <= '9' ? c - '0' : c - 'a' + 10) << (i % 2 * 4);
    }
    w->len += bytes;
    JS_FreeCString(ctx, digits);
    return 0;
}

/* ---- objects met so far ---- */

static uint32_t hash_of(const void *pointer)
{
    return (uint32_t)(uintptr_t)pointer * 2654435761u >> 4;
}

static void insert(Writer *w, const void *pointer, uint32_t id)
{
    uint32_t slot = hash_of(pointer) & (w->slots_cap - 1);

    while (w->slots[slot])
        slot = (slot + 1) & (w->slots_cap - 1);
    w->slots[slot] = id + 1;
}

void v8_forget_objects(Writer *w)
{
    while (w->seen_len)
        JS_FreeValue(w->ctx, w->seen[--w->seen_len]);
    if (w->slots_cap)
        memset(w->slots, 0, w->slots_cap * sizeof(*w->slots));
}

int v8_add_object(Writer *w, JSValueConst object)
{
    uint32_t i;

    if (w->seen_len == w->seen_cap) {
        uint32_t cap = w->seen_cap ? w->seen_cap * 2 : 8;
        JSValue *seen = js_realloc(w->ctx, w->seen, cap * sizeof(*seen));
        uint32_t *slots;

        if (!seen)
            return -1;
        w->seen = seen;
        w->seen_cap = cap;
        if (cap > 8) {
            slots = js_mallocz(w->ctx, cap * 2 * sizeof(*slots));
            if (!slots)
                return -1;
            js_free(w->ctx, w->slots);
            w->slots = slots;
            w->slots_cap = cap * 2;
            for (i = 0; i < w->seen_len; i++)
                insert(w, JS_VALUE_GET_PTR(w->seen[i]), i);
        }
    }
    w->seen[w->seen_len] = JS_DupValue(w->ctx, object);
    if (w->slots_cap)
        insert(w, JS_VALUE_GET_PTR(object), w->seen_len);
    w->seen_len++;
    return 0;
}

int64_t v8_find_object(Writer *w, JSValueConst object)
{
    const void *pointer = JS_VALUE_GET_PTR(object);
    uint32_t i;

    if (w->slots_cap) {
        for (i = hash_of(pointer) & (w->slots_cap - 1); w->slots[i]; i = (i + 1) & (w->slots_cap - 1))
            if (JS_VALUE_GET_PTR(w->seen[w->slots[i] - 1]) == pointer)
                return w->slots[i] - 1;
    } else {
        for (i = 0; i < w->seen_len; i++)
            if (JS_VALUE_GET_PTR(w->seen[i]) == pointer)
                return i;
    }
    return -1;
}

int v8_remember(Writer *w, JSValueConst object)
{
    int64_t id = v8_find_object(w, object);

    if (id >= 0)
        return put_tag_varint(w, '^', id) ? -1 : 1;
    return v8_add_object(w, object);
}
