import FileSystems
import Glibc
import Testing

/// The file systems that must behave alike.
enum DiskKind: CaseIterable {
    case posix
    case inMemory
    case faulty

    /// Runs a test on an empty directory of such a file system.
    func run(_ body: (_ disk: any FileSystem, _ directory: String) throws -> Void) throws {
        switch self {
        case .posix:
            try withTemporaryDirectory { try body(PosixFileSystem(), $0) }
        case .inMemory:
            let disk = InMemoryFileSystem()
            try disk.createDirectory("/d")
            try body(disk, "/d")
        case .faulty:
            let disk = FaultyFileSystem(InMemoryFileSystem())
            try disk.createDirectory("/d")
            try body(disk, "/d")
        }
    }
}

extension FileSystem {
    /// All bytes of a file.
    func contents(_ path: String) throws -> [UInt8] {
        try openForReading(path).read(at: 0, count: size(of: path))
    }

    /// All bytes of a file, as text.
    func text(_ path: String) throws -> String {
        String(decoding: try contents(path), as: UTF8.self)
    }

    /// Makes a file with a text, synced with its name.
    func make(_ path: String, _ text: String, in directory: String) throws {
        let file = try openForAppending(path, .createNew)
        try file.append(text)
        try file.sync()
        try file.close()
        try syncDirectory(directory)
    }
}

extension WritableFile {
    /// Appends a text.
    func append(_ text: String) throws { try append(Array(text.utf8)) }

    /// Appends bytes.
    func append(_ bytes: [UInt8]) throws { try append(bytes.span.bytes) }
}

/// Reads into memory of `count` bytes set to 0xEE; the bytes read and those behind them.
func bytes(
    of file: any RandomAccessFile,
    at offset: Int,
    _ count: Int
) throws -> (read: [UInt8], rest: [UInt8]) {
    var buffer = [UInt8](repeating: 0xEE, count: count)
    let got = try buffer.withUnsafeMutableBytes { try file.read(at: offset, into: $0) }
    return (Array(buffer[..<got]), Array(buffer[got...]))
}

/// Runs a test in a directory of its own, which is removed with its files afterwards.
func withTemporaryDirectory(_ body: (String) throws -> Void) throws {
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
