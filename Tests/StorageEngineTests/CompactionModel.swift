import ClusterPrimitives
import StorageEngine

/// A tree of files that are sets of numbers, on which choices are carried out as an engine would.
///
/// Keys are numbers in eight bytes; every key has one size.
struct CompactionModel {
    /// A rule that a choice or its result has broken.
    struct Broken: Error, CustomStringConvertible {
        var description: String
    }

    private struct Reference {
        var number: UInt64
        var order: UInt64
        var lower: [UInt8]
        var upper: [UInt8]?
        var isBusy = false
    }

    let bytesPerKey: Int
    let keysPerFile: Int
    private var files: [UInt64: [UInt64]] = [:]
    private var references: [Reference] = []
    private var running: [CompactionChoice] = []
    private var begun: [[UInt64]] = []
    private var nextNumber: UInt64 = 1
    private var nextOrder: UInt64 = 1
    private(set) var flushedKeys = 0
    private(set) var writtenKeys = 0

    init(bytesPerKey: Int, keysPerFile: Int) {
        self.bytesPerKey = bytesPerKey
        self.keysPerFile = keysPerFile
    }

    var picture: TreePicture {
        TreePicture(parts: references.map(part), running: running, begun: begun)
    }

    var isBusy: Bool { !running.isEmpty }
    var runCount: Int { Set(references.map(\.order)).count }

    /// The most runs that a read of one key would have to look at.
    var deepest: Int {
        let parts = references.map(part)
        let keys = parts.map(\.lower)
        return keys.map { key in
            parts.count { !less(key, $0.lower) && less(key, $0.end) }
        }.max() ?? 0
    }

    /// How many times each key was written, the flush included.
    var amplification: Double { Double(flushedKeys + writtenKeys) / Double(flushedKeys) }

    /// All keys that are found through the references.
    var keys: Set<UInt64> {
        Set(references.flatMap { contents($0) })
    }

    mutating func flush(_ keys: Set<UInt64>) {
        write(keys.sorted(), order: nextOrder)
        nextOrder += 1
        flushedKeys += keys.count
    }

    mutating func setBusy(_ random: inout SeededRandom) {
        for index in references.indices { references[index].isBusy = random.chance(1, in: 12) }
    }

    mutating func clearBusy() {
        for index in references.indices { references[index].isBusy = false }
    }

    /// Takes the moves over and notes the rest as under way.
    mutating func begin(_ choice: CompactionChoice) throws {
        try checkInputs(of: choice)
        for move in choice.moves {
            let index = references.firstIndex {
                $0.number == move.number && $0.lower == move.lower
            }
            guard let index else { throw Broken(description: "no part \(move) to move") }
            let moved = part(references[index])
            if references[index].isBusy || running.contains(where: { touches($0, moved) }) {
                throw Broken(description: "moves \(move), which is busy")
            }
            references[index].order = choice.order
        }
        begun = picture.unfinished
        if !begun.contains(choice.orders) { begun.append(choice.orders) }
        if !choice.inputs.isEmpty { running.append(choice) }
        try checkRuns()
    }

    /// Finishes one of the compactions under way.
    mutating func finish(_ place: Int) throws {
        let choice = running.remove(at: place)
        var merged: Set<UInt64> = []
        var kept: [Reference] = []
        for reference in references {
            let bounds = part(reference)
            guard choice.orders.contains(reference.order), less(bounds.lower, choice.upper),
                less(choice.lower, bounds.end)
            else {
                kept.append(reference)
                continue
            }
            guard choice.inputs.contains(where: { $0.number == reference.number }) else {
                throw Broken(description: "\(bounds) came into the range of \(choice)")
            }
            merged.formUnion(
                contents(reference).filter { number in
                    let key = bytes(number)
                    return !less(key, choice.lower) && less(key, choice.upper)
                }
            )
            if less(bounds.lower, choice.lower) {
                var left = reference
                left.upper = choice.lower
                kept.append(left)
            }
            if less(choice.upper, bounds.end) {
                var right = reference
                right.lower = choice.upper
                kept.append(right)
            }
        }
        references = kept
        writtenKeys += merged.count
        write(merged.sorted(), order: choice.order)
        try checkRuns()
    }

    private func checkInputs(of choice: CompactionChoice) throws {
        guard choice.order == choice.orders.max() else {
            throw Broken(description: "the output's order is not the largest of \(choice)")
        }
        for bounds in references.map(part) where choice.orders.contains(bounds.order) {
            let name = CompactionChoice.Input(number: bounds.number, lower: bounds.lower)
            let isInRange = less(bounds.lower, choice.upper) && less(choice.lower, bounds.end)
            guard isInRange == choice.inputs.contains(name) else {
                throw Broken(description: "\(bounds) is in range \(isInRange) of \(choice)")
            }
            if isInRange, bounds.isBusy || choice.moves.contains(name) {
                throw Broken(description: "merges \(bounds), which is busy or moved")
            }
        }
        for other in running where !Set(other.orders).isDisjoint(with: choice.orders) {
            if !choice.inputs.isEmpty, less(other.lower, choice.upper),
                less(choice.lower, other.upper)
            {
                throw Broken(description: "\(choice) and \(other) overlap")
            }
        }
    }

    private func touches(_ choice: CompactionChoice, _ part: TreePicture.Part) -> Bool {
        choice.orders.contains(part.order) && less(part.lower, choice.upper)
            && less(choice.lower, part.end)
    }

    private func checkRuns() throws {
        for (order, run) in Dictionary(grouping: references, by: \.order) {
            let sorted = run.sorted { less($0.lower, $1.lower) }.map(part)
            for (part, next) in zip(sorted, sorted.dropFirst()) where less(next.lower, part.end) {
                throw Broken(description: "\(part) and \(next) overlap in run \(order)")
            }
        }
    }

    private mutating func write(_ keys: [UInt64], order: UInt64) {
        for start in stride(from: 0, to: keys.count, by: keysPerFile) {
            let file = Array(keys[start..<min(start + keysPerFile, keys.count)])
            files[nextNumber] = file
            references.append(Reference(number: nextNumber, order: order, lower: bytes(file[0])))
            nextNumber += 1
        }
    }

    private func part(_ reference: Reference) -> TreePicture.Part {
        TreePicture.Part(
            number: reference.number,
            order: reference.order,
            lower: reference.lower,
            upper: reference.upper,
            last: bytes(files[reference.number]?.last ?? 0),
            bytes: contents(reference).count * bytesPerKey,
            isBusy: reference.isBusy
        )
    }

    private func contents(_ reference: Reference) -> ArraySlice<UInt64> {
        let file = files[reference.number] ?? []
        let start = place(of: reference.lower, in: file)
        let end = reference.upper.map { place(of: $0, in: file) } ?? file.endIndex
        return file[start..<max(start, end)]
    }

    private func place(of key: [UInt8], in file: [UInt64]) -> Int {
        let number = firstNumber(key)
        var low = 0
        var high = file.count
        while low < high {
            let middle = (low + high) / 2
            if file[middle] < number { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// The smallest number whose bytes do not come before a key.
    private func firstNumber(_ key: [UInt8]) -> UInt64 {
        key.prefix(8).reduce(0) { $0 << 8 | UInt64($1) } + (key.count > 8 ? 1 : 0)
    }

    private func bytes(_ number: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: number >> (56 - 8 * UInt64($0))) }
    }

    private func less(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        left.lexicographicallyPrecedes(right)
    }
}
