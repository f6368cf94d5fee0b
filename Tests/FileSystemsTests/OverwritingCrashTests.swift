import ClusterPrimitives
import FileSystems
import Testing

@Suite struct `A crash while a file is written over` {
    /// A disk whose file `/a` has `size` bytes 1, synced.
    private func disk(_ size: Int) throws -> InMemoryFileSystem {
        let disk = InMemoryFileSystem()
        let file = try disk.openForAppending("/a", .createNew)
        try file.append([UInt8](repeating: 1, count: size))
        try file.sync()
        try disk.syncDirectory("/")
        return disk
    }

    private func crash(_ disk: InMemoryFileSystem, _ seed: UInt64) throws -> [UInt8] {
        var random = SeededRandom(seed: seed)
        return try disk.crashClone(random: &random).contents("/a")
    }

    @Test
    func `each sector written over is old, new or rarely noise, and the others are as they were`()
        throws
    {
        let disk = try disk(100_000)
        let file = try disk.openForOverwriting("/a")
        try file.append([UInt8](repeating: 1, count: 300))
        // 300..<70_000, in uneven pieces.
        for _ in 0..<697 { try file.append([UInt8](repeating: 2, count: 100)) }
        var counts = (old: 0, new: 0, noise: 0)
        var (wholeOld, wholeNew) = (0, 0)
        for seed in 0..<100 as Range<UInt64> {
            let bytes = try crash(disk, seed)
            #expect(bytes.count == 100_000, "seed \(seed)")
            #expect(bytes[70_000...].allSatisfy { $0 == 1 }, "seed \(seed)")
            #expect(bytes[..<300].allSatisfy { $0 == 1 } || bytes[0] != 1, "seed \(seed)")
            var seen = (old: 0, new: 0)
            for start in stride(from: 0, to: 70_000, by: 512) {
                let sector = bytes[max(300, start)..<min(70_000, start + 512)]
                if sector.allSatisfy({ $0 == 1 }) {
                    seen.old += 1
                } else if sector.allSatisfy({ $0 == 2 }) {
                    seen.new += 1
                } else {
                    counts.noise += 1
                }
            }
            counts.old += seen.old
            counts.new += seen.new
            if seen.old == 137 { wholeOld += 1 }
            if seen.new == 137 { wholeNew += 1 }
        }
        #expect(counts.old > 2_000 && counts.new > 2_000, "\(counts)")
        #expect(counts.noise > 20 && counts.noise < 500, "\(counts)")
        #expect(wholeOld > 10 && wholeNew > 10, "\(wholeOld) \(wholeNew)")
    }

    @Test func `noise falls only on bytes that were written since the sync`() throws {
        let disk = try disk(2_000)
        let file = try disk.openForOverwriting("/a")
        try file.append([UInt8](repeating: 2, count: 700))
        try file.sync()
        try file.append([UInt8](repeating: 3, count: 100))
        for seed in 0..<200 as Range<UInt64> {
            let bytes = try crash(disk, seed)
            #expect(bytes[..<700].allSatisfy { $0 == 2 }, "seed \(seed)")
            #expect(bytes[800...].allSatisfy { $0 == 1 }, "seed \(seed)")
        }
    }

    @Test func `a sync keeps what was written over, and closing or releasing does not`() throws {
        let disk = try disk(600)
        do {
            let file = try disk.openForOverwriting("/a")
            try file.append([UInt8](repeating: 2, count: 600))
            try file.close()
        }
        let before = try Set((0..<60).map { try crash(disk, $0) })
        #expect(before.contains([UInt8](repeating: 1, count: 600)))
        #expect(before.contains([UInt8](repeating: 2, count: 600)))
        try disk.openForAppending("/a", .openExisting).sync()
        let after = try Set((0..<60).map { try crash(disk, $0) })
        #expect(after == [[UInt8](repeating: 2, count: 600)])
    }

    @Test
    func `what was on the disk at the last sync comes back however often it was written over`()
        throws
    {
        for seed in 0..<150 as Range<UInt64> {
            var random = SeededRandom(seed: seed)
            let disk = InMemoryFileSystem()
            var synced = random.bytes(3_000)
            let file = try disk.openForAppending("/a", .createNew)
            try file.append(synced)
            try file.sync()
            try disk.syncDirectory("/")
            var size = synced.count
            var touched = [Bool](repeating: false, count: 10_000)
            for _ in 0..<random.number(in: 1...6) {
                let over = try disk.openForOverwriting("/a")
                if random.chance(1, in: 6) {
                    size = random.below(size + 1)
                    try disk.truncate("/a", to: size)
                }
                // What is skipped is written anew with the same bytes.
                let skipped = random.below(size + 1)
                try over.append(disk.openForReading("/a").read(at: 0, count: skipped))
                var untouched = 0
                if random.chance(1, in: 3) {
                    try over.sync()
                    synced = try disk.contents("/a")
                    touched = [Bool](repeating: false, count: 10_000)
                    untouched = skipped
                }
                let added = random.bytes(random.below(1_500))
                try over.append(added)
                for index in untouched..<skipped + added.count { touched[index] = true }
                size = max(size, skipped + added.count)
            }
            let now = try disk.contents("/a")
            var clones: [[UInt8]] = []
            for crashSeed in 0..<12 as Range<UInt64> { clones.append(try crash(disk, crashSeed)) }
            for clone in clones {
                #expect(clone.count <= now.count, "seed \(seed)")
                for (index, byte) in clone.enumerated() where !touched[index] {
                    #expect(byte == now[index], "seed \(seed)")
                }
            }
            // Without a sync the disk may have kept the bytes it had, as far as it was not cut.
            let isOldSeen = clones.contains { $0.isEmpty || synced.starts(with: $0) }
            #expect(isOldSeen, "seed \(seed)")
            #expect(clones.contains(now), "seed \(seed)")
        }
    }

