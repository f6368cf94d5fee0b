import ByteCoding
import ClusterPrimitives
import StorageEngine
import Testing

/// The values are sets of bytes.
private let unionOfBytes = MergeRule(name: "union") { existing, incoming in
    let held = Set(existing.array())
    let added = Set(incoming.array())
    if held.isSuperset(of: added) { return .keepExisting }
    if added.isSuperset(of: held) { return .takeIncoming }
    return .merged(held.union(added).sorted())
}

/// The newest stamp wins, and of equal stamps the larger value.
private let newest = MergeRule(name: "newest", newestStampWins: true) { existing, incoming in
    compareBytes(existing, incoming) < 0 ? .takeIncoming : .keepExisting
}

private struct Held: Equatable {
    var value: [UInt8]
    var stamp: UInt64
}

/// A memtable as a dictionary.
private struct Model {
    var entries: [[UInt8]: Held] = [:]
    let rule: MergeRule

    mutating func insert(
        _ key: [UInt8],
        _ value: [UInt8],
        _ stamp: UInt64
    ) -> ApplyOutcome.Result {
        guard let held = entries[key] else {
            entries[key] = Held(value: value, stamp: stamp)
            return .inserted
        }
        let join: MergeRule.Join
        if rule.newestStampWins, stamp != held.stamp {
            join = stamp > held.stamp ? .takeIncoming : .keepExisting
        } else {
            join = rule.join(held.value.span.bytes, value.span.bytes)
        }
        switch join {
        case .keepExisting:
            return .keptExisting(held.value)
        case .takeIncoming:
            entries[key] = Held(value: value, stamp: stamp)
            return .inserted
        case .merged(let bytes):
            entries[key] = Held(value: bytes, stamp: max(stamp, held.stamp))
            return .merged
        }
    }

    var ascending: [[UInt8]] {
        entries.keys.sorted { $0.lexicographicallyPrecedes($1) }
    }
}

extension Memtable {
    @discardableResult
    fileprivate func put(
        _ key: [UInt8],
        _ value: [UInt8],
        stamp: UInt64 = 1,
        segment: UInt64 = 1,
        rule: MergeRule = .overwrite
    ) -> ApplyOutcome.Result {
        insert(
            ByteRange(offset: 0, count: key.count),
            ByteRange(offset: key.count, count: value.count),
            of: (key + value).span.bytes,
            stamp: stamp,
            segment: segment,
            rule: rule
        )
    }

    fileprivate func value(_ key: [UInt8]) -> Held? {
        find(key.span.bytes) { Held(value: $0.array(), stamp: $1) }
    }

    fileprivate func has(_ key: [UInt8]) -> Bool { mayContain(key.span.bytes) }

    fileprivate func walk(from key: [UInt8] = []) -> [(key: [UInt8], held: Held)] {
        var result: [(key: [UInt8], held: Held)] = []
        var cursor = MemtableCursor(self, from: key.span.bytes)
        while !cursor.isAtEnd {
            let entry = cursor.withEntry { ($0.array(), $1.array()) }
            let first = leadingBytes(of: entry.0.span.bytes, from: 0)
            let second = leadingBytes(of: entry.0.span.bytes, from: 8)
            #expect(cursor.first == first && cursor.second == second)
            result.append((entry.0, Held(value: entry.1, stamp: cursor.stamp)))
            cursor.advance()
        }
        return result
    }
}

/// How the keys of a fill come.
private enum Shape: CaseIterable {
    case random, ascending, descending, clustered, sharedPrefixes, anyLength

    func key(_ index: Int, _ random: inout SeededRandom) -> [UInt8] {
        switch self {
        case .random:
            return orderedKey(random.next(), random.bytes(8).span.bytes)
        case .ascending:
            return orderedKey(0, Array("\(1_000_000 + index)".utf8).span.bytes)
        case .descending:
            return orderedKey(0, Array("\(9_000_000 - index)".utf8).span.bytes)
        case .clustered:
            // Runs in order, several at once.
            let run = random.below(7)
            return orderedKey(UInt64(run), Array("\(1_000_000 + index)".utf8).span.bytes)
        case .sharedPrefixes:
            let shared = [UInt8](repeating: 0x61, count: random.below(40))
            return orderedKey(1, (shared + random.bytes(random.below(3))).span.bytes)
        case .anyLength:
            // Bytes of two values, so that keys often begin alike and are one another's prefixes.
            let length = random.chance(1, in: 4) ? random.below(1017) : random.below(20)
            let key = (0..<length).map { _ in random.chance(1, in: 8) ? 1 as UInt8 : 0 }
            return orderedKey(UInt64(random.below(2)), key.span.bytes)
        }
    }
}

