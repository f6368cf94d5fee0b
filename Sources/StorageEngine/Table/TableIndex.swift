internal import ByteCoding

/// Where each data block of a table lies and with which key it begins, and the same of the version
/// blocks; in flat arrays.
///
///     index := dataBlocks: uint32, versionBlocks: uint32,
///              (length: uint32, keyLength: uint32, first key) × dataBlocks,
///              (length: uint32, first prefix: uint64) × versionBlocks
///
/// Data blocks lie one behind another from the header's end, version blocks behind them. In an
/// index that was rebuilt from the blocks, what was lost between two of them stands as a block
/// too, a gap, which begins right behind the last key before it.
struct TableIndex: Sendable {
    /// What was lost between sound blocks.
    struct Gap: Equatable, Sendable {
        /// Its place among the blocks.
        let number: Int
        let mismatch: Mismatch
    }

    /// Bytes that all first keys begin with; they are compared once.
    private let common: [UInt8]
    /// Of each block the sixteen bytes of its first key behind the common ones, as two words.
    private let words: [UInt64]
    private let keys: [UInt8]
    private let keyEnds: [UInt32]
    private let offsets: [UInt64]
    private let lengths: [UInt32]
    let gaps: [Gap]
    /// Of each version block its first prefix.
    let versionPrefixes: [UInt64]
    private let versionOffsets: [UInt64]
    private let versionLengths: [UInt32]

    /// Number of data blocks, gaps included.
    var count: Int { lengths.count }

    var sizeInBytes: Int {
        common.count + words.count * 8 + keys.count + keyEnds.count * 4 + offsets.count * 8
            + lengths.count * 4 + versionPrefixes.count * 20
    }

    func place(_ number: Int) -> BlockPlace {
        BlockPlace(offset: Int(offsets[number]), length: Int(lengths[number]))
    }

    func versionPlace(_ number: Int) -> BlockPlace {
        BlockPlace(offset: Int(versionOffsets[number]), length: Int(versionLengths[number]))
    }

    func gap(_ number: Int) -> Gap? {
        gaps.isEmpty ? nil : gaps.first { $0.number == number }
    }

    /// The first key of a block.
    func firstKey(_ number: Int) -> [UInt8] { Array(keys[keyRange(number)]) }

    private func keyRange(_ number: Int) -> Range<Int> {
        (number == 0 ? 0 : Int(keyEnds[number - 1]))..<Int(keyEnds[number])
    }

    /// The last block whose first key is not behind a key; −1 if all are.
    @inline(__always)
    func block(for key: RawSpan) -> Int {
        guard !lengths.isEmpty else { return -1 }
        let skipped = common.count
        if skipped > 0 {
            let length = min(skipped, key.byteCount)
            let order = compareBytes(
                key.extracting(0..<length),
                common.span.bytes.extracting(0..<length)
            )
            if order > 0 { return count - 1 }
            if order < 0 || key.byteCount < skipped { return -1 }
        }
        let first = leadingBytes(of: key, from: skipped)
        let second = leadingBytes(of: key, from: skipped + 8)
        var low = 0
        var remaining = lengths.count
        return words.withUnsafeBufferPointer { words in
            while remaining > 0 {
                let half = remaining / 2
                let middle = low + half
                let a = unsafe words[2 * middle]
                let isAtOrBefore: Bool
                if a != first {
                    isAtOrBefore = a < first
                } else {
                    let b = unsafe words[2 * middle + 1]
                    isAtOrBefore = b != second ? b < second : isFirstKey(middle, atOrBefore: key)
                }
                if isAtOrBefore {
                    low = middle + 1
                    remaining -= half + 1
                } else {
                    remaining = half
                }
            }
            return low - 1
        }
    }

    @inline(never)
    private func isFirstKey(_ number: Int, atOrBefore key: RawSpan) -> Bool {
        compareBytes(keys.span.bytes.extracting(keyRange(number)), key) <= 0
    }

    /// The first version block that may hold a prefix.
    func versionBlock(for prefix: UInt64) -> Int {
        var low = 0
        var high = versionPrefixes.count
        // A prefix may begin in the block before the first that begins with it.
        while low < high {
            let middle = (low + high) / 2
            if versionPrefixes[middle] < prefix { low = middle + 1 } else { high = middle }
        }
        return max(0, low - 1)
    }

    /// Collects the blocks of an index in the order of the file.
    struct Builder {
        private var keys: [UInt8] = []
        private var keyEnds: [UInt32] = []
        private var offsets: [UInt64] = []
        private var lengths: [UInt32] = []
        private var gaps: [Gap] = []
        private var versionPrefixes: [UInt64] = []
        private var versionOffsets: [UInt64] = []
        private var versionLengths: [UInt32] = []

        mutating func add(_ place: BlockPlace, firstKey: [UInt8]) {
            keys.append(contentsOf: firstKey)
            keyEnds.append(UInt32(clamping: keys.count))
            offsets.append(UInt64(place.offset))
            lengths.append(UInt32(clamping: place.length))
        }