    @Test func `zeros of an extension count once they are synced`() throws {
        let disk = try disk(10)
        let file = try disk.openForAppending("/a", .openExisting)
        try file.extend(to: 5_000)
        let sizes = try Set((0..<60).map { try crash(disk, $0).count })
        #expect(sizes.contains(10) && sizes.contains(5_000) && sizes.count > 2)
        try file.sync()
        try file.append([UInt8](repeating: 2, count: 600))
        for seed in 0..<60 as Range<UInt64> {
            let bytes = try crash(disk, seed)
            #expect(bytes.count == 5_000, "seed \(seed)")
            #expect(bytes[..<10].allSatisfy { $0 == 1 }, "seed \(seed)")
            #expect(bytes[610...].allSatisfy { $0 == 0 }, "seed \(seed)")
        }
    }

    @Test func `a second name may vanish, and both names that stay show the same bytes`() throws {
        var outcomes: Set<[String]> = []
        for seed in 0..<100 as Range<UInt64> {
            let disk = try disk(2_000)
            try disk.link("/a", to: "/b")
            try disk.openForOverwriting("/b").append([UInt8](repeating: 2, count: 1_500))
            try disk.openForAppending("/b", .openExisting).append("unsynced")
            var random = SeededRandom(seed: seed)
            let clone = disk.crashClone(random: &random)
            outcomes.insert(try clone.list("/"))
            guard try clone.exists("/b") else { continue }
            #expect(try clone.contents("/a") == clone.contents("/b"), "seed \(seed)")
            try clone.openForAppending("/a", .openExisting).append("x")
            #expect(try clone.contents("/a") == clone.contents("/b"), "seed \(seed)")
        }
        #expect(outcomes == [["a"], ["a", "b"]])
    }

    @Test func `a removed file comes back with its bytes until its directory is synced`() throws {
        let disk = try disk(700)
        try disk.remove("/a")
        try disk.createDirectory("/d")
        try disk.syncDirectory("/d")
        var outcomes: Set<Int> = []
        for seed in 0..<50 as Range<UInt64> {
            var random = SeededRandom(seed: seed)
            let clone = disk.crashClone(random: &random)
            outcomes.insert(try clone.exists("/a") ? clone.size(of: "/a") : -1)
        }
        #expect(outcomes == [-1, 700])
    }

    @Test func `a file whose names all hang on unsynced changes comes back with its bytes`() throws
    {
        let disk = try disk(700)
        try disk.createDirectory("/d")
        try disk.link("/a", to: "/d/b")
        try disk.remove("/a")
        try disk.remove("/d/b")
        try disk.syncDirectory("/")
        var outcomes: Set<Int> = []
        for seed in 0..<50 as Range<UInt64> {
            var random = SeededRandom(seed: seed)
            let clone = disk.crashClone(random: &random)
            #expect(try !clone.exists("/a"), "seed \(seed)")
            outcomes.insert(try clone.exists("/d/b") ? clone.size(of: "/d/b") : -1)
        }
        #expect(outcomes == [-1, 700])
    }

    @Test func `the same seed draws the same crash, and the disk itself does not change`() throws {
        let disk = try disk(100_000)
        let file = try disk.openForOverwriting("/a")
        try file.append([UInt8](repeating: 2, count: 50_000))
        try disk.openForAppending("/a", .openExisting).append([UInt8](repeating: 3, count: 9_000))
        let before = try disk.contents("/a")
        for seed in 0..<20 as Range<UInt64> {
            #expect(try crash(disk, seed) == crash(disk, seed), "seed \(seed)")
        }
        #expect(try disk.contents("/a") == before)
    }

    @Test func `a clone and the disk it came from do not share later writes`() throws {
        let disk = try disk(100_000)
        var random = SeededRandom(seed: 1)
        let clone = disk.crashClone(random: &random)
        try disk.openForOverwriting("/a").append("disk")
        try clone.openForAppending("/a", .openExisting).append("clone")
        try clone.truncate("/a", to: 50_000)
        #expect(try disk.contents("/a").prefix(5) == Array("disk".utf8) + [1])
        #expect(try disk.size(of: "/a") == 100_000)
        #expect(try clone.contents("/a") == [UInt8](repeating: 1, count: 50_000))
    }
}