@Suite struct `A memtable` {
    @Test func `an empty memtable has nothing and costs nothing`() {
        let table = Memtable()
        #expect(table.isEmpty)
        #expect(table.count == 0)
        #expect(table.sizeInBytes == 0)
        #expect(table.indexSizeInBytes == 0)
        #expect(table.newestStamp == 0)
        #expect(table.oldestStamp == .max)
        #expect(table.oldestSegment == .max)
        #expect(table.value([1]) == nil)
        #expect(!table.has([UInt8](repeating: 0, count: 8)))
        #expect(table.walk().isEmpty)
    }

    @Test func `a small memtable costs little, and the index little per entry`() {
        let small = Memtable()
        small.put(orderedKey(1, [2].span.bytes), [3])
        #expect(small.sizeInBytes <= 8 << 10)
        var random = SeededRandom(seed: 4)
        for shape in [Shape.random, .ascending, .descending, .clustered] {
            let table = Memtable()
            var bytes = 0
            for index in 0..<20_000 {
                let key = shape.key(index, &random)
                bytes += key.count + 256
                table.put(key, [UInt8](repeating: 1, count: 256))
            }
            #expect(table.indexSizeInBytes <= 64 * table.count, "\(shape)")
            #expect(table.sizeInBytes == table.indexSizeInBytes + bytes, "\(shape)")
        }
    }

    @Test func `sizes follow from the operations alone`() {
        func fill() -> (Int, Int) {
            var random = SeededRandom(seed: 11)
            let table = Memtable()
            for index in 0..<3000 {
                table.put(Shape.random.key(index, &random), random.bytes(random.below(300)))
            }
            return (table.sizeInBytes, table.indexSizeInBytes)
        }
        #expect(fill() == fill())
    }

    @Test func `stamps and segments are the extremes of what came in`() {
        let table = Memtable()
        table.put([1], [1], stamp: 50, segment: 7, rule: newest)
        table.put([1], [2], stamp: 70, segment: 9, rule: newest)
        #expect(table.put([1], [3], stamp: 40, segment: 8, rule: newest) == .keptExisting([2]))
        table.put([2], [2], stamp: 60, segment: 6, rule: newest)
        #expect(table.newestStamp == 70)
        #expect(table.oldestStamp == 50)
        #expect(table.oldestSegment == 6)
    }

    @Test func `a merged value has the larger of both stamps`() {
        let table = Memtable()
        table.put([9], [1], stamp: 5, rule: unionOfBytes)
        #expect(table.put([9], [2], stamp: 3, rule: unionOfBytes) == .merged)
        #expect(table.value([9]) == Held(value: [1, 2], stamp: 5))
        #expect(table.put([9], [3], stamp: 8, rule: unionOfBytes) == .merged)
        #expect(table.value([9]) == Held(value: [1, 2, 3], stamp: 8))
        #expect(table.put([9], [2], stamp: 9, rule: unionOfBytes) == .keptExisting([1, 2, 3]))
        #expect(table.value([9])?.stamp == 8)
        #expect(table.oldestStamp == 3)
        #expect(table.count == 1)
    }

