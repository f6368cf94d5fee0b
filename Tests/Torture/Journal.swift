import ByteCoding
import Glibc

/// What the journal says: one line of 32 bytes.
///
///     entry := kind: uint8, writer: uint8, isDeletion: uint8, index: uint8, size: uint32,
///              key: uint64, counter: uint64, count: uint32, checksum: uint32
///
/// Pages hold a whole number of entries, so that a write that a signal cuts ends between two.
struct JournalEntry: Equatable, Sendable {
    /// What happened.
    enum Kind: UInt8 {
        /// A change is about to be written; `index` is its place among the `count` of its batch.
        case intent = 1
        /// The batch of the `count` changes from `counter` on is on the disk.
        case synced
        /// The same batch has left the process, but need not be on the disk.
        case written
        /// The sync with the number `counter` begins, or has ended: what was written before it
        /// began is on the disk.
        case syncBegins, syncEnded
        /// The key has this version, or the writer stands at `counter` and has grown `key` keys:
        /// where the journal begins after a check.
        case base, writer
        /// The power is about to be cut: what is promised behind it, by a call that was still under
        /// way, need not hold.
        case cut
    }

    static let size = 32

    var kind: Kind
    var writer: UInt8 = 0
    var isDeletion = false
    var index: UInt8 = 0
    var size: UInt32 = 0
    var key: UInt64 = 0
    var counter: UInt64
    var count: UInt32 = 1

    /// The entry's bytes.
    var bytes: [UInt8] {
        var writer = ByteWriter(capacity: Self.size)
        writer.uint8(kind.rawValue)
        writer.uint8(self.writer)
        writer.uint8(isDeletion ? 1 : 0)
        writer.uint8(index)
        writer.uint32(size)
        writer.uint64(key)
        writer.uint64(counter)
        writer.uint32(count)
        writer.uint32(CRC32C.checksum(writer.bytes))
        return writer.bytes
    }
}

extension JournalEntry {
    /// The entry of 32 bytes, or nil if they are none.
    init?(_ bytes: ArraySlice<UInt8>) {
        func number(_ from: Int, _ count: Int) -> UInt64 {
            (0..<count).reduce(0) { $0 | UInt64(bytes[bytes.startIndex + from + $1]) << (8 * $1) }
        }
        guard
            number(28, 4) == UInt64(CRC32C.checksum(Array(bytes.prefix(28)))),
            let kind = Kind(rawValue: UInt8(number(0, 1)))
        else { return nil }
        self.init(
            kind: kind,
            writer: UInt8(number(1, 1)),
            isDeletion: number(2, 1) == 1,
            index: UInt8(number(3, 1)),
            size: UInt32(number(4, 4)),
            key: number(8, 8),
            counter: number(16, 8),
            count: UInt32(number(24, 4))
        )
    }
}

/// The file that says what was asked of the engine and what it promised.
///
/// Each call of `append` is one `write(2)` at the end of the file and outlives the process; on a
/// file system of its own it outlives the cut of the engine's.
final class Journal: Sendable {
    private let descriptor: Int32
    private let path: String

    /// Opens a journal, making it if need be.
    init(_ path: String) throws(TortureError) {
        self.path = path
        descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .system("open", path) }
    }

    deinit { close(descriptor) }

    /// Writes entries behind all others.
    func append(_ entries: [JournalEntry]) throws(TortureError) {
        let bytes = entries.flatMap(\.bytes)
        let count = unsafe bytes.withUnsafeBytes {
            unsafe write(descriptor, $0.baseAddress, $0.count)
        }
        guard count == bytes.count else { throw .system("write", path) }
    }

    /// The size in bytes, 0 if there is no journal.
    static func size(of path: String) -> Int {
        var status = stat()
        return unsafe stat(path, &status) == 0 ? Int(status.st_size) : 0
    }

    /// All entries, none if there is no journal.
    static func entries(of path: String) throws(TortureError) -> [JournalEntry] {
        let bytes = readFile(path)
        var entries: [JournalEntry] = []
        for offset in stride(from: 0, to: bytes.count, by: JournalEntry.size) {
            let end = min(offset + JournalEntry.size, bytes.count)
            guard end - offset == JournalEntry.size, let entry = JournalEntry(bytes[offset..<end])
            else { throw TortureError("the journal \(path) is damaged at byte \(offset)") }
            entries.append(entry)
        }
        return entries
    }

    /// Puts a journal with these entries in the place of the one that is there.
    static func replace(_ path: String, by entries: [JournalEntry]) throws(TortureError) {
        let fresh = path + ".new"
        unlink(fresh)
        try Journal(fresh).append(entries)
        guard rename(fresh, path) == 0 else { throw .system("rename", fresh) }
    }
}
