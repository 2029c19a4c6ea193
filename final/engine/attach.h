/* attach.h - how a client and a shim talk: a SOCK_SEQPACKET unix socket, one packet a message, the
 * first byte its kind, at most ATTACH_MAX bytes in all. The shim stops reading the container's
 * output while a client does not take it, so nothing is lost or piled up. */
#pragma once

#include <stdint.h>

#define ATTACH_MAX 32768

enum attach_kind {
    /* client to shim */
    ATTACH_STDIN = 'I',   /* bytes for the container's stdin */
    ATTACH_EOF = 'E',     /* stdin ends */
    ATTACH_RESIZE = 'W',  /* struct attach_size */
    ATTACH_QUIET = 'Q',   /* no output from now on, only the exit */
    ATTACH_NETWORK = 'N', /* run/<id>/network.json has changed; answered with the same */
    /* shim to client */
    ATTACH_STDOUT = 'O',
    ATTACH_STDERR = 'R',
    ATTACH_EXIT =
        'X', /* struct attach_exit: the end is recorded; the socket closes when all is tidied up */
};

struct attach_size {
    uint16_t rows, columns;
};

struct attach_exit {
    int32_t code; /* 0-255 as a shell counts, 128+signal */
    int32_t oom_killed;
};
