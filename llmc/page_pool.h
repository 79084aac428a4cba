// page_pool: who owns which page of the KV cache. A page has as many owners as sequences that read it; it is free when it has none.
#pragma once
#include "llmc/common.h"

typedef struct {
    int count, free_count;
    int *free_list; // a stack of page numbers
    int *owners;    // per page
} PagePool;

static inline void page_pool_reset(PagePool *pool) { // nobody owns anything
    memset(pool->owners, 0, sizeof(int) * (size_t)pool->count);
    for (pool->free_count = 0; pool->free_count < pool->count; pool->free_count++) { pool->free_list[pool->free_count] = pool->count - 1 - pool->free_count; } // page 0 is taken first
}
static inline PagePool page_pool_create(int count) {
    PagePool pool = {.count = count, .free_list = (int *)host_alloc(sizeof(int) * (size_t)count), .owners = (int *)host_alloc(sizeof(int) * (size_t)count)};
    page_pool_reset(&pool);
    return pool;
}
static inline void page_pool_free(PagePool *pool) {
    free(pool->free_list);
    free(pool->owners);
    *pool = (PagePool){0};
}
static inline int page_take(PagePool *pool) { // the caller has checked free_count
    assert(pool->free_count > 0);
    int page = pool->free_list[--pool->free_count];
    assert(pool->owners[page] == 0);
    pool->owners[page] = 1;
    return page;
}
static inline int page_share(PagePool *pool, int page) {
    assert(pool->owners[page] > 0);
    pool->owners[page]++;
    return page;
}
static inline void page_drop(PagePool *pool, int page) {
    assert(pool->owners[page] > 0);
    if (--pool->owners[page] == 0) { pool->free_list[pool->free_count++] = page; }
}
