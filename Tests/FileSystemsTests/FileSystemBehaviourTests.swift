import ClusterPrimitives
import FileSystems
import Testing

/// What all file systems have in common.
@Suite struct `Every file system` {
    private func reason(_ body: () throws -> Void) -> FileSystemError.Reason? {
        #expect(throws: FileSystemError.self, performing: body)?.reason
    }

    @Test(arguments: DiskKind.allCases)
    func `fails with the reason when a name is missing, taken or a directory`(
        kind: DiskKind
    ) throws {
        try kind.run { disk, directory in
            let (a, missing) = ("\(directory)/a", "\(directory)/missing")
            let (inner, lost) = ("\(directory)/inner", "\(directory)/none/a")
            try disk.make(a, "a", in: directory)
            try disk.createDirectory(inner)
            try disk.createDirectory(inner)

            #expect(reason { _ = try disk.openForAppending(a, .createNew) } == .alreadyExists)
            #expect(reason { _ = try disk.openForAppending(missing, .openExisting) } == .notFound)
            #expect(reason { _ = try disk.openForAppending(lost, .createIfMissing) } == .notFound)
            #expect(reason { _ = try disk.openForAppending(inner, .openExisting) } == .failed)
            #expect(reason { _ = try disk.openForOverwriting(missing) } == .notFound)
            #expect(reason { _ = try disk.openForOverwriting(inner) } == .failed)
            #expect(reason { _ = try disk.openForReading(missing) } == .notFound)
            #expect(reason { _ = try disk.list(missing) } == .notFound)
            #expect(reason { try disk.rename(missing, to: a) } == .notFound)
            #expect(reason { try disk.rename(a, to: lost) } == .notFound)
            #expect(reason { try disk.rename(a, to: inner) } == .failed)
            #expect(reason { try disk.link(missing, to: lost) } == .notFound)
            #expect(reason { try disk.link(a, to: lost) } == .notFound)
            #expect(reason { try disk.link(a, to: inner) } == .alreadyExists)
            #expect(reason { try disk.link(a, to: a) } == .alreadyExists)
            #expect(reason { try disk.link(inner, to: missing) } == .notPermitted)
            #expect(reason { try disk.remove(missing) } == .notFound)
            #expect(reason { try disk.createDirectory("\(directory)/none/b") } == .notFound)
            #expect(reason { try disk.syncDirectory(missing) } == .notFound)
            #expect(reason { _ = try disk.size(of: missing) } == .notFound)
            #expect(reason { try disk.truncate(missing, to: 0) } == .notFound)
            #expect(reason { try disk.truncate(a, to: -1) } == .failed)
            #expect(reason { _ = try disk.freeSpace(at: missing) } == .notFound)
            #expect(reason { _ = try disk.lock(lost) } == .notFound)
            try disk.make("\(inner)/b", "b", in: inner)
            #expect(reason { try disk.remove(inner) } == .failed)

            #expect(try disk.list(directory) == ["a", "inner"])
            #expect(try disk.text(a) == "a")
            try disk.remove("\(inner)/b")
            try disk.remove(inner)
        }
    }

    @Test(arguments: DiskKind.allCases)
    func `refuses to write to a closed file, and to read before the first byte`(
        kind: DiskKind
    ) throws {
        try kind.run { disk, directory in
            let path = "\(directory)/a"
            let file = try disk.openForAppending(path, .createNew)
            try file.append("abc")
            try file.close()
            try file.close()
            #expect(reason { try file.append("d") } == .failed)
            #expect(reason { try file.extend(to: 9) } == .failed)
            #expect(reason { try file.sync() } == .failed)
            let reader = try disk.openForReading(path)
            #expect(reason { _ = try reader.read(at: -1, count: 2) } == .failed)
            #expect(reason { _ = try bytes(of: reader, at: -1, 2) } == .failed)
            #expect(try disk.text(path) == "abc")
        }
    }

    @Test(arguments: DiskKind.allCases)
    func `reads what there is from an offset, into new memory and into the caller's`(
        kind: DiskKind
    ) throws {
        try kind.run { disk, directory in
            try disk.make("\(directory)/a", "abcdef", in: directory)
            let file = try disk.openForReading("\(directory)/a")
            #expect(try file.read(at: 2, count: 3) == Array("cde".utf8))
            #expect(try file.read(at: 4, count: 9) == Array("ef".utf8))
            #expect(try file.read(at: 6, count: 9) == [])
            #expect(try file.read(at: 99, count: 9) == [])
            #expect(try file.read(at: 1 << 40, count: 9) == [])
            #expect(try file.read(at: 2, count: 0) == [])
            #expect(try bytes(of: file, at: 2, 3) == (Array("cde".utf8), []))
            #expect(try bytes(of: file, at: 4, 4) == (Array("ef".utf8), [0xEE, 0xEE]))
            #expect(try bytes(of: file, at: 6, 1) == ([], [0xEE]))
            #expect(try bytes(of: file, at: 1 << 40, 1) == ([], [0xEE]))
            #expect(try bytes(of: file, at: 0, 0) == ([], []))
        }
    }

