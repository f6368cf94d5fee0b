import Causality
import ClusterPrimitives
import FileSystems
import Foundation
import Logging
import MutualTLS
import NIOCore
import NIOPosix
import NodeCore
import ObjectStorage
import Partitioning
import ServiceLifecycle
import StorageEngine
import UnixSignals

/// One node of a cluster, from the opening of its data directory to its orderly end.
///
/// `run` returns after a graceful shutdown: no request under way was cut off within five seconds,
/// everything acknowledged is on disk, and the data directory is free.
package struct NodeService: Service {
    /// How long open requests may take while the node drains: 5 s.
    package static let drainTimeout: Duration = .seconds(5)

    private let configuration: ServerConfiguration
    private let configurationFile: String?
    private let output: LogOutput
    private let logger: Logger

    /// A node.
    ///
    /// - Parameters:
    ///   - configuration: what it is to do.
    ///   - configurationFile: the file to read the log level from again at SIGHUP; nil for none.
    ///   - output: where its log lines go.
    package init(
        configuration: ServerConfiguration,
        configurationFile: String?,
        output: LogOutput
    ) {
        self.configuration = configuration
        self.configurationFile = configurationFile
        self.output = output
        logger = output.logger("node")
    }

    /// Runs until a graceful shutdown is asked for.
    ///
    /// - Throws: `ConfigurationError` or `NodeError` when the node cannot start or end in order.
    package func run() async throws {
        let openFiles = ProcessSetup.prepare()
        let node = try await RunningNode.start(configuration, logger: logger)
        logger.info(
            "node is ready",
            metadata: [
                "node": "\(configuration.name)", "cluster": "\(node.clusterName)",
                "peer_address": "\(node.peerAddress)", "client_address": "\(node.clientAddress)",
                "epoch": "\(node.epoch)", "start_number": "\(node.startNumber)",
                "lanes": "\(configuration.lanes)", "open_files": "\(openFiles)",
            ]
        )
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await reloadAtHangup(node) }
            try? await gracefulShutdown()
            group.cancelAll()
        }
        logger.info("node is stopping", metadata: ["node": "\(configuration.name)"])
        try await node.stop(within: Self.drainTimeout)
        logger.info("node stopped", metadata: ["node": "\(configuration.name)"])
    }

    private func reloadAtHangup(_ node: RunningNode) async {
        for await _ in await UnixSignalsSequence(trapping: .sighup) {
            do throws(NodeError) {
                try node.reloadSecurity()
                logger.info("certificates reloaded")
            } catch {
                logger.error(
                    "certificates not reloaded; those in force stay so",
                    metadata: ["reason": "\(error)"]
                )
            }
            reloadLogLevel()
        }
    }

    private func reloadLogLevel() {
        guard let configurationFile else { return }
        do throws(ConfigurationError) {
            let fresh = try ServerConfiguration(file: configurationFile)
            guard fresh.logLevel != output.minimumLevel else { return }
            output.minimumLevel = fresh.logLevel
            logger.notice("log level changed", metadata: ["level": "\(fresh.logLevel)"])
        } catch {
            logger.error("configuration not reloaded", metadata: ["reason": "\(error)"])
        }
    }
}
