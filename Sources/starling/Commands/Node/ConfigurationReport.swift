import NodeRuntime

/// Tells people everything that is wrong with a configuration file.
enum ConfigurationReport {
    /// Writes one line a finding to standard error.
    ///
    /// - Returns: the end of the command, with 78.
    static func tell(_ error: ConfigurationError) -> CommandExit {
        for line in error.description.split(separator: "\n") {
            Console.note("error: invalid: \(line)")
        }
        return CommandExit(.configuration)
    }
}
