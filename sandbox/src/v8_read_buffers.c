/* v8_read_buffers.c: buffers and views of them. */

#include "v8_reader.h"

JSValue v8_read_view(Reader *r, JSValueConst buffer)
{
    static const char tags[] = "CbBwWdDqQhfF"; /* in the order of JSTypedArrayEnum */
    static const uint8_t sizes[] = { 1, 1, 1, 2, 2, 4, 4, 8, 8, 2, 4, 8 };
    JSContext *ctx = r->ctx;
    uint32_t offset, len, flags = 0;
    JSValue arguments[3], view;
    const char *found;
    size_t total;
    uint8_t tag;

    if (!left(r))
        return v8_malformed(r);
    tag = *r->at++;
    if (!get_u32(r, &offset) || !get_u32(r, &len) || (r->version >= 14 && !get_u32(r, &flags)))
        return v8_malformed(r);
    JS_GetArrayBuffer(ctx, &total, buffer);
    if (JS_HasException(ctx))
        return JS_EXCEPTION;
    if (offset > total || len > total - offset)
        return v8_malformed(r);
    found = tag == '?' ? NULL : strchr(tags, tag);
    if (tag != '?' && (!tag || !found || offset % sizes[found - tags] || len % sizes[found - tags]))
        return v8_malformed(r);
    arguments[0] = JS_DupValue(ctx, buffer);
    arguments[1] = JS_NewUint32(ctx, offset);
    arguments[2] = flags & 1 ? JS_UNDEFINED : JS_NewUint32(ctx, found ? len / sizes[found - tags] : len);
    view = found ? JS_NewTypedArray(ctx, 3, (JSValueConst *)arguments, (JSTypedArrayEnum)(found - tags))
                 : JS_CallConstructor(ctx, durabox_builtins.data_view, 3, (JSValueConst *)arguments);
    JS_FreeValue(ctx, arguments[0]);
    return v8_with_id(r, view);
}

JSValue v8_read_buffer(Reader *r, bool resizable)
{
    JSContext *ctx = r->ctx;
    JSValue buffer, view;
    uint32_t len, most = 0;

    if (!get_u32(r, &len) || (resizable && !get_u32(r, &most)) || len > left(r) || (resizable && most < len))
        return v8_malformed(r);
    if (resizable) {
        JSValue arguments[2] = { JS_NewUint32(ctx, len), JS_NewObject(ctx) };
        uint8_t *bytes;
        size_t got;

        JS_DefinePropertyValueStr(ctx, arguments[1], "maxByteLength", JS_NewUint32(ctx, most), JS_PROP_C_W_E);
        buffer = JS_CallConstructor(ctx, durabox_builtins.array_buffer, 2, (JSValueConst *)arguments);
        JS_FreeValue(ctx, arguments[1]);
        if (!JS_IsException(buffer)) {
            bytes = JS_GetArrayBuffer(ctx, &got, buffer);
            if (bytes && got == len)
                memcpy(bytes, r->at, len);
        }
    } else {
        buffer = JS_NewArrayBufferCopy(ctx, r->at, len);
    }
    buffer = v8_with_id(r, buffer);
    if (JS_IsException(buffer))
        return buffer;
    r->at += len;
    if (!peek_tag(r, 'V'))
        return buffer;
    view = v8_read_view(r, buffer);
    JS_FreeValue(ctx, buffer);
    return view;
}
