import ClusterPrimitives
import StarlingClient

/// The figures of a report that belong to a kind of upkeep.
struct UpkeepColumns {
    /// The work.
    let kind: StoreUpkeep
    /// What it came to.
    let report: StoreUpkeepReport

    /// Heads of the columns.
    static func names(of kind: StoreUpkeep) -> [String] {
        switch kind {
        case .flush: ["WRITTEN#"]
        case .compact: ["TABLES#", "AFTER#", "BYTES#", "AFTER#", "PURGED#"]
        case .verify: ["TABLES#", "BYTES#", "DAMAGE#"]
        case .scrub: ["TABLES#", "BYTES#", "DAMAGE#", "SALVAGED#", "LOST#", "SKIPPED#"]
        }
    }

    /// The texts of a row; exact ones are bare numbers.
    func cells(isExact: Bool) -> [String] {
        func size(_ bytes: UInt64) -> String { isExact ? String(bytes) : Figures.size(bytes) }
        switch kind {
        case .flush:
            return [size(report.bytesWritten)]
        case .compact:
            return [
                String(report.tablesBefore), String(report.tablesAfter), size(report.bytesBefore),
                size(report.bytesAfter), String(report.tombstonesPurged),
            ]
        case .verify:
            return [
                String(report.tablesBefore), size(report.bytesRead), String(report.damage.count),
            ]
        case .scrub:
            return [
                String(report.tablesBefore), size(report.bytesRead), String(report.damage.count),
                String(report.salvagedTables.count), String(report.lost.count),
                String(report.skippedTables.count),
            ]
        }
    }

    /// Whether an operator has something left to do: damage that was only found.
    var needsAttention: Bool {
        kind == .scrub
            ? !report.skippedTables.isEmpty : !report.damage.isEmpty || report.omitted > 0
    }

    /// A line for each finding, for people.
    var details: [String] {
        var lines: [String] = []
        for damage in report.damage {
            lines.append(
                "\(damage.file) is damaged at byte \(damage.offset): \(damage.part), expected "
                    + "\(Self.hexadecimal(damage.expected)), found "
                    + Self.hexadecimal(damage.found)
                    + (damage.tokens.map { "; tokens \(Self.text($0)) are unknown" } ?? "")
            )
        }
        for file in report.quarantinedFiles { lines.append("the damaged file is kept as \(file)") }
        for loss in report.lost {
            lines.append(
                "records of tokens \(Self.text(loss.tokens)), written until \(loss.newest), may "
                    + "be lost here"
            )
        }
        for table in report.skippedTables {
            lines.append("table \(table) is damaged and was busy; scrub again")
        }
        if report.omitted > 0 { lines.append("\(report.omitted) more findings are not listed") }
        return lines
    }

    /// The members of the object that `-o json` prints.
    var members: [JSONValue.Member] {
        func figure(_ value: UInt64) -> JSONValue { .integer(Int(clamping: value)) }
        switch kind {
        case .flush:
            return [("bytes_written", figure(report.bytesWritten))]
        case .compact:
            return [
                ("tables_before", figure(report.tablesBefore)),
                ("tables_after", figure(report.tablesAfter)),
                ("bytes_before", figure(report.bytesBefore)),
                ("bytes_after", figure(report.bytesAfter)),
                ("tombstones_purged", figure(report.tombstonesPurged)),
            ]
        case .verify, .scrub:
            let read: [JSONValue.Member] = [
                ("tables", figure(report.tablesBefore)), ("bytes", figure(report.bytesRead)),
                ("damage", .array(report.damage.map(Self.json))),
            ]
            let omitted: JSONValue.Member = ("omitted", figure(report.omitted))
            guard kind == .scrub else { return read + [omitted] }
            let scrubbed: [JSONValue.Member] = [
                ("salvaged_tables", .array(report.salvagedTables.map(figure))),
                (
                    "quarantined_files",
                    .array(report.quarantinedFiles.map(JSONValue.string))
                ),
                (
                    "lost",
                    .array(
                        report.lost.map {
                            .object([
                                ("tokens", Self.json($0.tokens)),
                                ("newest", .string($0.newest.description)),
                            ])
                        }
                    )
                ),
                ("skipped_tables", .array(report.skippedTables.map(figure))),
            ]
            return read + scrubbed + [omitted]
        }
    }

    private static func json(_ damage: StoreUpkeepReport.Damage) -> JSONValue {
        .object([
            ("file", .string(damage.file)),
            ("offset", .integer(Int(clamping: damage.offset))),
            ("expected", .string(hexadecimal(damage.expected))),
            ("found", .string(hexadecimal(damage.found))),
            ("part", .string(damage.part)),
            ("tokens", damage.tokens.map(json) ?? .null),
        ])
    }

    /// Tokens are strings, as in `ring`: not every reader of JSON keeps 64 bits.
    private static func json(_ tokens: ClosedRange<Int64>) -> JSONValue {
        .object([
            ("first", .string(String(tokens.lowerBound))),
            ("last", .string(String(tokens.upperBound))),
        ])
    }

    private static func text(_ tokens: ClosedRange<Int64>) -> String {
        "\(tokens.lowerBound) to \(tokens.upperBound)"
    }

    private static func hexadecimal(_ value: UInt64) -> String {
        "0x" + String(value, radix: 16)
    }
}
