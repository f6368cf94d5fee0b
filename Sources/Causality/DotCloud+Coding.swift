public import ByteCoding

///     cloud := count: varint, entry × count, ascending by actor
///     entry := actor (16 bytes), base: uint64, runs: varint, run × runs
///     run   := gap: varint      missing events before it, less one
///              extent: varint   its events, less one
///
/// The base has a fixed size because an actor's numbers may begin at a time (see the floor of
/// `SiblingSet.put`), where a varint would be longer.
extension DotCloud {
    /// The most actors of an encoded cloud.
    static let maximumCount = 65_535

    /// Reads a cloud.
    ///
    /// - Throws: `truncated`, `tooLong`, `invalid`.
    public init(from reader: inout ByteReader, in bytes: RawSpan) throws(CodingError) {
        let count = try reader.shortCount(in: bytes, limit: Self.maximumCount, "cloud")
        var entries: [Entry] = []
        entries.reserveCapacity(min(count, reader.remaining / (ActorID.size + 9)))
        for _ in 0..<count {
            let id = try reader.actorID(in: bytes)
            if let last = entries.last, last.actor >= id {
                throw .invalid(field: "cloud's order", value: id.high)
            }
            entries.append(try Self.entry(of: id, &reader, bytes))
        }
        self.init(sorted: entries)
    }

    private static func entry(
        of id: ActorID,
        _ reader: inout ByteReader,
        _ bytes: RawSpan
    ) throws(CodingError) -> Entry {
        let base = try reader.uint64(in: bytes, "base")
        guard base <= Dot.maximumCounter else { throw .invalid(field: "base", value: base) }
        // A run takes at least two bytes.
        let count = try reader.shortCount(in: bytes, limit: reader.remaining / 2, "runs")
        guard base > 0 || count > 0 else { throw .invalid(field: "base", value: base) }
        var runs: [Run] = []
        runs.reserveCapacity(count)
        var last = base
        for _ in 0..<count {
            let gap = try reader.varint(in: bytes, "gap")
            let extent = try reader.varint(in: bytes, "extent")
            // `last` + 2 is the earliest event that leaves a hole.
            let room = Dot.maximumCounter - last
            guard room >= 2, gap <= room - 2, extent <= room - 2 - gap else {
                throw .invalid(field: "run", value: gap)
            }
            let first = last + 2 + gap
            last = first + extent
            runs.append(Run(first: first, last: last))
        }
        return Entry(actor: id, base: base, runs: runs)
    }

    /// Appends the cloud.
    public func encode(into writer: inout ByteWriter) {
        writer.varint(UInt64(entries.count))
        for entry in entries {
            writer.actorID(entry.actor)
            writer.uint64(entry.base)
            writer.varint(UInt64(entry.runs.count))
            var last = entry.base
            for run in entry.runs {
                writer.varint(run.first - last - 2)
                writer.varint(run.last - run.first)
                last = run.last
            }
        }
    }
}
