import StorageEngine
import TestSupport
import Testing

@Suite struct `Compaction policy` {
    @Test(
        arguments: try Scenario.all(in: "compaction-tiers")
            + Scenario.all(in: "compaction-ranges")
            + Scenario.all(in: "compaction-single")
    )
    func `scenario`(_ scenario: Scenario) throws {
        let drawing = try TreeDrawing(scenario.command)
        let actual = drawing.drawn(drawing.choice)
        #expect(try scenario.matches(actual), "\(actual)")
    }
}

/// A tree drawn with one line a run, over columns that are the keys a to z.
///
/// `[--- 32 ---]` is a part of 32 MiB from the key under `[` to the key under `]`. In it stand also
/// `!` for busy and `30%` for a share of entries that may be purged. Lines that do not begin with
/// `run` set something: `minimumTables 2`, `maximum 64` (MiB), `parallel 1`, `begun 1 2 3 4`,
/// `running 1 2 3 4 from a before m`, `all`.
private struct TreeDrawing {
    struct Unreadable: Error { var line: String }

    var policy = SizeTieredPolicy()
    var picture = TreePicture(parts: [])
    var isManual = false

    init(_ lines: [String]) throws {
        for line in lines { try read(line) }
    }

    var choice: CompactionChoice? {
        isManual ? policy.chooseAll(picture) : policy.choose(picture)
    }

    private mutating func read(_ line: String) throws {
        let words = line.split(separator: " ").map(String.init)
        let numbers = words.compactMap { UInt64($0) }
        switch words.first {
        case "run": try readRun(line)
        case "all": isManual = true
        case "minimumTables": policy.minimumTables = Int(numbers[0])
        case "maximumTables": policy.maximumTables = Int(numbers[0])
        case "parallel": policy.maximumParallel = Int(numbers[0])
        case "maximum": policy.maximumCompactionBytes = Int(numbers[0]) << 20
        case "begun": picture.begun.append(numbers)
        case "running":
            guard let from = words.firstIndex(of: "from"), words.count == from + 4 else {
                throw Unreadable(line: line)
            }
            picture.running.append(
                CompactionChoice(
                    inputs: [],
                    lower: Array(words[from + 1].utf8),
                    upper: Array(words[from + 3].utf8),
                    order: numbers.max() ?? 0,
                    orders: numbers,
                    moves: [],
                    bytes: 0,
                    reason: .sizeTier
                )
            )
        case "keys": break
        default: throw Unreadable(line: line)
        }
    }

    private mutating func readRun(_ line: String) throws {
        let columns = Array(line.utf8)
        guard let order = UInt64(line.dropFirst(4).prefix(2).filter { $0 != " " }) else {
            throw Unreadable(line: line)
        }
        var start: Int?
        for (column, character) in columns.enumerated() {
            if character == UInt8(ascii: "[") { start = column }
            guard character == UInt8(ascii: "]"), let from = start else { continue }
            let text = String(decoding: columns[(from + 1)..<column], as: UTF8.self)
            let words = text.split { " -".contains($0) }
            let ratio = words.first { $0.hasSuffix("%") }.flatMap { Double($0.dropLast()) }
            picture.parts.append(
                TreePicture.Part(
                    number: UInt64(picture.parts.count + 1),
                    order: order,
                    lower: [key(at: from)],
                    last: [key(at: column)],
                    bytes: (words.compactMap { Int($0) }.first ?? 0) << 20,
                    tombstoneRatio: (ratio ?? 0) / 100,
                    mayPurge: ratio != nil,
                    isBusy: words.contains("!")
                )
            )
            start = nil
        }
    }

    private func key(at column: Int) -> UInt8 { UInt8(ascii: "a") + UInt8(column - 7) }

    /// The same picture, with `#` where something is merged, `>` where it is moved and `-` where it
    /// stays.
    func drawn(_ choice: CompactionChoice?) -> String {
        guard let choice else { return "nothing" }
        let runs = choice.orders.map(String.init).joined(separator: " ")
        var lines = ["\(choice.reason): \(runs) become \(choice.order), \(choice.bytes >> 20) MiB"]
        for order in Set(picture.parts.map(\.order)).sorted(by: >) {
            var line = Array(repeating: Character(" "), count: 26)
            for part in picture.parts where part.order == order {
                let name = CompactionChoice.Input(number: part.number, lower: part.lower)
                for column in 0..<26 {
                    let key = [UInt8(ascii: "a") + UInt8(column)]
                    guard !key.lexicographicallyPrecedes(part.lower),
                        key.lexicographicallyPrecedes(part.end)
                    else { continue }
                    let isInRange =
                        !key.lexicographicallyPrecedes(choice.lower)
                        && key.lexicographicallyPrecedes(choice.upper)
                    line[column] =
                        choice.moves.contains(name)
                        ? ">" : choice.inputs.contains(name) && isInRange ? "#" : "-"
                }
            }
            let text = String(line)
            let label = order < 10 ? "run \(order) " : "run \(order)"
            lines.append("\(label) \(text)".trimmingSuffix(while: " "))
        }
        return lines.joined(separator: "\n")
    }
}

extension String {
    fileprivate func trimmingSuffix(while character: Character) -> String {
        var copy = self
        while copy.last == character { copy.removeLast() }
        return copy
    }
}
