// worker_pool: threads that take items off a queue while the main thread goes on: answers are graded while others are sampled.
#pragma once
#include <pthread.h>
#include "llmc/common.h"

typedef struct {
    pthread_t *threads;
    int thread_count;
    pthread_mutex_t lock;
    pthread_cond_t submitted, drained;
    void **queue; // a ring of `capacity` items
    int capacity, first, count, busy;
    bool closing;
    void (*work)(void *context, void *item);
    void (*leave)(void); // called as a thread ends; may be NULL
    void *context;
} WorkerPool;

static inline void *worker_run(void *argument) {
    WorkerPool *pool = (WorkerPool *)argument;
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        while (pool->count == 0 && !pool->closing) { pthread_cond_wait(&pool->submitted, &pool->lock); }
        if (pool->count == 0) { break; }
        void *item = pool->queue[pool->first];
        pool->first = (pool->first + 1) % pool->capacity;
        pool->count--;
        pool->busy++;
        pthread_mutex_unlock(&pool->lock);
        pool->work(pool->context, item);
        pthread_mutex_lock(&pool->lock);
        pool->busy--;
        if (pool->count == 0 && pool->busy == 0) { pthread_cond_broadcast(&pool->drained); }
    }
    pthread_mutex_unlock(&pool->lock);
    if (pool->leave) { pool->leave(); }
    return NULL;
}
// capacity: the most items that are ever waiting.
static inline void worker_pool_open(WorkerPool *pool, int threads, int capacity, void (*work)(void *, void *), void (*leave)(void), void *context) {
    *pool = (WorkerPool){.threads = (pthread_t *)host_alloc(sizeof(pthread_t) * (size_t)threads), .queue = (void **)host_alloc(sizeof(void *) * (size_t)capacity), .capacity = capacity, .work = work, .leave = leave, .context = context};
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->submitted, NULL);
    pthread_cond_init(&pool->drained, NULL);
    for (int i = 0; i < threads; i++) {
        const int code = pthread_create(&pool->threads[i], NULL, worker_run, pool);
        if (code != 0) { fatal("cannot start a grading thread: %s", strerror(code)); }
        pool->thread_count++;
    }
}
static inline void worker_pool_submit(WorkerPool *pool, void *item) {
    pthread_mutex_lock(&pool->lock);
    assert(pool->count < pool->capacity);
    pool->queue[(pool->first + pool->count++) % pool->capacity] = item;
    pthread_cond_signal(&pool->submitted);
    pthread_mutex_unlock(&pool->lock);
}
static inline void worker_pool_wait(WorkerPool *pool) { // until everything submitted is done
    pthread_mutex_lock(&pool->lock);
    while (pool->count > 0 || pool->busy > 0) { pthread_cond_wait(&pool->drained, &pool->lock); }
    pthread_mutex_unlock(&pool->lock);
}
static inline void worker_pool_close(WorkerPool *pool) {
    pthread_mutex_lock(&pool->lock);
    pool->closing = true;
    pthread_cond_broadcast(&pool->submitted);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i < pool->thread_count; i++) { pthread_join(pool->threads[i], NULL); }
    pthread_mutex_destroy(&pool->lock);
    pthread_cond_destroy(&pool->submitted);
    pthread_cond_destroy(&pool->drained);
    free(pool->threads);
    free(pool->queue);
}
