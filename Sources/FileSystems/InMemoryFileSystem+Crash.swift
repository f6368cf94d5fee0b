public import ClusterPrimitives
internal import Synchronization

extension InMemoryFileSystem {
    /// The unit in which a disk writes whole or not at all, in bytes.
    private static let sectorSize = 512

    /// A disk as this one might look if the machine crashed now, without locks.
    ///
    /// Synced bytes are kept. Of each file's bytes behind them, all, none, a prefix or any set of
    /// sectors is there; a lost sector reads as zeros or as noise. Of the changes of names since
    /// their directory was synced, a prefix or any subset is there. The same seed on the same disk
    /// draws the same clone.
    public func crashClone(random: inout SeededRandom) -> InMemoryFileSystem {
        let current = state.withLock { $0 }
        var clone = State()
        clone.nextFile = current.nextFile
        clone.names = Self.names(of: current, random: &random)
        clone.durableNames = clone.names
        for path in clone.names.keys.sorted() {
            guard case .file(let number) = clone.names[path], let file = current.files[number]
            else { continue }
            let bytes = Self.survivingBytes(of: file, random: &random)
            clone.files[number] = File(bytes: bytes, syncedCount: bytes.count)
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
    ) -> [UInt8] {
        let unsynced = file.bytes.count - file.syncedCount
        guard unsynced > 0 else { return file.bytes }
        switch random.below(4) {
        case 0:
            return file.bytes
        case 1:
            return Array(file.bytes.prefix(file.syncedCount))
        case 2:
            return Array(file.bytes.prefix(file.syncedCount + random.below(unsynced)))
        default:
            var bytes = file.bytes
            var offset = file.syncedCount
            while offset < bytes.count {
                let end = min(bytes.count, (offset / sectorSize + 1) * sectorSize)
                if random.chance(1, in: 2) {
                    let isNoise = random.chance(1, in: 4)
                    for index in offset..<end {
                        bytes[index] = isNoise ? UInt8(random.below(256)) : 0
                    }
                }
                offset = end
            }
            return bytes
        }
    }
}
