import Testing

/// Imports point down the list of modules.
@Suite struct `Layers of modules` {
    /// `import X` with any access level and attributes; the module is the capture.
    private static var importLine: Regex<(Substring, Substring)> {
        /^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:(?:public|package|internal|fileprivate|private)\s+)?import\s+(?:struct\s+|class\s+|enum\s+|protocol\s+|func\s+)?(\w+)/
    }

    @Test func `each module imports only modules below it`() {
        var findings: [Finding] = []
        forEachImport { file, line, module, imported in
            guard let own = Layers.order.firstIndex(of: module),
                let other = Layers.order.firstIndex(of: imported)
            else { return }
            if other >= own {
                findings.append(
                    Finding(
                        file: file,
                        line: line,
                        found: "import \(imported)",
                        advice: "\(imported) lies above \(module); move what is shared down, or "
                            + "pass a value in"
                    )
                )
            }
            for rule in Layers.separated where rule.module == module && rule.from == imported {
                findings.append(
                    Finding(
                        file: file,
                        line: line,
                        found: "import \(imported)",
                        advice: "\(module) is kept apart from \(imported): \(rule.reason)"
                    )
                )
            }
        }
        #expect(findings.isEmpty, "\(findings.report)")
    }

    @Test func `pure modules import nothing of the world outside`() {
        var findings: [Finding] = []
        forEachImport { file, line, module, imported in
            guard Layers.pure.contains(module), !Layers.order.contains(imported),
                !Layers.allowedOutside.contains(imported), !Layers.systemFiles.contains(file)
            else { return }
            findings.append(
                Finding(
                    file: file,
                    line: line,
                    found: "import \(imported)",
                    advice: "\(module) is pure: time, randomness, disk and network are arguments; "
                        + "put this into NodeRuntime, StarlingClient or the program"
                )
            )
        }
        #expect(findings.isEmpty, "\(findings.report)")
    }

    @Test func `only MutualTLS knows OpenSSL, and nothing knows another TLS`() {
        let others: Set = ["NIOSSL", "CNIOBoringSSL", "Crypto", "_CryptoExtras", "CryptoExtras"]
        var findings: [Finding] = []
        forEachImport { file, line, module, imported in
            if others.contains(imported) || (imported == "COpenSSL" && module != "MutualTLS") {
                findings.append(
                    Finding(
                        file: file,
                        line: line,
                        found: "import \(imported)",
                        advice: "TLS and certificates are MutualTLS's, over the system's OpenSSL"
                    )
                )
            }
        }
        for file in ["Package.swift", "Package.resolved"] {
            for (index, line) in Repository.lines(of: file).enumerated() {
                for name in ["swift-nio-ssl", "swift-crypto", "boringssl"]
                where line.lowercased().contains(name) {
                    findings.append(
                        Finding(
                            file: file,
                            line: index + 1,
                            found: name,
                            advice: "no dependency may bring a second TLS library; use MutualTLS"
                        )
                    )
                }
            }
        }
        #expect(findings.isEmpty, "\(findings.report)")
    }

    @Test func `the list of layers is the one of Package.swift, and every folder is in it`() {
        let declaration = /(?:module\(|systemLibrary\(|arget\()\s*(?:name:\s*)?"(\w+)"/
        let manifest = Repository.text("Package.swift") ?? ""
        let start = manifest.firstRange(of: "    targets: [\n")?.upperBound ?? manifest.endIndex
        let declared = manifest[start...].matches(of: declaration).map { String($0.1) }
            .filter { !["TestSupport", "FrameFuzzing"].contains($0) }
        #expect(declared == Layers.order, "change Layers.order together with Package.swift")

        let folders = Repository.folders(in: "Sources")
        let unknown = folders.filter { !Layers.order.contains($0) }
        #expect(unknown.isEmpty, "folders of Sources/ that no layer names: \(unknown)")
    }

    private func forEachImport(
        _ body: (_ file: String, _ line: Int, _ module: String, _ imported: String) -> Void
    ) {
        for module in Repository.folders(in: "Sources") {
            for (file, source) in Repository.sources(of: module) {
                for (index, line) in source.code.enumerated() where line.contains("import") {
                    guard let match = line.firstMatch(of: Self.importLine) else { continue }
                    body(file, index + 1, module, String(match.1))
                }
            }
        }
    }
}
