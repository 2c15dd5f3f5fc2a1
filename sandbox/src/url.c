/* url.c: the WHATWG URL parser, ada, for the bindings.
 *
 * Contract: the classes URL and URLSearchParams are TypeScript (bindings/src/web/url.ts) over two functions:
 *
 *   native.urlParse(input, base | undefined)   the parts of a URL, or null when it is invalid
 *   native.urlSet(href, part, value)           the parts after a setter; null when `href` (whole) is set to nonsense
 *
 * Parts are an array: href, origin, protocol, username, password, host, hostname, port, pathname, search, hash.
 */

#include <string.h>

#include "ada_c.h"
#include "values.h"

enum Part { HREF, ORIGIN, PROTOCOL, USERNAME, PASSWORD, HOST, HOSTNAME, PORT, PATHNAME, SEARCH, HASH, PARTS };

static int put_part(JSContext *ctx, JSValueConst parts, uint32_t index, const char *text, size_t len)
{
    JSValue string = JS_NewStringLen(ctx, text, len);

    if (JS_IsException(string))
        return -1;
    return JS_DefinePropertyValueUint32(ctx, parts, index, string, JS_PROP_C_W_E) < 0 ? -1 : 0;
}

static JSValue parts_of(JSContext *ctx, ada_url url)
{
    static ada_string (*const getters[PARTS])(ada_url) = {
        [HREF] = ada_get_href,         [PROTOCOL] = ada_get_protocol, [USERNAME] = ada_get_username,
        [PASSWORD] = ada_get_password, [HOST] = ada_get_host,         [HOSTNAME] = ada_get_hostname,
        [PORT] = ada_get_port,         [PATHNAME] = ada_get_pathname, [SEARCH] = ada_get_search,
        [HASH] = ada_get_hash,
    };
    JSValue parts = JS_NewArray(ctx);

    for (uint32_t i = 0; i < PARTS && !JS_IsException(parts); i++) {
        int failed;

        if (i == ORIGIN) {
            ada_owned_string origin = ada_get_origin(url);
            failed = put_part(ctx, parts, i, origin.data, origin.length);
            ada_free_owned_string(origin);
        } else {
            ada_string text = getters[i](url);
            failed = put_part(ctx, parts, i, text.data, text.length);
        }
        if (failed) {
            JS_FreeValue(ctx, parts);
            parts = JS_EXCEPTION;
        }
    }
    return parts;
}

/* A string as a USVString in UTF-8: lone surrogates become U+FFFD. To be freed by js_free. */
static char *scalar_text(JSContext *ctx, JSValueConst value, size_t *len)
{
    static const char replacement[] = "\xEF\xBF\xBD";
    const char *text = JS_ToCStringLen(ctx, len, value);
    char *copy;

    if (!text)
        return NULL;
    copy = js_malloc(ctx, *len + 1);
    if (copy) {
        memcpy(copy, text, *len + 1);
        for (size_t i = 0; i + 2 < *len; i++)
            if ((uint8_t)copy[i] == 0xED && (uint8_t)copy[i + 1] >= 0xA0)
                memcpy(copy + i, replacement, 3);
    }
    JS_FreeCString(ctx, text);
    return copy;
}

static JSValue native_url_parse(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    size_t len = 0, base_len = 0;
    char *input = scalar_text(ctx, argv[0], &len), *base = NULL;
    JSValue result = JS_EXCEPTION;
    ada_url url = NULL;

    if (!input)
        return JS_EXCEPTION;
    if (argc > 1 && !JS_IsUndefined(argv[1])) {
        base = scalar_text(ctx, argv[1], &base_len);
        if (!base)
            goto done;
        url = ada_parse_with_base(input, len, base, base_len);
    } else {
        url = ada_parse(input, len);
    }
    result = url && ada_is_valid(url) ? parts_of(ctx, url) : JS_NULL;
done:
    if (url)
        ada_free(url);
    js_free(ctx, base);
    js_free(ctx, input);
    return result;
}

static JSValue native_url_set(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    size_t len = 0, value_len = 0;
    JSValue result = JS_EXCEPTION;
    char *href = scalar_text(ctx, argv[0], &len), *value = NULL;
    ada_url url = NULL;
    bool valid = true;
    int32_t part;

    if (!href || JS_ToInt32(ctx, &part, argv[1]))
        goto done;
    value = scalar_text(ctx, argv[2], &value_len);
    if (!value)
        goto done;
    url = ada_parse(href, len);
    if (!url || !ada_is_valid(url)) {
        result = JS_NULL;
        goto done;
    }
    switch (part) {
    case HREF: valid = ada_set_href(url, value, value_len); break;
    case PROTOCOL: ada_set_protocol(url, value, value_len); break;
    case USERNAME: ada_set_username(url, value, value_len); break;
    case PASSWORD: ada_set_password(url, value, value_len); break;
    case HOST: ada_set_host(url, value, value_len); break;
    case HOSTNAME: ada_set_hostname(url, value, value_len); break;
    case PORT: ada_set_port(url, value, value_len); break;
    case PATHNAME: ada_set_pathname(url, value, value_len); break;
    case SEARCH: ada_set_search(url, value, value_len); break;
    case HASH: ada_set_hash(url, value, value_len); break;
    default: valid = false;
    }
    result = valid ? parts_of(ctx, url) : JS_NULL;
done:
    if (url)
        ada_free(url);
    js_free(ctx, value);
    js_free(ctx, href);
    return result;
}

static const JSCFunctionListEntry functions[] = {
    JS_CFUNC_DEF("urlParse", 2, native_url_parse),
    JS_CFUNC_DEF("urlSet", 3, native_url_set),
};

void durabox_register_url(JSContext *ctx, JSValueConst native)
{
    JS_SetPropertyFunctionList(ctx, native, functions, sizeof(functions) / sizeof(functions[0]));
}