        mutating func addGap(_ place: BlockPlace, firstKey: [UInt8], _ mismatch: Mismatch) {
            gaps.append(Gap(number: lengths.count, mismatch: mismatch))
            add(place, firstKey: firstKey)
        }

        mutating func addVersions(_ place: BlockPlace, firstPrefix: UInt64) {
            versionPrefixes.append(firstPrefix)
            versionOffsets.append(UInt64(place.offset))
            versionLengths.append(UInt32(clamping: place.length))
        }

        /// The index as it is stored.
        var payload: [UInt8] {
            var writer = ByteWriter(capacity: keys.count + 8 * lengths.count + 8)
            writer.uint32(UInt32(lengths.count))
            writer.uint32(UInt32(versionLengths.count))
            let bytes = keys.span.bytes
            var start = 0
            for (length, end) in zip(lengths, keyEnds) {
                writer.uint32(length)
                writer.prefixed(ByteRange(offset: start, count: Int(end) - start), of: bytes)
                start = Int(end)
            }
            for (length, prefix) in zip(versionLengths, versionPrefixes) {
                writer.uint32(length)
                writer.uint64(prefix)
            }
            return writer.bytes
        }

        consuming func finish() -> TableIndex {
            let bytes = keys.span.bytes
            var starts = [0]
            starts.reserveCapacity(keyEnds.count + 1)
            for end in keyEnds { starts.append(Int(end)) }
            var skipped = 0
            if let last = starts.dropLast().last {
                // Keys ascend, so what the first and the last have in common all have.
                let firstEnd = starts[1]
                let limit = min(firstEnd, keys.count - last)
                while skipped < limit, keys[skipped] == keys[last + skipped] { skipped += 1 }
            }
            var words: [UInt64] = []
            words.reserveCapacity(2 * lengths.count)
            for number in lengths.indices {
                let key = bytes.extracting(starts[number]..<starts[number + 1])
                words.append(leadingBytes(of: key, from: skipped))
                words.append(leadingBytes(of: key, from: skipped + 8))
            }
            return TableIndex(
                common: Array(keys[..<skipped]),
                words: words,
                keys: keys,
                keyEnds: keyEnds,
                offsets: offsets,
                lengths: lengths,
                gaps: gaps,
                versionPrefixes: versionPrefixes,
                versionOffsets: versionOffsets,
                versionLengths: versionLengths
            )
        }
    }

    /// Reads an index whose blocks end at `end`.
    init?(payload bytes: RawSpan, end: Int) {
        var builder = Builder()
        var reader = ByteReader(over: bytes)
        var offset = TableFormat.headerSize
        func place(_ length: UInt32) throws(CodingError) -> BlockPlace {
            guard Int(length) >= BlockHeader.size, Int(length) <= end - offset else {
                throw .invalid(field: "block length", value: UInt64(length))
            }
            return BlockPlace(offset: offset, length: Int(length))
        }
        do throws(CodingError) {
            let count = try reader.count(in: bytes, limit: bytes.byteCount / 8)
            let versionCount = try reader.count(in: bytes, limit: bytes.byteCount / 12)
            var previous = ByteRange.empty
            for number in 0..<count {
                let place = try place(reader.uint32(in: bytes))
                let key = try reader.prefixed(in: bytes, limit: 1 << 20)
                let span = bytes.extracting(key.offset..<key.end)
                if number > 0 {
                    let before = bytes.extracting(previous.offset..<previous.end)
                    guard compareBytes(before, span) < 0 else {
                        throw .invalid(field: "order", value: UInt64(number))
                    }
                }
                builder.add(place, firstKey: span.array())
                previous = key
                offset += place.length
            }
            for _ in 0..<versionCount {
                let place = try place(reader.uint32(in: bytes))
                builder.addVersions(place, firstPrefix: try reader.uint64(in: bytes))
                offset += place.length
            }
            try reader.finish()
        } catch {
            return nil
        }
        self = builder.finish()
    }

    private init(
        common: [UInt8],
        words: [UInt64],
        keys: [UInt8],
        keyEnds: [UInt32],
        offsets: [UInt64],
        lengths: [UInt32],
        gaps: [Gap],
        versionPrefixes: [UInt64],
        versionOffsets: [UInt64],
        versionLengths: [UInt32]
    ) {
        self.common = common
        self.words = words
        self.keys = keys
        self.keyEnds = keyEnds
        self.offsets = offsets
        self.lengths = lengths
        self.gaps = gaps
        self.versionPrefixes = versionPrefixes
        self.versionOffsets = versionOffsets
        self.versionLengths = versionLengths
    }
}

/// Where a block, or something else, lies in a file.
struct BlockPlace: Equatable, Sendable {
    var offset: Int
    var length: Int

    var end: Int { offset + length }
}
