/* memory.c: the guest's heap.
 *
 * Contract: C's malloc, calloc, realloc, free and malloc_usable_size for everything in the guest, QuickJS's functions
 * among it. libc's own rounds up to powers of two and never joins what is freed, which wastes half of an isolate's memory.
 *
 * Two-level segregated fit: free blocks are kept in lists by size, eight lists to a power of two, found by two
 * bitmaps; neighbours that are free are joined at once. A block is a word with its size and flags and then what the user gets;
 * a free one keeps its list's links there and its size again in its last word.
 *
 * Images: until the isolate starts, memory is wiped as it is given back, because it may end up in an image, and the
 * remains of parsing would be most of that. What belongs to an image is never given back, and what is allocated
 * after it was sealed shares no page with it: image_heap.h says why.
 */

#include <errno.h>
#include <string.h>

#include <malloc.h>
#include <stdlib.h>

#include "guest.h"

enum {
    ALIGNMENT = 16,
    USED = 1,      /* this block is */
    PREV_USED = 2, /* the block before it is */
    FLAGS = ALIGNMENT - 1,
    LEAST = ALIGNMENT,
    SUBLISTS_LOG2 = 3,
    SUBLISTS = 1 << SUBLISTS_LOG2,
    LEVELS = 32,
    /* Below this size each list holds blocks of one size only. */
    EXACT = ALIGNMENT << (SUBLISTS_LOG2 + 1),
    WASM_PAGE = 65536,
    /* What the heap grows by at least, as part of its size, so that it need not ask for each page. */
    GROWTH_PART = 16,
    GROWTH_MOST = 1 << 20,
};
static const size_t LARGEST = 1u << 30;

/* Lies one word before a multiple of ALIGNMENT. */
typedef struct Block {
    uint32_t head;
    struct Block *next, *previous; /* of a free block; here a used block's memory begins */
} Block;

extern char __heap_base;

uintptr_t durabox_image_end;

static Block *lists[LEVELS][SUBLISTS];
static uint32_t levels;
static uint8_t sublists[LEVELS];
/* What lies behind all blocks, up to the memory's end: free, in no list. NULL before the first use. */
static Block *top;

static bool in_image(const void *p) { return (uintptr_t)p < durabox_image_end; }

static size_t size_of(const Block *block) { return block->head & ~FLAGS; }

static Block *after(Block *block) { return (Block *)((char *)block + size_of(block)); }

/* Only while the block before is free. */
static Block *before(Block *block) { return (Block *)((char *)block - ((uint32_t *)block)[-1]); }

static void *memory_of(Block *block) { return &block->next; }

static Block *block_of(const void *memory) { return (Block *)((char *)memory - offsetof(Block, next)); }

static void find_list(size_t size, int *level, int *sublist)
{
    *level = 31 - __builtin_clz(size);
    *sublist = (size >> (*level - SUBLISTS_LOG2)) & (SUBLISTS - 1);
}

static void enlist(Block *block)
{
    int level, sublist;

    find_list(size_of(block), &level, &sublist);
    block->previous = NULL;
    block->next = lists[level][sublist];
    if (block->next)
        block->next->previous = block;
    lists[level][sublist] = block;
    levels |= 1u << level;
    sublists[level] |= 1u << sublist;
}

static void delist(Block *block)
{
    int level, sublist;

    if (block->next)
        block->next->previous = block->previous;
    if (block->previous) {
        block->previous->next = block->next;
        return;
    }
    find_list(size_of(block), &level, &sublist);
    lists[level][sublist] = block->next;
    if (block->next)
        return;
    sublists[level] &= ~(1u << sublist);
    if (!sublists[level])
        levels &= ~(1u << level);
}

/* Makes `size` bytes at `block` free, joined with free neighbours. The block's flags say whether the one before is used. */
static void release_range(Block *block, size_t size)
{
    Block *next = (Block *)((char *)block + size);

    if (!(block->head & PREV_USED)) {
        block = before(block);
        delist(block);
        size += size_of(block);
    }
    if (next == top) {
        top = block;
        top->head = PREV_USED; /* two free blocks never lie side by side */
        return;
    }
    if (!(next->head & USED)) {
        delist(next);
        size += size_of(next);
        next = (Block *)((char *)block + size);
    }
    block->head = size | PREV_USED;
    next->head &= ~PREV_USED;
    ((uint32_t *)next)[-1] = size;
    enlist(block);
}

/* Uses `size` bytes of a block that is in no list; what is left stays free. */
static void *use(Block *block, size_t whole, size_t size)
{
    if (whole - size < LEAST)
        size = whole;
    block->head = size | USED | (block->head & PREV_USED);
    if (size < whole) {
        after(block)->head = PREV_USED;
        release_range(after(block), whole - size);
    } else {
        after(block)->head |= PREV_USED;
    }
    return memory_of(block);
}

/* Bytes of `top`. */
static size_t left(void)
{
    return __builtin_wasm_memory_size(0) * WASM_PAGE - (uintptr_t)top - sizeof(uint32_t);
}

static bool grow(size_t bytes)
{
    size_t more = ((uintptr_t)top - (uintptr_t)&__heap_base) / GROWTH_PART;
    size_t least = (bytes + WASM_PAGE - 1) / WASM_PAGE;

    if (more > GROWTH_MOST)
        more = GROWTH_MOST;
    if (more / WASM_PAGE > least && __builtin_wasm_memory_grow(0, more / WASM_PAGE) != SIZE_MAX)
        return true;
    return __builtin_wasm_memory_grow(0, least) != SIZE_MAX;
}

