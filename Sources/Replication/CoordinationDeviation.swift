/// A bug planted in request coordination on purpose.
///
/// The instrument that proves that the simulation's checkers see such bugs; no node is ever
/// configured with one.
package enum CoordinationDeviation: Sendable {
    /// A write counts as done with one acknowledgement less than its level asks for.
    case oneAcknowledgementLess
    /// A read answers without waiting for the repair of the replicas it found behind.
    case noReadRepair
    /// The context that a write returns covers all that the coordinator holds, seen or not.
    case contextOfEverything
    /// An increment's id is not looked at.
    case noOperationIDs
    /// A removal takes what the coordinator holds, seen or not.
    case removalOfEverything
}
