package import ByteCoding
package import ClusterPrimitives

/// What upkeep of a node's store came to, keyspace by keyspace.
///
///     upkeepReport := count: uint32, (keyspace: text, code: uint8 (0: done), outcome) …
///     outcome      := report | message: text
///     report       := eight figures: uint64 …, damage …, tables …, files …, losses …, tables …
///     damage       := count: uint32, (file: text, offset: uint64, expected: uint64,
///                     found: uint64, part: text, hasTokens: uint8, tokens?) …
///     losses       := count: uint32, (tokens, newest: uint64 ms) …
///     tokens       := first: int64, last: int64
///     tables       := count: uint32, uint64 …
///     files        := count: uint32, text …
package struct UpkeepResponse: Equatable, Sendable {
    /// What became of one keyspace.
    package enum Outcome: Equatable, Sendable {
        /// It was done.
        case done(StoreUpkeepReport)
        /// It failed, perhaps after some of it was done; the message says why and what to do.
        case failed(FailureCode, message: String)
    }

    /// One keyspace.
    package struct Result: Equatable, Sendable {
        /// Its name.
        package var keyspace: String
        /// What became of it.
        package var outcome: Outcome

        /// The outcome for a keyspace.
        package init(keyspace: String, outcome: Outcome) {
            self.keyspace = keyspace
            self.outcome = outcome
        }
    }

    /// The keyspaces, by number.
    package var results: [Result]

    /// The results of these keyspaces.
    package init(results: [Result]) {
        self.results = results
    }

    /// Reads a body.
    package init(decoding body: ByteRange, of bytes: RawSpan) throws(CodingError) {
        var reader = ByteReader(body)
        results = []
        for _ in 0..<(try reader.count(in: bytes, limit: Limits.keyspaces, "keyspaces")) {
            let keyspace = try reader.string(in: bytes, limit: 256, "keyspace name")
            let raw = try reader.uint8(in: bytes, "upkeep outcome")
            let outcome: Outcome
            if raw == 0 {
                outcome = .done(try reader.upkeepReport(in: bytes))
            } else {
                guard let code = FailureCode(rawValue: raw) else {
                    throw .invalid(field: "upkeep outcome", value: UInt64(raw))
                }
                let message = try reader.string(in: bytes, limit: 64 * 1024, "message")
                outcome = .failed(code, message: message)
            }
            results.append(Result(keyspace: keyspace, outcome: outcome))
        }
        try reader.finish()
    }

    /// Appends the body.
    package func encode(into writer: inout ByteWriter) {
        writer.uint32(UInt32(results.count))
        for result in results {
            writer.string(result.keyspace)
            switch result.outcome {
            case .done(let report):
                writer.uint8(0)
                writer.upkeepReport(report)
            case .failed(let code, let message):
                writer.uint8(code.rawValue)
                writer.string(message)
            }
        }
    }
}

extension ByteWriter {
    fileprivate mutating func upkeepReport(_ report: StoreUpkeepReport) {
        for figure in [
            report.tablesBefore, report.tablesAfter, report.bytesBefore, report.bytesAfter,
            report.bytesWritten, report.bytesRead, report.tombstonesPurged, report.omitted,
        ] { uint64(figure) }
        uint32(UInt32(report.damage.count))
        for damage in report.damage {
            string(damage.file)
            uint64(damage.offset)
            uint64(damage.expected)
            uint64(damage.found)
            string(damage.part)
            uint8(damage.tokens == nil ? 0 : 1)
            if let range = damage.tokens { tokens(range) }
        }
        tables(report.salvagedTables)
        uint32(UInt32(report.quarantinedFiles.count))
        for file in report.quarantinedFiles { string(file) }
        uint32(UInt32(report.lost.count))
        for loss in report.lost {
            tokens(loss.tokens)
            uint64(loss.newest.milliseconds)
        }
        tables(report.skippedTables)
    }

    private mutating func tokens(_ range: ClosedRange<Int64>) {
        uint64(UInt64(bitPattern: range.lowerBound))
        uint64(UInt64(bitPattern: range.upperBound))
    }

    private mutating func tables(_ numbers: [UInt64]) {
        uint32(UInt32(numbers.count))
        for number in numbers { uint64(number) }
    }
}

extension ByteReader {
    private static var pathSize: Int { 4096 }

    fileprivate mutating func upkeepReport(
        in bytes: RawSpan
    ) throws(CodingError) -> StoreUpkeepReport {
        var report = StoreUpkeepReport()
        report.tablesBefore = try uint64(in: bytes, "tables")
        report.tablesAfter = try uint64(in: bytes, "tables")
        report.bytesBefore = try uint64(in: bytes, "bytes")
        report.bytesAfter = try uint64(in: bytes, "bytes")
        report.bytesWritten = try uint64(in: bytes, "bytes written")
        report.bytesRead = try uint64(in: bytes, "bytes read")
        report.tombstonesPurged = try uint64(in: bytes, "tombstones")
        report.omitted = try uint64(in: bytes, "omitted")
        let limit = StoreUpkeepReport.maximumListed
        for _ in 0..<(try count(in: bytes, limit: limit, "damage")) {
            report.damage.append(
                StoreUpkeepReport.Damage(
                    file: try string(in: bytes, limit: Self.pathSize, "file"),
                    offset: try uint64(in: bytes, "offset"),
                    expected: try uint64(in: bytes, "expected"),
                    found: try uint64(in: bytes, "found"),
                    part: try string(in: bytes, limit: 256, "part"),
                    tokens: try flag(in: bytes, "has tokens") ? tokens(in: bytes) : nil
                )
            )
        }
        report.salvagedTables = try tables(in: bytes)
        for _ in 0..<(try count(in: bytes, limit: limit, "files")) {
            report.quarantinedFiles.append(try string(in: bytes, limit: Self.pathSize, "file"))
        }
        for _ in 0..<(try count(in: bytes, limit: limit, "losses")) {
            let range = try tokens(in: bytes)
            let raw = try uint64(in: bytes, "newest")
            let newest = WallClockTime(milliseconds: raw)
            guard newest.milliseconds == raw else { throw .invalid(field: "newest", value: raw) }
            report.lost.append(StoreUpkeepReport.Loss(tokens: range, newest: newest))
        }
        report.skippedTables = try tables(in: bytes)
        return report
    }

    private mutating func flag(
        in bytes: RawSpan,
        _ field: CodingError.StaticText
    ) throws(CodingError) -> Bool {
        let raw = try uint8(in: bytes, field)
        guard raw <= 1 else { throw .invalid(field: field, value: UInt64(raw)) }
        return raw == 1
    }

    private mutating func tokens(in bytes: RawSpan) throws(CodingError) -> ClosedRange<Int64> {
        let first = Int64(bitPattern: try uint64(in: bytes, "first token"))
        let last = Int64(bitPattern: try uint64(in: bytes, "last token"))
        guard first <= last else {
            throw .invalid(field: "last token", value: UInt64(bitPattern: last))
        }
        return first...last
    }

    private mutating func tables(in bytes: RawSpan) throws(CodingError) -> [UInt64] {
        let limit = StoreUpkeepReport.maximumListed
        var numbers: [UInt64] = []
        for _ in 0..<(try count(in: bytes, limit: limit, "tables")) {
            numbers.append(try uint64(in: bytes, "table"))
        }
        return numbers
    }
}
