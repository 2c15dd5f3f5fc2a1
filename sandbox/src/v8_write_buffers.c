/* v8_write_buffers.c: ArrayBuffers and the views of them in V8's serialization format. */

#include "v8_writer.h"

/* In place of the engine's own exception, which is pending. */
static int refuse_detached(JSContext *ctx)
{
    JSValue error;

    JS_FreeValue(ctx, JS_GetException(ctx));
    error = durabox_make_error(ctx, "DataCloneError", "An ArrayBuffer is detached and could not be cloned.");
    if (!JS_IsException(error))
        JS_Throw(ctx, error);
    return -1;
}

int v8_write_buffer(Writer *w, JSValueConst buffer)
{
    JSContext *ctx = w->ctx;
    JSValue resizable = JS_Call(ctx, durabox_builtins.buffer_resizable, buffer, 0, NULL), most;
    uint8_t *bytes = NULL;
    int64_t max = 0;
    size_t len = 0;

    if (JS_IsException(resizable))
        return -1;
    if (JS_ToBool(ctx, resizable)) {
        most = JS_Call(ctx, durabox_builtins.buffer_max, buffer, 0, NULL);
        if (JS_ToInt64(ctx, &max, most))
            return -1;
        if (durabox_bytes(ctx, buffer, &bytes, &len) || put_tag_varint(w, '~', len) || put_varint(w, max))
            return -1;
        return put_bytes(w, bytes, len);
    }
    if (durabox_bytes(ctx, buffer, &bytes, &len))
        return refuse_detached(ctx);
    return put_tag_varint(w, 'B', len) || put_bytes(w, bytes, len) ? -1 : 0;
}

static const uint8_t view_tags[] = {
    [JS_TYPED_ARRAY_UINT8C] = 'C',     [JS_TYPED_ARRAY_INT8] = 'b',       [JS_TYPED_ARRAY_UINT8] = 'B',
    [JS_TYPED_ARRAY_INT16] = 'w',      [JS_TYPED_ARRAY_UINT16] = 'W',     [JS_TYPED_ARRAY_INT32] = 'd',
    [JS_TYPED_ARRAY_UINT32] = 'D',     [JS_TYPED_ARRAY_BIG_INT64] = 'q',  [JS_TYPED_ARRAY_BIG_UINT64] = 'Q',
    [JS_TYPED_ARRAY_FLOAT16] = 'h',    [JS_TYPED_ARRAY_FLOAT32] = 'f',    [JS_TYPED_ARRAY_FLOAT64] = 'F',
};

/* The view's buffer and where in it the view lies. The buffer is to be freed. */
static JSValue view_place(JSContext *ctx, JSValueConst view, int type, size_t *offset, size_t *len)
{
    uint8_t *bytes, *base;
    size_t total;
    JSValue buffer;

    if (type >= 0)
        return JS_GetTypedArrayBuffer(ctx, view, offset, len, NULL);
    if (durabox_data_view(ctx, view, &bytes, len))
        return JS_EXCEPTION;
    buffer = JS_GetPropertyStr(ctx, view, "buffer");
    if (JS_IsException(buffer))
        return buffer;
    base = JS_GetArrayBuffer(ctx, &total, buffer);
    if (!base && JS_HasException(ctx)) {
        JS_FreeValue(ctx, buffer);
        return JS_EXCEPTION;
    }
    *offset = bytes && bytes >= base && bytes + *len <= base + total ? bytes - base : 0;
    return buffer;
}

/* A buffer comes before the first view of it; the view's own id comes after the buffer's. */
int v8_write_view(Writer *w, JSValueConst view, int type)
{
    JSContext *ctx = w->ctx;
    size_t offset = 0, len = 0;
    JSValue buffer, resizable;
    int64_t id;
    bool tracks;
    int met, result = -1;

    buffer = view_place(ctx, view, type, &offset, &len);
    if (JS_IsException(buffer))
        return refuse_detached(ctx);
    if (!JS_IsArrayBuffer(buffer)) {
        JS_FreeValue(ctx, buffer);
        return v8_refuse(w, view);
    }
    /* A view that was met before is a mere reference and needs no buffer. */
    id = v8_find_object(w, view);
    if (id >= 0) {
        JS_FreeValue(ctx, buffer);
        return put_tag_varint(w, '^', id);
    }
    met = v8_remember(w, buffer);
    if (met < 0 || (met == 0 && v8_write_buffer(w, buffer)) || v8_remember(w, view) < 0)
        goto done;
    resizable = JS_Call(ctx, durabox_builtins.buffer_resizable, buffer, 0, NULL);
    if (JS_IsException(resizable))
        goto done;
    tracks = durabox_tracks_length(view);
    if (put_byte(w, 'V') || put_byte(w, type >= 0 ? view_tags[type] : '?') || put_varint(w, offset) ||
        put_varint(w, tracks ? 0 : len) || put_varint(w, (JS_ToBool(ctx, resizable) ? 2 : 0) | tracks))
        goto done;
    result = 0;
done:
    JS_FreeValue(ctx, buffer);
    return result;
}
