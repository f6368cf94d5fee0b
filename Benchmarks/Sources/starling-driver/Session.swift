import Foundation
import StorageEngine
import Workload

/// What one thread of the workload needs.
///
/// A key of sixteen bytes is passed as a prefix, its first eight bytes as a big-endian number, and
/// a key, the last eight: to the engine these are the same bytes in the same order.
final class Session {
    private let engine: Engine
    private var batch = WriteBatch(capacity: 2048)
    /// What the engine asked this thread to wait and it has not yet.
    private var owed = Duration.zero

    init(_ store: Store) {
        engine = store.engine
    }

    /// Writes one record, as fast as the engine wants it.
    func put(
        _ key: UnsafeRawBufferPointer,
        _ value: UnsafeRawBufferPointer,
        isSynced: Bool
    ) throws {
        unsafe fill(prefix: prefix(of: key), key[8...], value)
        waitIfAsked()
        while true {
            do throws(StorageError) {
                try engine.write(batch, durability: isSynced ? .synced : .written)
                return
            } catch .overloaded {
                usleep(200)
            }
        }
    }

    /// Makes the batch one of one record.
    private func fill(
        prefix: UInt64,
        _ key: Slice<UnsafeRawBufferPointer>,
        _ value: UnsafeRawBufferPointer
    ) {
        let key = unsafe UnsafeRawBufferPointer(rebasing: key)
        batch.removeAll()
        unsafe batch.put(
            tree: Store.tree,
            prefix: prefix,
            key: key.bytes,
            value: value.bytes
        )
    }

    /// Waits as the engine asks, a millisecond at a time: the system cannot wait for less.
    private func waitIfAsked() {
        let delay = engine.writeDelay
        guard delay > .zero else { return }
        owed += delay
        if owed >= .milliseconds(1) {
            usleep(UInt32(owed / .microseconds(1)))
            owed = .zero
        }
    }

    /// The ends of a key's value, or nil if the key is absent.
    func ends(of key: UnsafeRawBufferPointer) throws -> workload_ends? {
        try engine.read(
            tree: Store.tree,
            prefix: unsafe prefix(of: key),
            key: unsafe UnsafeRawBufferPointer(rebasing: key[8...]).bytes
        ) { value, _ in
            Self.ends(of: value)
        }
    }

    /// Visits entries in order and joins their ends by exclusive or; returns their number.
    func scan(
        from key: UnsafeRawBufferPointer,
        limit: Int64,
        into sum: inout workload_ends
    ) throws -> Int64 {
        var count: Int64 = 0
        var joined = sum
        let start = ScanPosition.from(
            prefix: unsafe prefix(of: key),
            key: unsafe [UInt8](key[8...])
        )
        try engine.visit(tree: Store.tree, from: start) { _, _, value, _ in
            let ends = Self.ends(of: value)
            joined.first ^= ends.first
            joined.last ^= ends.last
            count += 1
            return count < limit
        }
        sum = joined
        return count
    }

    private func prefix(of key: UnsafeRawBufferPointer) -> UInt64 {
        unsafe UInt64(bigEndian: key.loadUnaligned(as: UInt64.self))
    }

    private static func ends(of value: RawSpan) -> workload_ends {
        value.withUnsafeBytes { bytes in
            unsafe workload_ends_of(bytes.baseAddress, bytes.count)
        }
    }
}
