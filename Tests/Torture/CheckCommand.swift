import Glibc

/// `check`: whether an engine holds what the journal says it has to.
struct CheckCommand {
    private let directory: String
    private let journal: String
    private let isPowerCut: Bool
    private let isRebasing: Bool
    private let isLeftOpen: Bool

    init(_ words: ArraySlice<String>) throws(TortureError) {
        let options = try Options(
            words,
            known: ["directory", "journal"],
            flags: ["power-cut", "rebase", "leave-open"]
        )
        directory = try options.required("directory")
        journal = try options.required("journal")
        isPowerCut = options.has("power-cut")
        isRebasing = options.has("rebase")
        isLeftOpen = options.has("leave-open")
    }

    func run() throws -> Int32 {
        // An engine that never comes up is a failure, not a wait without end.
        alarm(300)
        let history = History(try Journal.entries(of: journal), isPowerCut: isPowerCut)
        var verdict = Verdict()
        do {
            let store = try Store(directory: directory, isSyncLying: false)
            try verdict.examine(store, history)
            if !isLeftOpen { try store.close() }
        } catch {
            verdict.refuse("the engine refuses: \(error)", history)
        }
        for finding in verdict.findings.prefix(20) { print(finding) }
        let counts = CheckCounts(
            acknowledged: history.acknowledged,
            keys: history.keys.count,
            lost: verdict.lost,
            wrong: verdict.wrong
        )
        report(counts.description)
        guard counts.isClean else { return 1 }
        if isRebasing { try Journal.replace(journal, by: history.base(of: verdict.found)) }
        return 0
    }
}

/// What a check comes to, as its last line says it.
struct CheckCounts: Equatable, CustomStringConvertible {
    var acknowledged = 0
    var keys = 0
    var lost = 0
    var wrong = 0

    var isClean: Bool { lost + wrong == 0 }

    var description: String {
        "acknowledged \(acknowledged) keys \(keys) lost \(lost) wrong \(wrong)"
    }
}

extension CheckCounts {
    /// The counts of a check's output, or nil if it has none.
    init?(output: String) {
        guard
            let line = output.split(separator: "\n").last,
            let match = line.wholeMatch(of: /acknowledged (\d+) keys (\d+) lost (\d+) wrong (\d+)/),
            let acknowledged = Int(match.1), let keys = Int(match.2),
            let lost = Int(match.3), let wrong = Int(match.4)
        else { return nil }
        self.init(acknowledged: acknowledged, keys: keys, lost: lost, wrong: wrong)
    }
}
