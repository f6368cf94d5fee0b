/// What was found of all keys.
struct Verdict {
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
