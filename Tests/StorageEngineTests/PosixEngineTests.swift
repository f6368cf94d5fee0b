import FileSystems
import Glibc
import StorageEngine
import Testing

@Suite struct `The engine on the machine's files` {
    @Test func `keeps its records over flush and reopening, and its directory to itself`() throws {
        var template = Array("/tmp/starling-engine-XXXXXX".utf8CString)
        let made = template.withUnsafeMutableBufferPointer { buffer in
            buffer.baseAddress.flatMap { mkdtemp($0) }.map { String(cString: $0) }
        }
        let path = try #require(made)
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
        for index in 50..<150 as Range<UInt8> { try engine.put(batch("b \(index)", [index])) }
        try engine.close()
        engine = try open()
        #expect(try engine.value("a 99") == [99])
        #expect(try engine.value("b 149") == [149])
        #expect(try engine.allEntries().count == 200)
        try engine.close()
    }

    private func removeAll(_ path: String, _ disk: PosixFileSystem) {
        for name in (try? disk.list(path)) ?? [] { removeAll("\(path)/\(name)", disk) }
        try? disk.remove(path)
    }
}
