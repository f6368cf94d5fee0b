import FileSystems
import Foundation
import StorageEngine
import Testing

/// An engine's disk of which single bytes are turned, and what it must hold.
private struct Sweep {
    /// Keys, each with a prefix of its own.
    static let count = 180
    /// Keys that were written once more, behind the flush.
    static let rewritten = 0..<5

    let base: InMemoryFileSystem
    let compression: Compression
    /// How many keys must stay readable whichever byte is turned.
    var leastReadable = 0

    static func value(_ index: Int) -> [UInt8] {
        let isNew = rewritten.contains(index)
        return (0..<340).map { UInt8(truncatingIfNeeded: ($0 % 7 * index) ^ (isNew ? 0x55 : $0)) }
    }

    /// How far apart the turned bytes are.
    static let stride =
        ProcessInfo.processInfo.environment["STARLING_BYTE_STRIDE"].flatMap { Int($0) } ?? 997

    static func options(_ options: inout EngineOptions) {
        options.segmentSize = 1 << 20
        options.blockSize = 4096
        options.spareSegments = 0
    }

    /// The keys are flushed and the first of them rewritten, or all are in the log.
    init(flushing: Bool, compression: Compression = .none) throws {
        base = InMemoryFileSystem()
        self.compression = compression
        let engine = try openEngine(base, Self.options)
        try engine.createTree(1, rule: .overwrite, compression: compression)
        func put(_ index: Int, _ value: [UInt8]) throws {
            let batch = batch(1, UInt64(index), "key", value)
            engine.apply(batch, at: try engine.append(batch))
        }
        for index in 0..<Self.count {
            let isOld = flushing && Self.rewritten.contains(index)
            try put(index, isOld ? [1] : Self.value(index))
        }
        if flushing {
            try engine.flush(tree: 1)
            for index in Self.rewritten { try put(index, Self.value(index)) }
        }
        try engine.close()
    }

    /// The bytes of a file to turn; every one if the environment asks for a stride of 1.
    func bytes(of path: String) throws -> StrideTo<Int> {
        Swift.stride(from: 0, to: try base.size(of: path), by: Self.stride)
    }

    func turned(_ byte: Int, of path: String) throws -> InMemoryFileSystem {
        let disk = try base.copy()
        try disk.flipBit(byte * 8 + byte % 8, in: path)
        return disk
    }

    /// Which keys are answered; each answer must be right.
    func readable(_ engine: Engine, _ what: String) throws -> Set<Int> {
        var readable: Set<Int> = []
        for index in 0..<Self.count {
            do {
                let found = try engine.value(1, UInt64(index), "key")
                #expect(found == Self.value(index), "key \(index), \(what)")
                readable.insert(index)
            } catch StorageError.corruption {
            } catch StorageError.lost {
            }
        }
        if let entries = try? engine.allEntries() {
            #expect(readable.count == Self.count && entries.count == Self.count, "\(what)")
        }
        return readable
    }

    /// Opens under both policies, reads, scrubs, clears and opens once more.
    func check(_ byte: Int, of path: String) throws {
        let what = "byte \(byte) of \(path)"
        do {
            let engine = try openEngine(try turned(byte, of: path), Self.options)
            #expect(try readable(engine, what).count >= leastReadable, "\(what)")
        } catch StorageError.corruption {
        } catch StorageError.foreignFile {
        } catch StorageError.unsupportedFormat {
        }
        let disk = try turned(byte, of: path)
        let engine: Engine
        do {
            engine = try openEngine(disk, damage: .isolate, Self.options)
        } catch StorageError.foreignFile {
            return
        } catch StorageError.unsupportedFormat {
            return
        }
        let before = try readable(engine, what)
        #expect(before.count >= leastReadable, "\(what): \(before.count) keys can be read")
        #expect(before.isSuperset(of: leastReadable > 0 ? Self.rewritten : 0..<0), "\(what)")
        let report = try engine.scrub(tree: 1)
        #expect(report.skippedTables.isEmpty, "\(what)")
        #expect(before.count == Self.count || !engine.damage.isEmpty || !report.findings.isEmpty)
        let after = try readable(engine, "\(what), scrubbed")
        #expect(after == before, "\(what): scrubbing changed what can be read")
        #expect(try engine.verify(tree: 1).isEmpty, "\(what)")
        let lost = try engine.lostRanges(tree: 1)
        #expect(lost.isEmpty == (after.count == Self.count), "\(what): \(lost)")
        try engine.close()
        let again = try openEngine(disk, Self.options)
        #expect(try again.lostRanges(tree: 1) == lost, "\(what)")
        #expect(try readable(again, "\(what), reopened") == after, "\(what)")
        try clear(lost, of: again, after, what)
        try again.close()
        let last = try openEngine(disk, Self.options)
        #expect(try last.lostRanges(tree: 1).isEmpty, "\(what)")
        #expect(try last.allEntries().count == Self.count, "\(what)")
        #expect(try readable(last, "\(what), brought back").count == Self.count, "\(what)")
    }

