/// A bug planted in request coordination on purpose.
///
/// The instrument that proves that the simulation's checkers see such bugs; no node is ever
/// configured with one.
package enum CoordinationDeviation: Sendable {
    /// A write counts as done with one acknowledgement less than its level asks for.
    case oneAcknowledgementLess
    /// A read answers without waiting for the repair of the replicas it found behind.
    case noReadRepair
}
