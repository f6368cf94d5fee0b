import Causality
import ClusterPrimitives
package import Logging
package import NodeCore
import Partitioning
package import Replication

/// Turns the core's notices into log lines.
package struct NoticeLogger {
    private let logger: Logger

    /// Logs with this logger.
    package init(logger: Logger) {
        self.logger = logger
    }

    /// Logs a notice; nodes are named as the view names them.
    package func log(_ notice: NodeNotice, view: ClusterView) {
        func name(_ node: NodeID) -> Logger.MetadataValue { "\(view.name(of: node))" }
        switch notice {
        case .peerUp(let node):
            logger.info("peer up", metadata: ["peer": name(node)])
        case .peerDown(let node, let phi, let isRefused):
            logger.warning(
                "peer down",
                metadata: [
                    "peer": name(node), "phi": "\((phi * 10).rounded() / 10)",
                    "cause": isRefused ? "refused" : "silence",
                ]
            )
        case .topologyAdopted(let epoch):
            logger.info("topology adopted", metadata: ["epoch": "\(epoch)"])
        case .readRepaired(let keyspace, let replicas):
            logger.debug(
                "replicas repaired by a read",
                metadata: ["keyspace": "\(keyspace)", "replicas": "\(replicas)"]
            )
        case .manySiblings(let keyspace, let key, let count):
            logger.warning(
                "a key has many siblings: read it and write their merger with its context",
                metadata: [
                    "keyspace": "\(view.placement(of: keyspace)?.keyspace.name ?? "\(keyspace)")",
                    "key": "\(String(decoding: key.prefix(64), as: UTF8.self))",
                    "siblings": "\(count)",
                ]
            )
        case .largeRecord(let keyspace, let key):
            logger.warning(
                "a key's record exceeds 1 MiB, and each write of it reads it: spread it over keys",
                metadata: [
                    "keyspace": "\(view.placement(of: keyspace)?.keyspace.name ?? "\(keyspace)")",
                    "key": "\(String(decoding: key.prefix(64), as: UTF8.self))",
                ]
            )
        case .counterFolded(let keyspace):
            logger.debug("counter folded", metadata: ["keyspace": "\(keyspace)"])
        case .peerRolledBack(let node, let seen, let presented):
            logger.error(
                "peer presents an older life: its disk went back in time or is new, repair it",
                metadata: ["peer": name(node), "seen": "\(seen)", "presented": "\(presented)"]
            )
        case .rolledBack(let node, let start):
            logger.error(
                "older data than a peer has seen here, or none: reads are unknown until a repair",
                metadata: ["seen_by": name(node), "lost_start": "\(start)"]
            )
        case .clockAhead(let node, let timestamp):
            logger.warning(
                "peer clock too far ahead",
                metadata: ["peer": name(node), "timestamp": "\(timestamp)"]
            )
        case .clockDeviates(let milliseconds, let isOff):
            guard isOff else {
                logger.notice("clock agrees with the others again", metadata: [:])
                return
            }
            logger.error(
                "clock differs from the others: writes are handed on until it is set right",
                metadata: ["ahead_ms": "\(milliseconds)"]
            )
        case .malformedFrame(let node, let reason):
            logger.warning(
                "malformed frame",
                metadata: ["peer": node.map(name) ?? "client", "reason": "\(reason)"]
            )
        case .frameTooLong(let node, let kind, let size):
            logger.warning(
                "a frame is longer than peers take and was not sent: shrink the key's record",
                metadata: [
                    "peer": node.map(name) ?? "the asker", "kind": "\(kind)", "bytes": "\(size)",
                ]
            )
        case .lateAnswer(let node):
            logger.trace("late answer", metadata: ["peer": name(node)])
        case .peersBlocked(let nodes):
            let names = nodes.map { view.name(of: $0) }.joined(separator: ",")
            logger.notice("fault injection", metadata: ["blocked_peers": "\(names)"])
        case .upkeepBegan(let job):
            logger.info("upkeep begins", metadata: ["job": "\(job)"])
        case .upkeepEnded(let job, let elapsed, let damaged):
            let time: Logger.MetadataValue = "\(elapsed.wholeMilliseconds)"
            guard !damaged.isEmpty else {
                logger.info("upkeep ended", metadata: ["job": "\(job)", "elapsed_ms": time])
                return
            }
            logger.error(
                "upkeep found damaged tables: see starling verify, then starling scrub",
                metadata: [
                    "job": "\(job)", "elapsed_ms": time,
                    "keyspaces": "\(damaged.joined(separator: ","))",
                ]
            )
        }
    }
}
