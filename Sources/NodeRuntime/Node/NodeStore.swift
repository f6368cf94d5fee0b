import ClusterPrimitives
import FileSystems
import Foundation
import ObjectStorage
import Partitioning
import StorageEngine

/// The data directory of a node, opened and locked.
struct NodeStore {
    let states: NodeStateStore
    let opened: NodeStateStore.OpenedState
    let objects: ReplicaStore

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
        let random = try ProcessSetup.randomBytes(16)
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
        var options = EngineOptions()
        options.memoryBudget = configuration.memoryBudget
        do {
            let objects = try ReplicaStore.open(
                directory: directory,
                on: files,
                topology: opened.topology,
                options: options
            )
            return NodeStore(states: states, opened: opened, objects: objects)
        } catch {
            throw NodeError.dataDirectory(path: directory, reason: "\(error)", isForeign: false)
        }
    }
}