    /// Takes lost ranges for settled: what is gone is absent then, and can be brought back.
    private func clear(
        _ lost: [LostRange],
        of engine: Engine,
        _ readable: Set<Int>,
        _ what: String
    ) throws {
        try engine.clearLostRanges(lost, tree: 1)
        for index in 0..<Self.count {
            let found = try engine.value(1, UInt64(index), "key")
            if readable.contains(index) {
                #expect(found == Self.value(index), "key \(index), \(what), cleared")
            } else {
                try engine.put(batch(1, UInt64(index), "key", Self.value(index)))
            }
        }
    }
}

@Suite struct `Every byte of a file` {
    @Test(arguments: [Compression.none, .zlib(level: 1)])
    func `of a table, turned, makes the keys of a block unknown at most`(
        compression: Compression
    ) throws {
        var sweep = try Sweep(flushing: true, compression: compression)
        let name = try #require(try sweep.base.list("/db/1").first)
        // One block of about 4 KiB has twelve keys.
        sweep.leastReadable = Sweep.count - 14
        for byte in try sweep.bytes(of: "/db/1/\(name)") {
            try sweep.check(byte, of: "/db/1/\(name)")
        }
    }

    @Test func `of a synced log, turned, makes no key absent`() throws {
        let sweep = try Sweep(flushing: false)
        let name = try #require(try sweep.base.list("/db/log").first)
        for byte in try sweep.bytes(of: "/db/log/\(name)") {
            try sweep.check(byte, of: "/db/log/\(name)")
        }
    }

    @Test func `of a log behind the last mark, turned, cuts the log there`() throws {
        let base = InMemoryFileSystem()
        var engine: Engine? = try openEngine(base, Sweep.options)
        try engine?.createTree(1, rule: .overwrite)
        for index in 0..<20 { try engine?.put(batch(1, UInt64(index), "key", Sweep.value(index))) }
        try engine?.writeIdleMark()
        let name = try #require(try base.list("/db/log").last)
        let path = "/db/log/\(name)"
        let mark = try base.size(of: path)
        for index in 20..<160 {
            let batch = batch(1, UInt64(index), "key", Sweep.value(index))
            _ = try engine?.append(batch)
            try engine?.write()
        }
        engine = nil
        let whole = try base.copy()
        for byte in stride(from: mark, to: try whole.size(of: path), by: Sweep.stride) {
            let disk = try whole.copy()
            try disk.flipBit(byte * 8 + byte % 8, in: path)
            let engine = try openEngine(disk, Sweep.options)
            var isCut = false
            for index in 0..<160 {
                let found = try engine.value(1, UInt64(index), "key")
                isCut = isCut || found == nil
                #expect(found == (isCut ? nil : Sweep.value(index)), "key \(index), byte \(byte)")
                #expect(!isCut || index >= 20, "key \(index), byte \(byte)")
            }
        }
    }

    @Test func `of a manifest, turned, is corruption or changes nothing`() throws {
        let sweep = try Sweep(flushing: true)
        let engine = try openEngine(sweep.base, Sweep.options)
        for round in 0..<1300 {
            try engine.setCompression(round % 2 == 0 ? .zlib(level: 1) : .none, tree: 1)
        }
        try engine.close()
        var found = 0
        for byte in try sweep.bytes(of: "/db/MANIFEST") {
            for policy in [DamagePolicy.refuse, .isolate] {
                do {
                    let engine = try openEngine(
                        try sweep.turned(byte, of: "/db/MANIFEST"),
                        damage: policy,
                        Sweep.options
                    )
                    let what = "byte \(byte) of the manifest"
                    #expect(try sweep.readable(engine, what).count == Sweep.count, "\(what)")
                } catch StorageError.corruption {
                    found += 1
                } catch StorageError.foreignFile {
                } catch StorageError.unsupportedFormat {
                }
            }
        }
        #expect(found > 0)
    }

    @Test func `of a snapshot, turned, is found and not restored`() throws {
        let sweep = try Sweep(flushing: true)
        let engine = try openEngine(sweep.base, Sweep.options)
        try engine.createSnapshot(at: "/copy")
        try engine.close()
        let options = engineOptions(Sweep.options)
        let tables = try sweep.base.list("/copy/1").map { "/copy/1/\($0)" }
        for path in tables + ["/copy/MANIFEST"] {
            for byte in try sweep.bytes(of: path) {
                let disk = try sweep.turned(byte, of: path)
                let found = Result {
                    try Engine.verifySnapshot("/copy", on: disk, options: options)
                }
                #expect((try? found.get()) != [], "byte \(byte) of \(path)")
                #expect(throws: StorageError.self, "byte \(byte) of \(path)") {
                    try Engine.restore(
                        snapshot: "/copy",
                        to: "/restored",
                        on: disk,
                        options: options
                    )
                }
                #expect(try !disk.exists("/restored/MANIFEST"), "byte \(byte) of \(path)")
            }
        }
    }
}
