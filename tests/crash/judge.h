/* judge.h - what must hold after an injury, each as a question with a verdict. All return false
 * when it does not hold; the first thing that was found wrong stays in the verdict. */
#pragma once

#include <stdbool.h>

#include "crash/attempt.h"
#include "crash/command.h"
#include "crash/scenario.h"

bool judge_wrong(struct verdict *v, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* True, and says where every process sits, when the command did not end. */
bool judge_hung(struct attempts *a, const struct outcome *o, const char *what, struct verdict *v);

/* The command ended: with a failure that says so, or with a success that is one. */
bool judge_outcome(struct attempts *a, const struct injection *injection, const struct outcome *o,
                   struct verdict *v);
/* The next command is quick, does not complain, and its answer makes sense. */
bool judge_ask(struct attempts *a, enum state *ret, struct verdict *v);
/* And the answer is one that may be, and true: what lives has processes, and nothing else has. */
bool judge_state(struct attempts *a, const struct injection *injection, const struct outcome *o,
                 enum state *ret, struct verdict *v);
bool judge_database(struct attempts *a, struct verdict *v);
/* After a repetition the disk and the kernel are as after a run that nothing happened to, but for
 * the ids. The first call makes the measure. */
bool judge_done(struct attempts *a, struct verdict *v);
/* Waits for the interfaces of containers that are no more: the kernel removes them in its own time.
 */
void judge_await_links(void);
/* Everything is as it was before. */
bool judge_left(struct attempts *a, struct verdict *v);

const char *judge_name_of(enum state state);
