/* protect.h - the container's first process and every `exec` begin as copies of this program, and
 * until they execute something else /proc/PID/exe is a way to its file. A container that executes
 * "#!/proc/self/exe" even gets a process of its own whose exe the file is, and could write to it
 * when that has ended: then the host's root runs what the container wrote (CVE-2019-5736). */
#pragma once

/* Executes the program again through a read-only, detached mount of its own file, or where we may
 * not mount, through a sealed copy in memory; comes back when we are that already. Failing that is
 * fatal: it reports and exits. Only for commands that put a process into a container. */
void protect_program(char **argv);
