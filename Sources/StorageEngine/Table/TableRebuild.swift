internal import ByteCoding

/// Finds the sound blocks of a table that has lost its footer, index or filter, and makes those
/// anew.
///
/// Blocks say where they end, and a checksum is right in one place of one file only; so a block
/// that is found is one that was written there. Behind damage the next block is found by its magic
/// number.
struct TableRebuild {
    /// Bytes that are read at once.
    private static let piece = 256 << 10

    let index: TableIndex
    /// Nil if not all entries could be read, for then it would deny keys that are only unknown.
    let filter: BloomFilter?

    /// - Throws: `io`.
    static func rebuild(
        _ metadata: TableMetadata,
        _ source: TableSource,
        end: Int
    ) throws(StorageError) -> TableRebuild {
        var scan = Scan()
        var window = TableWindow(source)
        var offset = TableFormat.headerSize
        while offset < end {
            let found = try window.block(at: offset, length: nil, end: end, ahead: piece)
            switch found {
            case .success(let block) where scan.take(block, at: offset):
                offset += block.header.blockLength
            case .success:
                scan.lose(at: offset, Mismatch(expected: 0, found: 0))
                offset = try window.nextBlock(after: offset, end: end, ahead: piece)
            case .failure(let mismatch):
                scan.lose(at: offset, mismatch)
                offset = try window.nextBlock(after: offset, end: end, ahead: piece)
            }
        }
        return scan.finish(metadata, end: end)
    }

    /// What the blocks came to so far.
    private struct Scan {
        private var found: (index: TableIndex?, filter: BloomFilter?) = (nil, nil)
        private var pieces: [Piece] = []
        private var versions: [(BlockPlace, firstPrefix: UInt64)] = []
        private var versionCount: UInt64 = 0
        private var entryCount: UInt64 = 0
        private var hashes: [UInt64] = []
        private var walk = DataBlockWalk()
        /// Whether a block was found that only comes behind all data blocks.
        private var isBehindData = false

        private enum Piece {
            case block(BlockPlace, first: [UInt8], last: [UInt8])
            case lost(offset: Int, Mismatch)
        }

        /// Takes a sound block in.
        ///
        /// - Returns: false if its payload makes no sense.
        mutating func take(_ block: TableWindow.Checked, at offset: Int) -> Bool {
            let place = BlockPlace(offset: offset, length: block.header.blockLength)
            let bytes = unsafe UnsafeRawBufferPointer(start: block.payload, count: block.count)
            switch block.header.type {
            case .data:
                guard !isBehindData,
                    let entries = unsafe DataBlock(
                        base: block.payload,
                        count: block.count
                    )
                else { return false }
                return take(entries, place)
            case .versions:
                guard block.count >= VersionRecord.size, block.count % VersionRecord.size == 0
                else { return false }
                let first = unsafe VersionRecord(at: block.payload)
                versions.append((place, firstPrefix: first.prefix))
                versionCount += UInt64(block.count / VersionRecord.size)
            case .filter:
                guard let filter = unsafe BloomFilter(payload: bytes.bytes) else { return false }
                found.filter = filter
            case .index:
                guard let index = unsafe TableIndex(payload: bytes.bytes, end: offset) else {
                    return false
                }
                found.index = index
            }
            isBehindData = true
            return true
        }

        private mutating func take(_ entries: DataBlock, _ place: BlockPlace) -> Bool {
            let hashCount = hashes.count
            walk.enter(entries, at: entries.start)
            defer { walk.leave() }
            var first: [UInt8]?
            while true {
                switch walk.step() {
                case .entry:
                    if first == nil { first = walk.key }
                    hashes.append(walk.withEntry { key, _ in Table.hash(key) })
                    continue
                case .end:
                    guard let first else { return false }
                    pieces.append(.block(place, first: first, last: walk.key))
                    entryCount += UInt64(hashes.count - hashCount)
                    return true
                case .malformed:
                    hashes.removeLast(hashes.count - hashCount)
                    return false
                }
            }
        }

        /// Notes that there is no block at an offset, where one should be.
        mutating func lose(at offset: Int, _ mismatch: Mismatch) {
            if !isBehindData { pieces.append(.lost(offset: offset, mismatch)) }
        }

        consuming func finish(_ metadata: TableMetadata, end: Int) -> TableRebuild {
            let isWhole = entryCount == metadata.entryCount
            let filter = found.filter ?? (isWhole ? BloomFilter(hashes: hashes) : nil)
            if let index = found.index { return TableRebuild(index: index, filter: filter) }
            var builder = TableIndex.Builder()
            var last: [UInt8]?
            var lost: (offset: Int, Mismatch)?
            func addGap(before next: [UInt8], at end: Int) {
                guard let gap = lost, !isWhole else { return }
                let lower = last.map(successor(of:)) ?? metadata.firstKey
                guard compareBytes(lower.span.bytes, next.span.bytes) < 0 else { return }
                let place = BlockPlace(offset: gap.offset, length: end - gap.offset)
                builder.addGap(place, firstKey: lower, gap.1)
            }
            for piece in pieces {
                switch piece {
                case .block(let place, let first, let final):
                    addGap(before: first, at: place.offset)
                    lost = nil
                    builder.add(place, firstKey: first)
                    last = final
                case .lost(let offset, let mismatch):
                    lost = lost ?? (offset, mismatch)
                }
            }
            // A file that was cut may end where a block ends.
            if lost == nil, !isBehindData {
                lost = (end, Mismatch(expected: metadata.length, found: UInt64(end)))
            }
            addGap(before: successor(of: metadata.lastKey), at: end)
            if versionCount == metadata.entryCount {
                for (place, prefix) in versions {
                    builder.addVersions(place, firstPrefix: prefix)
                }
            }
            return TableRebuild(index: builder.finish(), filter: filter)
        }
    }
}

extension TableWindow {
    /// The next place behind an offset at which a block may begin; `end` if there is none.
    mutating func nextBlock(
        after offset: Int,
        end: Int,
        ahead: Int
    ) throws(StorageError) -> Int {
        var start = offset + 1
        while end - start >= BlockHeader.size {
            let wanted = min(ahead, end - start)
            let bytes = unsafe try load(at: start, count: wanted, ahead: wanted)
            guard bytes.count >= BlockHeader.size, let base = bytes.baseAddress else { return end }
            let last = bytes.count - BlockHeader.size
            for step in 0...last
            where unsafe base.loadUnaligned(fromByteOffset: step, as: UInt32.self)
                == BlockHeader.magic.littleEndian
            {
                return start + step
            }
            start += last + 1
        }
        return end
    }
}
