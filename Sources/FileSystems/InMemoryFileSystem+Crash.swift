public import ClusterPrimitives
internal import Synchronization

extension InMemoryFileSystem {
    /// The unit in which a disk writes whole or not at all, in bytes.
    private static let sectorSize = 512

    /// A disk as this one might look if the machine crashed now, without locks, writable.
    ///
    /// Synced bytes are kept. Of the bytes written since, all, none, those from the front or any
    /// set of sectors is there. A lost sector has, where bytes were written over others, these or
    /// rarely noise; behind the synced size it has zeros or noise, or the file ends before it. Of
    /// the changes of names since their directory was synced, a prefix or any subset is there. The
    /// same seed on the same disk draws the same clone.
    public func crashClone(random: inout SeededRandom) -> InMemoryFileSystem {
        let current = state.withLock { $0 }
        var clone = State()
        clone.nextFile = current.nextFile
        clone.capacity = current.capacity
        clone.names = Self.names(of: current, random: &random)
        clone.durableNames = clone.names
        for path in clone.names.keys.sorted() {
            guard case .file(let number) = clone.names[path], let file = current.files[number]
            else { continue }
            if clone.files[number] == nil {
                let bytes = Self.survivingBytes(of: file, random: &random)
                clone.files[number] = File(bytes: bytes, syncedCount: bytes.count)
                clone.used += bytes.count
            }
            clone.files[number]?.names += 1
            clone.files[number]?.durableNames += 1
        }
        return InMemoryFileSystem(clone)
    }

    private static func names(
        of state: State,
        random: inout SeededRandom
    ) -> [String: Entry] {
        var names = state.durableNames
        let keepsPrefix = random.chance(1, in: 2)
        let prefix = random.number(in: 0...state.changes.count)
        for (index, change) in state.changes.enumerated() {
            let isKept = keepsPrefix ? index < prefix : random.chance(1, in: 2)
            if isKept { change.apply(to: &names) }
        }
        // Shorter paths first, so that what lies in a lost directory goes with it.
        for path in names.keys.sorted() where names[parent(path)] != .directory {
            names[path] = nil
        }
        return names
    }

    private static func survivingBytes(
        of file: File,
        random: inout SeededRandom
    ) -> PagedBytes {
        let unsynced = file.overwritten.reduce(file.bytes.count - file.syncedCount) {
            $0 + $1.old.count
        }
        guard unsynced > 0 else { return file.bytes }
        switch random.below(4) {
        case 0:
            return file.bytes
        case 1:
            return firstBytes(0, of: file)
        case 2:
            return firstBytes(random.below(unsynced), of: file)
        default:
            return anySectors(of: file, random: &random)
        }
    }

    /// The file with the first `kept` of its unsynced bytes; those over others in whole sectors.
    private static func firstBytes(_ kept: Int, of file: File) -> PagedBytes {
        var bytes = file.bytes
        var left = kept
        for part in file.overwritten {
            for sector in sectors(of: part.start..<part.end) {
                if sector.count <= left {
                    left -= sector.count
                } else {
                    left = 0
                    bytes.replace(at: sector.lowerBound, with: part.old(sector))
                }
            }
        }
        bytes.truncate(to: file.syncedCount + left)
        return bytes
    }

    private static func anySectors(
        of file: File,
        random: inout SeededRandom
    ) -> PagedBytes {
        var bytes = file.bytes
        func noise(_ sector: Range<Int>) -> [UInt8] { sector.map { _ in UInt8(random.below(256)) } }
        for part in file.overwritten {
            for sector in sectors(of: part.start..<part.end) where random.chance(1, in: 2) {
                let isNoise = random.chance(1, in: 8)
                bytes.replace(
                    at: sector.lowerBound,
                    with: isNoise ? noise(sector) : part.old(sector)
                )
            }
        }
        for sector in sectors(of: file.syncedCount..<file.bytes.count)
        where random.chance(1, in: 2) {
            let isNoise = random.chance(1, in: 4)
            bytes.replace(
                at: sector.lowerBound,
                with: isNoise ? noise(sector) : [UInt8](repeating: 0, count: sector.count)
            )
        }
        return bytes
    }

    /// A range of bytes, cut where sectors begin.
    private static func sectors(of range: Range<Int>) -> some Sequence<Range<Int>> {
        sequence(state: range.lowerBound) { offset in
            guard offset < range.upperBound else { return nil }
            let start = offset
            offset = min(range.upperBound, (start / sectorSize + 1) * sectorSize)
            return start..<offset
        }
    }
}

extension InMemoryFileSystem.Overwritten {
    /// What the disk had in a range within this one.
    fileprivate func old(_ range: Range<Int>) -> [UInt8] {
        Array(old[range.lowerBound - start..<range.upperBound - start])
    }
}
