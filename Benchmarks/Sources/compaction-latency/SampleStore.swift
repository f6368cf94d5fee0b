import Foundation
import StorageEngine

/// An engine with keys to read and to overwrite.
final class SampleStore: Sendable {
    static let tree: UInt32 = 1

    let engine: Engine
    let keys: UInt64

    /// Makes an empty engine in a directory that is not there yet.
    init(directory: String, keys: UInt64) throws {
        engine = try Engine.open(directory: directory, on: PosixFileSystem())
        try engine.createTree(Self.tree, rule: .overwrite)
        self.keys = keys
    }

    /// Writes every `share`th key and flushes; nothing is compacted.
    func write(share: UInt64) throws {
        var batch = WriteBatch()
        var value = [UInt8](repeating: 0, count: 256)
        for number in stride(from: 0, to: keys, by: Int(share)) {
            value[Int(number % 256)] &+= 1
            batch.removeAll()
            batch.put(
                tree: Self.tree,
                prefix: mix(number),
                key: Self.key,
                value: value
            )
            try engine.write(batch, durability: .written)
            if engine.writeDelay > .zero || number % 1024 == 0 { try flushWhatIsDue() }
        }
        try engine.flush(tree: Self.tree)
    }

    private func flushWhatIsDue() throws {
        while case .flush(let tree)? = engine.nextMaintenance() {
            try engine.perform(.flush(tree))
        }
    }

    /// Reads the key of a number, taken modulo the number of keys.
    func read(_ number: UInt64) throws {
        let size = try engine.read(
            tree: Self.tree,
            prefix: mix(number % keys),
            key: Self.key.span.bytes
        ) { value, _ in value.byteCount }
        precondition(size == 256, "a key that was written is not there")
    }

    /// Eight bytes behind each prefix.
    private static let key = [UInt8](repeating: 7, count: 8)
}

/// The mixing step of splitmix64: one-to-one, so that numbers in order are keys in random order.
func mix(_ number: UInt64) -> UInt64 {
    var word = number &+ 0x9e37_79b9_7f4a_7c15
    word = (word ^ word >> 30) &* 0xbf58_476d_1ce4_e5b9
    word = (word ^ word >> 27) &* 0x94d0_49bb_1331_11eb
    return word ^ word >> 31
}
