#ifndef STARLING_CSHA256_H
#define STARLING_CSHA256_H

#include <stdbool.h>
#include <stdint.h>

/// Whether the processor has instructions for SHA-256.
bool starling_sha256_has_instructions(void);

/// Takes one block of 64 bytes into the eight words of a SHA-256 state, with the processor's
/// instructions. Only where it has them.
void starling_sha256_block(uint32_t *state, const uint8_t *block);

#endif
