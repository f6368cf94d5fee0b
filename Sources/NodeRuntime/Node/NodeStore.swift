import ByteCoding
import Causality
import ClusterPrimitives
import FileSystems
import Foundation
import ObjectStorage
import Partitioning
import StorageEngine

/// The data directory of a node, opened and locked.
struct NodeStore {
    let states: NodeStateStore
    let opened: NodeStateStore.Opened
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
        let random = ProcessSetup.randomBytes(16)
        let states: NodeStateStore
        let opened: NodeStateStore.Opened
        do {
            (states, opened) = try NodeStateStore.open(
                directory: directory,
                on: files,
                name: configuration.name,
                founding: founding,
                randomBytes: random
            )
        } catch {
            throw NodeError.dataDirectory(path: directory, error)
        }
        var options = EngineOptions()
        options.memoryBudget = configuration.memoryBudget
        options.cacheSize = configuration.storage.cacheSize
        options.openFiles = configuration.storage.openFiles
        options.diskReserve = configuration.storage.diskReserve
        options.compaction.maximumParallel = configuration.storage.parallelCompactions
        options.identity = opened.engineIdentity
        // Whatever a peer can send can be stored.
        options.maximumValueSize = Frame.maximumPeerBodySize
        do {
            // The engine locks its directory too, by a file of the same name.
            let objects = try ReplicaStore.open(
                directory: directory + "/store",
                on: files,
                topology: opened.topology,
                actor: opened.lives.current.actor,
                earlierActors: opened.lives.earlier.map(\.actor),
                options: options
            )
            if opened.lostLife > 0 { objects.distrust() }
            return NodeStore(states: states, opened: opened, objects: objects)
        } catch {
            states.close()
            throw NodeError.storage("\(error)")
        }
    }
}

extension NodeError {
    /// Why a data directory cannot be used.
    fileprivate static func dataDirectory(path: String, _ error: NodeStateError) -> NodeError {
        var isForeign = false
        if case .notOurs = error { isForeign = true }
        return .dataDirectory(path: path, reason: "\(error)", isForeign: isForeign)
    }
}
