/* quickjs_hooks.h: where the guest reaches into QuickJS. The build appends an #include of this file to quickjs.c,
 * after renaming the *definitions* of five functions there (each exactly once):
 *
 *   perform_promise_then -> perform_promise_then_raw    registers a reaction: then(), await, async generators
 *   JS_EnqueueJob        -> enqueue_job_raw             queues a job: thenables, import(), finalizers
 *   JS_ThrowOutOfMemory  -> throw_out_of_memory_raw     makes the error that says so
 *   js_trigger_gc        -> trigger_gc_raw              collects when the heap has grown enough
 *   build_backtrace      -> build_backtrace_raw         gives an error its stack: see error_stacks.h
 *
 * Async context. Whatever value is current when a reaction is registered is current again while it runs. The
 * engine's public promise hooks cannot do this: they do not see `await`. A reaction's handlers are bound to the
 * context here; its job then needs none of its own. Every other job (calling a foreign thenable's `then`,
 * import()) carries the context that was current when it was queued. With no context (undefined, the usual
 * case) nothing is allocated: handlers are passed through as they are. A bound handler is an object of a class of
 * its own and not a C function, because those show up in stack traces.
 *
 * Code from strings. Workers allow eval() and new Function() at global scope and refuse them in handlers. All compilation goes
 * through context->eval_internal; once the isolate has started, the gate put there lets through only what C
 * announced by durabox_permit_eval.
 *
 * Out of memory. At its limit the engine has no room for the error either, and throws null. The limit is raised
 * for that one allocation, so that JavaScript can tell what happened; and the next object that is made collects
 * garbage first. The message is there before, for a heap that is full below its limit. Collections come more often as the heap nears its limit: the engine's own rule (half as much
 * again) would let garbage run into it.
 *
 * Images. image_heap.h says how the engine treats what belongs to one; durabox_seal_heap makes it so.
 */

#include "guest.h"

/* Room for an error object, its message and its stack trace. */
enum { OUT_OF_MEMORY_RESERVE = 64 * 1024 };

#include "error_stacks.h"

/* A collection takes time in proportion to the heap beyond the image: never one for less than this. */
enum { LEAST_BETWEEN_COLLECTIONS = 256 * 1024 };

static JSValue async_context = JS_UNDEFINED;
static bool eval_permitted;
/* The message "out of memory". */
static JSAtom out_of_memory;
/* Allocations that failed in this event, and how many of them the next collection waits for. */
static uint32_t failures, next_collection = 1;
static JSClassID bound_handler_class;
/* Of the runtime's bytes, those that belong to the image. */
static size_t image_bytes;

JSValueConst durabox_context(void) { return async_context; }

JSValue durabox_context_swap(JSValue next)
{
    JSValue previous = async_context;
    async_context = next;
    return previous;
}

/* A reaction's handler and the context it runs in. */
typedef struct {
    JSValue handler, context;
} BoundHandler;

static void bound_handler_finalizer(JSRuntime *rt, JSValueConst value)
{
    BoundHandler *bound = JS_GetOpaque(value, bound_handler_class);

    if (bound) {
        JS_FreeValueRT(rt, bound->handler);
        JS_FreeValueRT(rt, bound->context);
        js_free_rt(rt, bound);
    }
}

static void bound_handler_mark(JSRuntime *rt, JSValueConst value, JS_MarkFunc *mark)
{
    BoundHandler *bound = JS_GetOpaque(value, bound_handler_class);

    if (bound) {
        JS_MarkValue(rt, bound->handler, mark);
        JS_MarkValue(rt, bound->context, mark);
    }
}

static JSValue bound_handler_call(JSContext *ctx, JSValueConst function, JSValueConst this_val, int argc,
                                  JSValueConst *argv, int flags)
{
    BoundHandler *bound = JS_GetOpaque(function, bound_handler_class);
    JSValue outer = durabox_context_swap(js_dup(bound->context));
    JSValue result = JS_Call(ctx, bound->handler, JS_UNDEFINED, argc, argv);

    JS_FreeValue(ctx, durabox_context_swap(outer));
    return result;
}

static const JSClassDef bound_handler = {
    "BoundHandler",
    .finalizer = bound_handler_finalizer,
    .gc_mark = bound_handler_mark,
    .call = bound_handler_call,
};

