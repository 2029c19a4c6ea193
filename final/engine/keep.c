#include "engine/keep.h"

#include <stdio.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/proc.h"

#define NOTE_MAX 100

bool keep_is_valid(int dirfd, const char *dir)
{
    cleanup_free char *path = str_format("%s/keep", dir);
    cleanup_buf struct buf text = {0};
    struct proc_id keeper;
    struct err ignored;

    return !file_load(dirfd, path, NOTE_MAX, &text, &ignored) &&
           sscanf(text.data, "%d %llu", &keeper.pid, &keeper.start) == 2 && proc_alive(&keeper);
}
