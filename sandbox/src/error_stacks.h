/* error_stacks.h: `error.stack` as V8 has it. Part of quickjs_hooks.h, which is appended to quickjs.c.
 *
 * The engine's own stacks are frames alone, read through an accessor of Error.prototype. Programs expect
 *
 *     Name: message
 *         at function (file:line:column)
 *
 * and an own property. So build_backtrace, which the build renames to build_backtrace_raw, is followed by this: what it left as
 * [[ErrorData]] goes into a PendingStack together with the message of that moment, and the error gets an accessor of its own. The first
 * line is made when the stack is first read, for the name is often assigned by the constructor of a derived class.
 *
 * A function in Error.prepareStackTrace is called when the error is made, not when its stack is first read as in V8.
 */

static JSClassID pending_stack_class;
static JSValue stack_getter = JS_UNDEFINED, stack_setter = JS_UNDEFINED;

/* Message: undefined for none; uninitialized when it is to be looked up with the name. */
typedef struct {
    JSValue frames, message;
} PendingStack;

static void pending_stack_finalizer(JSRuntime *rt, JSValueConst value)
{
    PendingStack *pending = JS_GetOpaque(value, pending_stack_class);

    if (pending) {
        JS_FreeValueRT(rt, pending->frames);
        JS_FreeValueRT(rt, pending->message);
        js_free_rt(rt, pending);
    }
}

static const JSClassDef pending_stack = {
    "PendingStack",
    .finalizer = pending_stack_finalizer, /* it holds strings alone */
};

/* A property as a string, or the default when it is undefined. */
static JSValue property_text(JSContext *ctx, JSValueConst object, JSAtom property, const char *otherwise)
{
    JSValue value = JS_GetProperty(ctx, object, property);

    if (JS_IsUndefined(value))
        return JS_NewString(ctx, otherwise);
    return JS_IsException(value) ? value : JS_ToStringFree(ctx, value);
}

/* "Name: message" and the frames; `message` and `frames` are taken. */
static JSValue stack_text(JSContext *ctx, JSValueConst error, JSValue message, JSValue frames)
{
    JSValue name, header;

    name = property_text(ctx, error, JS_ATOM_name, "Error");
    if (JS_IsUninitialized(message))
        message = property_text(ctx, error, JS_ATOM_message, "");
    else if (JS_IsUndefined(message))
        message = js_empty_string(ctx->rt);
    if (JS_IsException(name) || JS_IsException(message)) {
        JS_FreeValue(ctx, JS_GetException(ctx)); /* a getter of the user's: there is still a stack */
        JS_FreeValue(ctx, name);
        JS_FreeValue(ctx, message);
        header = JS_NewString(ctx, "<error>");
    } else if (JS_IsEmptyString(message)) {
        JS_FreeValue(ctx, message);
        header = name;
    } else if (JS_IsEmptyString(name)) {
        JS_FreeValue(ctx, name);
        header = message;
    } else {
        header = JS_ConcatString(ctx, JS_ConcatString3(ctx, "", name, ": "), message);
    }
    if (JS_IsEmptyString(frames)) {
        JS_FreeValue(ctx, frames);
        return header;
    }
    return JS_ConcatString(ctx, JS_ConcatString3(ctx, "", header, "\n"), frames);
}

static bool is_error(JSValueConst value)
{
    return JS_VALUE_GET_TAG(value) == JS_TAG_OBJECT && JS_VALUE_GET_OBJ(value)->class_id == JS_CLASS_ERROR;
}

static JSValue get_stack(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    PendingStack *pending;
    JSValue *data, text;

    if (!is_error(this_val))
        return JS_UNDEFINED;
    data = &JS_VALUE_GET_OBJ(this_val)->u.object_data;
    pending = JS_GetOpaque(*data, pending_stack_class);
    if (pending) {
        text = stack_text(ctx, this_val, js_dup(pending->message), js_dup(pending->frames));
        if (JS_IsException(text))
            return text;
        set_value(ctx, data, text);
    }
    return js_dup(*data);
}

static JSValue set_stack(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    if (is_error(this_val))
        set_value(ctx, &JS_VALUE_GET_OBJ(this_val)->u.object_data, js_dup(argv[0]));
    return JS_UNDEFINED;
}

/* Frames without the line end after the last one; `frames` is taken. */
static JSValue without_line_end(JSContext *ctx, JSValue frames)
{
    uint32_t length = JS_VALUE_GET_STRING(frames)->len;
    JSValue result;

    if (!length)
        return frames;
    result = js_sub_string(ctx, JS_VALUE_GET_STRING(frames), 0, length - 1);
    JS_FreeValue(ctx, frames);
    return result;
}

