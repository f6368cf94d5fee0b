import ByteCoding
import StorageEngine
import Synchronization
import Testing

/// One writer goes through a permutation of keys again and again, with a larger value each time.
private final class Race: Sendable {
    static let keyCount = 1 << 11
    static let rounds = 2

    let table = Memtable()
    /// Number of insertions that are over.
    let written = Atomic<Int>(0)
    let clusters: UInt64

    /// - Parameter clusters: number of different prefixes.
    init(clusters: UInt64) {
        self.clusters = clusters
    }

    var isOver: Bool { written.load(ordering: .acquiring) == Self.keyCount * Self.rounds }

    /// The key that is written in step `step` of each round: odd multiples permute the numbers.
    func key(_ step: Int) -> [UInt8] {
        let number = step &* 1367 & (Self.keyCount - 1)
        let text = Array("a key that begins like others \(100_000 + number)".utf8)
        return orderedKey(UInt64(number) % clusters, text.span.bytes)
    }

    /// The value of a step holds its number, and its key so that a mix-up shows.
    func write() async {
        for step in 0..<Self.keyCount * Self.rounds {
            let key = key(step % Self.keyCount)
            var writer = ByteWriter()
            writer.raw(ByteRange(offset: 0, count: key.count), of: key.span.bytes)
            writer.uint64(UInt64(step))
            writer.raw(ByteRange(offset: 0, count: key.count), of: key.span.bytes)
            _ = table.insert(
                ByteRange(offset: 0, count: key.count),
                ByteRange(offset: key.count, count: key.count + 8),
                of: writer.bytes.span.bytes,
                stamp: UInt64(step),
                segment: 1,
                rule: .overwrite
            )
            written.store(step + 1, ordering: .releasing)
            if step & 255 == 0 { await Task.yield() }
        }
    }

    /// The step of the newest insertion of a key among the first `before`; nil if there is none.
    func newestStep(_ step: Int, before: Int) -> Int? {
        guard before > step else { return nil }
        return step + (before - 1 - step) / Self.keyCount * Self.keyCount
    }

    /// What a value says, if it is whole.
    func step(_ key: RawSpan, _ value: RawSpan, _ stamp: UInt64) -> Int? {
        guard value.byteCount == key.byteCount + 8 else { return nil }
        let copy = value.extracting(8..<value.byteCount)
        let step = unsafe value.unsafeLoadUnaligned(as: UInt64.self)
        return compareBytes(copy, key) == 0 && step == stamp ? Int(step) : nil
    }

    /// Looks keys up until the writer is done; returns what went wrong.
    ///
    /// Yields now and then, so that the writer comes on however few threads there are.
    func look(_ reader: Int) async -> [String] {
        var failures: [String] = []
        var probe = reader
        var lookups = 0
        while !isOver || lookups == 0, failures.isEmpty {
            probe += 7919
            lookups += 1
            if lookups & 255 == 0 { await Task.yield() }
            let before = written.load(ordering: .acquiring)
            // Every other key is one of the newest, where the writer is at work.
            let wanted = probe & 1 == 0 ? probe : before + Self.keyCount - probe % 64
            let key = key(wanted % Self.keyCount)
            let least = newestStep(wanted % Self.keyCount, before: before)
            let found = table.find(key.span.bytes) { step(key.span.bytes, $0, $1) ?? -1 }
            if (found ?? -1) < (least ?? -1) || found == -1 {
                failures.append("\(key) gave \(String(describing: found)) after \(before)")
            }
        }
        return failures
    }

    /// Walks until the writer is done; returns what went wrong.
    func walk(_ reader: Int) async -> [String] {
        var failures: [String] = []
        var probe = reader
        var walks = 0
        while !isOver || walks == 0, failures.isEmpty {
            walks += 1
            await Task.yield()
            probe += 7919
            let from = walks & 1 == 0 ? [] : key(probe % Self.keyCount)
            let before = written.load(ordering: .acquiring)
            var last: [UInt8] = []
            var seen: Set<[UInt8]> = []
            var cursor = MemtableCursor(table, from: from.span.bytes)
            while !cursor.isAtEnd {
                let (key, said) = cursor.withEntry { ($0.array(), step($0, $1, cursor.stamp)) }
                let isBehind = last.isEmpty || last.lexicographicallyPrecedes(key)
                if said == nil || !isBehind || key.lexicographicallyPrecedes(from) {
                    failures.append("\(key) with \(String(describing: said)) behind \(last)")
                    break
                }
                last = key
                seen.insert(key)
                cursor.advance()
            }
            for step in 0..<min(before, Self.keyCount) {
                let key = key(step)
                if !key.lexicographicallyPrecedes(from), !seen.contains(key) {
                    failures.append("\(key) was left out")
                    break
                }
            }
        }
        return failures
    }
}

