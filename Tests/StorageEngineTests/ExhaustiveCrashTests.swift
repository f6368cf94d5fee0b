import ClusterPrimitives
import FileSystems
import Foundation
import StorageEngine
import Testing

/// What an engine can be asked to do that writes to the disk.
private enum Step: Int, CaseIterable {
    case putFirst
    case putBoth
    case delete
    case putUnsynced
    case flush
    case compact
    case upkeep
    case mark
    case reopen
    case dropTree
    case snapshot
    case scrub
}

/// What must be there after a stop, whatever was under way.
private struct Knowledge {
    var sure: [String: [UInt8]] = [:]
    /// States that a stop may lead to instead, the next after each write that was not sure.
    var possible: [[String: [UInt8]]] = []
    var hasTree = true
    var mayLackTree = false

    mutating func wrote(_ change: (inout [String: [UInt8]]) -> Void) {
        var next = possible.last ?? sure
        change(&next)
        possible.append(next)
    }

    mutating func synced() {
        if let last = possible.last { sure = last }
        possible = []
    }

    func admits(_ found: [String: [UInt8]]) -> Bool {
        found == sure || possible.contains(found)
    }
}

@Suite struct `A stop after any call to the disk` {
    /// Every this many of the sequences; all of them when the environment asks for it.
    private static let stride =
        ProcessInfo.processInfo.environment["STARLING_EXHAUSTIVE"] == nil ? 41 : 1

    @Test func `in all sequences of up to three operations loses nothing`() throws {
        var sequences: [[Step]] = []
        for first in Step.allCases {
            sequences.append([first])
            for second in Step.allCases {
                sequences.append([first, second])
                for third in Step.allCases { sequences.append([first, second, third]) }
            }
        }
        var stops = 0
        for (index, sequence) in sequences.enumerated() where index % Self.stride == 0 {
            var call = 0
            while try stop(sequence, after: call, seed: UInt64(index)) {
                call += 1
                stops += 1
            }
        }
        #expect(stops > sequences.count / Self.stride)
        print("\(stops) stops in every \(Self.stride)th of \(sequences.count) sequences")
    }

    private func contents(_ engine: Engine) throws -> [String: [UInt8]] {
        guard engine.trees.contains(1) else { return [:] }
        var contents: [String: [UInt8]] = [:]
        for entry in try engine.allEntries() {
            contents[String(decoding: entry.key, as: UTF8.self)] = entry.value
        }
        return contents
    }

    /// Carries a sequence out on a machine that stops, and looks at what is left.
    ///
    /// - Returns: whether it stopped before the end.
    private func stop(_ sequence: [Step], after calls: Int, seed: UInt64) throws -> Bool {
        var random = SeededRandom(seed: seed &* 1000 &+ UInt64(calls))
        let disk = InMemoryFileSystem()
        let first = try openEngine(disk)
        try first.createTree(1, rule: .overwrite)
        try first.put(batch("a", [1]))
        try first.put(batch("c", [UInt8](repeating: 3, count: 700)))
        try first.flush(tree: 1)
        try first.put(batch("a", [2]))
        try first.close()
        var knowledge = Knowledge(sure: ["a": [2], "c": [UInt8](repeating: 3, count: 700)])
        let machine = StoppingFileSystem(disk, after: calls)
        do {
            var engine = try openEngine(machine)
            for (number, step) in sequence.enumerated() {
                try carryOut(step, number, &engine, machine, &knowledge)
            }
        } catch {
            guard machine.hasStopped else { throw error }
        }
        for _ in 0..<2 {
            let left = disk.crashClone(random: &random)
            let engine = try openEngine(left)
            let found = try contents(engine)
            let isAdmitted =
                knowledge.mayLackTree && (!engine.trees.contains(1) || found.isEmpty)
                || knowledge.admits(found)
            #expect(isAdmitted, "\(sequence), stopped after \(calls) calls: \(found.keys.sorted())")
            #expect(engine.damage.isEmpty, "\(sequence), stopped after \(calls) calls")
            // What recovery made of it is itself safe.
            let again = try openEngine(left.crashClone(random: &random))
            #expect(
                try contents(again) == found,
                "\(sequence), stopped after \(calls) calls, twice"
            )
        }
        return machine.hasStopped
    }

    private func carryOut(
        _ step: Step,
        _ number: Int,
        _ engine: inout Engine,
        _ machine: StoppingFileSystem,
        _ knowledge: inout Knowledge
    ) throws {
        let value = [UInt8](repeating: UInt8(10 + number), count: 300)
        switch step {
        case .putFirst:
            knowledge.wrote { $0["a"] = value }
            try engine.put(batch("a", value))
            knowledge.synced()
        case .putBoth:
            knowledge.wrote {
                $0["b"] = value
                $0["c"] = value
            }
            var both = batch("b", value)
            both.put(tree: 1, prefix: 0, key: Array("c".utf8), value: value)
            try engine.put(both)
            knowledge.synced()
        case .delete:
            knowledge.wrote { $0["a"] = nil }
            var deletion = WriteBatch()
            deletion.delete(tree: 1, prefix: 0, key: Array("a".utf8))
            try engine.put(deletion)
            knowledge.synced()
        case .putUnsynced:
            knowledge.wrote { $0["d"] = value }
            try engine.write(batch("d", value), durability: .written)
        case .flush:
            try engine.sync()
            knowledge.synced()
            try engine.flush(tree: 1)
        case .compact:
            try engine.sync()
            knowledge.synced()
            try engine.setPurgeHorizon(.everything(now: 1), tree: 1)
            try engine.compact(tree: 1)
        case .upkeep:
            while let job = engine.nextMaintenance() { try engine.perform(job) }
        case .mark:
            try engine.writeIdleMark()
        case .reopen:
            try engine.close()
            knowledge.synced()
            engine = try openEngine(machine)
        case .dropTree:
            knowledge.mayLackTree = true
            try engine.dropTree(1)
            try engine.createTree(1, rule: .overwrite)
            knowledge = Knowledge()
        case .snapshot:
            try engine.sync()
            knowledge.synced()
            let path = "/snapshot \(number)"
            try engine.createSnapshot(at: path)
            let trees = try Engine.read(
                directory: path,
                on: machine,
                options: engineOptions(),
                rules: engineRules
            )
            let copy = try #require(trees[1]).scan(maximumEntries: 100)
            #expect(try copy.entries == engine.scan(tree: 1).entries)
        case .scrub:
            #expect(try engine.scrub(tree: 1).findings.isEmpty)
        }
    }
}
