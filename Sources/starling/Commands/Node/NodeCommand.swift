import ArgumentParser
import Logging
import NodeRuntime
import ServiceLifecycle
import UnixSignals

/// The command `starling node`.
struct NodeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "node",
        abstract: "Run one node in the foreground.",
        discussion: """
            SIGTERM and SIGINT let open requests end and exit with 0; SIGHUP reads certificates, \
            revocation lists and the log level again. The log goes to standard error.

            EXAMPLES:
              starling node --config /etc/starling/node.yaml
            """
    )

    @Option(help: "The node's configuration; see 'starling config template'.")
    var config: String

    func run() async throws {
        do {
            let configuration = try ServerConfiguration(file: config)
            let output = LogOutput(
                format: configuration.logFormat,
                level: configuration.logLevel
            )
            let service = NodeService(
                configuration: configuration,
                configurationFile: config,
                output: output
            )
            let group = ServiceGroup(
                configuration: ServiceGroupConfiguration(
                    services: [
                        .init(
                            service: service,
                            successTerminationBehavior: .gracefullyShutdownGroup
                        )
                    ],
                    gracefulShutdownSignals: [.sigterm, .sigint],
                    logger: output.logger("lifecycle", minimumLevel: .warning)
                )
            )
            try await group.run()
        } catch let error as ConfigurationError {
            throw ConfigurationReport.tell(error)
        } catch let error as NodeError {
            throw error.isConfiguration
                ? CommandError.configuration("\(error)")
                : CommandError("internal", "\(error)", exit: .failed)
        }
    }
}
