import ClusterPrimitives
import FileSystems
import Foundation
import ObjectStorage
import Partitioning
import Replication
import StorageEngine

/// The data directory of a node, opened and locked.
struct NodeStore {
    let states: NodeStateStore
    let opened: NodeStateStore.OpenedState
    let objects: ReplicaStore
    /// The acceptor's state on disk; nil before the first.
    let acceptor: RegisterAcceptor?

    /// Opens a node's data directory, or makes it.
    ///
    /// - Throws: `ConfigurationError` for the topology file, `NodeError` for the rest.
    static func open(_ configuration: ServerConfiguration) throws -> NodeStore {
        let founding = try TopologyFile.read(file: configuration.topology)
        guard founding.member(named: configuration.name) != nil else {
            throw NodeError.notAMember(
                name: configuration.name,
                cluster: founding.clusterName,
                topology: configuration.topology,
                members: founding.members.map(\.name)
            )
        }
        let directory = configuration.dataDirectory
        let files = PosixFileSystem()
        let random = ProcessSetup.randomBytes(16)
        let states: NodeStateStore
        let opened: NodeStateStore.OpenedState
        do {
            (states, opened) = try NodeStateStore.open(
                directory: directory,
                on: files,
                name: configuration.name,
                founding: founding,
                randomBytes: random
            )
        } catch {
            throw NodeError.dataDirectory(
                path: directory,
                reason: "\(error)",
                isForeign: error.isForeign
            )
        }
        let acceptor = try acceptor(opened.acceptor, in: directory)
        var options = EngineOptions()
        options.memoryBudget = configuration.memoryBudget
        do {
            let objects = try ReplicaStore.open(
                directory: directory,
                on: files,
                topology: opened.topology,
                options: options
            )
            return NodeStore(
                states: states,
                opened: opened,
                objects: objects,
                acceptor: acceptor
            )
        } catch {
            throw NodeError.dataDirectory(path: directory, reason: "\(error)", isForeign: false)
        }
    }

    private static func acceptor(
        _ bytes: [UInt8]?,
        in directory: String
    ) throws(NodeError) -> RegisterAcceptor? {
        guard let bytes else { return nil }
        do {
            return try RegisterAcceptor(decoding: bytes)
        } catch {
            throw .dataDirectory(
                path: directory,
                reason: "the acceptor's state cannot be read: \(error)",
                isForeign: false
            )
        }
    }
}
