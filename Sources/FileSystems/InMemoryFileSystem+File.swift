extension InMemoryFileSystem {
    /// The bytes of a file, and what is known of them on the disk.
    struct File: Sendable {
        /// The bytes as they are read.
        var bytes = PagedBytes()
        /// How many bytes from the first the file is sure to have after a crash.
        var syncedCount = 0
        /// Where synced bytes were written over since; ascending, with gaps between.
        var overwritten: [Overwritten] = []
        /// How many names the file has.
        var names = 0
        /// How many names it has after a crash that takes all unsynced changes.
        var durableNames = 0
        /// How many open files stand for it.
        var openCount = 0

        /// Whether the file takes room on the disk.
        var isAlive: Bool { names > 0 || openCount > 0 }

        private var roomTaken: Int { isAlive ? bytes.count : 0 }

        /// Carries a change out; returns how much more of the disk's capacity the file takes by it.
        mutating func roomAdded(by change: (inout File) -> Void) -> Int {
            let before = roomTaken
            change(&self)
            return roomTaken - before
        }

        /// Whether a crash may take something.
        var hasUnsynced: Bool { !overwritten.isEmpty || syncedCount != bytes.count }

        /// Puts bytes at an offset; if the file ends before it, zeros come between.
        ///
        /// Returns by how many bytes the file has grown.
        mutating func write(_ source: UnsafeRawBufferPointer, at offset: Int) -> Int {
            let size = bytes.count
            guard source.count > 0 else { return 0 }
            if offset > size { bytes.appendZeros(offset - size) }
            if offset < syncedCount {
                keepSynced(offset..<min(offset + source.count, syncedCount))
            }
            unsafe bytes.write(source, at: offset)
            return bytes.count - size
        }

        /// Takes note that all there is, is on the disk.
        mutating func sync() {
            syncedCount = bytes.count
            if !overwritten.isEmpty { overwritten = [] }
        }

        /// Cuts the file, on the disk as well.
        mutating func truncate(to size: Int) {
            bytes.truncate(to: size)
            syncedCount = min(syncedCount, size)
            overwritten.removeAll { $0.start >= size }
            guard let last = overwritten.last, last.end > size else { return }
            overwritten[overwritten.count - 1].old.removeLast(last.end - size)
        }

        /// Keeps the synced bytes of a range that is about to be written over.
        ///
        /// A range that goes on where the last one ended costs its own length.
        private mutating func keepSynced(_ range: Range<Int>) {
            let first =
                overwritten.firstIndex { $0.end >= range.lowerBound } ?? overwritten.endIndex
            var last = first
            while last < overwritten.endIndex, overwritten[last].start <= range.upperBound {
                last += 1
            }
            if last == first + 1, overwritten[first].start <= range.lowerBound {
                let end = overwritten[first].end
                guard end < range.upperBound else { return }
                let added = bytes.bytes(in: end..<range.upperBound)
                overwritten[first].old.append(contentsOf: added)
                return
            }
            let met = overwritten[first..<last]
            let start = min(range.lowerBound, met.first?.start ?? .max)
            let end = max(range.upperBound, met.last?.end ?? 0)
            var old = bytes.bytes(in: start..<end)
            for part in met {
                old.replaceSubrange(part.start - start..<part.end - start, with: part.old)
            }
            overwritten.replaceSubrange(first..<last, with: [Overwritten(start: start, old: old)])
        }
    }

    /// Synced bytes that were written over and not synced since.
    struct Overwritten: Sendable {
        /// Offset of the first of them.
        var start: Int
        /// What the disk had there.
        var old: [UInt8]
        /// Offset behind the last of them.
        var end: Int { start + old.count }
    }
}