    @Test(arguments: DiskKind.allCases)
    func `writes over a file from its first byte and then beyond its end`(
        kind: DiskKind
    ) throws {
        try kind.run { disk, directory in
            let path = "\(directory)/a"
            try disk.make(path, "abcdef", in: directory)
            let file = try disk.openForOverwriting(path)
            #expect(try disk.size(of: path) == 6)
            try file.append("12")
            try file.append("3")
            #expect(try disk.text(path) == "123def")
            try file.sync()
            try file.append("45678")
            #expect(try disk.text(path) == "12345678")
        }
    }

    @Test(arguments: DiskKind.allCases)
    func `extends a file with zeros and goes on writing where it was`(kind: DiskKind) throws {
        try kind.run { disk, directory in
            let path = "\(directory)/a"
            let file = try disk.openForAppending(path, .createNew)
            try file.append("ab")
            try file.extend(to: 600_000)
            try file.extend(to: 5)
            try file.extend(to: -1)
            #expect(try disk.size(of: path) == 600_000)
            try file.append("cd")
            try file.sync()
            #expect(try disk.size(of: path) == 600_000)
            let zeros = [UInt8](repeating: 0, count: 599_996)
            #expect(try disk.contents(path) == Array("abcd".utf8) + zeros)
            // Another who appends begins at the end.
            try disk.openForAppending(path, .openExisting).append("e")
            #expect(try disk.size(of: path) == 600_001)
        }
    }

    @Test(arguments: DiskKind.allCases)
    func `keeps a file with two names until both are gone`(kind: DiskKind) throws {
        try kind.run { disk, directory in
            let (a, b) = ("\(directory)/a", "\(directory)/b")
            try disk.make(a, "one", in: directory)
            try disk.link(a, to: b)
            try disk.openForAppending(b, .openExisting).append("two")
            #expect(try disk.text(a) == "onetwo")
            // A rename from one name of a file to another of it does nothing.
            try disk.rename(a, to: b)
            #expect(try disk.list(directory) == ["a", "b"])
            try disk.remove(a)
            try disk.syncDirectory(directory)
            #expect(try disk.list(directory) == ["b"])
            let reader = try disk.openForReading(b)
            try disk.remove(b)
            try disk.syncDirectory(directory)
            #expect(try disk.list(directory) == [])
            #expect(try reader.read(at: 0, count: 9) == Array("onetwo".utf8))
        }
    }

    @Test(arguments: DiskKind.allCases)
    func `has some free space where nothing is full`(kind: DiskKind) throws {
        try kind.run { disk, directory in
            let free = try disk.freeSpace(at: directory)
            #expect(free > 0)
        }
    }

    @Test(arguments: DiskKind.allCases)
    func `holds what a model of its files holds`(kind: DiskKind) throws {
        for seed in 0..<12 as Range<UInt64> {
            try kind.run { disk, directory in
                var random = SeededRandom(seed: seed)
                let path = "\(directory)/a"
                var model: [UInt8] = []
                var place = 0
                var file = try disk.openForAppending(path, .createNew)
                for step in 0..<120 {
                    switch random.below(10) {
                    case 0:
                        file = try disk.openForOverwriting(path)
                        place = 0
                    case 1:
                        file = try disk.openForAppending(path, .openExisting)
                        place = model.count
                    case 2:
                        let size = random.below(200_000)
                        try file.extend(to: size)
                        model += [UInt8](repeating: 0, count: max(0, size - model.count))
                    case 3:
                        let size = random.below(model.count + 1)
                        try disk.truncate(path, to: size)
                        model.removeLast(model.count - size)
                    case 4:
                        try file.sync()
                    default:
                        let added = random.bytes(
                            random.below(random.chance(1, in: 8) ? 70_000 : 99)
                        )
                        try file.append(added)
                        guard !added.isEmpty else { continue }
                        let hole = max(0, place - model.count)
                        model += [UInt8](repeating: 0, count: hole)
                        let end = min(model.count, place + added.count)
                        model.replaceSubrange(place..<end, with: added)
                        place += added.count
                    }
                    let at = random.below(model.count + 10)
                    let count = random.below(80_000)
                    let expected = Array(model.dropFirst(at).prefix(count))
                    let reader = try disk.openForReading(path)
                    #expect(try disk.size(of: path) == model.count, "seed \(seed) step \(step)")
                    let isEqual = try reader.read(at: at, count: count) == expected
                    #expect(isEqual, "seed \(seed) step \(step)")
                    let isReadEqual = try bytes(of: reader, at: at, count).read == expected
                    #expect(isReadEqual, "seed \(seed) step \(step)")
                }
                let isWholeEqual = try disk.contents(path) == model
                #expect(isWholeEqual, "seed \(seed)")
            }
        }
    }
}
