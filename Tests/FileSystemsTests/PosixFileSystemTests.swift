import FileSystems
import Glibc
import Testing

@Suite struct `The files of the machine` {
    @Test func `files are written, read, renamed, listed, cut and removed`() throws {
        try withTemporaryDirectory { directory in
            let disk = PosixFileSystem()
            let path = "\(directory)/a"
            let file = try disk.openForAppending(path, .createNew)
            try file.append(([1, 2, 3] as [UInt8]).span.bytes)
            try file.sync()
            try file.append(([4] as [UInt8]).span.bytes)
            try file.close()
            #expect(try disk.openForReading(path).read(at: 1, count: 10) == [2, 3, 4])
            let again = try disk.openForAppending(path, .openExisting)
            try again.append(([5] as [UInt8]).span.bytes)
            #expect(try disk.size(of: path) == 5)
            try disk.rename(path, to: "\(directory)/b")
            try disk.syncDirectory(directory)
            #expect(try disk.list(directory) == ["b"])
            try disk.truncate("\(directory)/b", to: 2)
            #expect(try disk.openForReading("\(directory)/b").read(at: 0, count: 9) == [1, 2])
            try disk.remove("\(directory)/b")
            #expect(try !disk.exists("\(directory)/b"))
        }
    }

    @Test func `failures name the file and the reason`() throws {
        try withTemporaryDirectory { directory in
            let disk = PosixFileSystem()
            let missing = #expect(throws: FileSystemError.self) {
                try disk.openForReading("\(directory)/missing")
            }
            #expect(missing?.reason == .notFound)
            #expect(missing?.path == "\(directory)/missing")
            _ = try disk.openForAppending("\(directory)/a", .createNew)
            let exists = #expect(throws: FileSystemError.self) {
                try disk.openForAppending("\(directory)/a", .createNew)
            }
            #expect(exists?.reason == .alreadyExists)
        }
    }

    @Test func `a lock names the process that holds it`() throws {
        try withTemporaryDirectory { directory in
            let disk = PosixFileSystem()
            let lock = try disk.lock("\(directory)/LOCK")
            let error = #expect(throws: FileSystemError.self) {
                try disk.lock("\(directory)/LOCK")
            }
            #expect(error?.reason == .locked(holder: "process \(getpid())"))
            lock.release()
            try disk.lock("\(directory)/LOCK").release()
        }
    }
}

/// Runs a test in a directory of its own, which is removed with its files afterwards.
private func withTemporaryDirectory(_ body: (String) throws -> Void) throws {
    var template = Array("/tmp/starling-files-XXXXXX".utf8CString)
    let directory = template.withUnsafeMutableBufferPointer { buffer in
        buffer.baseAddress.flatMap { mkdtemp($0) }.map { String(cString: $0) }
    }
    let path = try #require(directory)
    let disk = PosixFileSystem()
    defer {
        for name in (try? disk.list(path)) ?? [] { try? disk.remove("\(path)/\(name)") }
        try? disk.remove(path)
    }
    try body(path)
}
