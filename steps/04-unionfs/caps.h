/* What is left of root's power. */
#pragma once

/* Cuts this process, and all it will execute, down to the fourteen capabilities docker leaves to
 * root in a container (fewer if the caller has fewer), and promises the kernel that no execve(2)
 * will ever add one (no_new_privs). Cannot be undone. Needs CAP_SETPCAP; capabilities(7). */
void caps_drop(void);
