import ArgumentParser

/// `starling dev` and its verbs.
struct DevCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dev",
        abstract: "Run a cluster of real node processes on this machine.",
        discussion: """
            Without a verb, starts the cluster in DIR, making it if need be. Nothing restarts a \
            node by itself; data, certificates and logs stay in DIR until --reset.

            OPTIONS WITHOUT A VERB (starling dev up --help explains them):
              --datacenters N, --nodes N, --dir DIR, --base-port PORT, --reset, --detach,
              --durability group|periodic

            EXAMPLES:
              starling dev                           2 x 3 nodes; Ctrl-C stops them
              starling dev --nodes 1 --datacenters 1
              starling dev --detach                  return when all are up
              starling dev kill dc1-n2               kill -9
              starling dev start dc1-n2              start it again
              starling dev wipe dc1-n2               take its data away, as a lost disk does
              starling dev partition dc1 dc2         cut the link between both
              starling dev heal                      mend it
              starling dev stop                      stop all nodes
            """,
        subcommands: [
            DevUp.self, DevStop.self, DevKill.self, DevPause.self, DevResume.self,
            DevStartNode.self, DevWipe.self, DevLogs.self, DevPartition.self, DevHeal.self,
        ],
        defaultSubcommand: DevUp.self
    )
}

/// The option that every `dev` verb takes.
struct DevDirectoryOption: ParsableArguments {
    @Option(name: .customLong("dir"), help: "The cluster's directory.")
    var path = "./starling-dev"

    /// The directory that was asked for.
    var directory: DevDirectory {
        DevDirectory(path: path)
    }

    /// The cluster that lies in the directory.
    func cluster() throws(CommandError) -> DevCluster {
        try DevCluster(in: directory)
    }
}
