import ClusterPrimitives
import ArgumentParser
import StarlingClient

/// The commands that an argument list names, from the root to the one that will run.
struct CommandPath {
    /// The command that the arguments name.
    private(set) var leaf: any ParsableCommand.Type
    /// Names of the commands below the root.
    private(set) var names: [String] = []
    /// Arguments behind the names.
    private(set) var rest: [String]

    /// Follows the arguments as far as they name commands.
    ///
    /// - Throws: a usage error that names the nearest command, where one is unknown.
    init(_ arguments: [String], root: any ParsableCommand.Type) throws {
        leaf = root
        rest = arguments
        while !leaf.configuration.subcommands.isEmpty, let next = rest.first {
            if next.hasPrefix("-") || next == "help" { break }
            let commands = leaf.configuration.subcommands
            guard
                let command = commands.first(where: {
                    $0._commandName == next || $0.configuration.aliases.contains(next)
                })
            else {
                throw Self.unknown(next, behind: names, among: commands.map { $0._commandName })
            }
            leaf = command
            names.append(next)
            rest.removeFirst()
        }
        // `starling dev --nodes 1` runs the verb that `dev` has by default.
        let asksForHelp = rest.contains { ["-h", "--help", "help"].contains($0) }
        if !asksForHelp, let command = leaf.configuration.defaultSubcommand { leaf = command }
    }

    private static func unknown(
        _ name: String,
        behind names: [String],
        among commands: [String]
    ) -> CommandError {
        let prefix = (["starling"] + names).joined(separator: " ")
        let nearest = NearestName.closest(to: name, among: commands)
        return .usage(
            "there is no command '\(prefix) \(name)'.",
            advice: nearest.map { "Did you mean '\(prefix) \($0)'?" }
                ?? "Known here: \(commands.joined(separator: ", "))."
        )
    }
}
