/* signals.h - Ctrl-C in the long commands of cooper-image: what is complete stays, what is partial
 * is dropped or continued next time. */
#pragma once

#include <stdbool.h>

/* From now on SIGINT and SIGTERM set the flag; a second one ends the program at once. */
const volatile bool *signals_catch(void);
/* Readable once that has happened, for who waits in poll(2); -1 when there is no descriptor left.
 * To be called first. */
int signals_descriptor(void);
