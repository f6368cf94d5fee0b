import ArgumentParser
import NodeRuntime

/// The command `starling topology`.
struct TopologyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "topology",
        abstract: "Found a cluster: who its members are and what they own.",
        subcommands: [TopologyInitCommand.self]
    )
}

/// The command `starling topology init`.
struct TopologyInitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Print the founding topology of a list of members.",
        discussion: """
            Give what it prints to every node, as the file that its configuration names. The list:

              cluster: orders
              tokens_per_member: 16          # optional
              members:
                - name: dc1-n1
                  datacenter: dc1
                  rack: r1
                  peer: 10.0.0.1:7400
                  client: 10.0.0.1:7401

            EXAMPLES:
              starling topology init members.yaml > topology.yaml
            """
    )

    @Argument(help: "The list of members.")
    var members: String

    func run() throws {
        do throws(ConfigurationError) {
            let topology = try MembersFile(file: members).founding(file: members)
            Console.write(TopologyFile.text(of: topology))
        } catch {
            throw ConfigurationReport.tell(error)
        }
    }
}
