import ArgumentParser

/// Options that stand in the environment: each option `--long-name` of a command may be given
/// as `STARLING_LONG_NAME`, but for the causal `--context`.
enum EnvironmentOptions {
    private static let prefix = "STARLING_"
    private static let unmirrored = ["context", "help", "version"]

    /// The arguments, with the options that only the environment gives put behind the command.
    static func completed(
        _ path: CommandPath,
        environment: [String: String]
    ) -> [String] {
        let variables = environment.filter { $0.key.hasPrefix(prefix) && !$0.value.isEmpty }
        guard !variables.isEmpty, path.leaf.configuration.subcommands.isEmpty else {
            return path.names + path.rest
        }
        var added: [String] = []
        for option in options(of: path.leaf) {
            guard let long = option.longName, !unmirrored.contains(long),
                let value = variables[variable(long)], !isGiven(option, in: path.rest)
            else { continue }
            if option.isFlag {
                if ["1", "true", "yes"].contains(value.lowercased()) { added.append("--" + long) }
            } else {
                added += ["--" + long + "=" + value]
            }
        }
        return path.names + added + path.rest
    }

    /// The variable that mirrors an option: `STARLING_VALUE_SIZE` for `value-size`.
    static func variable(_ longName: String) -> String {
        prefix + longName.uppercased().replacing("-", with: "_")
    }

    private struct MirroredOption {
        var longName: String?
        var shortName: String?
        var isFlag: Bool
    }

    /// What the argument parser tells about a command's options.
    private static func options(of command: any ParsableCommand.Type) -> [MirroredOption] {
        guard let info = try? JSONParser.parse(Array(command._dumpHelp().utf8)),
            case .array(let arguments)? = info["command"]?["arguments"]
        else { return [] }
        return arguments.compactMap { argument in
            guard case .string(let kind)? = argument["kind"], kind != "positional",
                case .array(let names)? = argument["names"]
            else { return nil }
            func name(_ kind: String) -> String? {
                for name in names {
                    if case .string(kind)? = name["kind"], case .string(let text)? = name["name"] {
                        return text
                    }
                }
                return nil
            }
            return MirroredOption(
                longName: name("long"),
                shortName: name("short"),
                isFlag: kind == "flag"
            )
        }
    }

    private static func isGiven(_ option: MirroredOption, in arguments: [String]) -> Bool {
        for argument in arguments {
            if argument == "--" { return false }
            if let long = option.longName,
                argument == "--" + long || argument.hasPrefix("--" + long + "=")
            {
                return true
            }
            if let short = option.shortName, argument.hasPrefix("-" + short),
                !argument.hasPrefix("--")
            {
                return true
            }
        }
        return false
    }
}
