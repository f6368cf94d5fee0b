package import FileSystems
internal import Synchronization

/// The table files of an engine, of which a bounded number is held open.
///
/// When another is opened at the bound, the one whose last use lies furthest back is closed; a
/// file that is being read at that moment is closed when the read is done.
package final class TableFiles: Sendable {
    private let directory: String
    private let files: any FileSystem
    private let open: Lock<OpenTables>
    /// For those who read a single compressed block.
    let inflaters = InflaterPool()
    /// For those who read a block that is not to be cached.
    let rooms = BlockRoomPool()

    /// Opens files under an engine's directory, and holds at most `limit` of them, at least one.
    package init(directory: String, files: any FileSystem, limit: Int) {
        self.directory = directory
        self.files = files
        open = Lock(OpenTables(limit: max(1, limit)))
    }

    /// How many files are held open.
    package var openCount: Int { open.withLock { $0.count } }

    /// The path of a table.
    func path(_ number: UInt64, tree: UInt32) -> String {
        FileNames.table(number, tree: tree, in: directory)
    }

    /// Bytes of a table's file.
    func size(_ number: UInt64, tree: UInt32) throws(StorageError) -> Int {
        try onDisk { () throws(FileSystemError) in try files.size(of: path(number, tree: tree)) }
    }

    /// Closes a table's file, if it is open; to be called before the file is removed, so that its
    /// space is free.
    package func forget(_ number: UInt64) {
        // The file is released outside of the lock.
        _ = open.withLock { $0.remove(number) }
    }

    /// Reads bytes of a table.
    ///
    /// - Returns: how many were read; fewer than there is room for only at the file's end.
    /// - Throws: `io`, also when the file is missing.
    func read(
        _ number: UInt64,
        tree: UInt32,
        at offset: Int,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(StorageError) -> Int {
        let file = try file(number, tree)
        do throws(FileSystemError) {
            return unsafe try file.read(at: offset, into: buffer)
        } catch {
            throw StorageError(error)
        }
    }

    /// Whether a range of a table can be read without the disk: its file is open, and the system
    /// holds the bytes.
    func isInMemory(_ number: UInt64, at offset: Int, count: Int) -> Bool {
        open.withLock { $0.peek(number) }?.isInMemory(at: offset, count: count) ?? false
    }

    private func file(
        _ number: UInt64,
        _ tree: UInt32
    ) throws(StorageError) -> any RandomAccessFile {
        if let file = open.withLock({ $0.file(number) }) { return file }
        let opened = try onDisk { () throws(FileSystemError) in
            try files.openForReading(path(number, tree: tree))
        }
        // Those that are closed for it are released outside of the lock.
        let (file, _) = open.withLock { $0.insert(opened, number) }
        return file
    }
}

/// The open files in the order of their last use.
private struct OpenTables: Sendable {
    private struct Slot {
        var number: UInt64 = 0
        var file: (any RandomAccessFile)?
        /// Towards older.
        var previous = 0
        /// Towards newer.
        var next = 0
    }

    /// The first is the end of a ring: behind it comes the oldest, before it the newest.
    private var slots = [Slot()]
    private var free: [Int] = []
    private var places: [UInt64: Int] = [:]
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    var count: Int { places.count }

    mutating func file(_ number: UInt64) -> (any RandomAccessFile)? {
        guard let slot = places[number] else { return nil }
        unlink(slot)
        link(slot)
        return slots[slot].file
    }

    /// The file, without a use of it.
    func peek(_ number: UInt64) -> (any RandomAccessFile)? {
        places[number].flatMap { slots[$0].file }
    }

    /// Adds a file unless another caller has, and takes the oldest out at the bound.
    mutating func insert(
        _ file: any RandomAccessFile,
        _ number: UInt64
    ) -> (any RandomAccessFile, removed: (any RandomAccessFile)?) {
        if let present = self.file(number) { return (present, file) }
        var removed: (any RandomAccessFile)?
        if places.count >= limit { removed = remove(slots[slots[0].next].number) }
        let slot: Int
        if let reused = free.popLast() {
            slot = reused
        } else {
            slot = slots.count
            slots.append(Slot())
        }
        slots[slot].number = number
        slots[slot].file = file
        places[number] = slot
        link(slot)
        return (file, removed)
    }

    mutating func remove(_ number: UInt64) -> (any RandomAccessFile)? {
        guard let slot = places.removeValue(forKey: number) else { return nil }
        unlink(slot)
        free.append(slot)
        defer { slots[slot].file = nil }
        return slots[slot].file
    }

    private mutating func link(_ slot: Int) {
        let newest = slots[0].previous
        slots[slot].previous = newest
        slots[slot].next = 0
        slots[newest].next = slot
        slots[0].previous = slot
    }

    private mutating func unlink(_ slot: Int) {
        let (previous, next) = (slots[slot].previous, slots[slot].next)
        slots[previous].next = next
        slots[next].previous = previous
    }
}
