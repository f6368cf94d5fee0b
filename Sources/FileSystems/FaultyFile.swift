/// A writable file that tells, and lets a fault move, where it writes next.
protocol PlacedFile: WritableFile {
    /// Offset of the next byte `append` writes.
    var place: Int { get set }
}

extension PlacedFile {
    func rewind(to offset: Int) throws(FileSystemError) {
        precondition(offset >= 0 && offset <= place, "rewinding from \(place) to \(offset)")
        place = offset
    }
}

/// A file that is written by rule.
final class FaultyWritableFile: WritableFile {
    private let disk: FaultyFileSystem
    private let path: String
    private let base: any WritableFile

    init(disk: FaultyFileSystem, path: String, base: any WritableFile) {
        self.disk = disk
        self.path = path
        self.base = base
    }

    /// The file below all rules, if it can be told where to write.
    private var placed: (any PlacedFile)? {
        if let file = base as? FaultyWritableFile { return file.placed }
        return base as? any PlacedFile
    }

    func append(_ bytes: RawSpan) throws(FileSystemError) {
        switch try disk.check(.append, path) {
        case .shortWrite(let count):
            try base.append(bytes.extracting(first: min(max(0, count), bytes.byteCount)))
            throw FaultyFileSystem.noSpace(.append, path)
        case .flipBitOnWrite(let bit) where bit >= 0 && bit / 8 < bytes.byteCount:
            var turned = unsafe bytes.withUnsafeBytes { unsafe Array($0) }
            turned[bit / 8] ^= 1 << UInt8(bit % 8)
            try base.append(turned.span.bytes)
        case .misdirectedWrite(let distance):
            try append(bytes, tooEarlyBy: distance)
        default:
            try base.append(bytes)
        }
    }

    private func append(_ bytes: RawSpan, tooEarlyBy distance: Int) throws(FileSystemError) {
        guard let file = placed else {
            throw FileSystemError(.append, path, .failed, "the file cannot be written elsewhere")
        }
        let right = file.place
        let wrong = right - distance
        let lost = min(bytes.byteCount, max(0, -wrong))
        try base.extend(to: right + bytes.byteCount)
        file.place = max(0, wrong)
        defer { file.place = right + bytes.byteCount }
        try base.append(bytes.extracting(droppingFirst: lost))
    }

    func extend(to size: Int) throws(FileSystemError) {
        _ = try disk.check(.extend, path)
        try base.extend(to: size)
    }

    func expectShortAppends(upTo size: Int) {
        base.expectShortAppends(upTo: size)
    }

    func rewind(to offset: Int) throws(FileSystemError) {
        try base.rewind(to: offset)
    }

    func sync() throws(FileSystemError) {
        guard try disk.check(.sync, path) != .lyingSync else { return }
        try base.sync()
    }

    func close() throws(FileSystemError) {
        _ = try disk.check(.close, path)
        try base.close()
    }
}

/// A file that is read by rule.
final class FaultyRandomAccessFile: RandomAccessFile {
    private let disk: FaultyFileSystem
    private let path: String
    private let base: any RandomAccessFile

    init(disk: FaultyFileSystem, path: String, base: any RandomAccessFile) {
        self.disk = disk
        self.path = path
        self.base = base
    }

    func read(at offset: Int, count: Int) throws(FileSystemError) -> [UInt8] {
        let effect = try disk.check(.read, path)
        var bytes = try base.read(at: offset, count: count)
        if case .flipBit(let bit) = effect, bit >= 0, bit / 8 < bytes.count {
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
        }
        return bytes
    }

    func read(
        at offset: Int,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(FileSystemError) -> Int {
        let effect = try disk.check(.read, path)
        let count = unsafe try base.read(at: offset, into: buffer)
        if case .flipBit(let bit) = effect, bit >= 0, bit / 8 < count {
            unsafe buffer[bit / 8] ^= 1 << UInt8(bit % 8)
        }
        return count
    }
}
