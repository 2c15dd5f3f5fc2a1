/* memory.c: what the engine allocates with.
 *
 * Contract: libc's allocator; but until the isolate starts, memory is wiped as it is given back. What is allocated before
 * that ends up in an image, and the remains of parsing would be most of it.
 */

#include <stdlib.h>
#include <string.h>

#include <malloc.h>

#include "guest.h"

static void *allocate(void *opaque, size_t size) { return malloc(size); }

static void *allocate_zeroed(void *opaque, size_t count, size_t size) { return calloc(count, size); }

static void release(void *opaque, void *block)
{
    if (block && !durabox_has_started())
        explicit_bzero(block, malloc_usable_size(block)); /* the compiler would drop a memset */
    free(block);
}

static void *resize(void *opaque, void *block, size_t size)
{
    size_t kept;
    void *moved;

    if (!block || durabox_has_started())
        return realloc(block, size);
    moved = malloc(size);
    if (!moved)
        return NULL;
    kept = malloc_usable_size(block);
    memcpy(moved, block, kept < size ? kept : size);
    release(opaque, block);
    return moved;
}

static size_t usable_size(const void *block) { return malloc_usable_size((void *)block); }

const JSMallocFunctions durabox_malloc_functions = { allocate_zeroed, allocate, release, resize, usable_size };