/* The message that an error has of its own; undefined for none. */
static JSValue own_message(JSContext *ctx, JSValueConst error)
{
    JSProperty *property;
    JSShapeProperty *shape = find_own_property(&property, JS_VALUE_GET_OBJ(error), JS_ATOM_message);

    if (!shape || (shape->flags & JS_PROP_TMASK) != JS_PROP_NORMAL || !JS_IsString(property->u.value))
        return JS_UNDEFINED;
    return js_dup(property->u.value);
}

/* Gives an error the stack that is told when it is read; `frames` and `message` are taken. */
static int keep_pending(JSContext *ctx, JSValueConst error, JSValue frames, JSValue message)
{
    PendingStack *pending = js_malloc(ctx, sizeof(*pending));
    JSValue object = pending ? JS_NewObjectProtoClass(ctx, JS_NULL, pending_stack_class) : JS_EXCEPTION;

    if (JS_IsException(object)) {
        JS_FreeValue(ctx, frames);
        JS_FreeValue(ctx, message);
        js_free(ctx, pending);
        return -1;
    }
    pending->frames = frames;
    pending->message = message;
    JS_SetOpaqueInternal(object, pending);
    set_value(ctx, &JS_VALUE_GET_OBJ(error)->u.object_data, object);
    return 0;
}

static int define_accessor(JSContext *ctx, JSValueConst error)
{
    return JS_DefineProperty(ctx, error, JS_ATOM_stack, JS_UNDEFINED, stack_getter, stack_setter,
                             JS_PROP_HAS_GET | JS_PROP_HAS_SET | JS_PROP_HAS_CONFIGURABLE | JS_PROP_CONFIGURABLE |
                                 JS_PROP_HAS_ENUMERABLE);
}

/* Error.captureStackTrace(): the engine has defined the frames as a property of the target. */
static int finish_captured(JSContext *ctx, JSValueConst target, bool prepared)
{
    JSProperty *property;
    JSShapeProperty *shape = find_own_property(&property, JS_VALUE_GET_OBJ(target), JS_ATOM_stack);
    JSValue stack, text;

    if (!shape || (shape->flags & JS_PROP_TMASK) != JS_PROP_NORMAL)
        return 0; /* the target takes no properties */
    if (prepared || JS_VALUE_GET_TAG(property->u.value) != JS_TAG_STRING)
        return 0;
    stack = js_dup(property->u.value);
    stack = without_line_end(ctx, stack);
    if (JS_IsException(stack))
        return -1;
    if (is_error(target))
        return keep_pending(ctx, target, stack, JS_UNINITIALIZED) ? -1 : define_accessor(ctx, target);
    text = stack_text(ctx, target, JS_UNINITIALIZED, stack);
    if (JS_IsException(text))
        return -1;
    return JS_DefinePropertyValue(ctx, target, JS_ATOM_stack, text, JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE);
}

static int finish_made(JSContext *ctx, JSValueConst error, bool prepared)
{
    JSValue *data = &JS_VALUE_GET_OBJ(error)->u.object_data;
    JSValue frames;

    if (!prepared && JS_VALUE_GET_TAG(*data) == JS_TAG_STRING) {
        frames = without_line_end(ctx, js_dup(*data));
        if (JS_IsException(frames) || keep_pending(ctx, error, frames, own_message(ctx, error)))
            return -1;
    }
    return define_accessor(ctx, error);
}

static void build_backtrace(JSContext *ctx, JSValueConst error, JSValueConst filter, const char *file, int line,
                            int column, int flags)
{
    bool captured = flags & JS_BACKTRACE_FLAG_FILTER_FUNC;
    bool made = !captured && can_store_error_stack(error);
    bool prepared = JS_IsFunction(ctx, ctx->error_prepare_stack);
    bool inside = ctx->rt->in_build_stack_trace;
    JSValue outer;

    build_backtrace_raw(ctx, error, filter, file, line, column, flags);
    if (inside || !(captured || made) || JS_IsUndefined(stack_getter) || durabox_hit_memory_limit())
        return; /* errors that memory running out leads to have no stack */
    ctx->rt->in_build_stack_trace = true; /* no stacks of what may go wrong from here on */
    outer = JS_GetException(ctx);
    if (captured ? finish_captured(ctx, error, prepared) < 0 : finish_made(ctx, error, prepared) < 0)
        JS_FreeValue(ctx, JS_GetException(ctx));
    JS_Throw(ctx, outer);
    ctx->rt->in_build_stack_trace = false;
}

/* Once in a context's life, before any script of the user. */
int durabox_hook_errors(JSContext *ctx)
{
    stack_getter = JS_NewCFunction(ctx, get_stack, "", 0);
    stack_setter = JS_NewCFunction(ctx, set_stack, "", 1);
    if (JS_IsException(stack_getter) || JS_IsException(stack_setter))
        return -1;
    return JS_DeleteProperty(ctx, ctx->class_proto[JS_CLASS_ERROR], JS_ATOM_stack, 0) < 0 ? -1 : 0;
}