/// One writer fills small memtables one after another, so that readers meet many splits.
private final class Relay: Sendable {
    static let tableCount = 300
    static let keyCount = 200

    let tables = (0..<tableCount).map { _ in Memtable() }
    /// Number of insertions that are over.
    let written = Atomic<Int>(0)

    var isOver: Bool { written.load(ordering: .acquiring) == Self.tableCount * Self.keyCount }

    /// The key that is inserted in step `step` of each table: odd multiples permute the numbers.
    func key(_ step: Int) -> [UInt8] {
        orderedKey(UInt64(step * 77 % Self.keyCount), [UInt8]().span.bytes)
    }

    func write() async {
        for index in 0..<Self.tableCount * Self.keyCount {
            let key = key(index % Self.keyCount)
            _ = tables[index / Self.keyCount].insert(
                ByteRange(offset: 0, count: key.count),
                ByteRange(offset: 0, count: key.count),
                of: key.span.bytes,
                stamp: 1,
                segment: 1,
                rule: .overwrite
            )
            written.store(index + 1, ordering: .releasing)
            if index & 1023 == 0 { await Task.yield() }
        }
    }

    /// Looks keys up and walks until the writer is done; returns what went wrong.
    func read(_ reader: Int) async -> [String] {
        var failures: [String] = []
        var turns = reader
        while !isOver, failures.isEmpty {
            turns += 1
            if turns & 255 == 0 { await Task.yield() }
            let before = written.load(ordering: .acquiring)
            let count = before % Self.keyCount
            guard count > 0 else { continue }
            let table = tables[before / Self.keyCount]
            let key = key(turns % count)
            if table.find(key.span.bytes, { value, _ in value.array() }) != key {
                failures.append("key \(turns % count) of \(before) was not found")
            }
            if turns & 63 == 0 {
                let walked = walk(table)
                let isAscending = zip(walked, walked.dropFirst()).allSatisfy { $0 < $1 }
                let expected = (0..<count).map { UInt64($0 * 77 % Self.keyCount) }
                if !isAscending || !Set(walked).isSuperset(of: expected) {
                    failures.append("a walk after \(before) gave \(walked)")
                }
            }
        }
        return failures
    }

    private func walk(_ table: Memtable) -> [UInt64] {
        var result: [UInt64] = []
        var cursor = MemtableCursor(table, from: [UInt8]().span.bytes)
        while !cursor.isAtEnd {
            result.append(cursor.first)
            cursor.advance()
        }
        return result
    }
}

@Suite struct `A memtable with readers beside its writer` {
    @Test(arguments: [1, 3, 1 << 11] as [UInt64])
    func `each reader finds what was written before it began, and cursors leave nothing out`(
        _ clusters: UInt64
    ) async {
        let race = Race(clusters: clusters)
        await withTaskGroup(of: [String].self) { group in
            group.addTask {
                await race.write()
                return []
            }
            for reader in 0..<2 {
                group.addTask { await race.look(reader) }
                group.addTask { await race.walk(reader) }
            }
            for await failures in group { #expect(failures == []) }
        }
        #expect(race.table.count == Race.keyCount)
        #expect(await race.walk(0) == [])
    }

    @Test func `readers find their keys while leaves are split under them`() async {
        let relay = Relay()
        await withTaskGroup(of: [String].self) { group in
            group.addTask {
                await relay.write()
                return []
            }
            for reader in 0..<3 {
                group.addTask { await relay.read(reader * 7919) }
            }
            for await failures in group { #expect(failures == []) }
        }
        #expect(relay.tables.allSatisfy { $0.count == Relay.keyCount })
    }
}
