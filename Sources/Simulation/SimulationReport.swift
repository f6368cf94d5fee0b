/// What a simulation found and did.
package struct SimulationReport: Equatable, Sendable {
    /// The seed.
    package var seed: UInt64
    /// The hash over all events, in hexadecimal; equal for equal seeds, options and code.
    package var traceHash: String
    /// What must not have happened, each in a sentence; empty when all held.
    package var violations: [String]
    /// How much time passed in the simulated world.
    package var simulatedTime: Duration
    /// Events in the trace.
    package var events: Int
    /// What clients asked and how it ended.
    package var operations = Operations()
    /// Faults injected.
    package var faults = 0
    /// How many replicas reads repaired.
    package var repairs = 0
    /// A sentence about what the seed drew.
    package var scenario: String

    /// Clients' operations by their end.
    package struct Operations: Equatable, Sendable {
        /// Answered as asked.
        package var done = 0
        /// Certainly without effect.
        package var refused = 0
        /// With an effect that is not known.
        package var unknown = 0
        /// All of them.
        package var total: Int { done + refused + unknown }
    }
}
