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

    @Test func `a full device says so, and a failing read too`() throws {
        let disk = PosixFileSystem()
        for path in ["/dev/full"] where try disk.exists(path) {
            let file = try disk.openForOverwriting(path)
            let append = #expect(throws: FileSystemError.self) {
                try file.append(([1] as [UInt8]).span.bytes)
            }
            #expect(append?.operation == .append)
            #expect(append?.reason == .noSpace)
            let extend = #expect(throws: FileSystemError.self) { try file.extend(to: 10) }
            #expect(extend?.operation == .extend)
            #expect(extend?.reason == .noSpace)
        }
        try withTemporaryDirectory { directory in
            let file = try disk.openForReading(directory)
            let error = #expect(throws: FileSystemError.self) { try bytes(of: file, at: 0, 4) }
            #expect(error?.operation == .read)
            #expect(throws: FileSystemError.self) { try file.read(at: 0, count: 4) }
        }
    }

    @Test func `what lies behind a file's end is in no memory`() throws {
        try withTemporaryDirectory { directory in
            let path = "\(directory)/a"
            let file = try PosixFileSystem().openForAppending(path, .createNew)
            let bytes: [UInt8] = [1, 2, 3]
            try file.append(bytes.span.bytes)
            let reader = try PosixFileSystem().openForReading(path)
            // Not every file system says that it holds them.
            if reader.isInMemory(at: 0, count: 3) {
                #expect(try reader.read(at: 0, count: 3) == [1, 2, 3])
            }
            #expect(!reader.isInMemory(at: 0, count: 4))
            #expect(!reader.isInMemory(at: 3, count: 1))
            #expect(!reader.isInMemory(at: 0, count: 0))
        }
    }

    @Test func `an extended file has its room on the disk`() throws {
        try withTemporaryDirectory { directory in
            let path = "\(directory)/a"
            let file = try PosixFileSystem().openForAppending(path, .createNew)
            try file.extend(to: 1_000_003)
            try file.sync()
            var status = stat()
            #expect(stat(path, &status) == 0)
            #expect(status.st_size == 1_000_003)
            // Some file systems compress or place late; a hole would have none at all.
            #expect(status.st_blocks > 0)
        }
    }
}
