/* image_heap.h: what QuickJS does with a heap that belongs to a memory image. The build puts it into quickjs.c, after
 * the accessors of reference counts, and rewrites every change and comparison of a count to use it.
 *
 * An isolate shares the pages of its image until it writes to them. Counting references writes to nearly every page
 * that is only read, and so does a collection. Hence the rule, by address alone: what lies below `durabox_image_end`
 * belongs to the image; it is never counted, never collected and never freed, and it counts as shared, so that nothing
 * changes it in the belief to be its only owner. What an image's object refers to is counted as ever, and thus stays
 * alive as long as that object refers to it; garbage among the image's own objects stays for good, which costs
 * nothing: its pages are shared.
 */
#ifndef DURABOX_IMAGE_HEAP_H
#define DURABOX_IMAGE_HEAP_H

#include "guest.h"

/* Bytes of each of a runtime's first two arenas for blocks of a size, after it was sealed. */
enum { FIRST_ARENA_SIZE = 1024 };

static inline bool in_image(const void *p) { return (uintptr_t)p < durabox_image_end; }

static inline void hold(const void *p)
{
    if (!in_image(p))
        js_rc(p)->ref_count++;
}

/* The count that is left. */
static inline int release_hold(const void *p) { return in_image(p) ? 1 : --js_rc(p)->ref_count; }

/* For questions whether there is another owner. */
static inline int holds(const void *p) { return in_image(p) ? 2 : js_rc(p)->ref_count; }

#endif
