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

/// What was found of all keys.
private struct Verdict {
    private(set) var lost = 0
    private(set) var wrong = 0
    private(set) var findings: [String] = []
    /// Per key the versions that it may have; what it holds does not tell them apart.
    private(set) var found: [KeyNumber: [History.Version]] = [:]

    /// Nothing can be read: every key that has to hold something is lost.
    mutating func refuse(_ reason: String, _ history: History) {
        lost = max(1, history.keys.values.count { $0.allSatisfy { !$0.change.isDeletion } })
        findings.insert(reason, at: 0)
    }

    mutating func examine(_ store: Store, _ history: History) throws {
        var scanned = try scan(store)
        for (key, versions) in history.keys {
            let value = try store.value(of: key)
            if scanned.removeValue(forKey: key) != value {
                isWrong("\(key): a scan and a lookup do not agree")
            }
            judge(key, value, versions)
        }
        for key in scanned.keys { isWrong("\(key): it was deleted before, or never written") }
        for writer in history.writers.keys { findHoles(of: writer, history) }
    }

    private mutating func scan(_ store: Store) throws -> [KeyNumber: [UInt8]] {
        var scanned: [KeyNumber: [UInt8]] = [:]
        try store.visitAll { tree, prefix, bytes, value in
            guard let key = KeyNumber(tree: tree, prefix: prefix, bytes: bytes) else {
                isWrong("tree \(tree): a scan finds a key that is none of the test's: \(bytes)")
                return
            }
            if scanned.updateValue(value, forKey: key) != nil {
                isWrong("\(key): a scan finds it twice")
            }
        }
        return scanned
    }

    private mutating func judge(
        _ key: KeyNumber,
        _ value: [UInt8]?,
        _ versions: [History.Version]
    ) {
        let counter = value.flatMap { Value.counter(in: $0, of: key) }
        let fitting = versions.filter { version in
            guard let value else { return version.change.isDeletion }
            return !version.change.isDeletion && value.count == version.change.size
                && (value.isEmpty || counter == version.change.counter)
        }
        found[key] = fitting
        guard fitting.isEmpty, let oldest = versions.first?.change.counter else { return }
        switch (value, counter) {
        case (nil, _): isLost("\(key): absent, \(oldest) was promised")
        case (_, let counter?) where counter < oldest:
            isLost("\(key): holds \(counter), \(oldest) was promised")
        case (_, let counter?): isWrong("\(key): holds \(counter), which cannot be")
        case (let value?, nil) where value.isEmpty:
            isLost("\(key): empty, \(oldest) was promised")
        case (let value?, nil): isWrong("\(key): \(value.count) bytes that nobody wrote")
        }
    }

    /// What is there of a writer's changes must be all up to some batch, and none behind it.
    private mutating func findHoles(of writer: UInt8, _ history: History) {
        var end: UInt64 = 0
        for (key, versions) in found where key.writer == writer {
            end = max(end, versions.first?.batchEnd ?? 0)
        }
        let began = history.writers[writer]?.runBegan ?? 0
        for (key, versions) in found where key.writer == writer {
            guard let last = versions.last?.change.counter else { continue }
            let missing = history.keys[key]?.first { version in
                version.change.counter > max(last, began) && version.change.counter <= end
            }
            guard let missing else { continue }
            isWrong("\(key): \(missing.change.counter) is missing, a later change is there")
        }
    }

    private mutating func isLost(_ finding: String) {
        lost += 1
        findings.append("lost: \(finding)")
    }

    private mutating func isWrong(_ finding: String) {
        wrong += 1
        findings.append("wrong: \(finding)")
    }
}

extension KeyNumber: CustomStringConvertible {
    /// Writer, kind and index.
    var description: String { "writer \(writer) \(isGrown ? "grown" : "hot") key \(index)" }
}