    @Test(arguments: 0..<18 as Range<UInt64>)
    func `it does what a dictionary does, under each rule and shape of keys`(
        _ seed: UInt64
    ) throws {
        let shapes = Shape.allCases
        let shape = shapes[Int(seed) % shapes.count]
        let rule = [.overwrite, newest, unionOfBytes][Int(seed) / shapes.count]
        var random = SeededRandom(seed: seed)
        var model = Model(rule: rule)
        var keys: [[UInt8]] = []
        let table = Memtable()
        for index in 0..<2500 {
            let isNew = keys.isEmpty || random.chance(3, in: 4)
            let key = isNew ? shape.key(index, &random) : keys[random.below(keys.count)]
            if isNew { keys.append(key) }
            let value = (0..<random.below(6)).map { _ in UInt8(random.below(8)) }
            let stamp = UInt64(random.below(1000))
            let expected = model.insert(key, value, stamp)
            let outcome = table.put(key, value, stamp: stamp, rule: rule)
            try #require(outcome == expected, "seed \(seed) at \(index)")
            let other = random.chance(1, in: 2) ? key : shape.key(index + 1, &random)
            try #require(table.value(other) == model.entries[other], "seed \(seed) at \(index)")
            #expect(table.has(other) == (model.entries[other] != nil), "seed \(seed)")
        }
        let sorted = model.ascending
        #expect(table.count == sorted.count)
        for key in sorted {
            try #require(table.value(key) == model.entries[key], "seed \(seed)")
        }
        let walked = table.walk()
        #expect(walked.map(\.key) == sorted, "seed \(seed)")
        #expect(walked.allSatisfy { model.entries[$0.key] == $0.held }, "seed \(seed)")
        for _ in 0..<20 {
            let from =
                random.chance(1, in: 2)
                ? keys[random.below(keys.count)] : shape.key(random.below(2500), &random)
            let behind = sorted.drop { $0.lexicographicallyPrecedes(from) }
            var cursor = MemtableCursor(table, from: from.span.bytes)
            for key in behind.prefix(200) {
                try #require(!cursor.isAtEnd, "seed \(seed)")
                try #require(cursor.withEntry { key, _ in key.array() } == key, "seed \(seed)")
                cursor.advance()
            }
            #expect(behind.count > 200 || cursor.isAtEnd, "seed \(seed)")
        }
    }

    @Test func `values may be longer than any chunk`() {
        let table = Memtable()
        let sizes = [0, 1, 4000, 65_000, 65_536, 262_144, 1 << 20, 9 << 20, 3]
        func value(_ index: Int) -> [UInt8] {
            [UInt8](repeating: UInt8(index + 1), count: sizes[index])
        }
        for index in sizes.indices { table.put([UInt8(index)], value(index)) }
        for index in sizes.indices {
            #expect(table.value([UInt8(index)])?.value == value(index))
        }
        #expect(table.walk().map(\.held.value.count) == sizes)
        #expect(table.indexSizeInBytes < 512 << 10)
    }

    @Test func `a cursor outlives the caller's hold on the memtable`() {
        func cursor() -> MemtableCursor {
            let table = Memtable()
            for index in 0..<200 as Range<UInt8> { table.put([index], [index]) }
            return MemtableCursor(table, from: [UInt8]().span.bytes)
        }
        var cursor = cursor()
        var sum = 0
        while !cursor.isAtEnd {
            sum += cursor.withEntry { _, value in Int(value.array()[0]) }
            cursor.advance()
        }
        #expect(sum == 199 * 200 / 2)
        cursor.advance()
        #expect(cursor.isAtEnd)
        #expect(cursor.stamp == 0)
    }

    @Test func `a cursor goes on where it was while keys come around it`() {
        let table = Memtable()
        for index in stride(from: 1, to: 200, by: 2) { table.put([UInt8(index)], []) }
        var cursor = MemtableCursor(table, from: [UInt8]().span.bytes)
        var seen: [UInt8] = []
        while !cursor.isAtEnd {
            let key = cursor.withEntry { key, _ in key.array()[0] }
            seen.append(key)
            // One before, one behind the next entry at first.
            table.put([key - 1], [])
            if key < 200 { table.put([key + 3], []) }
            cursor.advance()
        }
        let ascending = zip(seen, seen.dropFirst()).allSatisfy { $0 < $1 }
        #expect(ascending)
        #expect(Set(seen).isSuperset(of: stride(from: 1, to: 200, by: 2).map(UInt8.init)))
    }

    @Test(arguments: [1, 61] as [UInt64])
    func `a cursor goes on from any entry after its leaf was split`(_ stride: UInt64) throws {
        let count: UInt64 = 100
        func put(_ number: UInt64, _ table: Memtable) {
            table.put(orderedKey(number, [UInt8]().span.bytes), [])
        }
        for passed in 20..<Int(count) {
            let table = Memtable()
            for index in 0..<count { put(2 * (index * stride % count), table) }
            var cursor = MemtableCursor(table, from: [UInt8]().span.bytes)
            for _ in 0..<passed { cursor.advance() }
            for index in 0..<count { put(2 * (index * stride % count) + 1, table) }
            for number in UInt64(2 * passed)..<(2 * count) {
                try #require(cursor.first == number, "after \(passed)")
                cursor.advance()
            }
            #expect(cursor.isAtEnd)
        }
    }
}
