/* text.c: strings to bytes and back: UTF-8 as TextEncoder and TextDecoder have it, base64 as btoa and atob have it.
 *
 * Contract: docs/internals.md, `native`. utf8Encode keeps lone surrogates in their three-byte form, so that every
 * string survives the way out and back; utf8EncodeReplacing and utf8Decode follow the Encoding Standard.
 */

#include <string.h>

#include "values.h"

typedef struct {
    const void *chars;
    JSValue held;
    size_t len;
    bool wide;
} Text;

static int text_of(JSContext *ctx, JSValueConst value, Text *text)
{
    if (!JS_IsString(value)) {
        JS_ThrowTypeError(ctx, "expected a string");
        return -1;
    }
    return durabox_string_view(ctx, value, &text->held, &text->chars, &text->len, &text->wide);
}

/* Frees (size 0) or resizes the memory of an ArrayBuffer. */
static void *array_buffer_memory(JSRuntime *rt, void *opaque, void *data, size_t size)
{
    if (size)
        return js_realloc_rt(rt, data, size);
    js_free_rt(rt, data);
    return NULL;
}

/* Writes one code point; `out` has room for four bytes. */
static uint8_t *put_code_point(uint8_t *out, uint32_t c)
{
    if (c < 0x80) {
        *out++ = c;
    } else if (c < 0x800) {
        *out++ = 0xC0 | c >> 6;
        *out++ = 0x80 | (c & 63);
    } else if (c < 0x10000) {
        *out++ = 0xE0 | c >> 12;
        *out++ = 0x80 | (c >> 6 & 63);
        *out++ = 0x80 | (c & 63);
    } else {
        *out++ = 0xF0 | c >> 18;
        *out++ = 0x80 | (c >> 12 & 63);
        *out++ = 0x80 | (c >> 6 & 63);
        *out++ = 0x80 | (c & 63);
    }
    return out;
}

/* The string in UTF-8, in memory from js_malloc; lone surrogates become U+FFFD if `replace`. */
static uint8_t *encode(JSContext *ctx, const Text *text, bool replace, size_t *len)
{
    uint8_t *bytes = js_malloc(ctx, text->len * (text->wide ? 3 : 2) + 1), *out = bytes, *fitted;
    size_t i;

    if (!bytes)
        return NULL;
    for (i = 0; i < text->len; i++) {
        uint32_t c = text->wide ? ((const uint16_t *)text->chars)[i] : ((const uint8_t *)text->chars)[i];

        if ((c & 0xFC00) == 0xD800 && i + 1 < text->len &&
            (((const uint16_t *)text->chars)[i + 1] & 0xFC00) == 0xDC00)
            c = 0x10000 + ((c & 0x3FF) << 10) + (((const uint16_t *)text->chars)[++i] & 0x3FF);
        else if (replace && (c & 0xF800) == 0xD800)
            c = 0xFFFD;
        out = put_code_point(out, c);
    }
    *len = out - bytes;
    fitted = js_realloc(ctx, bytes, *len ? *len : 1);
    return fitted ? fitted : bytes;
}

/* magic: whether lone surrogates are replaced and the result is a Uint8Array. */
static JSValue native_encode(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv, int magic)
{
    JSValue buffer, view;
    uint8_t *bytes;
    size_t len;
    Text text;

    if (text_of(ctx, argv[0], &text))
        return JS_EXCEPTION;
    bytes = encode(ctx, &text, magic, &len);
    JS_FreeValue(ctx, text.held);
    if (!bytes)
        return JS_EXCEPTION;
    buffer = JS_NewArrayBuffer(ctx, bytes, len, 0, array_buffer_memory, NULL, false);
    if (!magic || JS_IsException(buffer))
        return buffer;
    view = JS_NewTypedArray(ctx, 1, (JSValueConst *)&buffer, JS_TYPED_ARRAY_UINT8);
    JS_FreeValue(ctx, buffer);
    return view;
}

/* Decodes one sequence by the Encoding Standard: the code point, or -1 for an error; `*used` bytes are over either
 * way (the maximal part of a broken sequence). */
