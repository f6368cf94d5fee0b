/// Ends a command that has told everything with an exit code.
struct CommandExit: Error {
    /// The code.
    var exit: CommandError.Exit

    /// An end with this code.
    init(_ exit: CommandError.Exit) {
        self.exit = exit
    }
}