static JSValue bind_handler(JSContext *ctx, JSValueConst handler)
{
    BoundHandler *bound = js_malloc(ctx, sizeof(*bound));
    JSValue object = bound ? JS_NewObjectProtoClass(ctx, JS_NULL, bound_handler_class) : JS_EXCEPTION;

    if (JS_IsException(object)) { /* an object that was made would hold no pointer yet, but what lay there before */
        js_free(ctx, bound);
        return object;
    }
    bound->handler = js_dup(handler);
    bound->context = js_dup(async_context);
    JS_SetOpaqueInternal(object, bound);
    return object;
}

static __exception int perform_promise_then(JSContext *ctx, JSValueConst promise, JSValueConst *handlers,
                                            JSValueConst *capability)
{
    JSValue bound[2] = { JS_UNDEFINED, JS_UNDEFINED };
    int i, result = -1;

    if (JS_IsUndefined(async_context))
        return perform_promise_then_raw(ctx, promise, handlers, capability);
    for (i = 0; i < 2; i++) {
        if (!JS_IsFunction(ctx, handlers[i]))
            continue;
        bound[i] = bind_handler(ctx, handlers[i]);
        if (JS_IsException(bound[i]))
            goto done;
    }
    result = perform_promise_then_raw(ctx, promise, vc(bound), capability);
done:
    JS_FreeValue(ctx, bound[0]);
    JS_FreeValue(ctx, bound[1]);
    return result;
}

/* argv = [the job's own arguments..., context, the job function's table index] */
static JSValue run_job_in_context(JSContext *ctx, int argc, JSValueConst *argv)
{
    JSJobFunc *job = (JSJobFunc *)(uintptr_t)(uint32_t)JS_VALUE_GET_INT(argv[argc - 1]);
    JSValue outer = durabox_context_swap(js_dup(argv[argc - 2]));
    JSValue result = job(ctx, argc - 2, argv);
    JS_FreeValue(ctx, durabox_context_swap(outer));
    return result;
}

int JS_EnqueueJob(JSContext *ctx, JSJobFunc *job, int argc, JSValueConst *argv)
{
    JSValueConst with_context[argc + 2];

    if (JS_IsUndefined(async_context) || job == promise_reaction_job)
        return enqueue_job_raw(ctx, job, argc, argv);
    memcpy(with_context, argv, argc * sizeof(*argv));
    with_context[argc] = async_context;
    with_context[argc + 1] = js_int32((int32_t)(uintptr_t)job);
    return enqueue_job_raw(ctx, run_job_in_context, argc + 2, with_context);
}

JSValue JS_ThrowOutOfMemory(JSContext *ctx)
{
    JSRuntime *rt = ctx->rt;
    size_t limit = rt->malloc_state.malloc_limit;
    JSValue result;

    if (limit)
        rt->malloc_state.malloc_limit += OUT_OF_MEMORY_RESERVE;
    result = throw_out_of_memory_raw(ctx);
    rt->malloc_state.malloc_limit = limit;
    if (JS_IsObject(rt->current_exception))
        JS_DefinePropertyValue(ctx, rt->current_exception, JS_ATOM_message, JS_AtomToString(ctx, out_of_memory),
                               JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE);
    /* Some callers try again and again (a Map that cannot grow its table): collect ever more rarely for them. */
    if (++failures >= next_collection) {
        rt->malloc_gc_threshold = 0;
        next_collection *= 2;
    }
    return result;
}

static void js_trigger_gc(JSRuntime *rt, size_t size)
{
    size_t limit = rt->malloc_state.malloc_limit, used, more, left;

    if (rt->malloc_state.malloc_size + size <= rt->malloc_gc_threshold)
        return;
    JS_RunGC(rt);
    used = rt->malloc_state.malloc_size;
    more = (used - image_bytes) / 2;
    left = limit > used ? limit - used : 0;
    if (limit && more > left / 2)
        more = left / 2;
    if (more < LEAST_BETWEEN_COLLECTIONS)
        more = LEAST_BETWEEN_COLLECTIONS;
    rt->malloc_gc_threshold = used + more;
}

bool durabox_hit_memory_limit(void) { return failures > 0; }

void durabox_forget_memory_limit(void)
{
    failures = 0;
    next_collection = 1;
}

