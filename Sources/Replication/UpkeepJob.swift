package import ClusterPrimitives

/// Upkeep that the control plane asks of its store, one keyspace after another.
///
/// It may take hours. At most one is under way at a node.
package struct UpkeepJob: Equatable, Sendable {
    /// The work.
    package var kind: StoreUpkeep
    /// What it is done to, in this order.
    package var keyspaces: [KeyspaceNumber]

    /// Upkeep of these keyspaces.
    package init(kind: StoreUpkeep, keyspaces: [KeyspaceNumber]) {
        self.kind = kind
        self.keyspaces = keyspaces
    }
}

/// What upkeep of one keyspace came to.
package struct UpkeepResult: Equatable, Sendable {
    /// What became of it.
    package enum Outcome: Equatable, Sendable {
        /// It was done.
        case done(StoreUpkeepReport)
        /// It failed, perhaps after some of it was done.
        case failed(Cause, reason: String)
    }

    /// Why it failed.
    package enum Cause: Equatable, Sendable {
        /// The keyspace was dropped meanwhile.
        case unknownKeyspace
        /// A bound was reached, such as room on the disk.
        case overloaded
        /// Damaged data was in the way.
        case corrupt
        /// The node stops.
        case stopping
        /// The disk failed, or failed before.
        case failed
    }

    /// The keyspace.
    package var keyspace: KeyspaceNumber
    /// What became of it.
    package var outcome: Outcome

    /// The outcome for a keyspace.
    package init(keyspace: KeyspaceNumber, outcome: Outcome) {
        self.keyspace = keyspace
        self.outcome = outcome
    }
}
