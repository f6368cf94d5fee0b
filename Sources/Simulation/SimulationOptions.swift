package import Partitioning

/// What is simulated; together with the code, its seed decides every byte of the run.
package struct SimulationOptions: Sendable {
    /// Decides everything that is not named here.
    package var seed: UInt64
    /// How long clients work and faults happen, in simulated time; 60 s.
    ///
    /// Start, recovery and the final checks come on top.
    package var duration: Duration = .seconds(60)
    /// The faults that a seed may draw from.
    package var faults: FaultKinds = .all
    /// The number of nodes, 1 to 16; nil lets the seed draw 3 to 9.
    package var nodeCount: Int?
    /// What the keys hold; nil lets the seed draw it.
    package var mode: ConflictMode?
    /// The mean pause of a client between two operations, at least 1 ms; nil lets the seed draw 20
    /// to 150 ms.
    package var thinkTime: Duration?
    /// A bug to be planted, to prove that the checkers see it.
    package var mutant: Mutant?
    /// Takes a line about each event of interest; nil says nothing.
    package var log: (@Sendable (String) -> Void)?

    /// The defaults for a seed.
    package init(seed: UInt64) {
        self.seed = seed
    }
}

/// A bug planted on purpose: the instrument that proves that the checkers see such bugs.
package enum Mutant: String, CaseIterable, Sendable {
    /// A replica acknowledges a write before it is synced.
    case answerBeforeSync = "answer-before-sync"
    /// A write is answered with one acknowledgement less than its level asks for.
    case oneAcknowledgementLess = "w-minus-one"
    /// A read answers without repairing the replicas it found behind.
    case noReadRepair = "no-read-repair"
    /// A node that hears that its disk went back in time reads from it all the same.
    case trustOldDisk = "trust-old-disk"
    /// A node mints dots under one name in all its lives.
    case reuseActor = "reuse-actor"
    /// A write's context claims more than its writer has seen.
    case contextOfEverything = "context-of-everything"
    /// A retry of an increment counts again.
    case noOperationIDs = "no-operation-ids"
    /// A removal takes additions that its client has not seen.
    case removalOfEverything = "removal-of-everything"

    /// What the keys must hold for it to do harm; nil for anything.
    package var mode: ConflictMode? {
        switch self {
        case .answerBeforeSync, .oneAcknowledgementLess, .noReadRepair, .trustOldDisk: .lww
        case .reuseActor, .contextOfEverything: .siblings
        case .noOperationIDs: .counter
        case .removalOfEverything: .set
        }
    }

    /// The faults that bring it to light soonest.
    package var faults: FaultKinds {
        switch self {
        case .trustOldDisk: [.wipe, .rollback]
        case .reuseActor: [.wipe, .partition]
        default: [.crash, .partition]
        }
    }
}