bool durabox_is_full(JSContext *ctx)
{
    JSMallocState *heap = &ctx->rt->malloc_state;

    if (!failures)
        return false;
    JS_RunGC(ctx->rt);
    return heap->malloc_limit && heap->malloc_size + heap->malloc_limit / 16 > heap->malloc_limit;
}

int durabox_hook_runtime(JSRuntime *rt)
{
    out_of_memory = __JS_NewAtomInit(rt, "out of memory", strlen("out of memory"), JS_ATOM_TYPE_STRING);
    if (out_of_memory == JS_ATOM_NULL)
        return -1;
    bound_handler_class = JS_INVALID_CLASS_ID; /* the id is the runtime's; durabox_compile makes one each time */
    JS_NewClassID(rt, &bound_handler_class);
    pending_stack_class = JS_INVALID_CLASS_ID;
    JS_NewClassID(rt, &pending_stack_class);
    if (JS_NewClass(rt, pending_stack_class, &pending_stack))
        return -1;
    return JS_NewClass(rt, bound_handler_class, &bound_handler);
}

static JSValue JS_PRINTF_FORMAT_ATTR(2, 3) throw_eval_error(JSContext *ctx, const char *format, ...)
{
    va_list arguments;
    JSValue result;

    va_start(arguments, format);
    result = JS_ThrowError(ctx, JS_EVAL_ERROR, format, arguments);
    va_end(arguments);
    return result;
}

static JSValue eval_gate(JSContext *ctx, JSValueConst this_obj, const char *input, size_t input_len,
                         const char *filename, int line, int flags, int scope_idx)
{
    if (!eval_permitted && durabox_has_started())
        return throw_eval_error(ctx, "Code generation from strings disallowed for this context");
    eval_permitted = false;
    return __JS_EvalInternal(ctx, this_obj, input, input_len, filename, line, flags, scope_idx);
}

void durabox_permit_eval(void) { eval_permitted = true; }

void durabox_close_eval(JSContext *ctx) { ctx->eval_internal = eval_gate; }

/* Makes the functions of the engine's own that are otherwise made when they are first used, on pages of the image. */
static int make_builtins(JSContext *ctx, JSObject *object)
{
    JSShapeProperty *shape;
    JSAutoInitIDEnum kind;
    int i;

    for (i = 0; i < object->shape->prop_count; i++) {
        shape = &get_shape_prop(object->shape)[i];
        if (shape->atom == JS_ATOM_NULL || (shape->flags & JS_PROP_TMASK) != JS_PROP_AUTOINIT)
            continue;
        kind = js_autoinit_get_id(&object->prop[i]);
        if ((kind == JS_AUTOINIT_ID_PROP || kind == JS_AUTOINIT_ID_BYTECODE) &&
            JS_AutoInitProperty(ctx, object, shape->atom, &object->prop[i], shape))
            return -1;
    }
    return 0;
}

/* Each new shape of an isolate changes a word anywhere in the table of shapes: it lies on as few pages as it can. */
static int align_shapes(JSContext *ctx)
{
    JSRuntime *rt = ctx->rt;
    size_t size = rt->shape_hash_size * sizeof(rt->shape_hash[0]);
    uintptr_t memory;

    if ((uintptr_t)rt->shape_hash % OS_PAGE == 0)
        return 0;
    memory = (uintptr_t)js_malloc(ctx, size + OS_PAGE);
    if (!memory)
        return -1;
    memory = (memory + OS_PAGE - 1) & -OS_PAGE; /* never freed: it belongs to the image */
    memcpy((void *)memory, rt->shape_hash, size);
    js_free(ctx, rt->shape_hash);
    rt->shape_hash = (JSShape **)memory;
    return 0;
}

int durabox_seal_heap(JSContext *ctx)
{
    JSRuntime *rt = ctx->rt;
    struct list_head *item, *next;
    int size;

    JS_RunGC(rt);
    list_for_each(item, &rt->gc_obj_list) { /* what this makes is put at the list's end */
        JSGCObjectHeader *object = list_entry(item, JSGCObjectHeader, link);
        if (JS_GC_TYPE(object) == JS_GC_OBJ_TYPE_JS_OBJECT && make_builtins(ctx, (JSObject *)object))
            return -1;
    }
    if (align_shapes(ctx))
        return -1;
    /* Collections go over what is in the list: from now on, new objects. */
    list_for_each_safe(item, next, &rt->gc_obj_list)
        init_list_head(item);
    init_list_head(&rt->gc_obj_list);
    for (size = 0; size < JS_ARENA_BLOCK_SIZE_COUNT; size++) {
        init_list_head(&rt->arena_state.arena_list[size]);
        init_list_head(&rt->arena_state.free_arena_list[size]);
    }
    durabox_seal_memory();
    image_bytes = rt->malloc_state.malloc_size;
    rt->malloc_gc_threshold = image_bytes + LEAST_BETWEEN_COLLECTIONS;
    return 0;
}

