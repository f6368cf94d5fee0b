internal import ByteCoding

/// What the version index has of one entry.
///
///     versions := (prefix: uint64, keyDigest: uint64, versionDigest: uint64, stamp: uint64) × n
struct VersionRecord {
    // On disk: never renumber.
    static let size = 32
    /// Records of a full block.
    static let blockCount = 256

    let prefix: UInt64
    let keyDigest: UInt64
    let versionDigest: UInt64
    let stamp: UInt64

    /// The record at an address from which `size` bytes may be read.
    init(at address: UnsafeRawPointer) {
        func word(_ index: Int) -> UInt64 {
            UInt64(
                littleEndian: unsafe address.loadUnaligned(
                    fromByteOffset: 8 * index,
                    as: UInt64.self
                )
            )
        }
        prefix = word(0)
        keyDigest = word(1)
        versionDigest = word(2)
        stamp = word(3)
    }
}

/// Walks digests of a table's entries in the order of their keys, without reading the values.
///
/// A copy shares what was read ahead, so that only one of the two may go on.
package struct VersionCursor {
    private static let readAhead = 64 << 10

    private let table: Table
    private let last: UInt64
    private var window: TableWindow
    private var nextBlock: Int
    private var payload: [UInt8] = []
    private var position = 0
    /// Whether there is no further entry; then the other properties mean nothing.
    package private(set) var isAtEnd = false
    /// The prefix of the entry's ordered key.
    package private(set) var prefix: UInt64 = 0
    /// The hash of the ordered key, that of `Table.hash`.
    package private(set) var keyDigest: UInt64 = 0
    /// The value's digest by the tree's rule.
    package private(set) var versionDigest: UInt64 = 0
    /// The entry's stamp.
    package private(set) var stamp: UInt64 = 0

    /// Goes to the first entry of a range of prefixes, both ends included; nil if the table has no
    /// version index, or has lost part of it together with its index: then walk the entries.
    ///
    /// - Throws: `corruption`, after which the entries can still be walked; `io`.
    package init?(
        _ table: Table,
        fromPrefix first: UInt64,
        throughPrefix last: UInt64
    ) throws(StorageError) {
        guard table.hasVersionIndex, let source = table.source else { return nil }
        self.table = table
        self.last = last
        window = TableWindow(source)
        nextBlock = table.index.versionBlock(for: first)
        repeat { try advance() } while !isAtEnd && prefix < first
    }

    /// Goes to the next entry.
    ///
    /// - Throws: `corruption`, `io`; the cursor is then of no more use.
    package mutating func advance() throws(StorageError) {
        while position == payload.count {
            guard nextBlock < table.index.versionPrefixes.count else {
                isAtEnd = true
                return
            }
            try load(nextBlock)
            nextBlock += 1
        }
        let record = unsafe payload.withUnsafeBytes {
            unsafe VersionRecord(at: $0.baseAddress.unsafelyUnwrapped + position)
        }
        position += VersionRecord.size
        prefix = record.prefix
        keyDigest = record.keyDigest
        versionDigest = record.versionDigest
        stamp = record.stamp
        isAtEnd = prefix > last
    }

    private mutating func load(_ number: Int) throws(StorageError) {
        guard let source = table.source else { return }
        let place = table.index.versionPlace(number)
        let block = try window.block(
            at: place.offset,
            length: place.length,
            end: Int(clamping: table.metadata.length),
            ahead: Self.readAhead
        )
        switch block {
        case .failure(let mismatch):
            throw source.corruption(at: place.offset, mismatch, "a block of versions")
        case .success(let block):
            guard block.header.type == .versions, block.count % VersionRecord.size == 0 else {
                throw source.malformed(place)
            }
            payload.removeAll(keepingCapacity: true)
            unsafe payload.append(
                contentsOf: UnsafeRawBufferPointer(start: block.payload, count: block.count)
            )
            position = 0
        }
    }
}
