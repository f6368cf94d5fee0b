import Testing

/// Rules about the sources that the compiler does not know.
@Suite struct `Sources` {
    @Test func `pure modules and the simulation ask no clock, no global randomness, no executor`() {
        var findings: [Finding] = []
        for module in Layers.deterministic.sorted() {
            for (file, source) in Repository.sources(of: module)
            where !Layers.systemFiles.contains(file) {
                findings += banned(BannedWord.inPureModules, in: source, named: file)
            }
        }
        #expect(findings.isEmpty, "\(findings.report)")
    }

    @Test func `nothing traps by try!, fatalError or as!`() {
        let findings = Repository.sources.flatMap {
            banned(BannedWord.everywhere, in: $0.value, named: $0.key)
        }
        #expect(findings.isEmpty, "\(findings.report)")
    }

    @Test func `no work is left for later in a comment`() {
        var findings: [Finding] = []
        // Put together here, so that this file does not find itself.
        let words = ["FIX" + "ME", "TO" + "DO", "XX" + "X"]
        for (file, source) in Repository.sources {
            for (index, line) in source.lines.enumerated() {
                for word in words where line.contains(word) {
                    findings.append(
                        Finding(
                            file: file,
                            line: index + 1,
                            found: word,
                            advice: "do it now, or leave it out and open an issue"
                        )
                    )
                }
            }
        }
        #expect(findings.isEmpty, "\(findings.report)")
    }

    @Test func `hashed collections are not walked in their own order`() {
        let walk = /\bfor\b.*\bin\b.*\.(keys|values)\b/
        var findings: [Finding] = []
        for module in Layers.deterministic.sorted() {
            for (file, source) in Repository.sources(of: module) {
                for (index, line) in source.code.enumerated() where line.contains(walk) {
                    // `0..<settings.keys` counts, it does not walk.
                    let isSorted = line.contains("sorted") || line.contains("..<")
                    let isExplained = source.explains("order", above: index)
                    if isSorted || isExplained { continue }
                    findings.append(
                        Finding(
                            file: file,
                            line: index + 1,
                            found: line.trimmed,
                            advice: "the order differs from run to run; walk `.sorted()` keys or "
                                + "an array, or say in a comment above why the order has no effect"
                        )
                    )
                }
            }
        }
        #expect(findings.isEmpty, "\(findings.report)")
    }

    private func banned(
        _ words: [BannedWord],
        in source: SourceText,
        named file: String
    ) -> [Finding] {
        var findings: [Finding] = []
        for (index, line) in source.code.enumerated() {
            for word in words where line.contains(word.pattern) {
                findings.append(
                    Finding(file: file, line: index + 1, found: word.name, advice: word.advice)
                )
            }
        }
        return findings
    }
}

extension SourceText {
    /// Whether a comment on this line or directly above it has the word.
    func explains(_ word: String, above index: Int) -> Bool {
        if lines[index].contains("//"), lines[index].contains(word) { return true }
        var above = index - 1
        while above >= 0, lines[above].trimmed.hasPrefix("//") {
            if lines[above].lowercased().contains(word) { return true }
            above -= 1
        }
        return false
    }
}

extension StringProtocol {
    /// The text without spaces at its ends.
    var trimmed: String {
        var rest = self[...]
        while rest.first?.isWhitespace == true { rest = rest.dropFirst() }
        while rest.last?.isWhitespace == true { rest = rest.dropLast() }
        return String(rest)
    }
}
