/// How long a write waits while memory fills faster than it is flushed.
///
/// Slowing writers early and a little lets the flush catch up, where refusing them at the limit
/// would make a load come in bursts.
package enum WritePressure {
    /// The longest delay, at the limit; 10 ms.
    package static let longest = Duration.milliseconds(10)

    /// How long the next write waits.
    ///
    /// None up to seven eighths of the budget; from there the delay grows with the square of the
    /// distance, up to `longest` at all of the budget and beyond.
    ///
    /// - Parameters:
    ///   - memoryInUse: bytes of memtables and of batches on their way to them.
    ///   - budget: bytes they may have; without any every write waits the longest.
    /// - Returns: from zero to `longest`.
    package static func delay(memoryInUse: Int, budget: Int) -> Duration {
        guard budget > 0 else { return longest }
        let share = (Double(max(memoryInUse, 0)) / Double(budget) - 0.875) / 0.125
        guard share > 0 else { return .zero }
        return share >= 1 ? longest : longest * (share * share)
    }
}
