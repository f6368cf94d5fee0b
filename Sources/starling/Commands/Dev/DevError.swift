/// What development clusters say when something is not as it should be.
extension CommandError {
    /// Something about a development cluster that fails on the way: exit code 1.
    static func dev(_ message: String, advice: String) -> CommandError {
        CommandError("internal", message, advice: advice, exit: .failed)
    }

    /// A node or cluster that is not there: exit code 2.
    static func absent(_ message: String, advice: String) -> CommandError {
        CommandError("not_found", message, advice: advice, exit: .notFound)
    }
}
