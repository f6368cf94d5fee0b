import FileSystems
import Glibc
import StorageEngine
import Testing

@Suite struct `The engine on the machine's files` {
    @Test func `keeps its records over flush and reopening, and its directory to itself`() throws {
        let path = try temporaryDirectory()
        let disk = PosixFileSystem()
        defer { removeAll(path, disk) }
        func open() throws -> Engine {
            try Engine.open(directory: "\(path)/db", on: disk)
        }
        var engine = try open()
        #expect(throws: StorageError.locked(holder: "process \(getpid())")) { try open() }
        try engine.createTree(1, rule: .overwrite)
        for index in 0..<100 as Range<UInt8> { try engine.put(batch("a \(index)", [index])) }
        try engine.perform(.flush(1))
        _ = try engine.value("a 7")
        for index in 0..<100 as Range<UInt8> {
            // The system holds a new table's bytes, if it can say so.
            let key = Array("a \(index)".utf8)
            let lookup = try engine.get(tree: 1, prefix: 0, key: key, disk: .forbidden)
            if case .found(let value, _) = lookup { #expect(value == [index]) }
            #expect(lookup != .absent)
        }
        for index in 50..<150 as Range<UInt8> { try engine.put(batch("b \(index)", [index])) }
        try engine.close()
        engine = try open()
        #expect(try engine.value("a 99") == [99])
        #expect(try engine.value("b 149") == [149])
        #expect(try engine.allEntries().count == 200)
        try engine.close()
    }

    @Test func `a value that is long only once it is decompressed is not at hand`() throws {
        let path = try temporaryDirectory()
        let disk = PosixFileSystem()
        defer { removeAll(path, disk) }
        let engine = try Engine.open(directory: "\(path)/db", on: disk)
        try engine.createTree(1, rule: .overwrite, compression: .zlib(level: 6))
        let zeros = [UInt8](repeating: 0, count: 1 << 20)
        try engine.put(batch("a", zeros))
        try engine.perform(.flush(1))
        let table = try #require(try disk.list("\(path)/db/1").first { $0.hasSuffix(".sst") })
        let size = try disk.openForReading("\(path)/db/1/\(table)").read(at: 0, count: 64 << 10)
        #expect(size.count < 64 << 10)
        #expect(try engine.get(tree: 1, prefix: 0, key: [97], disk: .forbidden) == .needsDisk)
        #expect(try engine.value("a") == zeros)
        try engine.close()
    }

    @Test(.enabled(if: geteuid() != 0, "root may write everywhere"))
    func `a directory without permission to write is read, and not opened`() throws {
        let path = try temporaryDirectory()
        let disk = PosixFileSystem()
        defer { removeAll(path, disk) }
        let engine = try Engine.open(directory: "\(path)/db", on: disk)
        try engine.createTree(1, rule: .overwrite)
        try engine.put(batch("a", [1]))
        try engine.close()
        try disk.remove("\(path)/db/LOCK")
        chmod("\(path)/db", 0o500)
        defer { chmod("\(path)/db", 0o700) }
        let error = #expect(throws: StorageError.self) {
            try Engine.open(directory: "\(path)/db", on: disk)
        }
        guard case .io(let failure) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(failure.reason == .notPermitted)
        #expect(failure.path == "\(path)/db/LOCK")
        let trees = try Engine.read(directory: "\(path)/db/", on: disk)
        #expect(try trees[1]?.scan().entries.map(\.value) == [[1]])
    }

    @Test func `a path that is a file, and strays with the largest numbers, do no harm`() throws {
        let path = try temporaryDirectory()
        let disk = PosixFileSystem()
        defer { removeAll(path, disk) }
        let engine = try Engine.open(directory: "\(path)/db/", on: disk)
        try engine.createTree(1, rule: .overwrite)
        try engine.close()
        let strays = ["log/18446744073709551615.log", "1/18446744073709551615.sst", "77"]
            .map { "\(path)/db/\($0)" }
        for stray in strays { try disk.openForAppending(stray, .createNew).close() }
        let again = try Engine.open(directory: "\(path)/db", on: disk)
        #expect(Set(again.unknownFiles) == Set(strays))
        try again.close()
        let error = #expect(throws: StorageError.self) {
            try Engine.open(directory: strays[2], on: disk)
        }
        guard case .io(let failure) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(failure.path.hasPrefix(strays[2]))
    }
}

/// A new directory of the machine's.
func temporaryDirectory() throws -> String {
    var template = Array("/tmp/starling-engine-XXXXXX".utf8CString)
    let made = template.withUnsafeMutableBufferPointer { buffer in
        buffer.baseAddress.flatMap { mkdtemp($0) }.map { String(cString: $0) }
    }
    return try #require(made)
}

/// Removes a file or a directory with all it holds.
func removeAll(_ path: String, _ disk: PosixFileSystem) {
    for name in (try? disk.list(path)) ?? [] { removeAll("\(path)/\(name)", disk) }
    try? disk.remove(path)
}
