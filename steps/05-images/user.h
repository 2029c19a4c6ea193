/* Who the command runs as, and where. */
#pragma once

/* In the keg, last of all: makes this process `user` ("NAME|UID[:GROUP|GID]", "" for root; names
 * are looked up in the keg's own /etc/passwd and /etc/group) with no other groups, adds HOME to
 * `environment` (which has room for it) if it is missing, and goes to `directory`, making it if
 * need be. The capabilities of a user other than root are gone afterwards. */
void user_become(const char *user, const char *directory, char **environment);
