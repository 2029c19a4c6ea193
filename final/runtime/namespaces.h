/* namespaces.h - namespaces(7): which are made with the process, which are joined, and what a new
 * one needs before it is of use. */
#pragma once

#include "runtime/spec.h"

/* Opens the namespaces to be joined and makes sure that each is of its kind; one that is ours
 * already is forgotten: the container has it as if it had not been mentioned. Then checks that
 * nothing is asked for that would change a namespace of ours. spec_free() closes them. */
int namespaces_open(struct spec *spec, struct err *err);
/* exec: forgets those of a container's joined namespaces that are ours, too; `pid` is in all of
 * them. */
int namespaces_forget_ours(struct spec *spec, pid_t pid, struct err *err);
/* Joins those of the kinds `which` (CLONE_NEW*). */
int namespaces_join(const struct spec *spec, uint64_t which, struct err *err);
/* The same, in whatever order is allowed: `*which` loses those joined; those that we may not join
 * (yet) stay. */
int namespaces_try_join(const struct spec *spec, uint64_t *which, struct err *err);
/* The offsets of a time namespace we unshared and nobody has entered. */
int namespaces_set_clocks(const struct spec *spec, struct err *err);
/* Host name, domain name, and the loopback interface of a new network namespace. */
int namespaces_configure(const struct spec *spec, struct err *err);