static int32_t next_code_point(const uint8_t *at, size_t left, size_t *used)
{
    uint8_t first = *at, low = 0x80, high = 0xBF;
    int needed, i;
    int32_t c;

    *used = 1;
    if (first < 0x80)
        return first;
    if (first >= 0xC2 && first <= 0xDF) {
        needed = 1;
        c = first & 0x1F;
    } else if (first >= 0xE0 && first <= 0xEF) {
        needed = 2;
        c = first & 0xF;
        low = first == 0xE0 ? 0xA0 : low;
        high = first == 0xED ? 0x9F : high;
    } else if (first >= 0xF0 && first <= 0xF4) {
        needed = 3;
        c = first & 7;
        low = first == 0xF0 ? 0x90 : low;
        high = first == 0xF4 ? 0x8F : high;
    } else {
        return -1;
    }
    for (i = 0; i < needed; i++) {
        if (*used >= left || at[*used] < low || at[*used] > high)
            return -1;
        c = c << 6 | (at[*used] & 63);
        ++*used;
        low = 0x80;
        high = 0xBF;
    }
    return c;
}

/* Of a longer text the UTF-16 units are counted first: room for one of each byte may be three times too much. */
enum { COUNTED_FROM = 1 << 20 };

static size_t utf16_length(const uint8_t *bytes, size_t len)
{
    size_t i, used, n = 0;

    for (i = 0; i < len; i += used)
        n += next_code_point(bytes + i, len - i, &used) >= 0x10000 ? 2 : 1;
    return n;
}

/* The text of bytes of which not all are ASCII, to be freed; NULL with an exception. */
static uint16_t *utf16_of(JSContext *ctx, const uint8_t *bytes, size_t len, bool fatal, size_t *units)
{
    size_t i, used, n = 0;
    uint16_t *wide = js_malloc(ctx, (len < COUNTED_FROM ? len : utf16_length(bytes, len)) * sizeof(*wide));

    if (!wide)
        return NULL;
    for (i = 0; i < len; i += used) {
        int32_t c = next_code_point(bytes + i, len - i, &used);

        if (c < 0 && fatal) {
            js_free(ctx, wide);
            JS_ThrowTypeError(ctx, "Failed to decode input.");
            return NULL;
        }
        if (c < 0)
            c = 0xFFFD;
        if (c >= 0x10000) {
            wide[n++] = 0xD800 | (c - 0x10000) >> 10;
            wide[n++] = 0xDC00 | (c & 0x3FF);
        } else {
            wide[n++] = c;
        }
    }
    *units = n;
    return wide;
}

static JSValue decode_utf8(JSContext *ctx, const uint8_t *bytes, size_t len, bool fatal, JSValueConst consumed)
{
    size_t i, n;
    uint16_t *wide;
    JSValue result;

    for (i = 0; i < len && bytes[i] < 0x80; i++)
        ;
    if (i == len)
        return durabox_latin1(ctx, bytes, len);
    wide = utf16_of(ctx, bytes, len, fatal, &n);
    if (!wide)
        return JS_EXCEPTION;
    if (JS_IsObject(consumed))
        JS_DetachArrayBuffer(ctx, consumed);
    result = JS_NewStringUTF16(ctx, wide, n);
    js_free(ctx, wide);
    return result;
}

JSValue durabox_utf8(JSContext *ctx, const uint8_t *bytes, size_t len, bool fatal)
{
    return decode_utf8(ctx, bytes, len, fatal, JS_UNDEFINED);
}

/* (bytes, fatal, ignoreBOM) */
static JSValue native_decode(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    bool fatal = JS_ToBool(ctx, argv[1]), keep_bom = JS_ToBool(ctx, argv[2]);
    uint8_t *bytes;
    size_t len;

    if (durabox_bytes(ctx, argv[0], &bytes, &len))
        return JS_EXCEPTION;
    if (!keep_bom && len >= 3 && !memcmp(bytes, "\xEF\xBB\xBF", 3)) {
        bytes += 3;
        len -= 3;
    }
    return decode_utf8(ctx, bytes, len, fatal, JS_UNDEFINED);
}

/* (buffer): the text of an ArrayBuffer that nobody needs any more; it goes before there is a second copy of a long text. */
static JSValue native_take_text(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    uint8_t *bytes;
    size_t len;

    if (durabox_bytes(ctx, argv[0], &bytes, &len))
        return JS_EXCEPTION;
    return decode_utf8(ctx, bytes, len, false, argv[0]);
}

