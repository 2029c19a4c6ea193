/* namespaces.h - namespaces(7): which are made with the process, which are joined, and what a new
 * one needs before it is of use. */
#pragma once

#include "runtime/spec.h"

/* Joins the namespaces the specification gives by path, but the PID namespace. */
int namespaces_join(const struct spec *spec, struct err *err);
/* A PID namespace takes in only children: the parent enters it for the time of its clone3(2).
 * begin returns in *ret_saved what end needs, -1 when there is nothing to join. */
int namespaces_begin_pid(const struct spec *spec, int *ret_saved, struct err *err);
int namespaces_end_pid(int saved, struct err *err);
/* Host name, domain name, and the loopback interface of a new network namespace. */
int namespaces_configure(const struct spec *spec, struct err *err);
