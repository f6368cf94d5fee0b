import ByteCoding
import ClusterPrimitives
import FileSystems

@testable import StorageEngine

/// A log of its own in `/db/log`, with small segments.
struct LogFixture {
    var options = EngineOptions()
    /// What the manifest would say.
    var first: UInt64 = 1

    init(segmentSize: Int = 4096, spares: Int = 0) {
        options.segmentSize = segmentSize
        options.spareSegments = spares
        options.identity = 0xC0FFEE
    }

    /// A disk with the directories a log needs.
    static func disk() throws -> InMemoryFileSystem {
        let disk = InMemoryFileSystem()
        for path in ["/db", "/db/log"] {
            try disk.createDirectory(path)
            try disk.syncDirectory(FileNames.parent(of: path))
        }
        return disk
    }

    /// The first log of a directory.
    func create(_ disk: any FileSystem) throws -> Log {
        try Log(
            files: disk,
            directory: "/db",
            options: options,
            segment: first,
            durable: LogPosition(segment: 0, offset: 0),
            sequence: 1
        )
    }

    func read(_ disk: any FileSystem, from first: UInt64? = nil) throws -> LogReader.Contents {
        let numbers = try disk.list("/db/log")
            .compactMap { FileNames.number($0, suffix: ".log") }.sorted()
        let reader = LogReader(files: disk, directory: "/db", identity: options.identity)
        return try reader.read(from: first ?? self.first, numbers: numbers)
    }

    /// Opens what is there as an engine does: behind a clean log, else written anew; moves `first`.
    ///
    /// `manifest` is told what was found, and where the log begins from now on.
    mutating func reopen(
        _ disk: any FileSystem,
        manifest: (LogReader.Contents, UInt64) throws -> Void = { _, _ in }
    ) throws -> (log: Log, contents: LogReader.Contents) {
        let contents = try read(disk)
        if contents.isClean {
            try manifest(contents, first)
            let log = try Log(files: disk, directory: "/db", options: options, behind: contents)
            return (log, contents)
        }
        let numbers = try disk.list("/db/log")
            .compactMap { FileNames.number($0, suffix: ".log") }
        let next = (numbers.max() ?? 0) + 1
        let log = try Log(
            files: disk,
            directory: "/db",
            options: options,
            segment: next,
            durable: contents.mark,
            sequence: contents.nextSequence
        )
        for segment in contents.segments {
            for batch in segment.batches {
                var copy = WriteBatch()
                var offset = batch.payload.offset
                while offset < batch.payload.end,
                    let record = Record(in: segment.bytes.span.bytes, at: offset)
                {
                    copy.put(
                        tree: record.tree,
                        prefix: record.prefix,
                        key: record.key,
                        value: record.value,
                        of: segment.bytes.span.bytes,
                        stamp: record.stamp
                    )
                    offset = record.value.end
                }
                log.applied(try log.append(copy))
            }
        }
        try log.write(syncing: true)
        first = next
        try manifest(contents, next)
        for number in numbers { try disk.remove(FileNames.segment(number, in: "/db")) }
        try disk.syncDirectory("/db/log")
        return (log, contents)
    }
}

/// A batch of records with the stamp as evidence of which it is.
func numbered(_ stamp: UInt64, records: Int = 1, valueSize: Int = 40) -> WriteBatch {
    var batch = WriteBatch()
    for index in 0..<records {
        batch.put(
            tree: 1,
            prefix: stamp,
            key: Array("key \(stamp) \(index)".utf8),
            value: [UInt8](repeating: UInt8(truncatingIfNeeded: stamp), count: valueSize),
            stamp: stamp
        )
    }
    return batch
}

extension LogReader.Contents {
    /// The stamps of all batches in order; a batch must be what `numbered` made, whole.
    func stamps() throws -> [UInt64] {
        var stamps: [UInt64] = []
        for segment in segments {
            let span = segment.bytes.span.bytes
            for batch in segment.batches {
                var offset = batch.payload.offset
                var stamp: UInt64?
                for index in 0..<batch.count {
                    guard let record = Record(in: span, at: offset) else {
                        throw WrongRecord(what: "no record at \(offset)")
                    }
                    let key = Array("key \(record.stamp) \(index)".utf8)
                    let fill = UInt8(truncatingIfNeeded: record.stamp)
                    guard span.array(record.key) == key, stamp ?? record.stamp == record.stamp,
                        span.array(record.value).allSatisfy({ $0 == fill }),
                        record.prefix == record.stamp, record.tree == 1
                    else { throw WrongRecord(what: "a record at \(offset)") }
                    stamp = record.stamp
                    offset = record.value.end
                }
                guard offset == batch.payload.end else { throw WrongRecord(what: "a payload") }
                if let stamp { stamps.append(stamp) }
            }
        }
        return stamps
    }
}

struct WrongRecord: Error {
    let what: String
}

extension Log {
    /// Appends, syncs and applies.
    func put(_ batch: WriteBatch) throws {
        let position = try append(batch)
        do {
            try sync(through: position)
            applied(position)
        } catch {
            abandon(position)
            throw error
        }
    }
}

extension InMemoryFileSystem {
    /// The bytes of a file.
    func content(_ path: String) throws -> [UInt8] {
        try openForReading(path).read(at: 0, count: try size(of: path))
    }
}
