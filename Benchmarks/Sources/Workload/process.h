#pragma once

#include <cstdint>
#include <string>

namespace workload {

/// Seconds of a clock that only goes forward.
double now();

/// Seconds of processor time that this process has used.
double processor_seconds();

/// Bytes that this process has given to write(2) and its like: `wchar` of /proc/self/io.
///
/// It counts what the program writes; the block layer's own figure, `write_bytes`, counts pages
/// when they become dirty and so depends on when the kernel writes them back.
uint64_t written_bytes();

/// Bytes that the files of a directory take on the disk, its folders' files included.
uint64_t allocated_bytes(const std::string &directory);

/// Waits until for half a second the process has written nothing, used hardly any processor, and
/// had no thread waiting for the disk.
///
/// All stores are asked in this one way whether their background work is done, since LevelDB has
/// no other.
/// - Returns: the moment since which it was quiet.
double settle();

}  // namespace workload
