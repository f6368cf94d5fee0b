#ifndef STARLING_CCRC32C_H
#define STARLING_CCRC32C_H

#include <stddef.h>
#include <stdint.h>

/// CRC-32C (Castagnoli, reflected 0x82F63B78) of `count` bytes, continuing from `crc`.
/// Start with 0. Uses the processor's instruction where there is one.
uint32_t starling_crc32c(uint32_t crc, const void *bytes, size_t count);

#endif
