/* What the C tests share: a check that says where it failed and goes on, and a count of them. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>

static unsigned long checks, failures;

#define CHECK(condition)                                                                   \
    do {                                                                                   \
        checks++;                                                                          \
        if (!(condition)) {                                                                \
            failures++;                                                                    \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                \
        }                                                                                  \
    } while (0)

/* The status that a call is to have. */
#define STATUS(call, wanted)                                                               \
    do {                                                                                   \
        const int got = (call);                                                            \
        checks++;                                                                          \
        if (got != (wanted)) {                                                             \
            failures++;                                                                    \
            fprintf(stderr, "%s:%d: %s is %d (%s), not %s\n", __FILE__, __LINE__, #call,   \
                    got, ss_strerror(got), #wanted);                                       \
        }                                                                                  \
    } while (0)

#define OK(call) STATUS(call, SS_OK)

#endif