/* `size` bytes from the beginning of `top`. */
static void *use_top(size_t size)
{
    Block *block = top;

    if (left() < size && !grow(size - left()))
        return NULL;
    top = (Block *)((char *)block + size);
    top->head = PREV_USED;
    block->head = size | USED | PREV_USED;
    return memory_of(block);
}

/* `size` bytes from the smallest list that surely has them. */
static void *use_free(size_t size)
{
    size_t enough = size;
    int level, sublist;
    uint32_t candidates;
    Block *block;

    if (size >= EXACT)
        enough += (1u << (31 - __builtin_clz(size) - SUBLISTS_LOG2)) - 1; /* any block of the list will do */
    find_list(enough, &level, &sublist);
    candidates = sublists[level] & ~0u << sublist;
    if (!candidates) {
        candidates = levels & ~1u << level;
        if (!candidates)
            return NULL;
        level = __builtin_ctz(candidates);
        candidates = sublists[level];
    }
    block = lists[level][__builtin_ctz(candidates)];
    delist(block);
    return use(block, size_of(block), size);
}

/* `size` bytes from one of the first blocks of the list that may have them: before the heap grows, since who keeps blocks of one
 * size and gives others of the same back by turns would otherwise never get one of these again. */
static void *use_close(size_t size)
{
    int level, sublist, tries;
    Block *block;

    find_list(size, &level, &sublist);
    for (block = lists[level][sublist], tries = 8; block && tries; block = block->next, tries--) {
        if (size_of(block) >= size) {
            delist(block);
            return use(block, size_of(block), size);
        }
    }
    return NULL;
}

static size_t rounded(size_t size)
{
    return size < LEAST - sizeof(uint32_t) ? LEAST : (size + sizeof(uint32_t) + FLAGS) & ~(size_t)FLAGS;
}

void *malloc(size_t size)
{
    void *memory = NULL;

    if (!top) {
        top = (Block *)((((uintptr_t)&__heap_base + sizeof(uint32_t) + FLAGS) & ~(uintptr_t)FLAGS) - sizeof(uint32_t));
        top->head = PREV_USED;
    }
    if (size <= LARGEST) {
        memory = use_free(rounded(size));
        if (!memory)
            memory = use_close(rounded(size));
        if (!memory)
            memory = use_top(rounded(size));
    }
    if (!memory)
        errno = ENOMEM;
    return memory;
}

void free(void *memory)
{
    Block *block = block_of(memory);

    if (!memory || in_image(memory))
        return;
    if (!durabox_has_started())
        explicit_bzero(memory, malloc_usable_size(memory)); /* the compiler would drop a memset */
    release_range(block, size_of(block));
}

void *calloc(size_t count, size_t size)
{
    size_t bytes;
    void *memory = __builtin_mul_overflow(count, size, &bytes) ? NULL : malloc(bytes);

    return memory ? memset(memory, 0, bytes) : NULL;
}

void *realloc(void *memory, size_t size)
{
    Block *block = block_of(memory), *next;
    size_t had, wanted = rounded(size);
    void *moved;

    if (!memory)
        return malloc(size);
    had = size_of(block);
    if (size <= LARGEST && durabox_has_started() && !in_image(memory)) {
        next = after(block);
        if (had < wanted && next == top && (left() >= wanted - had || grow(wanted - had - left()))) {
            top = (Block *)((char *)block + wanted);
            top->head = PREV_USED;
            had = wanted;
            block->head = had | (block->head & FLAGS);
        } else if (had < wanted && next != top && !(next->head & USED) && had + size_of(next) >= wanted) {
            delist(next);
            had += size_of(next);
        }
        if (had >= wanted)
            return use(block, had, wanted);
    }
    moved = malloc(size);
    if (moved) {
        had = malloc_usable_size(memory);
        memcpy(moved, memory, had < size ? had : size);
        free(memory);
    }
    return moved;
}

size_t malloc_usable_size(void *memory) { return memory ? size_of(block_of(memory)) - sizeof(uint32_t) : 0; }

void durabox_seal_memory(void)
{
    /* The next block's head lies in the word before its memory: that too belongs behind the end. */
    uintptr_t image_end = ((uintptr_t)memory_of(top) - ALIGNMENT + OS_PAGE - 1) & ~(uintptr_t)(OS_PAGE - 1);
    uintptr_t first = image_end + ALIGNMENT;

    if (first != (uintptr_t)memory_of(top) && !use_top(first - (uintptr_t)memory_of(top)))
        return;
    /* What is free before `top` is given up: it lies scattered over pages that can stay shared. */
    memset(lists, 0, sizeof(lists));
    memset(sublists, 0, sizeof(sublists));
    levels = 0;
    durabox_image_end = image_end;
}

static void *js_allocate(void *opaque, size_t size) { return malloc(size); }

static void *js_allocate_zeroed(void *opaque, size_t count, size_t size) { return calloc(count, size); }

static void js_release(void *opaque, void *memory) { free(memory); }

static void *js_resize(void *opaque, void *memory, size_t size) { return realloc(memory, size); }

static size_t js_usable_size(const void *memory) { return malloc_usable_size((void *)memory); }

const JSMallocFunctions durabox_malloc_functions = { js_allocate_zeroed, js_allocate, js_release, js_resize,
                                                     js_usable_size };
