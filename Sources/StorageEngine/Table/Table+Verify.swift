internal import ByteCoding

/// A part of a table's file that is not what was written.
package struct TableDamage: Equatable, Sendable {
    /// The file.
    package var file: String
    /// Where in the file the part begins.
    package var offset: Int
    /// A checksum, length or other number as it should be.
    package var expected: UInt64
    /// The same as it is.
    package var found: UInt64
    /// What the part is.
    package var what: String
    /// The ordered key from which on entries are unknown.
    package var lower: [UInt8]
    /// The ordered key before which the unknown entries end; equal to `lower` if none are.
    package var upper: [UInt8]

    /// Whether no entry is lost: then the table can be written anew from itself.
    package var isHarmless: Bool { lower == upper }
}

extension Table {
    /// Reads every byte of the file and compares it with its checksums.
    ///
    /// - Parameter progress: is given the number of bytes that were read since the last time, and
    ///   says whether to go on; if not, what was found until then is returned.
    /// - Returns: what is damaged, in the order of the file.
    /// - Throws: `io`.
    package func verify(_ progress: (Int) -> Bool) throws(StorageError) -> [TableDamage] {
        guard let source else {
            let range = keyRange(0)
            return [
                TableDamage(
                    file: "table \(metadata.number)",
                    offset: 0,
                    expected: metadata.length,
                    found: 0,
                    what: damage?.description ?? "the file",
                    lower: range.lower,
                    upper: range.upper
                )
            ]
        }
        var verification = TableVerification(self, source)
        try verification.run(progress)
        return verification.damages
    }
}

/// One walk over all bytes of a table.
private struct TableVerification {
    private static let piece = 256 << 10

    private let table: Table
    private let source: TableSource
    private let length: Int
    private var window: TableWindow
    private var walk = DataBlockWalk()
    private(set) var damages: [TableDamage] = []

    init(_ table: Table, _ source: TableSource) {
        self.table = table
        self.source = source
        length = Int(clamping: table.metadata.length)
        window = TableWindow(source, sums: true)
    }

    mutating func run(_ progress: (Int) -> Bool) throws(StorageError) {
        try checkHeader()
        guard progress(TableFormat.headerSize) else { return }
        var offset = TableFormat.headerSize
        for number in 0..<table.index.count {
            let place = table.index.place(number)
            try checkData(number, place)
            offset = max(offset, place.end)
            guard progress(place.length) else { return }
        }
        let footer = max(offset, length - TableFormat.footerSize)
        while offset < footer {
            let next = try checkBlock(at: offset, end: footer)
            guard progress(next - offset) else { return }
            offset = next
        }
        try checkFooter()
        guard progress(TableFormat.footerSize) else { return }
        try checkWhole()
    }

    private mutating func add(
        _ offset: Int,
        _ mismatch: Mismatch,
        _ what: String,
        _ range: (lower: [UInt8], upper: [UInt8]) = ([], [])
    ) {
        damages.append(
            TableDamage(
                file: source.path,
                offset: offset,
                expected: mismatch.expected,
                found: mismatch.found,
                what: what,
                lower: range.lower,
                upper: range.upper
            )
        )
    }

    private mutating func checkHeader() throws(StorageError) {
        let bytes = unsafe try window.load(
            at: 0,
            count: TableFormat.headerSize,
            ahead: Self.piece
        )
        let expected = source.header
        let isSame = unsafe bytes.elementsEqual(expected)
        if !isSame {
            let found = unsafe CRC32C.checksum(bytes.bytes)
            add(
                0,
                Mismatch(expected: UInt64(CRC32C.checksum(expected)), found: UInt64(found)),
                "the header"
            )
        }
    }

    private mutating func checkData(
        _ number: Int,
        _ place: BlockPlace
    ) throws(StorageError) {
        if let gap = table.index.gap(number) {
            add(place.offset, gap.mismatch, "bytes between blocks", table.keyRange(number))
            return
        }
        let block = try window.block(
            at: place.offset,
            length: place.length,
            end: length,
            ahead: Self.piece
        )
        switch block {
        case .failure(let mismatch):
            add(place.offset, mismatch, "a block of entries", table.keyRange(number))
        case .success(let block):
            guard block.header.type == .data,
                let entries = unsafe DataBlock(base: block.payload, count: block.count),
                areInOrder(entries)
            else {
                let none = Mismatch(expected: 0, found: 0)
                add(place.offset, none, "the entries of a block", table.keyRange(number))
                return
            }
        }
    }

    private mutating func areInOrder(_ entries: DataBlock) -> Bool {
        var last: [UInt8]?
        walk.enter(entries, at: entries.start)
        defer { walk.leave() }
        while true {
            switch walk.step() {
            case .end: return last != nil
            case .malformed: return false
            case .entry:
                let key = walk.key
                if let last, compareBytes(last.span.bytes, key.span.bytes) >= 0 { return false }
                last = key
            }
        }
    }

    /// Checks a block that is not of entries.
    ///
    /// - Returns: where the next begins.
    private mutating func checkBlock(
        at offset: Int,
        end: Int
    ) throws(StorageError) -> Int {
        let block = try window.block(at: offset, length: nil, end: end, ahead: Self.piece)
        switch block {
        case .success(let block): return offset + block.header.blockLength
        case .failure(let mismatch):
            add(offset, mismatch, "a block of versions, the filter or the index")
            return try window.nextBlock(after: offset, end: end, ahead: Self.piece)
        }
    }

    private mutating func checkFooter() throws(StorageError) {
        let offset = max(0, length - TableFormat.footerSize)
        let bytes = unsafe try window.load(
            at: offset,
            count: TableFormat.footerSize,
            ahead: TableFormat.footerSize
        )
        let footer = unsafe TableFormat.footer(
            in: bytes.bytes,
            at: offset,
            table.metadata,
            seed: TableFormat.seed(source.seed, at: offset)
        )
        if case .failure(let mismatch) = footer { add(offset, mismatch, "the footer") }
    }

    private mutating func checkWhole() throws(StorageError) {
        let size = try source.files.size(source.number, tree: source.tree)
        if size != length {
            add(
                min(size, length),
                Mismatch(expected: UInt64(length), found: UInt64(size)),
                "the length of the file"
            )
        }
        guard damages.isEmpty else { return }
        let sum = window.checksum
        guard sum.count == length, sum.checksum == table.metadata.checksum else {
            add(
                0,
                Mismatch(
                    expected: UInt64(table.metadata.checksum),
                    found: UInt64(sum.checksum)
                ),
                "the checksum of the whole file",
                (table.metadata.firstKey, successor(of: table.metadata.lastKey))
            )
            return
        }
    }
}
