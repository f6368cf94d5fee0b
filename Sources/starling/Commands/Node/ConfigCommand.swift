import ArgumentParser
import NodeRuntime

/// The command `starling config`.
struct ConfigCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config",
        abstract: "Show, check and write configurations.",
        subcommands: [
            ConfigShowCommand.self, ConfigValidateCommand.self, ConfigTemplateCommand.self,
        ]
    )
}

/// The command `starling config template`.
struct ConfigTemplateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "template",
        abstract: "Print a node's configuration with every key explained.",
        discussion: """
            EXAMPLES:
              starling config template > node.yaml
            """
    )

    func run() throws {
        Console.write(ServerConfiguration.template)
    }
}

/// The command `starling config validate`.
struct ConfigValidateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "validate",
        abstract: "Check a node's configuration and the files that it names.",
        discussion: """
            Everything that is wrong is told at once, one line each; the exit code is 78 then.

            EXAMPLES:
              starling config validate node.yaml
              starling config validate node.yaml -o json
            """
    )

    @Argument(help: "The node's configuration.")
    var file: String

    @OptionGroup var output: OutputOptions

    func run() throws {
        let findings = findings()
        if output.isJSON {
            let list = findings.map { finding in
                JSONValue.object([
                    ("path", .string(finding.path)),
                    ("line", finding.line.map(JSONValue.integer) ?? .null),
                    ("message", .string(finding.message)),
                ])
            }
            Console.print(
                JSONValue.object([
                    ("file", .string(file)), ("valid", .bool(findings.isEmpty)),
                    ("findings", .array(list)),
                ]).text
            )
            if !findings.isEmpty { throw CommandExit(.configuration) }
        } else if findings.isEmpty {
            Console.print("\(file) is valid.")
        } else {
            throw ConfigurationReport.tell(ConfigurationError(file: file, findings: findings))
        }
    }

    private func findings() -> [ConfigurationFinding] {
        do throws(ConfigurationError) {
            return try ServerConfiguration(file: file).findingsInFiles()
        } catch {
            return error.findings
        }
    }
}
