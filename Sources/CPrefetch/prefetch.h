#ifndef STARLING_CPREFETCH_H
#define STARLING_CPREFETCH_H

/// Asks the processor to bring the line of an address into its cache; waits for nothing.
///
/// Any address will do: one that cannot be read is passed over.
static inline void starling_prefetch(const void *address) { __builtin_prefetch(address); }

#endif
