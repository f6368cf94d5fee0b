import ArgumentParser

/// The command at the root: `starling`.
struct Starling: AsyncParsableCommand {
    /// The software's version.
    static let version = "0.1.0"

    static let configuration = CommandConfiguration(
        commandName: "starling",
        abstract: "A leaderless key-value store: its nodes, its data, its upkeep.",
        version: version,
        subcommands: [
            DevCommand.self, NodeCommand.self, TopologyCommand.self, CertCommand.self,
            ConfigCommand.self,
            PutCommand.self, GetCommand.self, DeleteCommand.self, ScanCommand.self,
            ImportCommand.self, ExportCommand.self,
            CounterCommand.self, SetCommand.self, MapCommand.self, KeyspaceCommand.self,
            StatusCommand.self, RingCommand.self, FlushCommand.self, CompactCommand.self,
            VerifyCommand.self, ScrubCommand.self, BenchCommand.self, SimulateCommand.self,
        ]
    )
}
