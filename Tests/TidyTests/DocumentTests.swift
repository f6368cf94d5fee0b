import Testing

/// Documents lead where they say, and name what is there.
@Suite struct `Documents` {
    @Test func `every relative link leads to a file`() {
        var findings: [Finding] = []
        for file in Repository.files(suffix: ".md") {
            let folder = file.split(separator: "/").dropLast().joined(separator: "/")
            let siblings = Repository.files(below: folder, suffix: ".md")
            for (index, line) in prose(of: file) {
                for match in line.matches(of: /\]\(([^)\s]+)\)/) {
                    let target = String(match.1)
                    if target.contains("://") || target.hasPrefix("mailto:") { continue }
                    let isFound =
                        target.hasPrefix("#")
                        ? headings(of: file).contains(String(target.dropFirst()))
                        : Repository.exists(resolve(target, from: folder))
                    if isFound { continue }
                    findings.append(
                        Finding(
                            file: file,
                            line: index + 1,
                            found: "](\(target))",
                            advice: "nothing is there; correct the link or take it out"
                        )
                    )
                }
                for match in line.matches(of: /<doc:([\w-]+)>/) {
                    let name = "/\(match.1).md"
                    if siblings.contains(where: { "/\($0)".hasSuffix(name) }) { continue }
                    findings.append(
                        Finding(
                            file: file,
                            line: index + 1,
                            found: "<doc:\(match.1)>",
                            advice: "no article of this name is in the catalogue"
                        )
                    )
                }
            }
        }
        #expect(findings.isEmpty, "\(findings.report)")
    }

    @Test func `the map in the README names every module`() throws {
        let readme = try #require(Repository.text("README.md"), "there is no README.md")
        let missing = Repository.folders(in: "Sources").filter { !readme.contains("`\($0)`") }
        #expect(missing.isEmpty, "not in the README's map of Sources/: \(missing)")
    }

    @Test func `the engine's example in the README is the one that a test runs`() throws {
        let file = "Tests/StorageEngineTests/ReadmeExampleTests.swift"
        let lines = Repository.lines(of: file)
        let begin = try #require(lines.firstIndex { $0.trimmed == "// README: begin" })
        let end = try #require(lines.firstIndex { $0.trimmed == "// README: end" })
        let margin = lines[begin].prefix { $0 == " " }.count
        let program = lines[begin + 1..<end].map { $0.dropFirst(margin) }.joined(separator: "\n")
        #expect(program.count > 500)
        let readme = try #require(Repository.text("README.md"), "there is no README.md")
        #expect(
            readme.contains("let disk = PosixFileSystem()\n\(program)\n```"),
            "the program in \(file) and the one in README.md differ"
        )
    }

    @Test func `no file names a folder of one machine`() {
        // Put together here, so that this file does not find itself.
        let folders = ["work", "home", "Users", "root"].map { "/" + $0 + "/" }
        var findings: [Finding] = []
        for file in Repository.files() + Repository.files(below: ".ci") {
            for (index, line) in Repository.lines(of: file).enumerated() {
                for folder in folders where names(folder, in: line) {
                    findings.append(
                        Finding(
                            file: file,
                            line: index + 1,
                            found: folder,
                            advice: "use a path from the repository's root, or a temporary folder"
                        )
                    )
                }
            }
        }
        #expect(findings.isEmpty, "\(findings.report)")
    }

    /// Whether the folder begins a path here, and is not the end of a longer one.
    private func names(_ folder: String, in line: String) -> Bool {
        guard let range = line.firstRange(of: folder) else { return false }
        guard let before = line[..<range.lowerBound].last else { return true }
        return !(before.isLetter || before.isNumber || "._-~})/".contains(before))
    }

    /// The lines outside code blocks with their indices.
    private func prose(of file: String) -> [(Int, String)] {
        var isCode = false
        var result: [(Int, String)] = []
        for (index, line) in Repository.lines(of: file).enumerated() {
            if line.trimmed.hasPrefix("```") {
                isCode.toggle()
            } else if !isCode {
                result.append((index, line))
            }
        }
        return result
    }

    /// The anchors that headings give.
    private func headings(of file: String) -> Set<String> {
        var anchors: Set<String> = []
        for (_, line) in prose(of: file) where line.hasPrefix("#") {
            let words = line.drop { $0 == "#" }.trimmed.lowercased()
            anchors.insert(
                String(
                    words.compactMap { character in
                        if character == " " { return "-" }
                        let isKept =
                            character.isLetter || character.isNumber || "-_".contains(character)
                        return isKept ? character : nil
                    }
                )
            )
        }
        return anchors
    }

    private func resolve(_ target: String, from folder: String) -> String {
        var parts = folder.split(separator: "/").map(String.init)
        for part in target.prefix(while: { $0 != "#" }).split(separator: "/") {
            switch part {
            case ".": continue
            case "..": _ = parts.popLast()
            default: parts.append(String(part))
            }
        }
        return parts.joined(separator: "/")
    }
}