/* (bytes): a string with a character for each. */
static JSValue native_latin1(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    uint8_t *bytes;
    size_t len;

    if (durabox_bytes(ctx, argv[0], &bytes, &len))
        return JS_EXCEPTION;
    return durabox_latin1(ctx, bytes, len);
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* (latin1): null when a character does not fit a byte. */
static JSValue native_base64_encode(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    JSValue result = JS_NULL;
    size_t i, n = 0;
    char *out;
    Text text;

    if (text_of(ctx, argv[0], &text))
        return JS_EXCEPTION;
    for (i = 0; text.wide && i < text.len; i++)
        if (((const uint16_t *)text.chars)[i] > 0xFF)
            goto done;
    out = js_malloc(ctx, (text.len + 2) / 3 * 4 + 1);
    if (!out) {
        result = JS_EXCEPTION;
        goto done;
    }
    for (i = 0; i < text.len; i += 3) {
        uint32_t bits = 0;
        size_t k, have = text.len - i < 3 ? text.len - i : 3;

        for (k = 0; k < 3; k++)
            bits = bits << 8 | (k >= have      ? 0
                                : text.wide ? ((const uint16_t *)text.chars)[i + k]
                                            : ((const uint8_t *)text.chars)[i + k]);
        for (k = 0; k < 4; k++)
            out[n++] = k <= have ? alphabet[bits >> (18 - 6 * k) & 63] : '=';
    }
    result = durabox_latin1(ctx, out, n);
    js_free(ctx, out);
done:
    JS_FreeValue(ctx, text.held);
    return result;
}

static int base64_digit(uint32_t c)
{
    const char *found = c && c < 0x80 ? strchr(alphabet, c) : NULL;
    return found ? found - alphabet : -1;
}

/* (text): null when it is not base64. */
static JSValue native_base64_decode(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    JSValue result = JS_NULL;
    uint32_t *digits, c;
    size_t i, n = 0, have = 0;
    uint32_t bits = 0;
    uint8_t *out;
    Text text;

    if (text_of(ctx, argv[0], &text))
        return JS_EXCEPTION;
    /* First the characters without white space, then bytes in the same memory. */
    digits = js_malloc(ctx, (text.len + 1) * sizeof(*digits));
    if (!digits) {
        result = JS_EXCEPTION;
        goto done;
    }
    for (i = 0; i < text.len; i++) {
        c = text.wide ? ((const uint16_t *)text.chars)[i] : ((const uint8_t *)text.chars)[i];
        if (c != ' ' && c != '\t' && c != '\n' && c != '\f' && c != '\r')
            digits[n++] = c;
    }
    if (n % 4 == 0)
        for (i = 0; i < 2 && n && digits[n - 1] == '='; i++)
            n--;
    if (n % 4 == 1)
        goto done;
    out = (uint8_t *)digits;
    for (i = 0; i < n; i++) {
        int digit = base64_digit(digits[i]);

        if (digit < 0)
            goto done;
        bits = bits << 6 | digit;
        if (i % 4)
            out[have++] = bits >> (6 - 2 * (i % 4));
    }
    result = durabox_latin1(ctx, out, have);
done:
    js_free(ctx, digits);
    JS_FreeValue(ctx, text.held);
    return result;
}

static const JSCFunctionListEntry functions[] = {
    JS_CFUNC_MAGIC_DEF("utf8Encode", 1, native_encode, false),
    JS_CFUNC_MAGIC_DEF("utf8EncodeReplacing", 1, native_encode, true),
    JS_CFUNC_DEF("utf8Decode", 3, native_decode),
    JS_CFUNC_DEF("utf8Take", 1, native_take_text),
    JS_CFUNC_DEF("latin1", 1, native_latin1),
    JS_CFUNC_DEF("base64Encode", 1, native_base64_encode),
    JS_CFUNC_DEF("base64Decode", 1, native_base64_decode),
};

void durabox_register_text(JSContext *ctx, JSValueConst native)
{
    JS_SetPropertyFunctionList(ctx, native, functions, sizeof(functions) / sizeof(functions[0]));
}
