/* build_files.h - small trees of files for the tests of COPY, written and read as text.
 *
 *     "d app 755; f app/run 4755 hello; l app/link ../x; h app/again app/run; p fifo 644"
 *
 * A directory, a file with its content, a symlink, a hard link, a fifo. "f a 644 x @5:6" would
 * belong to user 5, group 6. */
#pragma once

#include <sys/types.h>

/* Makes them beneath `root`; 0:0 unless said otherwise. */
void files_make(int root, const char *text);
/* The same text of what is in `root`, sorted by name, with the owner where it is not 0:0; the
 * caller frees. */
char *files_tell(int root);
