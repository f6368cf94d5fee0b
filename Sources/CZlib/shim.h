#ifndef STARLING_CZLIB_SHIM_H
#define STARLING_CZLIB_SHIM_H

#include <zlib.h>

// zlib's initialisers are macros, which Swift does not import. Raw streams, without zlib's own
// header and checksum: blocks carry both.
static inline int starling_deflate_init(z_stream *stream, int level) {
    return deflateInit2(stream, level, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
}

static inline int starling_inflate_init(z_stream *stream) {
    return inflateInit2(stream, -MAX_WBITS);
}

#endif
