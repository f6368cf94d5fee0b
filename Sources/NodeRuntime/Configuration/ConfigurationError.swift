/// One thing that is wrong with a configuration file.
package struct ConfigurationFinding: Equatable, Sendable {
    /// Where, as keys joined by dots and places in lists: `members[2].peer`; empty for the file.
    package var path: String
    /// The line, from 1; nil where the file as a whole is meant.
    package var line: Int?
    /// What is wrong and what to do.
    package var message: String

    /// A finding of these parts.
    package init(path: String, line: Int?, message: String) {
        self.path = path
        self.line = line
        self.message = message
    }
}

/// A configuration file that cannot be used, with everything that is wrong with it.
package struct ConfigurationError: Error, Equatable, Sendable {
    /// The file, as it was named.
    package var file: String
    /// What is wrong, in the order of the file; at least one.
    package var findings: [ConfigurationFinding]

    /// An error about one file.
    package init(file: String, findings: [ConfigurationFinding]) {
        self.file = file
        self.findings = findings
    }

    /// An error with a single finding about the file as a whole.
    package init(file: String, message: String) {
        self.init(
            file: file,
            findings: [ConfigurationFinding(path: "", line: nil, message: message)]
        )
    }
}

extension ConfigurationError: CustomStringConvertible {
    /// One line a finding: `node.yaml:7: lanes: must be …`.
    package var description: String {
        findings.map { finding in
            var text = file
            if let line = finding.line { text += ":\(line)" }
            text += ": "
            if !finding.path.isEmpty { text += "\(finding.path): " }
            return text + finding.message
        }.joined(separator: "\n")
    }
}