int durabox_data_view(JSContext *ctx, JSValueConst view, uint8_t **ptr, size_t *len)
{
    JSValue length = js_dataview_get_byteLength(ctx, view); /* throws when detached or out of bounds */
    JSTypedArray *fields;
    int64_t bytes;

    if (JS_IsException(length) || JS_ToInt64(ctx, &bytes, length))
        return -1;
    fields = JS_VALUE_GET_OBJ(view)->u.typed_array;
    *ptr = fields->buffer->u.array_buffer->data + fields->offset;
    *len = bytes;
    return 0;
}

bool durabox_tracks_length(JSValueConst view) { return JS_VALUE_GET_OBJ(view)->u.typed_array->track_rab; }

/* A string's characters where they lie: 8 or 16 bits each. `value` must be a string; `*held` keeps the characters and
 * is to be freed. -1 with the exception pending. */
int durabox_string_view(JSContext *ctx, JSValueConst value, JSValue *held, const void **chars, size_t *len, bool *wide)
{
    JSString *string;

    *held = JS_VALUE_GET_TAG(value) == JS_TAG_STRING_ROPE ? js_linearize_string_rope(ctx, value) : js_dup(value);
    if (JS_IsException(*held))
        return -1;
    string = JS_VALUE_GET_STRING(*held);
    *len = string->len;
    *wide = string->is_wide_char;
    *chars = string->is_wide_char ? (const void *)str16(string) : (const void *)str8(string);
    return 0;
}

/* A string of `len` characters of 8 bits each. */
JSValue durabox_latin1(JSContext *ctx, const void *chars, size_t len)
{
    if (len > JS_STRING_LEN_MAX)
        return JS_ThrowRangeError(ctx, "invalid string length");
    return js_new_string8_len(ctx, chars, len);
}

bool durabox_is_model(JSValueConst object, int count)
{
    return JS_IsObject(object) && JS_VALUE_GET_OBJ(object)->shape->prop_count == count;
}

JSValueConst durabox_field(JSValueConst object, int index) { return JS_VALUE_GET_OBJ(object)->prop[index].u.value; }

JSValueConst durabox_field_name(JSContext *ctx, JSValueConst object, int index)
{
    return JS_MKPTR(JS_TAG_STRING, ctx->rt->atom_array[get_shape_prop(JS_VALUE_GET_OBJ(object)->shape)[index].atom]);
}

int durabox_count_fields(JSContext *ctx, JSValueConst object)
{
    JSObject *p = JS_VALUE_GET_OBJ(object);
    JSShapeProperty *property = get_shape_prop(p->shape);
    int i, count = p->shape->prop_count;

    if (p->class_id != JS_CLASS_OBJECT || p->is_exotic)
        return -1;
    for (i = 0; i < count; i++, property++) {
        JSAtomStruct *name;

        if ((property->flags & (JS_PROP_TMASK | JS_PROP_ENUMERABLE)) != JS_PROP_ENUMERABLE ||
            property->atom == JS_ATOM_NULL || __JS_AtomIsTaggedInt(property->atom) || JS_IsObject(p->prop[i].u.value))
            return -1;
        name = ctx->rt->atom_array[property->atom];
        if (name->atom_type != JS_ATOM_TYPE_STRING ||
            (name->len && !name->is_wide_char && str8(name)[0] >= '0' && str8(name)[0] <= '9'))
            return -1;
    }
    return count;
}

JSValue durabox_like(JSContext *ctx, JSValueConst model, JSValue *values)
{
    /* The value of a property is all there is to it: no accessors here. */
    _Static_assert(sizeof(JSProperty) == sizeof(JSValue), "properties are values");
    JSShape *shape = JS_VALUE_GET_OBJ(model)->shape;

    return JS_NewObjectFromShape(ctx, js_dup_shape(shape), JS_CLASS_OBJECT, (JSProperty *)values);
}
