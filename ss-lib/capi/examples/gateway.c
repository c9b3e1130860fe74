/* A gateway: producers in threads, an uploader, an orderly end at SIGTERM.
 *
 *     cc gateway.c $(pkg-config --cflags --libs ss) -lpthread -o gateway
 *     ./gateway DIRECTORY [SECONDS]       ends at SIGTERM, SIGINT, or after so many seconds
 *
 * The cloud is a function here, which now and then does not answer or refuses a batch. */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ss.h"

enum { PRODUCERS = 4, SENSORS_EACH = 8, BATCH = 256, TOKENS = 64, DEADLINE_MS = 60000 };

static ss_store *store;
static atomic_bool is_ending;

typedef struct {
    pthread_t thread;
    uint32_t sensors[SENSORS_EACH];
    uint64_t added, refused;
} producer;

static uint64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000U + (uint64_t)now.tv_nsec / 1000000U;
}

static void rest(long ms)
{
    const struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
    (void)nanosleep(&pause, NULL);
}

static int complain(const char *what, int status)
{
    char detail[512] = "";
    (void)ss_error_detail(detail, sizeof detail);
    fprintf(stderr, "gateway: %s: %s\n%s\n", what, ss_strerror(status), detail);
    return 3;
}

/* Adds until the store shuts down. */
static void *produce(void *argument)
{
    producer *self = argument;
    for (uint32_t reading = 0;; reading++) {
        for (int n = 0; n < SENSORS_EACH; n++) {
            const int status =
                ss_ts_add(store, self->sensors[n], reading, now_ms(), SS_CLOCK_UTC, NULL);
            if (status == SS_ESHUTDOWN) {
                return NULL;
            }
            if (status == SS_OK) {
                self->added++;
            } else {
                self->refused++; /* SS_EFULL: the disk was too slow for too long */
            }
        }
        rest(1);
    }
}

typedef enum { TAKEN, NO_ANSWER, REFUSED } answer;

static answer upload(const ss_record *records, size_t count)
{
    static unsigned calls;
    (void)records;
    (void)count;
    calls++;
    return calls % 97 == 0 ? REFUSED : calls % 11 == 0 ? NO_ANSWER : TAKEN;
}

/* Hands out what waits, once. Returns how many records were uploaded. */
static size_t upload_some(void)
{
    static ss_record records[4 * BATCH];
    static ss_token tokens[TOKENS];
    size_t batches, count, at = 0;
    const int status =
        ss_drain(store, BATCH, records, 4 * BATCH, tokens, TOKENS, &batches, &count);
    if (status != SS_OK) {
        (void)complain("drain", status);
        return 0;
    }
    for (size_t n = 0; n < batches; n++) {
        const answer said = upload(records + at, tokens[n].count);
        at += tokens[n].count;
        /* Each token is answered once: a batch without an answer comes again. */
        (void)(said == TAKEN       ? ss_ack(store, &tokens[n])
               : said == NO_ANSWER ? ss_nack(store, &tokens[n])
                                   : ss_reject(store, &tokens[n]));
    }
    return count;
}

/* Waits for the end on a thread of its own: a signal handler may not use the store. */
static void *wait_for_the_end(void *argument)
{
    const sigset_t *ends = argument;
    int signal_number;
    (void)sigwait(ends, &signal_number);
    atomic_store(&is_ending, true);
    return NULL;
}

static void progress(void *user, uint64_t records, uint64_t left)
{
    (void)user;
    printf("gateway: %llu of %llu records to be written\n", (unsigned long long)left,
           (unsigned long long)records);
}

static void print(void *user, const char *text, size_t bytes)
{
    (void)fwrite(text, 1, bytes, user);
}

static int open_store(const char *directory)
{
    ss_config config;
    int status = ss_config_init(&config, SS_PROFILE_LINUX);
    if (status == SS_OK) {
        config.sensors_max = 256;
        config.losses_max = 256;
        config.disk_max_bytes = 256 << 20;
        config.segment_bytes = 1 << 20;
        status = ss_open(&config, directory, &store);
    }
    if (status == SS_OK) {
        status = ss_manager_start(store);
    }
    return status;
}

int main(int arguments, char **values)
{
    static producer producers[PRODUCERS];
    pthread_t ender;
    sigset_t ends;
    if (arguments < 2 || arguments > 3) {
        fprintf(stderr, "usage: gateway DIRECTORY [SECONDS]\n");
        return 2;
    }
    if (ss_abi_version() != SS_ABI_VERSION) {
        fprintf(stderr, "gateway: built against another libss\n");
        return 3;
    }
    (void)sigemptyset(&ends);
    (void)sigaddset(&ends, SIGTERM);
    (void)sigaddset(&ends, SIGINT);
    (void)sigaddset(&ends, SIGALRM);
    (void)pthread_sigmask(SIG_BLOCK, &ends, NULL); /* before any thread, so in all of them */

    const int opened = open_store(values[1]);
    if (opened != SS_OK) {
        return complain(values[1], opened);
    }
    for (uint32_t p = 0; p < PRODUCERS; p++) {
        for (uint32_t n = 0; n < SENSORS_EACH; n++) {
            ss_sensor_config config;
            memset(&config, 0, sizeof config);
            config.source = 2;
            config.id = p * 100 + n;
            config.kind = SS_KIND_TIME_SERIES;
            config.period_ms = 1;
            const int status = ss_sensor_add(store, &config, &producers[p].sensors[n]);
            if (status != SS_OK) {
                return complain("sensor", status);
            }
        }
    }
    if (pthread_create(&ender, NULL, wait_for_the_end, &ends) != 0) {
        return 3;
    }
    for (int p = 0; p < PRODUCERS; p++) {
        if (pthread_create(&producers[p].thread, NULL, produce, &producers[p]) != 0) {
            return 3;
        }
    }
    if (arguments == 3) {
        (void)alarm((unsigned)strtoul(values[2], NULL, 10));
    }
    printf("gateway: running\n");
    (void)fflush(stdout);

    uint64_t uploaded = 0, added = 0, refused = 0;
    while (!atomic_load(&is_ending)) {
        uploaded += upload_some();
        rest(10);
    }

    /* The end: adds are refused, so that the producers end; what is held is written within the deadline. */
    ss_shutdown_report report;
    const int ended = ss_shutdown(store, DEADLINE_MS, progress, NULL, &report);
    for (int p = 0; p < PRODUCERS; p++) {
        (void)pthread_join(producers[p].thread, NULL);
        added += producers[p].added;
        refused += producers[p].refused;
    }
    (void)pthread_join(ender, NULL);
    ss_store_stats stats;
    (void)ss_store_stats_get(store, &stats);
    (void)ss_dump(store, print, stdout);
    printf("gateway: %llu added, %llu refused, %llu handed out, %llu held, %llu lost at the end\n",
           (unsigned long long)added, (unsigned long long)refused, (unsigned long long)uploaded,
           (unsigned long long)(stats.totals.pending + stats.totals.unsent),
           (unsigned long long)report.left);
    const int checked = ss_check(store);
    (void)ss_close(store);
    if (ended != SS_OK) {
        return complain("shutdown", ended);
    }
    return checked == SS_OK && report.left == 0 ? 0 : complain("check", checked);
}
