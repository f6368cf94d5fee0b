import Foundation
import Synchronization

/// Progress of long work on standard error: a bar on a terminal, a line every five seconds
/// otherwise.
///
/// May be called from any task.
final class ProgressReporter: Sendable {
    private struct State {
        var done: Int64 = 0
        var lastShown: ContinuousClock.Instant
        var hasBar = false
    }

    private let noun: String
    private let total: Int64?
    private let isTerminal = Console.isErrorTerminal
    private let start = ContinuousClock.now
    private let state: Mutex<State>

    /// Begins to count.
    ///
    /// - Parameters:
    ///   - noun: what is counted: `records`.
    ///   - total: how much there will be, where that is known.
    init(_ noun: String, total: Int64? = nil) {
        self.noun = noun
        self.total = total
        state = Mutex(State(lastShown: ContinuousClock.now))
    }

    /// Counts more.
    func add(_ count: Int64 = 1) {
        let now = ContinuousClock.now
        let interval: Duration = isTerminal ? .milliseconds(200) : .seconds(5)
        let line = state.withLock { state -> String? in
            state.done += count
            guard state.lastShown.duration(to: now) >= interval else { return nil }
            state.lastShown = now
            state.hasBar = isTerminal
            return text(state.done, elapsed: start.duration(to: now))
        }
        guard let line else { return }
        Console.noteRaw(isTerminal ? "\r\u{1B}[K" + line : line + "\n")
    }

    /// Takes the bar away.
    func finish() {
        let hasBar = state.withLock { exchange(&$0.hasBar, with: false) }
        if hasBar { Console.noteRaw("\r\u{1B}[K") }
    }

    /// Seconds since the beginning.
    var elapsed: Double { (ContinuousClock.now - start) / .seconds(1) }

    private func text(_ done: Int64, elapsed: Duration) -> String {
        let seconds = max(elapsed / .seconds(1), 0.001)
        let rate = Double(done) / seconds
        var text = "\(done) \(noun), \(Int(rate)) /s"
        if let total, total > 0 {
            let share = min(1, Double(done) / Double(total))
            let filled = Int(share * 24)
            let bar =
                String(repeating: "#", count: filled)
                + String(repeating: "-", count: 24 - filled)
            let left = rate > 0 ? Double(max(0, total - done)) / rate : 0
            text =
                (isTerminal ? "[\(bar)] " : "") + "\(Int(share * 100)) %, " + text
                + ", \(DurationText.approximate(.seconds(left))) left"
        }
        return text
    }
}
