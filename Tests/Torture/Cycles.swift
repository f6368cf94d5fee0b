import ClusterPrimitives
import Foundation
import Glibc

/// Writes, ends the writing by force, checks; and again.
struct Cycles {
    var directory: String
    var journal: String
    var count: Int
    var seed: UInt64
    var durability = "group"
    var isPowerCut = false
    var isSyncLying = false
    /// Where to keep what each check is about to open, for somebody to look into it; nil for nowhere.
    var copy: String?

    /// What came of all cycles so far.
    struct Summary {
        var cycles = 0
        var acknowledged = 0
        var lost = 0
        var wrong = 0

        var isClean: Bool { lost + wrong == 0 }
    }

    /// Runs the cycles until one finds a loss.
    ///
    /// - Parameter cut: ends the child by force, and makes the directory ready to be opened again.
    /// - Returns: what came of them.
    /// - Throws: what keeps a cycle from being run: a child that ends by itself, an interrupt.
    func run(_ cut: (Child) throws -> Void) throws -> Summary {
        var random = SeededRandom(seed: seed)
        var summary = Summary()
        let start = Date()
        report("seed \(seed)")
        while summary.cycles < count, summary.isClean {
            try writeAndCut(&random, cut)
            try keepCopy()
            let (output, counts) = try check(isLeftOpen: random.chance(1, in: 2))
            summary.cycles += 1
            summary.acknowledged += counts.acknowledged
            summary.lost += counts.lost
            summary.wrong += counts.wrong
            if !counts.isClean { report("cycle \(summary.cycles):\n\(output)") }
            if summary.cycles % 100 == 0 { report("\(summary.cycles) cycles …") }
        }
        let perMinute = Double(summary.cycles) / -start.timeIntervalSinceNow * 60
        report(
            "cycles \(summary.cycles) acknowledged \(summary.acknowledged) lost \(summary.lost) "
                + "wrong \(summary.wrong) (\(Int(perMinute)) cycles a minute)"
        )
        return summary
    }

    private func writeAndCut(_ random: inout SeededRandom, _ cut: (Child) throws -> Void) throws {
        var words = ["write", "--directory", directory, "--journal", journal]
        words += ["--seed", "\(random.next() >> 32)", "--durability", durability]
        if isSyncLying { words.append("--lying-sync") }
        let before = Journal.size(of: journal)
        // Most cycles are short: what goes wrong does so near the beginning or at a flush.
        let records = random.below(1 << random.number(in: 1...10))
        let child = try Child(words, errors: journal + ".errors")
        try child.start()
        // Two entries of the journal are about one change. The first ones come before the engine
        // is opened.
        try child.wait(until: journal, hasGrownTo: before + JournalEntry.size * (1 + 2 * records))
        if records == 0 { usleep(UInt32(random.below(20_000))) }
        try cut(child)
    }

    private func keepCopy() throws {
        guard let copy else { return }
        for (source, target) in [(directory, copy), (journal, copy + ".journal")] {
            try? FileManager.default.removeItem(atPath: target)
            try FileManager.default.copyItem(atPath: source, toPath: target)
        }
    }

    private func check(isLeftOpen: Bool) throws -> (output: String, counts: CheckCounts) {
        var words = ["check", "--directory", directory, "--journal", journal, "--rebase"]
        if isPowerCut { words.append("--power-cut") }
        if isLeftOpen { words.append("--leave-open") }
        let child = try Child(words, errors: journal + ".errors")
        let (status, output) = try child.run()
        guard let counts = CheckCounts(output: output), (status == 0) == counts.isClean else {
            throw TortureError("check ended with \(status): \(output)\(child.errorText)")
        }
        return (output, counts)
    }
}
